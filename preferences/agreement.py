"""How far raters agree: Krippendorff's α and pairwise agreement, with intervals by resampling items.

Everything starts from a matrix of counts with one row an item and one column a category: how many raters
put the item in the category. Items with fewer than two ratings say nothing about agreement and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from preferences.intervals import RESAMPLES, Floats, encode_clusters, percentile_interval, resample_totals
from preferences.types import Estimate, Interval

Scale = Literal["nominal", "interval"]
Whole = npt.NDArray[np.integer]


def krippendorff_alpha(
    counts: npt.ArrayLike,
    scale: Scale = "nominal",
    values: Sequence[float] | None = None,
    *,
    clusters: Whole | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Measure agreement beyond chance, α = 1 − D_o/D_e, with missing ratings and any number of raters.

    D_o = Σ_u n_uᵀΔn_u/(m_u − 1) / n and D_e = nᵀΔn / (n(n − 1)), where n_u counts item u's ratings by
    category, m_u is their number, n their total, and Δ is 0/1 for `nominal` and (v_c − v_k)² for `interval`
    (`values` are the categories' positions, by default 0, 1, 2, …).
    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability. `n` is the number of items. The
    interval resamples items, or whole `clusters` of them (a number for each item).
    """
    table, sizes, together = _rated_twice(counts, clusters)
    if not len(table):
        return Estimate(None, None, 0, "no item has two ratings yet")
    distance = _distances(table.shape[1], scale, values)
    observed = np.einsum("uc,ck,uk->u", table, distance, table) / (sizes - 1)
    rows = np.column_stack([table, observed])
    (value,) = _alpha(rows.sum(axis=0, keepdims=True), distance)
    if np.isnan(value):
        return Estimate(None, None, len(table), "every rating is the same, so chance agreement is total")
    rows = _join(rows, together)
    draws = _alpha(resample_totals(rows, resamples, seed), distance)
    draws = draws[~np.isnan(draws)]
    if len(rows) < 2 or not len(draws):
        return Estimate(float(value), None, len(table), "an interval needs at least two items")
    return Estimate(float(value), percentile_interval(draws, level), len(table))


