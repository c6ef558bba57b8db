"""Plots as SVG files that stand alone, and bars, which count: what a dataset's folder shows of its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from training.plots import BOTTOM, HEIGHT, LABELS, LEFT, RIGHT, TOP, WIDTH, Plot, draw

GAP = 0.25  # of a bar's place, between bars


@dataclass(frozen=True)
class Bars:
    """Counts of something, each as a bar; `x` names what the labels are, `y` what is counted."""

    key: str
    x: str
    y: str
    counts: Sequence[tuple[str, int]]


def place(bars: Bars) -> dict[str, Any]:
    """Place the bars in a view of the size of a plot's."""
    most = max((n for _, n in bars.counts), default=0) or 1
    step = _step(most)
    top = -(-most // step) * step
    width, height = (WIDTH - LEFT - RIGHT) / max(1, len(bars.counts)), HEIGHT - TOP - BOTTOM
    stride = -(-len(bars.counts) // LABELS)

    def y(n: float) -> str:
        return f"{HEIGHT - BOTTOM - n / top * height:.1f}"

    return {
        "bars": bars,
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "base": HEIGHT - BOTTOM,
        "rows": [(y(n), f"{n:,}") for n in range(0, top + 1, step)],
        "places": [
            {
                "x": f"{LEFT + (at + GAP / 2) * width:.1f}",
                "middle": f"{LEFT + (at + 0.5) * width:.1f}",
                "width": f"{(1 - GAP) * width:.1f}",
                "y": y(n),
                "height": f"{n / top * height:.1f}",
                "label": label if at % stride == 0 else "",
            }
            for at, (label, n) in enumerate(bars.counts)
        ],
    }


def _step(most: int) -> int:
    """Return a round step that makes at most five rows of so many."""
    size = 1
    while True:
        for times in (1, 2, 5):
            if most <= 5 * size * times:
                return size * times
        size *= 10


def as_svg(shown: Plot | Bars, title: str) -> str:
    """Return a plot as an SVG file; it follows the reader's light or dark colours."""
    if isinstance(shown, Bars):
        context = {**place(shown), "title": title, "file": True}
        return render_to_string("training/_bars.svg", context)
    context = {"plot": shown, "drawn": draw(shown), "title": title}
    return render_to_string("training/_plot.svg", context)
