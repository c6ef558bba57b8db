"""What a run draws of itself: a curve for each of its metrics, as far as it has come."""

from hashlib import sha256

from django.db.models import Count, Max
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from preferences.types import Estimate
from training.models import Run, RunMetric
from training.plots import Mark, Plot, Series
from training.readings import curves

IN_TABLE = 24  # points of a curve in a table that the server writes, evenly spread; files have all


def stamp(run: Run) -> str:
    """Return what stays the same as long as a run's curves do."""
    found = RunMetric.objects.filter(run=run).aggregate(n=Count("pk"), last=Max("pk"))
    return sha256(repr((run.pk, run.status, get_language(), found)).encode()).hexdigest()[:32]


def read(run: Run) -> list[Plot]:
    """Return a run's curves by name, thinned out evenly where there are many points."""
    return [_plot(run, name, points) for name, points in sorted(curves(run).items())]


def one(run: Run, name: str) -> Plot:
    """Return one curve of a run; KeyError for a name that it doesn't have."""
    return _plot(run, name, curves(run)[name])


def why_none(run: Run) -> str:
    """Say why a run has no curve."""
    match run.status:
        case Run.Status.QUEUED:
            return _("No point yet: the run waits for a worker.")
        case Run.Status.RUNNING:
            return _("No point yet: the first comes after some steps.")
    return _("The run measured nothing before it ended; its log says how far it came.")


def _plot(run: Run, name: str, points: list[tuple[int, float]]) -> Plot:
    marks = [Mark(float(step), str(step), Estimate(value, None, 0)) for step, value in points]
    title = name.replace("_", " ").replace("/", " · ")
    return Plot(
        name,
        _("Step"),
        [Series(title, marks, joined=True)],
        unit="g",
        title=title,
        why=why_none(run),
        scale="number",
    )


def thin(plot: Plot) -> Plot:
    """Return a curve with as many points as a table that people read."""
    marks = plot.series[0].marks
    stride = -(-len(marks) // IN_TABLE)
    kept = [mark for at, mark in enumerate(marks) if (len(marks) - 1 - at) % stride == 0]
    series = [Series(plot.series[0].name, kept, joined=True)]
    return Plot(plot.key, plot.x, series, unit=plot.unit, title=plot.title, scale=plot.scale)
