"""Flags: what in a rater's votes a person should look at, with the evidence; never a verdict by itself.

Every threshold is fixed here and in the modules that are used. `FALSE_ALARMS` bounds for each flag the share
of honest raters who get it by 100 judgments: the upper end of the 95 % interval over 9,900 simulated ones
(the crowds of bench/statistics/watch.py). A real crowd may differ. Of honest raters with 45 % of the usual
ability some 4 % are called unreliable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from preferences.accord import chose_left, chose_longer, measure_accord
from preferences.copying import Copying, find_copying
from preferences.drift import find_changes, trace
from preferences.effort import skimming, skims
from preferences.intervals import Floats, wilson
from preferences.ordinal import DOUBT, Fit, Votes

SURE = 0.99  # level of the intervals that must be beyond a threshold
ONE_SIDED = 2 / 3  # of the votes for one side; met by 14 of 14
ONE_LENGTH = 0.85  # of the votes for the longer (or the shorter); met by 38 of 38
FEWEST_ACCORD = 20  # votes on pairs on which the others lean to a side
FEWEST_FIT = 20  # votes

Evidence = dict[str, float | int | str]
FALSE_ALARMS = {
    "unreliable": 0.003,
    "one-sided": 0.001,
    "one-length": 0.001,
    "random": 0.003,
    "speeding": 0.001,
    "copying": 0.001,
    "drift": 0.002,
}


@dataclass(frozen=True)
class Flag:
    """Name what is odd about a rater (a key of FALSE_ALARMS) and the figures that show it.

    Evidence by flag, shares with `low` and `high`, the ends of their 95 % interval, and `n`, their votes:

    - unreliable: `ability`, `se`, `median` (of everybody's abilities)
    - one-sided: `share` of the left side (0 means always right)
    - one-length: `share` of the longer (0 means always the shorter), `others`, what it is for everybody else
    - random: `accord` (1 goes with the others, 0 is chance)
    - speeding: `share` of judgments faster than can be read
    - copying: `other` (the rater), `shared` pairs, `same` verdicts, `expected` ones, `log_odds` of copying
    - drift: `series` (agreement, side or length), `at`, `before`, `after`, `p`
    """

    rater: int
    flag: str
    evidence: Evidence


@dataclass(frozen=True, eq=False)
class Reading:
    """Hold for each vote how many words were to be read and the active milliseconds (0 where unknown)."""

    words: npt.NDArray[np.integer]
    milliseconds: npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Hold a fit of the ordinal model with the features and lengths that it was fitted to."""

    fit: Fit
    features: Floats
    lengths: Floats


def flag_raters(
    votes: Votes, words: npt.ArrayLike, fitted: Fitted | None = None, reading: Reading | None = None
) -> list[Flag]:
    """Return every flag, by rater; votes in time order, `words` each answer's length.

    Without `fitted` nobody is called unreliable or copying, without `reading` nobody speeding. `random` is
    left out for whoever goes by one side or one length, which explains the chance.
    """
    explained = [*_flag_sides(votes), *_flag_lengths(votes, words)]
    by_rule = {flag.rater for flag in explained}
    flags = explained + [flag for flag in _flag_random(votes) if flag.rater not in by_rule]
    if fitted is not None:
        flags += [*_flag_unreliable(fitted.fit), *_flag_copying(fitted, votes)]
    if reading is not None:
        flags += _flag_speeding(votes, reading)
    flags += _flag_drift(votes, words)
    order = list(FALSE_ALARMS)
    return sorted(flags, key=lambda flag: (flag.rater, order.index(flag.flag)))


def _flag_unreliable(fit: Fit) -> Iterator[Flag]:
    """Flag a + 1.645·SE < ½ median ability: votes that hardly follow the answers, whatever they follow."""
    median = float(np.median(fit.ability[fit.n > 0])) if fit.n.any() else 1.0
    for rater in np.flatnonzero(fit.unreliable & (fit.n >= FEWEST_FIT)):
        a, se = float(fit.ability[rater]), float(fit.ability_se[rater])
        shown = {"ability": a, "se": se, "low": a - 1.96 * se, "high": a + 1.96 * se, "median": median}
        yield Flag(int(rater), "unreliable", {**shown, "n": int(fit.n[rater])})


def _flag_sides(votes: Votes) -> Iterator[Flag]:
    """Flag whoever surely (99 %) takes one side in more than two votes of three; a tie counts half."""
    left = np.bincount(votes.raters, chose_left(votes), votes.n_raters)
    for rater, n in enumerate(np.bincount(votes.raters, minlength=votes.n_raters)):
        low, high = wilson(float(left[rater]), float(n), SURE)
        if low > ONE_SIDED or high < 1 - ONE_SIDED:
            yield Flag(rater, "one-sided", _share(float(left[rater]), int(n)))


def _flag_lengths(votes: Votes, words: npt.ArrayLike) -> Iterator[Flag]:
    """Flag whoever surely (99 %) takes the longer (or the shorter) in 85 % of votes on unequal lengths.

    And strays from it at most half as often as everybody else does: where the longer are simply better,
    nobody is flagged for taking them.
    """
    longer = chose_longer(votes, words)
    unequal = ~np.isnan(longer)
    n = np.bincount(votes.raters[unequal], minlength=votes.n_raters)
    took = np.bincount(votes.raters[unequal], longer[unequal], votes.n_raters)
    others = np.where(n.sum() > n, (took.sum() - took) / np.maximum(n.sum() - n, 1), 0.5)
    for rater in np.flatnonzero(n):
        low, high = wilson(float(took[rater]), float(n[rater]), SURE)
        if low > max(ONE_LENGTH, (1 + others[rater]) / 2) or high < min(1 - ONE_LENGTH, others[rater] / 2):
            evidence = {**_share(float(took[rater]), int(n[rater])), "others": float(others[rater])}
            yield Flag(int(rater), "one-length", evidence)


def _flag_random(votes: Votes) -> Iterator[Flag]:
    """Flag an accord that isn't above chance (97.5 %) and surely below half the median (95 %, as abilities).

    The model-free sister of `unreliable`, for raters who vote where others do.
    """
    ratio, se, n = measure_accord(votes).ratios(votes.raters, votes.n_raters)
    known = np.flatnonzero(n >= FEWEST_ACCORD)
    if not len(known):
        return
    half = float(np.median(ratio[known])) / 2
    low, high = ratio - 1.96 * se, ratio + 1.96 * se
    for rater in known[(low[known] <= 0) & (ratio[known] + DOUBT * se[known] < half)]:
        evidence = {"accord": float(ratio[rater]), "low": float(low[rater]), "high": float(high[rater])}
        yield Flag(int(rater), "random", {**evidence, "n": int(n[rater])})


def _flag_speeding(votes: Votes, reading: Reading) -> Iterator[Flag]:
    """Flag whoever judged more than a fifth faster than 950 words a minute."""
    by_rater = np.argsort(votes.raters, kind="stable")
    ends = np.cumsum(np.bincount(votes.raters, minlength=votes.n_raters))
    for rater, mine in enumerate(np.split(by_rater, ends[:-1])):
        share = skimming(reading.words[mine], reading.milliseconds[mine])
        if skims(share):
            yield Flag(rater, "speeding", _share(round((share.value or 0.0) * share.n), share.n))


def _flag_copying(fitted: Fitted, votes: Votes) -> Iterator[Flag]:
    """Flag both of two raters whose grades agree beyond what the answers explain."""
    for found in find_copying(fitted.fit, fitted.features, fitted.lengths, votes):
        if not found.found:
            return
        yield Flag(found.first, "copying", _show(found, found.second))
        yield Flag(found.second, "copying", _show(found, found.first))


def _flag_drift(votes: Votes, words: npt.ArrayLike) -> Iterator[Flag]:
    """Flag a change of agreement, side or length over time."""
    for rater, series in enumerate(trace(votes, words)):
        for name, change in find_changes(series).items():
            before, after = change.before, change.after
            evidence: Evidence = {"series": name, "at": change.at, "n": before.n + after.n, "p": change.p}
            evidence |= {"before": before.value or 0.0, "after": after.value or 0.0}
            yield Flag(rater, "drift", evidence)


def _share(of: float, n: int) -> Evidence:
    low, high = wilson(of, float(n))
    return {"share": of / n, "low": low, "high": high, "n": n}


def _show(found: Copying, other: int) -> Evidence:
    return {
        "other": other, "shared": found.shared, "same": found.same, "expected": found.expected,
        "log_odds": found.evidence, "needed": found.needed, "n": found.shared,
    }  # fmt: skip
