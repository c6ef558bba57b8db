"""Which votes a step of a reward model learns from: a prompt's together, so that each answer is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.engine.data import BUCKET, Encoder, Indices, Pair


@dataclass(frozen=True, eq=False)
class Answers:
    """Hold the distinct answers of some votes as tokens, and which were chosen and rejected, (votes, 2)."""

    rows: list[list[int]]
    sides: Indices

    @property
    def lengths(self) -> Indices:
        """Return each answer's tokens."""
        return np.array([len(row) for row in self.rows], dtype=np.intp)


def encode(encoder: Encoder, pairs: Sequence[Pair]) -> Answers:
    """Encode every answer with what it replies to, once."""
    known: dict[tuple[str, ...], int] = {}
    places: dict[tuple[int, ...], int] = {}
    sides = np.empty((len(pairs), 2), dtype=np.intp)
    for i, pair in enumerate(pairs):
        for side, (before, text) in enumerate(
            ((pair.before_chosen, pair.chosen), (pair.before_rejected, pair.rejected))
        ):
            key = (*(part for message in before for part in message.values()), text)
            if key not in known:
                row = tuple(encoder.conversation(before, text))
                known[key] = places.setdefault(row, len(places))
            sides[i, side] = known[key]
    return Answers([list(row) for row in places], sides)


def batches(
    answers: Answers, prompts: Sequence[str], size: int, tokens: int, seed: int, epoch: int
) -> list[Indices]:
    """Part the votes of one epoch into steps of similar lengths, ordered by seed and epoch.

    A step has at most 2·`size` distinct answers, or `tokens` padded tokens if that is above 0. The votes of a
    prompt stay together (Ouyang et al. 2022, section 3.5), split only where its answers are more than that.
    """
    rng = np.random.default_rng([seed, epoch])
    lengths = answers.lengths
    groups = list(_groups(answers.sides, prompts, 2 * size, rng))
    order = rng.permutation(len(groups))
    found: list[Indices] = []
    for start in range(0, len(order), size * BUCKET):
        bucket = [groups[i] for i in order[start : start + size * BUCKET]]
        bucket.sort(key=lambda votes: lengths[answers.sides[votes]].max())
        found += _pack(bucket, answers.sides, lengths, len(lengths) if tokens else 2 * size, tokens)
    return [found[i] for i in rng.permutation(len(found))]


def splitter(answers: Answers, size: int, tokens: int) -> Callable[[Indices], list[Indices]]:
    """Return how a step is parted into micro-batches of at most 2·`size` distinct answers.

    Above 0, `tokens` bounds their padded tokens too, but for a vote that has more alone.
    """
    lengths = answers.lengths

    def split(batch: Indices) -> list[Indices]:
        votes = [batch[i : i + 1] for i in range(len(batch))]
        return _pack(votes, answers.sides, lengths, 2 * size, tokens)

    return split


def _groups(sides: Indices, prompts: Sequence[str], most: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Yield the votes of each prompt; of one with more than `most` answers in parts, by pairs at random."""
    by_prompt: dict[str, list[int]] = {}
    for i, prompt in enumerate(prompts):
        by_prompt.setdefault(prompt, []).append(i)
    for votes in by_prompt.values():
        if len(np.unique(sides[votes])) <= most:
            yield np.array(votes)
            continue
        by_pair: dict[tuple[int, ...], list[int]] = {}
        for i in votes:
            by_pair.setdefault(tuple(sorted(sides[i])), []).append(i)
        pairs = list(by_pair.values())
        shuffled = [np.array(pairs[i]) for i in rng.permutation(len(pairs))]
        yield from _pack(shuffled, sides, np.zeros(int(sides.max()) + 1, np.intp), most, 0)


def _pack(
    groups: Sequence[Indices], sides: Indices, lengths: Indices, most: int, tokens: int
) -> list[Indices]:
    """Join groups of votes, in their order, as long as their answers fit; a group too large stays alone."""
    found: list[Indices] = []
    parts: list[Indices] = []
    answers: set[int] = set()
    longest = 0
    for votes in groups:
        own = set(sides[votes].ravel().tolist())
        long = max(int(lengths[list(own)].max()), longest)
        joined = len(answers | own)
        if parts and (joined > most or (tokens and joined * long > tokens)):
            found.append(np.concatenate(parts))
            parts, answers, long = [], set(), int(lengths[list(own)].max())
        parts.append(votes)
        answers |= own
        longest = long
    return [*found, np.concatenate(parts)] if parts else found
