"""Bars in templates, with their figures in words and in a table."""

from typing import Any

from django import template

from training.plot_files import Bars, place

register = template.Library()


@register.inclusion_tag("training/_bars.html")
def bars(bars: Bars, title: str) -> dict[str, Any]:
    """Show bars; `title` is what they are about."""
    return {**place(bars), "title": title}
