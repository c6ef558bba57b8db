"""What a campaign's choice of comparisons is at: when it is due, what it noted, and whether it goes on.

The choosing itself (training.choosing) brings NumPy, which the web and the conductor do without.
"""

from typing import Any

from celery import current_app
from django.core.cache import cache
from django.db import transaction
from django.db.models import Max

from accounts import audit
from accounts.models import User
from labeling import batches
from labeling.models import Campaign, Round

AGAIN = 20  # seconds after which a message that nobody answered is sent again


def tend() -> None:
    """Send for the next choice of every open round that needs one, even where the loop is paused."""
    live = Round.objects.filter(status=Round.Status.OPEN, campaign__status=Campaign.Status.ACTIVE)
    for round_ in live.exclude(selection={}).order_by("pk"):
        if due(round_) and cache.add(sent(round_), 1, AGAIN):
            current_app.send_task("training.tasks.choose_pairs", args=[round_.pk])


def due(round_: Round) -> bool:
    """Tell whether a round's answers are still to be read, or its raters would run out of comparisons."""
    return "trunk" not in round_.selection or bool(
        batches.waiting(round_).exists() and batches.lacking(round_)
    )


def sent(round_: Round) -> str:
    """Name the note that a message for a round is on its way."""
    return f"sent:choose:{round_.pk}"


def note(round_: Round, **found: Any) -> None:
    """Keep what was found about a round's choice; who chooses holds the round's lock."""
    with transaction.atomic():
        live = Round.objects.select_for_update(no_key=True).only("selection").get(pk=round_.pk)
        round_.selection = {**live.selection, **found}
        Round.objects.filter(pk=round_.pk).update(selection=round_.selection)


def look(campaign: Campaign, labels: int) -> None:
    """Keep at how many labels it was last decided whether choosing goes on."""
    campaign.selection = {**campaign.selection, "looked": labels}
    Campaign.objects.filter(pk=campaign.pk).update(selection=campaign.selection)


def stop(campaign: Campaign, found: dict[str, Any]) -> None:
    """Draw comparisons at random from now on, and keep what was measured."""
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(selection={**campaign.selection, "stopped": found})
        audit.record(None, "stop choosing pairs", campaign, **found)
    campaign.refresh_from_db(fields=["selection"])


def resume(campaign: Campaign, by: User) -> None:
    """Choose comparisons again; only those asked from now on tell whether it pays."""
    last = campaign.tasks.aggregate(last=Max("pk"))["last"] or 0
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(selection={"since": last})
        audit.record(by, "choose pairs again", campaign)
    campaign.refresh_from_db(fields=["selection"])
