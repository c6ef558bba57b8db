"""What several verdicts on one task say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from preferences.types import STRONGEST


@dataclass(frozen=True)
class Consensus:
    """Hold what raters together said of a pair (first, second).

    `label` is −1 when most weight preferred the first, +1 the second, 0 when most called it a tie or no side
    has more than every other; `probability` that the first is better, a tie counting ½; `margin` the mean
    grade in favour of the first, −3…3; all three weighted. `agreement` is the share of pairs of raters with
    the same side, None below two votes; `votes` counts them, `weight` is the sum of their weights, and
    `majority` the label that they would give if all weighed the same.
    """

    label: int
    probability: float
    margin: float
    agreement: float | None
    votes: int
    majority: int
    weight: float


def summarise_verdicts(verdicts: Sequence[int], weights: Sequence[float] | None = None) -> Consensus | None:
    """Summarise verdicts of −3 (first much better) … +3 (second much better); None when there are none.

    All verdicts must refer to the same order of the two answers. `weights`, one for each and not below 0,
    say what a vote counts for; by default all count 1. Votes that all weigh nothing say nothing: a tie.
    Raises ValueError out of range.
    """
    if not verdicts:
        return None
    # plain Python: arrays of a few numbers take ten times as long to make as to sum up
    if max(map(abs, verdicts)) > STRONGEST:
        raise ValueError(f"a verdict is outside −{STRONGEST}…{STRONGEST}")
    mass = [1.0] * len(verdicts) if weights is None else [float(weight) for weight in weights]
    if len(mass) != len(verdicts) or not min(mass) >= 0:
        raise ValueError("weights: one for each verdict, none below 0")
    n, whole = len(verdicts), sum(mass)
    counts, masses, graded = [0, 0, 0], [0.0, 0.0, 0.0], 0.0
    for verdict, weight in zip(verdicts, mass, strict=True):
        side = 1 + (verdict > 0) - (verdict < 0)
        counts[side] += 1
        masses[side] += weight
        graded += weight * verdict
    same = sum(k * (k - 1) for k in counts)
    return Consensus(
        label=_largest(masses),
        probability=(masses[0] + masses[1] / 2) / whole if whole else 0.5,
        margin=-graded / whole + 0.0 if whole else 0.0,
        agreement=same / (n * (n - 1)) if n > 1 else None,
        votes=n,
        majority=_largest([float(count) for count in counts]),
        weight=whole,
    )


def _largest(masses: Sequence[float]) -> int:
    """Return −1, 0 or 1 for the first, the tie or the second, whichever of the sides has most; else 0."""
    first, tied, second = masses
    # sums of the same weights in another order must tie
    hair = 1e-9 * (first + tied + second)
    if first > max(tied, second) + hair:
        return -1
    return 1 if second > max(tied, first) + hair else 0
