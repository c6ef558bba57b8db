"""A plot's figures as a table in words, as JSON that a browser draws, and as CSV: one reading of each."""

import csv
from typing import Any, TextIO

from django.utils import translation

from labeling.templatetags.figures import interval, value
from preferences.types import Estimate
from training.plots import Plot, Series

Cell = tuple[str, str]  # a figure, and its interval with n; or nothing, and why
DIGITS = 6  # of a figure in JSON and CSV


def cells(plot: Plot) -> list[tuple[str, list[Cell]]]:
    """Return the rows of a plot's table as text, each with a cell for every series."""
    return [(label, [_cell(each, plot.unit) for each in found]) for label, found in plot.table()]


def _cell(estimate: Estimate, unit: str) -> Cell:
    if estimate.value is None:
        return "–", translation.gettext(estimate.why) if estimate.why else ""
    more = [interval(estimate, unit)] if estimate.interval else []
    # a count is its own n
    more += [f"n = {estimate.n}"] if estimate.n and unit not in ("n", "g") else []
    return value(estimate, unit), " · ".join(more)


def as_json(plot: Plot) -> dict[str, Any]:
    """Return a plot for a browser: where each row stands, and of every series values, ends and words.

    A value that isn't defined is null, and its words say why.
    """
    rows = plot.table()
    places: dict[str, list[float]] = {}
    for series in plot.series:
        for mark in series.marks:
            places.setdefault(mark.label, []).append(mark.x)
    return {
        "key": plot.key,
        "title": plot.title,
        "says": plot.says,
        "why": "" if plot.shown else plot.why,
        "x": plot.x,
        "scale": plot.scale,
        "unit": plot.unit,
        "labels": [label for label, _found in rows],
        "at": [sum(places[label]) / len(places[label]) for label, _found in rows],
        "series": [
            _series(plot, series, [found[at] for _label, found in rows])
            for at, series in enumerate(plot.series)
        ],
        "levels": [{"name": level.name, "value": level.share} for level in plot.levels],
    }


def _series(plot: Plot, series: Series, found: list[Estimate]) -> dict[str, Any]:
    words = [_cell(estimate, plot.unit) for estimate in found]
    ends = [estimate.interval or (None, None) for estimate in found]
    return {
        "name": series.name,
        "unit": plot.unit,
        "joined": series.joined,
        "hollow": series.hollow,
        "values": [_short(estimate.value) for estimate in found],
        "low": [_short(low) for low, _high in ends],
        "high": [_short(high) for _low, high in ends],
        "n": [estimate.n for estimate in found],
        "words": [word for word, _more in words],
        "more": [more for _word, more in words],
    }


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.{DIGITS}g}")


def write_csv(plot: Plot, to: TextIO) -> None:
    """Write a plot's table, a line for each row: every series' figure, its ends, n, and why there is none."""
    lines = csv.writer(to)
    names = [series.name for series in plot.series]
    ends = ("", " low", " high", " n", " why")
    lines.writerow([plot.x, *(f"{name}{end}" for name in names for end in ends)])
    for label, found in plot.table():
        row: list[Any] = [label]
        for estimate in found:
            low, high = estimate.interval or (None, None)
            row += [*map(_short, (estimate.value, low, high)), estimate.n, estimate.why]
        lines.writerow(row)
