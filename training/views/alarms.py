"""The page of alarms: every figure with its band and its history, what paused the loop, and how to go on."""

import csv
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from labeling.models import Campaign
from models_app import registry
from models_app.models import ModelVersion, Promotion
from preferences.types import Estimate, Interval
from training import alarms, bands
from training.alarms import Raised
from training.bands import FIGURES, BandError, Figure
from training.models import Alarm
from training.plots import Level, Mark, Plot, Series
from training.views.campaign import visible_campaign

POINTS = ("proxy_gap", "safety_change")  # differences of shares, shown in percentage points
SUITES = {
    "": gettext_lazy("by the campaign's prompts"),
    "language": gettext_lazy("English"),
    "demo": gettext_lazy("the demo's questions"),
    "none": gettext_lazy("none but the campaign's own"),
}


@dataclass(frozen=True)
class Row:
    """A figure as it is shown: its newest value, its limits as people write them, and its history."""

    key: str
    figure: Figure
    unit: str
    newest: Estimate
    low: str
    high: str
    standing: str  # "", "within" or "outside"
    plot: Plot | None


@require("view_campaigns", post="manage")
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the figures and alarms of a campaign; a manager changes the bands."""
    campaign = visible_campaign(request, slug)
    if request.method == "POST":
        try:
            bands.change(campaign, signed_in_user(request), read_bands(request.POST))
            messages.success(request, _("The bands are changed. The figures are looked at again soon."))
        except BandError as error:
            messages.error(request, str(error))
        return redirect("alarms", slug)
    champion = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    context = {
        "campaign": campaign,
        "rows": rows(campaign),
        "alarms": newest(campaign),
        "champion": champion,
        "predecessor": predecessor(champion),
        "suites": SUITES,
        "suite": campaign.bands.get("suite", ""),
        "step": _limit_text(bands.limits(campaign, "length_step")[1]),
        "section": "campaigns",
        "tab": "alarms",
    }
    return render(request, "training/alarms.html", context)


@require_POST
@require("manage")
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Settle the alarms with a reason and let the loop go on."""
    campaign = visible_campaign(request, slug)
    try:
        alarms.resume(campaign, signed_in_user(request), request.POST.get("reason", ""))
    except BandError as error:
        messages.error(request, str(error))
    return redirect("alarms", slug)


@require_safe
@require("view_campaigns")
def download(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the history of all figures as CSV."""
    campaign = visible_campaign(request, slug)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="alarms-{campaign.slug}.csv"'
    lines = csv.writer(answer)
    lines.writerow(["round", "figure", "value", "low", "high", "n", "why", "band_low", "band_high"])
    for number, name, found in alarms.history(campaign):
        ends = found.interval or (None, None)
        lines.writerow([number, name, found.value, *ends, found.n, found.why, *bands.limits(campaign, name)])
    return answer


def read_bands(posted: Any) -> dict[str, Any]:
    """Read the limits that a form gave, shares in percent; BandError names what is no number."""
    given: dict[str, Any] = {"suite": posted.get("suite", "")}
    for key in (*FIGURES, *bands.LIMITS):
        if f"low-{key}" in posted or f"high-{key}" in posted:
            read = tuple(_number(key, posted.get(f"{side}-{key}", "")) for side in ("low", "high"))
            usual = FIGURES[key].band if key in FIGURES else bands.LIMITS[key]
            given[key] = None if read == usual else list(read)
    return given


def _number(key: str, text: str) -> float | None:
    share = key in FIGURES and FIGURES[key].unit == "%"
    try:
        return round(float(text) / (100 if share else 1), 6) if text.strip() else None
    except ValueError as error:
        name = FIGURES[key].name if key in FIGURES else key
        raise BandError(key, _("The limit of “%(name)s” isn't a number.") % {"name": name}) from error


def rows(campaign: Campaign) -> list[Row]:
    """Return every figure that alarms look at, with its history by round."""
    known: dict[str, list[tuple[int, Estimate]]] = {key: [] for key in FIGURES}
    for number, name, found in alarms.history(campaign):
        known[name].append((number, found))
    return [_row(campaign, key, known[key]) for key in FIGURES]


def _row(campaign: Campaign, key: str, past: list[tuple[int, Estimate]]) -> Row:
    figure, (low, high) = FIGURES[key], bands.limits(campaign, key)
    unit = "" if key in POINTS else figure.unit
    newest = past[-1][1] if past else Estimate(None, None, 0, "it was not measured")
    out: list[Raised] = alarms.raise_({key: newest}, {key: (low, high)})
    standing = (
        "outside" if out else "within" if newest.value is not None and (low, high) != (None, None) else ""
    )
    return Row(
        key,
        figure,
        unit,
        _shown(key, newest),
        _written(figure, low),
        _written(figure, high),
        standing,
        _plot(key, past, low, high),
    )


def _shown(key: str, found: Estimate) -> Estimate:
    """Return a difference of shares in percentage points, and any other figure as it is."""
    if key not in POINTS or found.value is None:
        return found
    interval = Interval(*(100 * end for end in found.interval)) if found.interval else None
    return Estimate(100 * found.value, interval, found.n, found.why)


def _written(figure: Figure, limit: float | None) -> str:
    return _limit_text(limit, 100 if figure.unit == "%" else 1)


def _limit_text(limit: float | None, scale: int = 1) -> str:
    """Write a limit as a field of a form takes it, in every language alike."""
    return "" if limit is None else f"{scale * limit:g}"


def _plot(key: str, past: list[tuple[int, Estimate]], low: float | None, high: float | None) -> Plot | None:
    marks = [Mark(number, str(number), _shown(key, found)) for number, found in past]
    if all(mark.estimate.value is None for mark in marks):
        return None
    figure, scale = FIGURES[key], 100 if key in POINTS else 1
    unit = figure.unit if key not in POINTS else "points"
    names = (_("Lower limit:"), low), (_("Upper limit:"), high)
    levels = [
        Level(name if unit == "%" else f"{name} {alarms.spell(scale * limit, unit)}", scale * limit)
        for name, limit in names
        if limit is not None
    ]
    return Plot(key, _("Round"), [Series(str(figure.name), marks, joined=True)], levels=levels, unit=unit)


def newest(campaign: Campaign, most: int = 50) -> list[tuple[Alarm, str]]:
    """Return a campaign's alarms, the newest first, each with its sentence."""
    found = (
        Alarm.objects.filter(campaign=campaign).select_related("round", "settled_by").order_by("-pk")[:most]
    )
    return [(alarm, alarms.sentence(alarm)) for alarm in found]


def predecessor(champion: ModelVersion | None) -> ModelVersion | None:
    """Return the policy that going back would lead to."""
    first = Promotion.objects.filter(version=champion).order_by("pk").select_related("previous").first()
    return first.previous if first else None