def pairwise_agreement(
    counts: npt.ArrayLike,
    *,
    clusters: Whole | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Share of pairs of ratings of the same item that agree, Σ n_uc(n_uc − 1) / Σ m_u(m_u − 1).

    The figure that preference papers report (InstructGPT 72.6–77.3 %). `n` is the number of items. The
    interval resamples items, or whole `clusters` of them.
    """
    table, sizes, together = _rated_twice(counts, clusters)
    if not len(table):
        return Estimate(None, None, 0, "no item has two ratings yet")
    agreeing = (table * (table - 1)).sum(axis=1)
    possible = sizes * (sizes - 1)
    value = float(agreeing.sum() / possible.sum())
    rows = _join(np.column_stack([agreeing, possible]), together)
    if len(rows) < 2:
        return Estimate(value, None, len(table), "an interval needs at least two items")
    totals = resample_totals(rows, resamples, seed)
    return Estimate(value, percentile_interval(totals[:, 0] / totals[:, 1], level), len(table))


@dataclass(frozen=True)
class Agreement:
    """Hold how far raters agree about a group of items."""

    alpha: Estimate  # Krippendorff's, nominal
    pairs: Estimate  # the share of pairs of ratings of the same item that agree
    ceiling: Estimate  # what that leaves to anything that predicts single clear verdicts


def agreement_by_group(
    items: npt.ArrayLike,
    ratings: npt.ArrayLike,
    groups: Sequence[Hashable] | npt.NDArray[np.generic],
    categories: int,
    *,
    tie: int | None = None,
    clusters: npt.ArrayLike | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> dict[Hashable, Agreement]:
    """Measure how far raters agree in each group, in order of appearance.

    Three columns of equal length: which item (any whole numbers), which rating (0 … categories − 1) and in
    which group: a kind, a language, a pool of raters, a round. Ratings are held against those of the same
    item in the same group; one that belongs to several groups stands in several rows. The ceiling leaves the
    category `tie` out. Where `clusters` says which items belong together, such as the pairs of one ranking,
    whole clusters are resampled. Raises ValueError on unequal lengths, and for a rating outside the
    categories.
    """
    item, rating = np.asarray(items, np.int64), np.asarray(ratings, np.int64)
    together = item if clusters is None else np.asarray(clusters, np.int64)
    if not len(item) == len(rating) == len(together) == len(groups):
        raise ValueError("every rating needs its item and its group")
    names = list(dict.fromkeys(groups.tolist() if isinstance(groups, np.ndarray) else groups))
    codes, _ = encode_clusters(groups)
    found: dict[Hashable, Agreement] = {}
    for code, name in enumerate(names):
        rows = codes == code
        found[name] = _measure(item[rows], rating[rows], together[rows], categories, tie, seed, level)
    return found


def _measure(
    items: Whole, ratings: Whole, clusters: Whole, categories: int, tie: int | None, seed: int, level: float
) -> Agreement:
    counts = count_codes(items, ratings, categories)
    _, first = np.unique(items, return_index=True)
    options: dict[str, Any] = {"clusters": clusters[first], "seed": seed, "level": level}
    clear = counts if tie is None else np.delete(counts, tie, axis=1)
    return Agreement(
        krippendorff_alpha(counts, **options),
        pairwise_agreement(counts, **options),
        ceiling(pairwise_agreement(clear, **options)),
    )


def count_codes(
    items: npt.NDArray[np.integer], ratings: npt.NDArray[np.integer], categories: int
) -> npt.NDArray[np.int64]:
    """Count ratings 0 … categories − 1 into one row an item (by number), one column a category.

    Raises ValueError for a rating outside the categories.
    """
    if len(ratings) and not 0 <= ratings.min() <= ratings.max() < categories:
        raise ValueError(f"ratings must be from 0 to {categories - 1}")
    found, rows = np.unique(items, return_inverse=True)
    cells = np.bincount(rows * categories + ratings, minlength=len(found) * categories)
    return cells.astype(np.int64).reshape(len(found), categories)


def ceiling(agreement: Estimate) -> Estimate:
    """Bound the accuracy that anything can reach against single clear verdicts, ½(1 + √(2p − 1)).

    p is the share of pairs of clear verdicts (no ties) on the same item that agree. Where a share q of people
    prefers the first answer, two of them agree with probability q² + (1 − q)², and always saying what most
    prefer is right with max(q, 1 − q) = ½(1 + √(2p − 1)); that is concave in p, so the formula at the mean p
    bounds the mean over items (Jensen). The interval is mapped through. Undefined where p is below ½: people
    who only chose at random would agree that often.
    """
    if agreement.value is None:
        return agreement
    if agreement.value < 0.5:
        why = "raters agree less often than coins would, so no ceiling follows"
        return Estimate(None, None, agreement.n, why)

    def bound(p: float) -> float:
        return (1 + sqrt(max(0.0, 2 * p - 1))) / 2

    ends = agreement.interval and Interval(bound(agreement.interval.low), bound(agreement.interval.high))
    return Estimate(bound(agreement.value), ends, agreement.n, agreement.why)


def of_ceiling(accuracy: Estimate, bound: Estimate) -> Estimate:
    """Say which part of the ceiling an accuracy reaches, on the same scale of single clear verdicts.

    The interval's ends take the worst of both: it is wider than it need be, since the two are measured on
    different verdicts. Far above 1 the model has seen what it is tested on.
    """
    if accuracy.value is None or bound.value is None:
        missing = accuracy if accuracy.value is None else bound
        return Estimate(None, None, missing.n, missing.why)
    interval = None
    if accuracy.interval and bound.interval:
        (low, high), (least, most) = accuracy.interval, bound.interval
        interval = Interval(low / most, high / least)
    return Estimate(accuracy.value / bound.value, interval, accuracy.n, accuracy.why or bound.why)


def fleiss_kappa(counts: npt.ArrayLike, *, seed: int = 0, level: float = 0.95) -> Estimate:
    """Measure Fleiss' κ of items × categories, to show beside published figures.

    (P̄ − P_e)/(1 − P_e) with P̄ the mean over items of their agreeing pairs' share and P_e the sum of squared
    shares of the categories (Fleiss 1971, Psychological Bulletin 76:378). α corrects it for few ratings.
    Items are resampled.
    """
    table, sizes, _ = _rated_twice(counts)
    if not len(table):
        return Estimate(None, None, 0, "no item has two ratings yet")
    agreeing = (table * (table - 1)).sum(axis=1) / (sizes * (sizes - 1))
    rows = np.column_stack([agreeing, np.ones(len(table)), table])

    def kappa(totals: Floats) -> Floats:
        shares = totals[:, 2:] / totals[:, 2:].sum(axis=1, keepdims=True)
        return _beyond_chance(totals[:, 0] / totals[:, 1], (shares**2).sum(axis=1))

    return _resampled(kappa, rows, seed, level)


def cohen_kappa(
    first: Whole, second: Whole, categories: int, *, seed: int = 0, level: float = 0.95
) -> Estimate:
    """Measure Cohen's κ of two raters' ratings (0 … categories − 1) of the same items.

    (p_o − p_e)/(1 − p_e), p_e from each rater's own shares (Cohen 1960, Educ. Psychol. Meas. 20:37). Items
    are resampled. Raises ValueError on unequal lengths.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} ratings of one can't be held against {len(second)} of the other")
    if not len(first):
        return Estimate(None, None, 0, "no item has two ratings yet")
    one = np.eye(categories)
    rows = np.column_stack([first == second, np.ones(len(first)), one[first], one[second]])

    def kappa(totals: Floats) -> Floats:
        n, mine, theirs = totals[:, 1], totals[:, 2 : 2 + categories], totals[:, 2 + categories :]
        return _beyond_chance(totals[:, 0] / n, (mine * theirs).sum(axis=1) / n**2)

    return _resampled(kappa, rows, seed, level)


