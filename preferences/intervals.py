"""Intervals for shares, means and paired differences of clustered observations (by prompt, by rater)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from preferences.types import Estimate, Interval

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
_CHUNK_CELLS = 4_000_000  # at most 32 MB of resampling weights at a time


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Bound a share by Wilson's score interval (Wilson 1927, JASA 22:209).

    `successes` may be fractional (a tie counts ½). No trials say nothing: the whole of 0…1.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    if trials == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return Interval(max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def clustered_bootstrap(
    values: Sequence[float] | Floats,
    clusters: Sequence[Hashable] | npt.NDArray[np.generic],
    seed: int = 0,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Bound a mean by the percentile bootstrap over whole clusters (Field & Welsh 2007, JRSS-B 69:369).

    `values[i]` belongs to cluster `clusters[i]`; clusters are drawn with replacement, so that answers to
    one prompt stay together. `n` is the number of values. Without values the figure is undefined; with a
    single cluster it has no interval. Raises ValueError on unequal lengths or values that are not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) != len(clusters):
        raise ValueError(f"{array.shape} values need as many clusters, not {len(clusters)}")
    if not np.isfinite(array).all():
        raise ValueError("values must be finite")
    if not len(array):
        return Estimate(None, None, 0, "there is nothing to average yet")
    codes, n_clusters = encode_clusters(clusters)
    value = float(array.mean())
    if n_clusters < 2:
        return Estimate(value, None, len(array), "an interval needs at least two clusters")
    sums = np.bincount(codes, array, n_clusters)
    sizes = np.bincount(codes, minlength=n_clusters)
    totals = resample_totals(np.column_stack([sums, sizes]), resamples, seed)
    return Estimate(value, percentile_interval(totals[:, 0] / totals[:, 1], level), len(array))


def paired_difference(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    clusters: Sequence[Hashable] | npt.NDArray[np.generic],
    seed: int = 0,
    *,
    level: float = 0.95,
) -> Estimate:
    """Bound mean(first − second) of two figures taken on the same observations, by the clustered bootstrap.

    For instance two reward models' hits (1, ½, 0) on the same held-out votes, clustered by prompt.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"a paired difference needs equal lengths, not {a.shape} and {b.shape}")
    return clustered_bootstrap(a - b, clusters, seed, level=level)


def clustered_covariance(values: Floats, clusters: Sequence[Hashable] | npt.NDArray[np.generic]) -> Floats:
    """Return the covariance (K, K) of the means of K series (K, N) taken on the same clustered observations.

    G/(G − 1) · Σ over clusters of outer products of their summed deviations, over N² (Liang & Zeger 1986).
    Raises ValueError on fewer than two clusters.
    """
    codes, groups = encode_clusters(clusters)
    if groups < 2:
        raise ValueError("a covariance needs at least two clusters")
    off = np.asarray(values, np.float64) - np.mean(values, axis=1, keepdims=True)
    sums = np.array([np.bincount(codes, series, groups) for series in off]) / off.shape[1]
    return np.asarray(sums @ sums.T * groups / (groups - 1))


def encode_clusters(
    clusters: Sequence[Hashable] | npt.NDArray[np.generic],
) -> tuple[npt.NDArray[np.intp], int]:
    """Number the distinct clusters 0…G−1 in order of appearance; returns the codes and G."""
    if isinstance(clusters, np.ndarray) and np.issubdtype(clusters.dtype, np.integer) and len(clusters):
        _, first, inverse = np.unique(clusters, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[inverse], len(first)
    numbers: dict[Hashable, int] = {}
    codes = np.fromiter((numbers.setdefault(c, len(numbers)) for c in clusters), np.intp, len(clusters))
    return codes, len(numbers)


def resample_totals(rows: Floats, resamples: int, seed: int) -> Floats:
    """Sum the columns of G rows drawn with replacement, once a resample; returns resamples × columns.

    Rows that are alike are drawn together, as the multinomial counts that they are: the same distribution, in
    a time that depends on how many different rows there are and not on how many rows.
    """
    rng = np.random.default_rng(seed)
    distinct, counts = _distinct(rows)
    if 4 * len(distinct) > len(rows):
        return np.concatenate([weights @ rows for weights in _draw_weights(len(rows), resamples, rng)])
    size = max(1, _CHUNK_CELLS // len(distinct))
    blocks = [
        rng.multinomial(len(rows), counts / len(rows), size=min(size, resamples - start)) @ distinct
        for start in range(0, resamples, size)
    ]
    return np.concatenate(blocks)


def _distinct(rows: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    ordered = rows[np.lexsort(rows.T)]
    starts = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))
    return ordered[starts], np.diff(np.append(starts, len(rows)))


def _draw_weights(n_clusters: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield blocks of rows, each row how often every cluster is drawn in one bootstrap resample."""
    rows = max(1, _CHUNK_CELLS // n_clusters)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = rng.integers(0, n_clusters, size=(count, n_clusters))
        drawn += np.arange(count)[:, None] * n_clusters
        flat = np.bincount(drawn.ravel(), minlength=count * n_clusters)
        yield flat.reshape(count, n_clusters).astype(np.float64)


def percentile_interval(draws: Floats, level: float) -> Interval:
    """Take the central `level` share of bootstrap draws."""
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(low), float(high))
