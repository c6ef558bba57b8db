"""Whether a rater changed over time: agreement, side and length, by a CUSUM test with a known threshold.

A retrospective test rather than a control chart: it needs no target, no time without change to calibrate on
and no guess of the size of the change, and its p-value is known (Page's charts need limits simulated for
every rater).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import kolmogorov, stdtrit

from preferences.accord import chose_left, chose_longer, measure_accord, number_pairs
from preferences.intervals import Floats
from preferences.ordinal import Votes
from preferences.types import Estimate, Interval

FEWEST = 40  # values; the limit distribution is conservative from there on
CERTAIN = 0.001  # of raters who never changed, at most this share is called changed
WINDOW = 25


@dataclass(frozen=True)
class Change:
    """Hold the p-value of "nothing changed", the likeliest place and what was before and after it.

    `at` is the number of values before the change. The two estimates are taken at the place where they differ
    most, so that their intervals are a little too narrow. With fewer than 40 values, or all the same, `p`
    is 1.
    """

    p: float
    at: int
    before: Estimate
    after: Estimate


def find_change(values: npt.ArrayLike, *, level: float = 0.95) -> Change:
    """Look for one change of the mean of values in time order, by the OLS-based CUSUM test.

    T = max_k |S_k − (k/n)·S_n| / (s·√n), S_k the sum of the first k; without a change T tends to the largest
    excursion of a Brownian bridge, whose distribution is Kolmogorov's. Source: Ploberger & Krämer 1992, The
    CUSUM test with OLS residuals, Econometrica 60:271. Raises ValueError for values that are not finite.
    """
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError("values must be finite and in one row")
    n = len(x)
    deviation = float(x.std(ddof=1)) if n > 1 else 0.0
    path = np.abs(np.cumsum(x - x.mean())[:-1]) if n > 1 else np.zeros(0)
    if n < FEWEST or deviation == 0:
        return Change(1.0, n, _mean(x, level), Estimate(None, None, 0, "nothing changed that can be seen"))
    at = int(path.argmax()) + 1
    p = float(kolmogorov(float(path[at - 1]) / (deviation * sqrt(n))))
    return Change(p, at, _mean(x[:at], level), _mean(x[at:], level))


def find_changes(series: Mapping[str, npt.ArrayLike], certain: float = CERTAIN) -> dict[str, Change]:
    """Return the series of one rater that changed, by Holm's step-down over them (1979, Scand. J. 6:65)."""
    found = sorted(((find_change(values), name) for name, values in series.items()), key=lambda c: c[0].p)
    changed: dict[str, Change] = {}
    for rank, (change, name) in enumerate(found):
        if change.p * (len(found) - rank) > certain:
            break
        changed[name] = change
    return changed


def trace(votes: Votes, words: npt.ArrayLike) -> Iterator[dict[str, Floats]]:
    """Yield each rater's series from votes in time order: `agreement`, `side` (1 left), `length` (1 longer).

    Agreement is the vote's accord score less the mean score of the others on the same pair. Its expectation
    is 0 for a rater like the others however hard the pair, so that harder pairs are not taken for a change of
    the rater. Pairs with fewer than three votes say nothing of who changed and are left out. `words` holds
    each answer's length.
    """
    left, longer, pairs = chose_left(votes), chose_longer(votes, words), number_pairs(votes)
    score = measure_accord(votes).score
    known = ~np.isnan(score)
    count = np.bincount(pairs)[pairs]
    others = np.bincount(pairs, np.where(known, score, 0.0))[pairs] - score
    apart = score - others / np.maximum(count - 1, 1)
    by_rater = np.argsort(votes.raters, kind="stable")
    ends = np.cumsum(np.bincount(votes.raters, minlength=votes.n_raters))
    for mine in np.split(by_rater, ends[:-1]):
        yield {
            "agreement": apart[mine[known[mine] & (count[mine] > 2)]],
            "side": left[mine],
            "length": longer[mine[~np.isnan(longer[mine])]],
        }


def summarise_windows(
    values: npt.ArrayLike, size: int = WINDOW, *, level: float = 0.95
) -> list[tuple[int, Estimate]]:
    """Cut values in time order into windows for a plot: (the number of values until its end, its mean).

    The last window takes the rest, up to 2·size − 1 values.
    """
    x = np.asarray(values, np.float64)
    ends = [*range(size, len(x) - size + 1, size), len(x)] if len(x) else []
    return [(end, _mean(x[start:end], level)) for start, end in zip([0, *ends], ends, strict=False)]


def _mean(x: Floats, level: float) -> Estimate:
    n = len(x)
    if not n:
        return Estimate(None, None, 0, "there is nothing to average yet")
    value = float(x.mean())
    if n < 2:
        return Estimate(value, None, n, "an interval needs at least two values")
    half = float(stdtrit(n - 1, 0.5 + level / 2) * x.std(ddof=1) / sqrt(n))
    return Estimate(value, Interval(value - half, value + half), n)