def _beyond_chance(observed: Floats, expected: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)


def _resampled(measure: Callable[[Floats], Floats], rows: Floats, seed: int, level: float) -> Estimate:
    """Estimate a function of the rows' sums, with its interval by resampling rows."""
    (value,) = measure(rows.sum(axis=0, keepdims=True))
    if np.isnan(value):
        return Estimate(None, None, len(rows), "every rating is the same, so chance agreement is total")
    draws = measure(resample_totals(rows, RESAMPLES, seed))
    draws = draws[~np.isnan(draws)]
    if len(rows) < 2 or not len(draws):
        return Estimate(float(value), None, len(rows), "an interval needs at least two items")
    return Estimate(float(value), percentile_interval(draws, level), len(rows))


def _rated_twice(counts: npt.ArrayLike, clusters: Whole | None = None) -> tuple[Floats, Floats, Whole | None]:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or (table < 0).any():
        raise ValueError("counts must be a matrix of item × category without negative cells")
    if clusters is not None and len(clusters) != len(table):
        raise ValueError(f"{len(table)} items need as many clusters, not {len(clusters)}")
    twice = table.sum(axis=1) >= 2
    table = table[twice]
    return table, table.sum(axis=1), None if clusters is None else clusters[twice]


def _join(rows: Floats, clusters: Whole | None) -> Floats:
    """Add up the rows of each cluster."""
    if clusters is None:
        return rows
    codes, n = encode_clusters(clusters)
    return np.column_stack([np.bincount(codes, column, n) for column in rows.T])


def _distances(categories: int, scale: Scale, values: Sequence[float] | None) -> Floats:
    if scale == "nominal":
        return 1.0 - np.eye(categories)
    positions = np.arange(categories, dtype=np.float64) if values is None else np.asarray(values, np.float64)
    if len(positions) != categories:
        raise ValueError(f"{categories} categories need as many values, not {len(positions)}")
    return np.asarray((positions[:, None] - positions[None, :]) ** 2)


def _alpha(totals: Floats, distance: Floats) -> Floats:
    """Compute α from rows of (ratings by category, observed disagreement); NaN where all are the same."""
    by_category, observed = totals[:, :-1], totals[:, -1]
    n = by_category.sum(axis=1)
    expected = np.einsum("rc,ck,rk->r", by_category, distance, by_category) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1.0 - observed / expected, np.nan)
