"""Plots of shares and Elo points, as shapes with their places: _plot.html draws them without a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10
from typing import Any

from labeling.templatetags.figures import spell
from preferences.types import Estimate

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 34
LABELS, LETTERS = 7, 12  # under an axis, and of each, at most
LETTER = 7  # about how wide one is
DENSE = 60  # marks of a line beyond which it is drawn alone
LEAST_SPAN = {"n": 4.0, "Elo": 10.0, "points": 2.0, "nats": 2.0}  # of a vertical axis, by unit

Place = Callable[[float], str]


@dataclass(frozen=True)
class Mark:
    """One figure of a series: where it stands, what stands under it, and how sure it is."""

    x: float
    label: str
    estimate: Estimate


@dataclass(frozen=True)
class Series:
    """Figures of one kind; `joined` ones follow each other, `hollow` ones are drawn as rings."""

    name: str
    marks: Sequence[Mark]
    joined: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class Level:
    """A share (or so many points) to compare with, as a line across the plot."""

    name: str
    share: float


@dataclass(frozen=True)
class Plot:
    """Shares over something; `diagonal` names a line on which x, from ½ to 1, and y are the same share.

    `x` names what the marks' labels are. With the unit "Elo" it shows points instead of shares, with "n"
    counts, with "g" numbers of any size. Live ones (training.overview) have a title and a sentence on what
    they show, and `why` says what is to be done where there is nothing; their marks' x are places
    ("category"), "number"s or a "time" in seconds since 1970.
    """

    key: str
    x: str
    series: Sequence[Series]
    levels: Sequence[Level] = field(default_factory=tuple)
    diagonal: str = ""
    unit: str = "%"
    title: str = ""
    says: str = ""
    why: str = ""
    scale: str = "category"

    @property
    def shown(self) -> bool:
        """Tell whether there is anything to draw."""
        return any(mark.estimate.value is not None for each in self.series for mark in each.marks)

    def table(self) -> list[tuple[str, list[Estimate]]]:
        """Return the figures by label, each with one of every series; one that isn't there has no value."""
        none = Estimate(None, None, 0, "it was not measured")
        rows: dict[str, list[Estimate]] = {}
        for at, series in enumerate(self.series):
            for mark in series.marks:
                rows.setdefault(mark.label, [none] * len(self.series))[at] = mark.estimate
        return list(rows.items())


def draw(plot: Plot) -> dict[str, Any]:
    """Place everything in a view of 360 × 200 units; as text, since languages write numbers their own way."""
    marks = [mark for series in plot.series for mark in series.marks if mark.estimate.value is not None]
    low, high, step = _bounds(plot, marks)
    xs = [mark.x for mark in marks]
    half = 0.5 if plot.scale == "category" else max(0.5, (max(xs) - min(xs)) / 50)
    first, last = (0.5, 1.0) if plot.diagonal else (min(xs) - half, max(xs) + half)

    def x(at: float) -> str:
        return f"{LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT):.1f}"

    def y(share: float) -> str:
        return f"{HEIGHT - BOTTOM - (share - low) / (high - low) * (HEIGHT - TOP - BOTTOM):.1f}"

    ticks = [low + step * n for n in range(round((high - low) / step) + 1)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "base": HEIGHT - BOTTOM,
        "rows": [(y(tick), f"{tick:.0%}" if plot.unit == "%" else spell(tick, plot.unit)) for tick in ticks],
        "columns": _columns(plot, marks, x),
        "levels": [(y(level.share), at) for at, level in enumerate(plot.levels)],
        "diagonal": (x(0.5), y(0.5), x(1.0), y(1.0)) if plot.diagonal else None,
        "series": [_series(series, x, y) for series in plot.series],
    }


def _bounds(plot: Plot, marks: Sequence[Mark]) -> tuple[float, float, float]:
    """Return the lower and the upper end of the vertical axis, and the step between its lines."""
    found = [level.share for level in plot.levels] + ([0.5, 1.0] if plot.diagonal else [])
    for mark in marks:
        found += [mark.estimate.value or 0.0, *(mark.estimate.interval or ())]
    if plot.unit == "n":
        found.append(0.0)
    if plot.unit == "g":
        # learning rates and losses: what is flat shall look flat
        return _round_bounds(min(found), max(found), 0.01 * max(map(abs, found)) or 0.1)
    if plot.unit != "%":
        return _round_bounds(min(found), max(found), LEAST_SPAN.get(plot.unit, 0.1))
    low, high = floor(min(found) * 10) / 10, ceil(max(found) * 10) / 10
    if high - low > 0.5:
        # whole steps of a fifth or a quarter
        low, high = (0.0, 1.0) if high - low > 0.8 or low < 0.2 else (0.2, 1.0)
        return low, high, 0.25 if high - low > 0.8 else 0.2
    return (low, high, 0.1) if high - low >= 0.2 else (max(0.0, high - 0.2), max(0.2, high), 0.1)


def _round_bounds(least: float, most: float, span: float) -> tuple[float, float, float]:
    """Widen what is at least `span` to three to six whole steps of 1, 2 or 5 times a power of ten."""
    span = max(most - least, span)
    power: float = 10 ** floor(log10(span / 3))
    step = next(power * size for size in (1, 2, 5, 10) if span / (power * size) <= 4)
    low, high = floor(least / step) * step, ceil(most / step) * step
    return low, max(high, low + step), step


def _columns(plot: Plot, marks: Sequence[Mark], x: Place) -> list[tuple[str, str]]:
    if plot.diagonal:
        return [(x(tick), f"{tick:.0%}") for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    under: dict[str, list[float]] = {}
    for mark in marks:
        under.setdefault(mark.label, []).append(mark.x)
    # marks of several series that share a label stand side by side over it
    labels = {sum(xs) / len(xs): _short(label) for label, xs in under.items()}
    longest = max(map(len, labels.values()), default=0)
    room = (WIDTH - LEFT - RIGHT) // (LETTER * (longest + 1))
    stride = ceil(len(labels) / min(LABELS, max(1, room)))
    return [(x(at), label) for at, label in sorted(labels.items())[::-stride][::-1]]


def _short(label: str) -> str:
    # names are told apart by their ends
    return label if len(label) <= LETTERS else f"{label[:5]}…{label[-6:]}"


def _series(series: Series, x: Place, y: Place) -> dict[str, Any]:
    shown = [mark for mark in series.marks if mark.estimate.value is not None]
    places = [(x(mark.x), y(mark.estimate.value or 0.0)) for mark in shown]
    whiskers = [
        (x(mark.x), y(mark.estimate.interval.low), y(mark.estimate.interval.high))
        for mark in shown
        if mark.estimate.interval is not None
    ]
    return {
        "hollow": series.hollow,
        "line": " ".join(f"{a},{b}" for a, b in places) if series.joined and len(places) > 1 else "",
        "places": [] if series.joined and len(places) > DENSE else places,
        "whiskers": whiskers,
    }
