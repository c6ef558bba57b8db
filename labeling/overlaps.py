"""How many raters a comparison is asked of: at least the overlap, more while they disagree, up to a cap."""

from typing import Any

from django.db import connection

from labeling.models import Campaign, Judgment, Round, Slot, Task
from labeling.models.judgment import counting
from labeling.statements import OPEN_SLOTS
from preferences.stopping import certainty


def asking(task: Any, judgment: Judgment) -> dict[str, Any]:
    """Return what statements.fill must know of a task whose overlap adapts, as it was read; else nothing.

    One `more` is wanted where with this judgment, which isn't stored yet, all asked have spoken, their
    majority isn't certain enough, and the cap allows it.
    """
    cap = task.campaign.overlap_cap
    asked_alone = task.chat_id is None and not task.gold and task.repeats_id is None
    if cap is None or task.kind != Task.Kind.COMPARE or not asked_alone:
        return {}
    last = task.counted + 1 >= task.overlap < cap
    more = last and certainty(*votes(task, judgment)) < task.campaign.certainty
    return {"round": task.round_id, "version": task.version, "more": more}


def votes(task: Task, judgment: Judgment) -> tuple[int, int, int]:
    """Count the votes for a comparison's first answer, for its second, and for neither.

    They are those that stand, and this one.
    """
    said = Judgment.objects.filter(counting(), task=task.pk, verdict__isnull=False)
    this = (judgment.verdict, judgment.order_shown)
    first = second = neither = 0
    for verdict, order in [*said.values_list("verdict", "order_shown"), this]:
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
