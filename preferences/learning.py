"""What more labels would buy: a learning curve carried on beyond its points, with how sure that is.

Accuracy after n votes is taken for a − b·n^(−c), a power law towards a bound (Hestness et al. 2017, "Deep
learning scaling is predictable, empirically"; Viering & Loog 2022, "The shape of learning curves"). Four
points leave much of a, b and c open, so nothing is fitted: every curve of a grid counts by how likely it
makes the points, and the interval holds the middle 95 % of what these curves foretell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from preferences.intervals import Floats
from preferences.types import Estimate, Interval

FEWEST = 3  # points, below which any curve goes through them
SLOWEST, FASTEST = 0.2, 1.5  # of c; spread evenly over its logarithm
# By DRAW/n an accuracy after n votes differs by chance of which were learnt from (one standard deviation,
# found for linear heads of 16 to 64 features and 300 to 6,000 votes).
DRAW = 3.0
_LEVELS, _GAPS, _SPEEDS = 31, 41, 15


@dataclass(frozen=True)
class Forecast:
    """Accuracies after so many votes, and by how much they exceed the last point's."""

    votes: tuple[int, ...]
    accuracy: tuple[Estimate, ...]
    gain: tuple[Estimate, ...]


def forecast(
    votes: Sequence[int],
    accuracy: Sequence[float],
    covariance: npt.ArrayLike,
    at: Sequence[int],
    *,
    ceiling: float = 1.0,
    n: int = 0,
) -> Forecast:
    """Carry a learning curve on to `at` votes.

    `accuracy` after each of `votes`, in rising order, measured with this covariance on `n` votes; none is
    taken to rise above `ceiling`. Raises ValueError for fewer than three points and for unequal lengths.
    """
    known, found, spread = (np.asarray(part, np.float64) for part in (votes, accuracy, covariance))
    if len(known) < FEWEST or found.shape != known.shape or spread.shape != (len(known), len(known)):
        raise ValueError(f"{found.shape} points of {known.shape} votes and {spread.shape} make no curve")
    spread = spread + np.diag((DRAW / known) ** 2)
    level, gap, speed, weight = _weigh(known / known[-1], found, spread, ceiling)
    rise = [gap * (1 - (n_votes / known[-1]) ** -speed) for n_votes in at]
    return Forecast(
        tuple(int(n_votes) for n_votes in at),
        tuple(_middle(level + more, weight, n) for more in rise),
        tuple(_middle(more, weight, n) for more in rise),
    )


def _weigh(
    known: Floats, found: Floats, spread: Floats, ceiling: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the curves of the grid, level at the last point, gap to the bound and speed, and their weights.

    Before the points are seen every level is as likely as any, every gap up to the ceiling, and every log c.
    """
    reach = 5 * float(np.sqrt(spread[-1, -1]))
    levels = np.linspace(max(0.0, found[-1] - reach), min(1.0, found[-1] + reach), _LEVELS)
    parts = (np.arange(_GAPS) + 0.5) / _GAPS
    speeds = np.geomspace(SLOWEST, FASTEST, _SPEEDS)
    level, part, speed = (grid.ravel() for grid in np.meshgrid(levels, parts, speeds, indexing="ij"))
    room = np.maximum(ceiling - level, 0.0)
    gap = part * room
    means = level[:, None] - gap[:, None] * (known[None, :] ** -speed[:, None] - 1)
    off = means - found
    fit = -0.5 * np.einsum("ij,jk,ik->i", off, np.linalg.inv(spread), off)
    return level, gap, speed, np.exp(fit - fit.max())


def _middle(values: Floats, weight: Floats, n: int) -> Estimate:
    """Take the median and the middle 95 % of weighted values."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    low, middle, high = (
        float(values[order[np.searchsorted(below, q * below[-1])]]) for q in (0.025, 0.5, 0.975)
    )
    return Estimate(middle, Interval(low, high), n)
