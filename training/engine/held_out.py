"""Votes that a reward model wasn't fitted to, with its rewards, and what these say of it group by group."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from models_app.backends import Conversation
from preferences.agreement import ceiling, count_codes, of_ceiling, pairwise_agreement
from preferences.intervals import (
    RESAMPLES,
    clustered_bootstrap,
    encode_clusters,
    paired_difference,
    percentile_interval,
    resample_totals,
)
from preferences.types import Estimate
from training.engine import evaluation
from training.engine.data import Pair
from training.engine.evaluation import Floats, hits

Mask = npt.NDArray[np.bool_]
Figure = dict[str, Any]

ENOUGH_TIES = 100  # below which the votes at equal verdicts say more of a taste for length
LENGTH_BINS = 5
SAME_LENGTH = 0.2


@dataclass(frozen=True)
class HeldOut:
    """Hold votes with the reward of each side, (votes, 2): chosen and rejected."""

    pairs: Sequence[Pair]
    rewards: Floats

    @cached_property
    def probability(self) -> Floats:
        """How likely each chosen answer is the preferred one."""
        return np.array([pair.probability for pair in self.pairs], dtype=np.float64)

    @cached_property
    def margin(self) -> Floats:
        """Reward of the chosen answer less that of the rejected one."""
        return np.asarray(self.rewards[:, 0] - self.rewards[:, 1])

    @cached_property
    def clear(self) -> Mask:
        """Which votes are no ties."""
        return np.asarray(self.probability != 0.5)

    @cached_property
    def prompts(self) -> npt.NDArray[np.str_]:
        """The prompt of each vote."""
        return np.array([pair.prompt_id for pair in self.pairs], dtype=np.str_)

    @cached_property
    def more_words(self) -> Floats:
        """Words of the chosen answer less those of the rejected one."""
        return word_difference(self.pairs)

    def accuracy(self, which: Mask | None = None) -> Estimate:
        """Share of the clear votes, or of those among `which`, that the rewards agree with, by prompt."""
        taken = self.clear if which is None else self.clear & which
        if not taken.any():
            return Estimate(None, None, 0, "there are no votes to test on yet")
        return clustered_bootstrap(
            hits(self.probability[taken], self.margin[taken]), self.prompts[taken].tolist()
        )

    def group(self, name: Callable[[Pair], Any], order: Sequence[Any]) -> list[Figure]:
        """Measure the accuracy in each group that has clear votes, in the order given."""
        names = np.array([name(pair) for pair in self.pairs], dtype=object)
        found = [(group, self.accuracy(names == group)) for group in order]
        return [{"group": group, **figure(estimate)} for group, estimate in found if estimate.n]


def figure(estimate: Estimate) -> Figure:
    """Write an estimate as JSON: value, interval, n, and why where something is missing."""
    interval = None if estimate.interval is None else [round(end, 6) for end in estimate.interval]
    value = None if estimate.value is None else round(estimate.value, 6)
    found: Figure = {"value": value, "interval": interval, "n": estimate.n}
    return {**found, "why": estimate.why} if estimate.why else found


def conversations(pairs: Sequence[Pair]) -> list[Conversation]:
    """Return what is scored: each pair's chosen answer and its rejected one, with what stands before them."""
    return [
        [*before, {"role": "assistant", "content": text}]
        for pair in pairs
        for before, text in ((pair.before_chosen, pair.chosen), (pair.before_rejected, pair.rejected))
    ]


def distinct_conversations(pairs: Sequence[Pair]) -> tuple[list[Conversation], npt.NDArray[np.intp]]:
    """Return every conversation once, and which of them each pair's sides are, (pairs, 2)."""
    talks = conversations(pairs)
    codes, n = encode_clusters([json.dumps(talk) for talk in talks])
    first = np.full(n, len(talks))
    np.minimum.at(first, codes, np.arange(len(talks)))
    return [talks[i] for i in first], codes.reshape(-1, 2)


