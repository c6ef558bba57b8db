"""Figures in templates: always with their interval and n, or with why there is none."""

from typing import Any

from django import template

from preferences.types import Estimate

register = template.Library()


def spell(value: Any, unit: str) -> str:
    """Write a number for people: shares as percent, others with two decimals."""
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.2f}"


@register.filter
def interval(estimate: Estimate, unit: str = "%") -> str:
    """Write the 95 % interval of an estimate, or nothing where there is none."""
    if estimate.interval is None:
        return ""
    low, high = (f"{100 * end:.1f}" if unit == "%" else f"{end:.2f}" for end in estimate.interval)
    return f"{low}–{high}{' %' if unit == '%' else ''}"


@register.filter
def value(estimate: Estimate, unit: str = "%") -> str:
    """Write the value of an estimate, or a dash."""
    return "–" if estimate.value is None else spell(estimate.value, unit)


@register.filter
def percent(share: float | None) -> str:
    """Write a share as percent, or a dash where there is none."""
    return "–" if share is None else spell(share, "%")


@register.filter
def plain(number: Any) -> str:
    """Write a result of the engine: floats short, lists as ranges, nothing as a dash."""
    if number is None:
        return "–"
    if isinstance(number, float):
        return f"{number:.4g}"
    if isinstance(number, list):
        return " – ".join(plain(item) for item in number)
    return str(number)


@register.inclusion_tag("manage/_figure.html")
def figure(name: str, estimate: Estimate, unit: str = "%", of: str = "") -> dict[str, Any]:
    """Show a figure with its interval and n; `of` says what n counts."""
    return {"name": name, "estimate": estimate, "unit": unit, "of": of}
