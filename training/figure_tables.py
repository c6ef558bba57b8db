"""Named figures, and tables of them in Markdown, for cards and datasheets."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import translation

from labeling.templatetags.figures import spell
from preferences.types import Estimate


@dataclass(frozen=True)
class Row:
    """A named figure; `unit` is "%" for shares and "" for plain numbers."""

    name: str
    estimate: Estimate
    unit: str = "%"


def line(cells: Sequence[str]) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(text.replace('|', chr(92) + '|').replace(chr(10), ' ') for text in cells)} |"


def cell(estimate: Estimate, unit: str = "%") -> str:
    """Write a figure with its interval and n, or why there is none."""
    if estimate.value is None:
        return f"– ({translation.gettext(estimate.why)})"
    text = spell(estimate.value, unit)
    if estimate.interval:
        text += f" (95 %: {spell(estimate.interval.low, unit)} … {spell(estimate.interval.high, unit)})"
    return f"{text}, n = {estimate.n:,}"
