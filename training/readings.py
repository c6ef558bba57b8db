"""What a run shows of itself: its curves and its log."""

import math
import re
from collections import deque

from training import runs
from training.models import Run, RunMetric

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LOG_LINES = 200
POINTS = 400  # per curve: what a screen can show


def log_tail(run: Run) -> str:
    """Return the last lines that the engine wrote."""
    try:
        with (runs.folder(run) / "log.txt").open(errors="replace") as lines:
            return COLOUR.sub("", "".join(deque(lines, LOG_LINES)))
    except FileNotFoundError:
        return ""


def curves(run: Run) -> dict[str, list[tuple[int, float]]]:
    """Return the metrics of a run by name, thinned out evenly where there are many."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name, step, value in (
        RunMetric.objects.filter(run=run).order_by("name", "step").values_list("name", "step", "value")
    ):
        if math.isfinite(value):
            found.setdefault(name, []).append((step, value))
    return {name: _thin(points) for name, points in found.items()}


def _thin(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    stride = math.ceil(len(points) / POINTS)
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
