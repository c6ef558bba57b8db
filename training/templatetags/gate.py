"""A gate's checks in templates: in the reader's language, with the topics of a suite side by side."""

from typing import Any

from django import template
from django.utils import translation

from preferences.types import Estimate, Interval
from training.alarms import estimate
from training.suite.items import TOPICS

register = template.Library()


@register.filter
def said(check: dict[str, Any]) -> str:
    """Say a check's sentence; older ones are stored in English only."""
    if "message" not in check:
        return str(check["says"])
    message, values = translation.gettext(check["message"]), check["values"]
    return str(message % values if values else message)


@register.filter
def topics(check: dict[str, Any]) -> list[tuple[str, Estimate, Estimate, Estimate]]:
    """Return a suite's topics in a check: name, both policies' shares, and the gap in percentage points."""
    rows = []
    for stored in check.get("topics", ()):
        mine, theirs, gap = (estimate(stored[key]) for key in ("mine", "theirs", "gap"))
        interval = Interval(*(100 * end for end in gap.interval)) if gap.interval else None
        points = Estimate(None if gap.value is None else 100 * gap.value, interval, gap.n, gap.why)
        rows.append((str(TOPICS[stored["topic"]]), mine, theirs, points))
    return rows
