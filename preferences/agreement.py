"""How far raters agree: Krippendorff's α and pairwise agreement, with intervals by resampling items.

Everything starts from a matrix of counts with one row an item and one column a category: how many raters
put the item in the category. Items with fewer than two ratings say nothing about agreement and are left out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from preferences.intervals import RESAMPLES, Floats, draw_weights, percentile_interval
from preferences.types import Estimate

Scale = Literal["nominal", "interval"]


def count_ratings(
    ratings: Iterable[tuple[Hashable, int]], categories: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Count (item, category) ratings into one row an item (in order of appearance), one column a category.

    Raises ValueError for a rating outside `categories`.
    """
    columns = {category: k for k, category in enumerate(categories)}
    rows: dict[Hashable, int] = {}
    cells: list[int] = []
    for item, category in ratings:
        if category not in columns:
            raise ValueError(f"rating {category} is none of {list(categories)}")
        cells.append(rows.setdefault(item, len(rows)) * len(columns) + columns[category])
    shape = (len(rows), len(columns))
    return np.bincount(np.array(cells, dtype=np.int64), minlength=shape[0] * shape[1]).reshape(shape)


def krippendorff_alpha(
    counts: npt.ArrayLike,
    scale: Scale = "nominal",
    values: Sequence[float] | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Measure agreement beyond chance, α = 1 − D_o/D_e, with missing ratings and any number of raters.

    D_o = Σ_u n_uᵀΔn_u/(m_u − 1) / n and D_e = nᵀΔn / (n(n − 1)), where n_u counts item u's ratings by
    category, m_u is their number, n their total, and Δ is 0/1 for `nominal` and (v_c − v_k)² for `interval`
    (`values` are the categories' positions, by default 0, 1, 2, …).
    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability. `n` is the number of items.
    """
    table, sizes = _rated_twice(counts)
    if not len(table):
        return Estimate(None, None, 0, "no item has two ratings yet")
    distance = _distances(table.shape[1], scale, values)
    observed = np.einsum("uc,ck,uk->u", table, distance, table) / (sizes - 1)
    ones = np.ones((1, len(table)))
    (value,) = _alpha(ones, table, sizes, observed, distance)
    if np.isnan(value):
        return Estimate(None, None, len(table), "every rating is the same, so chance agreement is total")
    draws = np.concatenate(
        [_alpha(w, table, sizes, observed, distance) for w in draw_weights(len(table), resamples, seed)]
    )
    draws = draws[~np.isnan(draws)]
    if len(table) < 2 or not len(draws):
        return Estimate(float(value), None, len(table), "an interval needs at least two items")
    return Estimate(float(value), percentile_interval(draws, level), len(table))


def pairwise_agreement(
    counts: npt.ArrayLike, *, seed: int = 0, level: float = 0.95, resamples: int = RESAMPLES
) -> Estimate:
    """Share of pairs of ratings of the same item that agree, Σ n_uc(n_uc − 1) / Σ m_u(m_u − 1).

    The figure that preference papers report (InstructGPT 72.6–77.3 %). `n` is the number of items.
    """
    table, sizes = _rated_twice(counts)
    if not len(table):
        return Estimate(None, None, 0, "no item has two ratings yet")
    agreeing = (table * (table - 1)).sum(axis=1)
    possible = sizes * (sizes - 1)
    value = float(agreeing.sum() / possible.sum())
    if len(table) < 2:
        return Estimate(value, None, len(table), "an interval needs at least two items")
    columns = np.column_stack([agreeing, possible])
    totals = np.concatenate([w @ columns for w in draw_weights(len(table), resamples, seed)])
    return Estimate(value, percentile_interval(totals[:, 0] / totals[:, 1], level), len(table))


def _rated_twice(counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or (table < 0).any():
        raise ValueError("counts must be a matrix of item × category without negative cells")
    table = table[table.sum(axis=1) >= 2]
    return table, table.sum(axis=1)


def _distances(categories: int, scale: Scale, values: Sequence[float] | None) -> Floats:
    if scale == "nominal":
        return 1.0 - np.eye(categories)
    positions = np.arange(categories, dtype=np.float64) if values is None else np.asarray(values, np.float64)
    if len(positions) != categories:
        raise ValueError(f"{categories} categories need as many values, not {len(positions)}")
    return np.asarray((positions[:, None] - positions[None, :]) ** 2)


def _alpha(weights: Floats, table: Floats, sizes: Floats, observed: Floats, distance: Floats) -> Floats:
    """Compute α for each row of item weights; NaN where every rating drawn is the same."""
    n = weights @ sizes
    totals = weights @ table
    expected = np.einsum("rc,ck,rk->r", totals, distance, totals) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1.0 - (weights @ observed) / expected, np.nan)
