"""How many raters a comparison is asked of: at least the overlap, more while they disagree, up to a cap."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from labeling import assignment
from labeling.models import Campaign, Judgment, Round, Slot, Task
from labeling.models.judgment import counting
from labeling.statements import OPEN_SLOTS
from preferences.stopping import certainty


def adapts(task: Task) -> bool:
    """Tell whether a task may be asked of more raters than its overlap says now."""
    asked_alone = task.chat_id is None and not task.gold and task.repeats_id is None
    return task.kind == Task.Kind.COMPARE and asked_alone and task.campaign.overlap_cap is not None


def adapt(task: Task, counted: int, overlap: int) -> None:
    """Ask a comparison that `adapts` once more where that `is_wanted`.

    Call in the transaction of the last judgment, which holds the task, and the round where overlap adapts.
    """
    live = Round.objects.filter(pk=task.round_id, status=Round.Status.OPEN)
    if is_wanted(task, counted, overlap) and live.exists():
        assignment.ask_once_more(task)


def is_wanted(task: Task, counted: int, overlap: int, besides: Sequence[Judgment] = ()) -> bool:
    """Tell whether all asked have spoken, their majority isn't certain enough, and the cap allows one more.

    `besides` are judgments that are among those counted and not stored yet.
    """
    campaign = task.campaign
    if counted < overlap or overlap >= (campaign.overlap_cap or 0):
        return False
    return certainty(*votes(task, besides)) < campaign.certainty


def asking(task: Any, judgment: Any) -> dict[str, Any]:
    """Return what statements.fill asks of a task that `adapts`, read without a lock: is one more wanted?"""
    more = is_wanted(task, task.counted + 1, task.overlap, [judgment])
    return {"round": task.round_id, "version": task.version, "more": more}


def votes(task: Task, besides: Sequence[Judgment] = ()) -> tuple[int, int, int]:
    """Count the standing votes for a comparison's first answer, for its second, and for neither."""
    said = Judgment.objects.filter(counting(), task=task.pk, verdict__isnull=False)
    new = [(judgment.verdict, judgment.order_shown) for judgment in besides]
    first = second = neither = 0
    for verdict, order in [*said.values_list("verdict", "order_shown"), *new]:
        if not verdict:
            neither += 1
        elif order[int(verdict > 0)] == 0:
            first += 1
        else:
            second += 1
    return first, second, neither


def refit(campaign: Campaign) -> None:
    """Ask what came with a draft's imports of as many raters as its overlap says now.

    Call in the transaction that changes the overlap, before anybody works in the campaign. What is judged
    already, and gold tasks, stay as they are.
    """
    waiting = Task.objects.filter(campaign=campaign, status=Task.Status.OPEN, counted=0, gold=False)
    live = Round.objects.filter(campaign=campaign, status=Round.Status.OPEN)
    asked = waiting.filter(round__in=live, repeats=None).exclude(overlap=campaign.overlap)
    Slot.objects.filter(task__in=asked, status=Slot.Status.OPEN).delete()
    asked.update(overlap=campaign.overlap)
    with connection.cursor() as cursor:
        for round_ in live.values_list("pk", flat=True):
            cursor.execute(OPEN_SLOTS, {"round": round_})