def word_difference(pairs: Sequence[Pair]) -> Floats:
    """Count the words of each chosen answer less those of the rejected one."""
    return evaluation.words([p.chosen for p in pairs]) - evaluation.words([p.rejected for p in pairs])


def strength(pair: Pair) -> int:
    """Return how strong a verdict was, 1 to 3; 0 a tie."""
    if pair.probability == 0.5:
        return 0
    # a run directory from before there were verdicts has only what they were taken for
    return (
        abs(pair.verdict) or int(np.searchsorted([0.7, 0.9], max(pair.probability, 1 - pair.probability))) + 1
    )


def by_group(test: HeldOut) -> Figure:
    """Measure the accuracy by whether the rater was kept out of training, by strength, round and skill."""
    unseen = np.array([pair.rater_held_out for pair in test.pairs], dtype=bool)
    rounds = sorted({pair.round for pair in test.pairs})
    skills = sorted({skill for pair in test.pairs for skill in pair.skills})
    new = test.accuracy(unseen)
    if not unseen.any():
        new = Estimate(None, None, 0, "raters are kept out of training only where there are at least 20")
    return {
        "known_raters": figure(test.accuracy(~unseen)),
        "held_out_raters": figure(new),
        "by_strength": test.group(strength, [1, 2, 3]),
        "by_round": test.group(lambda pair: pair.round, rounds),
        "by_skill": [
            {
                "group": skill,
                **figure(test.accuracy(np.array([skill in pair.skills for pair in test.pairs], dtype=bool))),
            }
            for skill in skills
        ],
    }


def newest_round(test: HeldOut, everything: Sequence[Pair]) -> Figure:
    """Measure the accuracy on the round that was voted on last."""
    newest = max((pair.round for pair in everything), default=0)
    return {
        "round": newest,
        **figure(test.accuracy(np.array([pair.round == newest for pair in test.pairs], dtype=bool))),
    }


def reach(test: HeldOut, everything: Sequence[Pair]) -> Figure:
    """Hold the accuracy against what raters' agreement with each other leaves to any model.

    Agreement is that of clear votes on the same two answers, over all splits.
    """
    votes = [pair for pair in everything if pair.probability != 0.5]
    sides = [
        tuple(sorted((repr(p.before_chosen) + p.chosen, repr(p.before_rejected) + p.rejected))) for p in votes
    ]
    items, _ = encode_clusters([(p.prompt_id, *side) for p, side in zip(votes, sides, strict=True)])
    first = [
        int((repr(p.before_chosen) + p.chosen == side[0]) == (p.probability > 0.5))
        for p, side in zip(votes, sides, strict=True)
    ]
    counts = count_codes(items, np.array(first, dtype=np.int64), 2)
    _, at = np.unique(items, return_index=True)
    prompts, _ = encode_clusters([p.prompt_id for p in votes])
    agreed = pairwise_agreement(counts, clusters=prompts[at])
    bound = ceiling(agreed)
    reached = of_ceiling(test.accuracy(), bound)
    leak = reached.interval is not None and reached.interval.low > 1
    return {
        "agreement": figure(agreed),
        "ceiling": figure(bound),
        "of_ceiling": figure(reached),
        "leak": leak,
    }


def length(train: Sequence[Pair], test: HeldOut) -> Figure:
    """Say how far the rewards go by length: at equal verdicts, against length alone, by who is longer."""
    shorter = test.more_words < 0
    rule, alone = _length_alone(train, test)
    prompts = test.prompts[test.clear].tolist()
    how, matched = _matched_correlation(test)
    mine = hits(test.probability, test.margin)
    return {
        "rule": rule,
        "baseline": figure(clustered_bootstrap(alone, prompts)),
        "gain": figure(paired_difference(mine, alone, prompts)),
        "matched_by": how,
        "matched": figure(matched),
        "shorter_wins": figure(test.accuracy(_won(test, shorter))),
        "equal_length": figure(test.accuracy(_about_as_long(test.pairs))),
        "bins": _length_bins(test),
    }


