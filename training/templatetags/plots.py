"""Plots in templates: drawn on the server, each with its figures in words and in a table."""

from typing import Any

from django import template

from labeling.templatetags.figures import value
from training.plot_tables import cells
from training.plots import Plot, draw

register = template.Library()


@register.inclusion_tag("training/_plot.html")
def plot(plot: Plot, title: str) -> dict[str, Any]:
    """Show a plot; `title` is what it is about."""
    told = [
        f"{series.name}: "
        + ", ".join(f"{mark.label}: {value(mark.estimate, plot.unit)}" for mark in series.marks)
        for series in plot.series
    ]
    return {"plot": plot, "drawn": draw(plot), "title": title, "told": told, "table": plot.table()}


@register.inclusion_tag("training/_live_plot.html")
def live_plot(plot: Plot, csv: str, level: int = 3) -> dict[str, Any]:
    """Show a plot that static/js/plots.js keeps up to date: where its table is, and its heading's level."""
    drawn = draw(plot) if plot.shown else None
    told = [plot.says] if plot.says else []
    rows = cells(plot)
    return {
        "plot": plot,
        "drawn": drawn,
        "title": plot.title,
        "told": told,
        "rows": rows,
        "csv": csv,
        "level": level,
    }
