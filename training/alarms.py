"""Alarms: figures that have left their bands, said in words, and the loop's pause until somebody resumes it.

`raise_` is pure; training.vitals measures the figures and keeps what it raises. No NumPy comes with this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.core.cache import cache
from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling import campaigns, quality
from labeling.models import Campaign
from preferences.types import Estimate, Interval
from training.bands import FIGURES, FINDINGS, Band, BandError
from training.models import Alarm, AlarmFigure, Evaluation, Watch

REFRESH = "training.tasks.refresh_alarms"
AGAIN = 60  # seconds between two looks at a campaign's figures
MOST_ROUNDS = 40  # that a page shows
FEWEST = 30  # votes or answers, below which a figure raises no alarm


@dataclass(frozen=True)
class Raised:
    """An alarm that is due: which figure or finding, and what its sentence says."""

    name: str
    values: dict[str, str]


def raise_(figures: Mapping[str, Estimate], bands: Mapping[str, Band]) -> list[Raised]:
    """Return an alarm for each figure that lies outside its band with its whole interval.

    One without an interval counts by its value; one of fewer than FEWEST votes or answers raises none.
    """
    found = []
    for name, estimate in figures.items():
        low, high = bands.get(name, (None, None))
        if estimate.value is None or estimate.n < FEWEST:
            continue
        least, most = estimate.interval or (estimate.value, estimate.value)
        limit, side = (low, "low") if low is not None and most < low else (high, "high")
        if limit is not None and (side == "low" or least > limit):
            unit = FIGURES[name].unit
            values = {"side": side, "value": spell(estimate.value, unit), "limit": spell(limit, unit)}
            found.append(Raised(name, values))
    return found


def spell(value: float, unit: str) -> str:
    """Write a figure for a sentence."""
    text = f"{100 * value:.1f} %" if unit == "%" else f"{value:.1f}" if unit == "nats" else f"{value:.2f}"
    return text.replace("-", "\u2212")


def sentence(alarm: Alarm) -> str:
    """Say in the reader's language what raised an alarm."""
    if alarm.name in FINDINGS:
        return str(translation.gettext(FINDINGS[alarm.name]) % alarm.values)
    figure = FIGURES[alarm.name]
    words = figure.low if alarm.values["side"] == "low" else figure.high
    return str(translation.gettext(words) % alarm.values)


def history(campaign: Campaign) -> list[tuple[int, str, Estimate]]:
    """Return a campaign's figures as (round, name, estimate), the newest MOST_ROUNDS rounds, in order."""
    kept = AlarmFigure.objects.filter(campaign=campaign, name__in=FIGURES).order_by("-round__number", "name")
    read = kept.values_list("round__number", "name", "estimate")[: MOST_ROUNDS * len(FIGURES)]
    return [(number, name, estimate(found)) for number, name, found in reversed(read)]


def estimate(stored: dict[str, Any]) -> Estimate:
    """Read a figure as it is stored."""
    interval = stored["interval"]
    return Estimate(stored["value"], Interval(*interval) if interval else None, stored["n"], stored["why"])


def pending(campaign: Campaign) -> str:
    """Return the sentence of an alarm that hasn't paused the loop yet, or nothing."""
    found = _pending(campaign).order_by("pk").first()
    return sentence(found) if found else ""


def _pending(campaign: Campaign) -> QuerySet[Alarm]:
    return Alarm.objects.filter(campaign=campaign, paused_at=None, settled_at=None)


def pause(campaign: Campaign, says: str) -> None:
    """Pause the loop for every alarm that is pending; once, however many conductors."""
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        if _pending(campaign).update(paused_at=timezone.now()):
            campaigns.pause_loop(campaign, says)


def resume(campaign: Campaign, by: User, reason: str) -> None:
    """Settle a campaign's alarms with a reason and let the loop go on; they don't come again in their rounds.

    Raises BandError without a reason.
    """
    if not reason.strip():
        raise BandError("reason", _("Say why the loop may go on."))
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        open_ = Alarm.objects.filter(campaign=campaign, settled_at=None)
        open_.update(settled_at=timezone.now(), settled_by=by, reason=reason.strip()[:500])
        audit.record(by, "settle alarms", campaign, reason=reason.strip()[:500])
        campaigns.resume_loop(campaign, by)


def tend(campaign: Campaign) -> None:
    """Have a campaign's figures measured again where there is something new to measure."""
    if not cache.add(f"alarms:{campaign.pk}", 1, AGAIN):
        return
    new = {
        "judgment": quality.last_judgment(),
        "evaluation": Evaluation.objects.filter(run__campaign=campaign).aggregate(last=Max("pk"))["last"],
        "watched": Watch.objects.filter(campaign=campaign).aggregate(votes=Sum("votes"))["votes"],
        "bands": campaign.bands,
    }
    if cache.get(f"alarms-seen:{campaign.pk}") != new:
        cache.set(f"alarms-seen:{campaign.pk}", new, None)
        transaction.on_commit(lambda: current_app.send_task(REFRESH, args=[campaign.pk]))
