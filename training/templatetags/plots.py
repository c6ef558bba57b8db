"""Plots in templates: drawn on the server, each with its figures in words and in a table."""

from typing import Any

from django import template

from labeling.templatetags.figures import value
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
