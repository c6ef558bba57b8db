"""How far the probabilities that a reward claims can be believed, and one temperature that mends them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from preferences.intervals import Floats, wilson
from preferences.types import Interval

BINS = 10
_STEPS = 300
_HALVINGS = 40
_FLATTEST, _STEEPEST = 0.01, 100.0  # slopes for margins of root mean square 1


@dataclass(frozen=True)
class Bin:
    """Hold the votes whose claimed probability lies in low…high: how many, what was claimed, what was found.

    `n` is their total weight; `interval` is Wilson's 95 % of `found`.
    """

    low: float
    high: float
    n: float
    claimed: float
    found: float
    interval: Interval


def fit_temperature(margin: Floats, probability: Floats, weight: Floats | None = None) -> float:
    """Return the T > 0 for which σ(margin/T) is likeliest (Guo et al. 2017, ICML), by Newton's method.

    `margin` is the first answer's reward less the second's, `probability` what each vote says: 1 the first,
    0 the second, ½ a tie. T stays within a hundredth and a hundred times the margins' root mean square, which
    it reaches when they are never wrong, or no better than chance. Raises ValueError without votes or with
    values that aren't finite.
    """
    margin, said, count = _checked(margin, probability, weight)
    size = float(np.sqrt(count @ margin**2 / count.sum()))
    if size == 0:
        return 1.0
    unit = margin / size

    def loss(slope: float) -> float:
        return float(
            count @ (said * np.logaddexp(0, -slope * unit) + (1 - said) * np.logaddexp(0, slope * unit))
        )

    slope, before = 1.0, loss(1.0)
    for _ in range(_STEPS):
        p, rest = expit(slope * unit), expit(-slope * unit)
        curve = float(count @ (p * rest * unit**2))
        step = float(count @ ((said * rest - (1 - said) * p) * unit)) / max(curve, 1e-300)
        for _ in range(_HALVINGS):
            tried = min(max(slope + step, _FLATTEST), _STEEPEST)
            if (after := loss(tried)) <= before:
                break
            step /= 2
        else:
            break
        moved, slope, before = abs(tried - slope), tried, after
        if moved < 1e-9 * slope:
            break
    return size / slope


def reliability_table(
    margin: Floats, probability: Floats, weight: Floats | None = None, *, bins: int = BINS
) -> list[Bin]:
    """Hold claims against votes, folded: σ(|margin|) claims that the answer with the higher reward wins.

    Bins are of equal width from ½ to 1; empty ones are left out. A tie counts ½, a margin of 0 claims ½.
    """
    margin, said, count = _checked(margin, probability, weight)
    claimed = expit(np.abs(margin))
    agree = np.where(margin == 0, 0.5, np.where(margin > 0, said, 1 - said))
    place = np.minimum(((claimed - 0.5) * 2 * bins).astype(np.intp), bins - 1)
    sizes, claims, finds = (
        np.bincount(place, count * values, bins) for values in (np.ones(len(claimed)), claimed, agree)
    )
    table = []
    for at in np.flatnonzero(sizes):
        n, claim, found = (float(sums[at]) for sums in (sizes, claims, finds))
        low, high = (0.5 + edge / (2 * bins) for edge in (at, at + 1))
        table.append(Bin(low, high, n, claim / n, found / n, wilson(min(found, n), n)))
    return table


def calibration_error(table: list[Bin]) -> float:
    """Return the expected calibration error: |claimed − found| averaged over votes (Naeini et al. 2015)."""
    return sum(b.n * abs(b.claimed - b.found) for b in table) / sum(b.n for b in table)


def _checked(margin: Floats, probability: Floats, weight: Floats | None) -> tuple[Floats, Floats, Floats]:
    margin, said = np.asarray(margin, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    count = np.ones(len(margin)) if weight is None else np.asarray(weight, dtype=np.float64)
    if margin.ndim != 1 or not margin.shape == said.shape == count.shape:
        raise ValueError(f"margin {margin.shape}, probability {said.shape}, weight {count.shape} don't match")
    if not (np.isfinite(margin).all() and np.isfinite(said).all() and np.isfinite(count).all()):
        raise ValueError("margin, probability and weight must be finite")
    if not count.sum() > 0 or (count < 0).any():
        raise ValueError("weight: there must be votes that count, and none below 0")
    return margin, said, count
