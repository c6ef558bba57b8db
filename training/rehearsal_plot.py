"""A rehearsal as a picture: the share of prompts on which its policies beat the base, by labels."""

from collections.abc import Sequence
from html import escape

from django.utils.translation import gettext as _

from preferences.types import Estimate, Interval
from training.comparators import BEST_OF, Outcome
from training.plots import Level, Mark, Plot, Series, draw
from training.rehearsal import RoundReport

KEY_TOP, KEY_STEP = 18, 15
STYLE = """
svg { background: #fdfcf9; font: 10px system-ui, sans-serif }
text { fill: #46423a } .grid { stroke: #e6e2d8 } .axis { stroke: #8b8577 }
.level { stroke: #8b8577; stroke-dasharray: 3 3 } polyline { fill: none; stroke-width: 2 }
.mark { fill: #fdfcf9; stroke-width: 2 }
.s0 { stroke: #1f6f5c } .s1 { stroke: #9a5b13 } .s2 { stroke: #3b5fa8 } .s3 { stroke: #8a8374 }
.s0.mark { fill: #1f6f5c }
@media (prefers-color-scheme: dark) {
svg { background: #1c1b19 } text { fill: #cfc9bc } .grid { stroke: #34322d } .mark { fill: #1c1b19 }
.s0 { stroke: #6fc3ab } .s1 { stroke: #d8a35c } .s2 { stroke: #8fb0ee } .s3 { stroke: #9b9485 }
.s0.mark { fill: #6fc3ab } }
"""
SHAPES = ("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-4-4h8v8h-8z", "M0-5 5 4h-10z", "M-4-4 4 4M-4 4 4-4")


def plot(rounds: Sequence[RoundReport], others: Sequence[Outcome]) -> str:
    """Draw a rehearsal's rounds, and beside them what else as many labels made, as an SVG file."""
    labels, marks, each = 0, [], rounds[0].judgments
    for report in rounds:
        labels += report.judgments
        marks.append(Mark(labels / each, f"{labels:,}", _estimate(report)))
    series = [Series(_("rounds of %(labels)s labels") % {"labels": each}, marks, joined=True)]
    for place, other in enumerate(others, start=1):
        mark = Mark(other.labels / each + place / 4, f"{other.labels:,}", other.contest.win_rate)
        series.append(Series(name_of(other.name), [mark]))
    drawn = draw(Plot("rehearsal", _("labels"), series, [Level(_("the base itself"), 0.5)]))
    # several ways end at the same number of labels: it is written under the rounds alone
    places = {mark.label: x for mark, (x, _y) in zip(marks, drawn["series"][0]["places"], strict=True)}
    drawn["columns"] = [(x, label) for label, x in places.items()]
    return _svg(drawn, [one.name for one in series])


def name_of(way: str) -> str:
    """Return the words for a comparator."""
    return {
        "dpo": _("DPO on all labels at once"),
        "best-of-n": _("the base's best of %(n)s by a reward model of all labels") % {"n": BEST_OF},
        "coin-flips": _("the same rounds, labels by coin flips"),
    }[way]


def _estimate(report: RoundReport) -> Estimate:
    interval = Interval(*report.win_rate_interval) if report.win_rate_interval else None
    return Estimate(report.win_rate, interval, report.judgments)


def _svg(drawn: dict, names: Sequence[str]) -> str:  # type: ignore[type-arg]
    width, height = drawn["width"], drawn["height"] + KEY_TOP + KEY_STEP * (len(names) + 1)
    title = _("Wins against the base, by the hidden taste")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
    ]
    left, right, base = drawn["left"], drawn["right"], drawn["base"]
    for y, label in drawn["rows"]:
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{left - 5}" y="{y}" dy="3.5" text-anchor="end">{label}</text>')
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{base}" y2="{base}"/>')
    for x, label in drawn["columns"]:
        parts.append(f'<text x="{x}" y="{base + 14}" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{right}" y="{base + 27}" text-anchor="end">{escape(_("labels"))}</text>')
    for y, _at in drawn["levels"]:
        parts.append(f'<line class="level" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
    for number, (series, name) in enumerate(zip(drawn["series"], names, strict=True)):
        parts += _series(series, number)
        y = drawn["height"] + KEY_TOP + KEY_STEP * number - 6
        parts.append(_mark(left + 6, y, number))
        parts.append(f'<text x="{left + 18}" y="{y}" dy="3.5">{escape(name)}</text>')
    y = drawn["height"] + KEY_TOP + KEY_STEP * len(names) - 6
    parts.append(f'<line class="level" x1="{left}" x2="{left + 12}" y1="{y}" y2="{y}"/>')
    parts.append(f'<text x="{left + 18}" y="{y}" dy="3.5">{escape(_("the base itself"))}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _series(series: dict, number: int) -> list[str]:  # type: ignore[type-arg]
    parts = [
        f'<line class="s{number}" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'
        for x, low, high in series["whiskers"]
    ]
    if series["line"]:
        parts.append(f'<polyline class="s{number}" points="{series["line"]}"/>')
    return parts + [_mark(x, y, number) for x, y in series["places"]]


def _mark(x: object, y: object, number: int) -> str:
    return f'<path class="s{number} mark" transform="translate({x} {y})" d="{SHAPES[number]}"/>'
