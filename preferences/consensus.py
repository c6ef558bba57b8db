"""What several verdicts on one task say together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from preferences.types import STRONGEST

Numbers = npt.NDArray[Any]


def summarise_groups(
    groups: Numbers, verdicts: ArrayLike, weights: ArrayLike | None, count: int
) -> dict[str, Numbers]:
    """Summarise verdicts of −3 (first much better) … +3 (second much better) on many pairs of answers.

    `groups` says of each verdict which pair it is about, 0 … count − 1; all verdicts on a pair refer to the
    same order of its answers. `weights`, one for each and not below 0, say what a vote counts for; without
    them all count 1. Votes that all weigh nothing say nothing: a tie. Raises ValueError out of range.

    Returns arrays of length `count`: `label` is −1 where most weight preferred the first, +1 the second, 0
    where most called it a tie or no side has more than every other; `probability` that the first is better, a
    tie counting ½; `margin` the mean grade in favour of the first, −3…3; all three weighted. `agreement` is
    the share of pairs of raters with the same side, NaN below two votes; `votes` counts them, `weight` is the
    sum of their weights, and `majority` the label that they would give if all weighed the same.
    """
    graded = np.asarray(verdicts, dtype=np.int64)
    if len(graded) and np.abs(graded).max() > STRONGEST:
        raise ValueError(f"a verdict is outside −{STRONGEST}…{STRONGEST}")
    mass = np.ones(len(graded)) if weights is None else np.asarray(weights, dtype=float)
    if len(mass) != len(graded) or not (mass >= 0).all():
        raise ValueError("weights: one for each verdict, none below 0")
    cells, sides = groups * 3 + np.sign(graded) + 1, count * 3
    counts = np.bincount(cells, minlength=sides).reshape(count, 3)
    masses = np.bincount(cells, mass, sides).reshape(count, 3)
    # one after the other, in the order of the votes
    whole, total = np.bincount(groups, mass, count), np.bincount(groups, mass * graded, count)
    votes = counts.sum(axis=1)
    known, pairs = np.where(whole > 0, whole, 1.0), votes * (votes - 1)
    return {
        "label": _largest(masses),
        "probability": np.where(whole > 0, (masses[:, 0] + masses[:, 1] / 2) / known, 0.5),
        "margin": np.where(whole > 0, -total / known + 0.0, 0.0),
        "agreement": np.where(pairs > 0, (counts * (counts - 1)).sum(axis=1) / np.maximum(pairs, 1), np.nan),
        "votes": votes,
        "majority": _largest(counts.astype(float)),
        "weight": whole,
    }


def _largest(masses: Numbers) -> Numbers:
    """Return −1, 0 or 1 for the first, the tie or the second, whichever of the sides has most; else 0."""
    first, tied, second = masses.T
    # sums of the same weights in another order must tie
    hair = 1e-9 * (first + tied + second)
    found = np.where(second > np.maximum(tied, first) + hair, 1, 0)
    return np.where(first > np.maximum(tied, second) + hair, -1, found)
