"""How many raters a comparison is asked of: at least the overlap, more while they disagree, up to a cap."""

from django.db import connection

from labeling import assignment
from labeling.models import Campaign, Judgment, Round, Slot, Task
from labeling.models.judgment import counting
from labeling.statements import OPEN_SLOTS
from preferences.stopping import certainty


def adapt(task: Task, counted: int, overlap: int) -> None:
    """Ask a comparison once more where all asked have spoken and their majority isn't certain enough.

    Call in the transaction of the last judgment, which holds the task, and the round where overlap adapts.
    """
    campaign = task.campaign
    cap = campaign.overlap_cap
    if cap is None or counted < overlap or overlap >= cap or task.gold or task.repeats_id is not None:
        return
    if certainty(*votes(task)) >= campaign.certainty:
        return
    if Round.objects.filter(pk=task.round_id, status=Round.Status.OPEN).exists():
        assignment.ask_once_more(task)


def votes(task: Task) -> tuple[int, int, int]:
    """Count the standing votes for a comparison's first answer, for its second, and for neither."""
    said = Judgment.objects.filter(counting(), task=task.pk, verdict__isnull=False)
    first = second = neither = 0
    for verdict, order in said.values_list("verdict", "order_shown"):
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
