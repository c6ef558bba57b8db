"""What a run shows of itself: its curves and its log."""

import math
import re
from pathlib import Path

from training import runs
from training.models import Run, RunMetric

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LOG_LINES = 200
TAIL_BYTES = 100_000  # that are read of a log
POINTS = 400  # per curve: what a screen can show


def log_path(run: Run) -> Path:
    """Return where the engine writes what it does."""
    return Path(runs.folder(run)) / "log.txt"


def log_size(run: Run) -> int:
    """Return how many bytes the engine has written to the log."""
    try:
        return log_path(run).stat().st_size
    except FileNotFoundError:
        return 0


def log_tail(run: Run) -> str:
    """Return the last lines that the engine wrote, of a log of any length."""
    try:
        with log_path(run).open("rb") as log:
            log.seek(max(0, log_size(run) - TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return ""
    return COLOUR.sub("", "".join(lines[-LOG_LINES:]))


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
