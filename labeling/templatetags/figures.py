"""Figures in templates: always with their interval and n, or with why there is none."""

from typing import Any

from django import template
from django.utils.translation import gettext_noop

from labeling.models import Round
from preferences.types import Estimate

register = template.Library()

# Why there is no figure, as preferences, quality and the engine say it: they know no languages, so the pages
# translate it.
REASONS = (
    gettext_noop("no item has two ratings yet"),
    gettext_noop("every rating is the same, so chance agreement is total"),
    gettext_noop("there is nothing to average yet"),
    gettext_noop("no answers of two different policies have been compared yet"),
    gettext_noop("no reward model has been promoted yet"),
    gettext_noop("no policy has been improved and promoted yet"),
    gettext_noop("there was no reward model to judge by"),
    gettext_noop("it was not measured"),
    gettext_noop("there are no votes to test on yet"),
    gettext_noop("there are no test prompts"),
    gettext_noop("it is computed within a minute of the first judgments"),
    gettext_noop("raters agree less often than coins would, so no ceiling follows"),
    gettext_noop("an interval needs at least two items"),
    gettext_noop("an interval needs at least two clusters"),
    gettext_noop("an interval needs at least two raters"),
    gettext_noop("there are no votes yet"),
    gettext_noop("the answers never differ in it"),
    gettext_noop("nobody has compared these two yet"),
    gettext_noop("it needs exactly two raters"),
    gettext_noop("raters are kept out of training only where there are at least 20"),
    gettext_noop("a calibration error needs at least 100 test votes"),
    gettext_noop("a learning curve needs at least 200 training votes"),
    gettext_noop("the reward model's votes are not known here"),
    gettext_noop("each half of the raters must have given at least 50 votes to learn from"),
    gettext_noop("too few graded pairs differ in it to learn from"),
    gettext_noop("it is not measured yet"),
    gettext_noop("there is no policy before it"),
    gettext_noop("nobody has compared it with another policy yet"),
    gettext_noop("no vote joins it with the other policies, not even through others"),
    gettext_noop("the others are held against it"),
    gettext_noop("it is not known how many labels it took"),
)


def isolate(number: str) -> str:
    """Keep a number's parts in their order where text runs from right to left, with a minus for a hyphen."""
    return f"\u2066{number.replace('-', '−')}\u2069"


def spell(value: Any, unit: str) -> str:
    """Write a number: shares as percent, Elo points whole and signed, counts ("n") whole, others short."""
    return f"{_bare(value, unit)} %" if unit == "%" else _bare(value, unit)


def _bare(value: Any, unit: str) -> str:
    if unit == "Elo":
        return f"{round(value):+d}" if round(value) else "0"
    if unit == "n":
        return str(round(value))
    if unit == "g":
        return f"{value:.4g}"
    return f"{100 * value:.1f}" if unit == "%" else f"{value:.2f}"


@register.filter
def interval(estimate: Estimate, unit: str = "%") -> str:
    """Write the 95 % interval of an estimate, or nothing where there is none."""
    if estimate.interval is None:
        return ""
    low, high = (_bare(end, unit) for end in estimate.interval)
    # a dash beside a sign misleads
    between = " … " if low.startswith(("-", "+")) or high.startswith(("-", "+")) else "–"
    return isolate(f"{low}{between}{high}{' %' if unit == '%' else ''}")


@register.filter
def value(estimate: Estimate, unit: str = "%") -> str:
    """Write the value of an estimate, or a dash."""
    return "–" if estimate.value is None else isolate(spell(estimate.value, unit))


@register.filter
def evidence(value: float) -> str:
    """Write an e-value; beyond a thousand nobody reads its digits."""
    return "> 1000" if value > 1000 else f"{value:.1f}" if value >= 0.1 else "< 0.1"


@register.filter
def percent(share: float | None) -> str:
    """Write a share as percent, or a dash where there is none."""
    return "–" if share is None else spell(share, "%")


@register.filter
def round_status(status: str) -> str:
    """Name a round's status in the reader's language."""
    return str(Round.Status(status).label).lower()


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


@register.filter
def last_content(messages: list[dict[str, str]]) -> str:
    """Return what a conversation ends with."""
    return messages[-1]["content"] if messages else ""


@register.inclusion_tag("manage/_figure.html")
def figure(name: str, estimate: Estimate, unit: str = "%", of: str = "", href: str = "") -> dict[str, Any]:
    """Show a figure with its interval and n; `of` says what n counts, `href` where there is more of it."""
    return {"name": name, "estimate": estimate, "unit": unit, "of": of, "href": href}


@register.inclusion_tag("manage/_figure_cells.html")
def figure_cells(estimate: Estimate, unit: str = "%") -> dict[str, Any]:
    """Show a figure in two cells of a table, the second its interval with n; or why there is none, in one."""
    return {"estimate": estimate, "unit": unit}
