"""What is mixed into a campaign's next policy run: the edits of its targets, each with a weight."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from labeling.models import Campaign, Edit, Prompt
from labeling.models.judgment import counting
from training import snapshots, standing
from training.models import Snapshot, Target


def lessons(sources: Sequence[int]) -> QuerySet[Edit]:
    """Return the edits of small campaigns that a run may learn from."""
    said = Edit.objects.filter(counting(), standing.said(), task__campaign__in=sources)
    return said.filter(task__prompt__split=Prompt.Split.TRAIN).exclude(
        task__prompt__in=standing.withdrawn_prompts()
    )


def active(campaign: Campaign) -> QuerySet[Target]:
    """Return the targets of a campaign whose edits are mixed in."""
    return campaign.targets.filter(active=True, weight__gt=0).order_by("pk")


def waiting(campaign: Campaign) -> bool:
    """Say whether there is anything to mix in."""
    return lessons(list(active(campaign).values_list("source", flat=True))).exists()


def of_runs(held: Iterable[Snapshot]) -> Q:
    """Select the runs that learn from one of some snapshots, on their own or mixed in."""
    found = Q(snapshot__in=held)
    for snapshot in held:
        found |= Q(config__mix__contains=[{"snapshot": snapshot.pk}])
    return found


def standing_now(mix: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was mixed into a run as it is to be mixed in again: without what was withdrawn since."""
    kept = Snapshot.objects.select_related("campaign").in_bulk(part["snapshot"] for part in mix)
    return [{**part, "snapshot": snapshots.standing(kept[part["snapshot"]]).pk} for part in mix]


def cut(campaign: Campaign) -> list[dict[str, Any]]:
    """Cut the small campaigns' snapshots; returns what a run's config keeps of each.

    A run's folder gets their edits as files of their own (training.execution.prepare).
    """
    found = []
    for target in active(campaign).select_related("source"):
        if lessons([target.source_id]).exists():
            snapshot = snapshots.cut(target.source)
            found.append({"target": target.pk, "snapshot": snapshot.pk, "weight": target.weight})
    return found