def _length_alone(train: Sequence[Pair], test: HeldOut) -> tuple[str, Floats]:
    learnt = hits(np.array([pair.probability for pair in train], dtype=np.float64), word_difference(train))
    longer = not len(learnt) or float(learnt.mean()) >= 0.5
    difference = test.more_words if longer else -test.more_words
    return "longer" if longer else "shorter", hits(test.probability, difference)


def _won(test: HeldOut, chosen: Mask) -> Mask:
    """Turn what holds for chosen answers into what holds for preferred ones; none of equal length."""
    unequal = test.more_words != 0
    return np.asarray(unequal & np.where(test.probability > 0.5, chosen, ~chosen))


def _about_as_long(pairs: Sequence[Pair]) -> Mask:
    """Find the pairs whose words differ by at most a fifth of the longer one's."""
    chosen, rejected = (
        evaluation.words(texts) for texts in ([p.chosen for p in pairs], [p.rejected for p in pairs])
    )
    return np.asarray(np.abs(chosen - rejected) <= SAME_LENGTH * np.maximum(chosen, rejected))


def _matched_correlation(test: HeldOut) -> tuple[str, Estimate]:
    """Correlate margin and words at matched quality: within ties, or within verdicts of the same strength.

    Answers of a tie are of equal worth to the rater. Where ties are few, the mean margin and the mean
    difference of words of each strength are taken out, preferred less other, and the rest is correlated.
    """
    tied = ~test.clear
    if tied.sum() >= ENOUGH_TIES:
        return "ties", _correlation(test.margin[tied], test.more_words[tied], test.prompts[tied].tolist())
    sign = np.sign(test.probability - 0.5)[test.clear]
    margin, more = sign * test.margin[test.clear], sign * test.more_words[test.clear]
    strengths = np.array([strength(pair) for pair in test.pairs], dtype=np.int64)[test.clear]
    for value in np.unique(strengths):
        at = strengths == value
        margin[at] -= margin[at].mean()
        more[at] -= more[at].mean()
    return "verdicts", _correlation(margin, more, test.prompts[test.clear].tolist())


def _correlation(first: Floats, second: Floats, clusters: list[str]) -> Estimate:
    """Correlate two series (Pearson), its interval by resampling whole clusters."""
    value = evaluation.correlation(first, second)
    if value is None:
        return Estimate(None, None, len(first), "the answers never differ in it")
    codes, n = encode_clusters(clusters)
    if n < 2:
        return Estimate(value, None, len(first), "an interval needs at least two clusters")
    sums = [np.ones(len(first)), first, second, first * second, first**2, second**2]
    totals = resample_totals(np.column_stack([np.bincount(codes, s, n) for s in sums]), RESAMPLES, 0)
    mean = totals[:, 1:] / totals[:, :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((mean[:, 3] - mean[:, 0] ** 2) * (mean[:, 4] - mean[:, 1] ** 2))
        draws = (mean[:, 2] - mean[:, 0] * mean[:, 1]) / spread
    draws = draws[np.isfinite(draws)]
    return Estimate(value, percentile_interval(draws, 0.95) if len(draws) else None, len(first))


def _length_bins(test: HeldOut) -> list[Figure]:
    """Measure the accuracy by how many words the preferred answer has more, in fifths of the votes."""
    more = np.where(test.probability > 0.5, test.more_words, -test.more_words)
    if test.clear.sum() < 2 * LENGTH_BINS:
        return []
    edges = np.unique(np.quantile(more[test.clear], np.linspace(0, 1, LENGTH_BINS + 1)))
    bins = []
    for low, high, last in zip(edges, edges[1:], [False] * (len(edges) - 2) + [True], strict=False):
        within = (more >= low) & ((more <= high) if last else (more < high))
        found = more[within & test.clear]
        if len(found):
            bins.append({"low": found.min(), "high": found.max(), **figure(test.accuracy(within))})
    return bins
