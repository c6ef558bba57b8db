"""Take back what an open round still asks about policies that were replaced meanwhile."""

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import ngettext

from labeling.models import Campaign, Prompt, Round, RoundEvent, Slot, Task, TaskResponse
from labeling.models.task import fresh
from models_app import registry
from models_app.models import ModelVersion

RETIRED = ModelVersion.Status.RETIRED


def expire(campaign: Campaign) -> int:
    """Cancel the tasks that a promotion or a roll-back left without a point; return how many.

    Those are the tasks of the loop's open round that nobody has claimed or judged and all of whose answers
    come from policies that were the champion once and are no more. Their prompts come first in the next
    round. Safe to call again and again.
    """
    live = campaign.rounds.filter(origin=Round.Origin.LOOP, status=Round.Status.OPEN)
    planned = live.values_list("pk", "plan__champion__id").first()
    champion = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    if planned is None or champion is None or planned[1] in {None, champion.pk}:
        return 0
    with transaction.atomic():
        round_ = live.select_for_update(no_key=True).first()
        if round_ is None:
            return 0
        slots = Slot.objects.filter(task__in=_pointless(round_))
        # claims pass over slots that are locked
        held = list(slots.select_for_update(of=["self"]).values_list("task", "status"))
        claimed = {task for task, status in held if status != Slot.Status.OPEN}
        found = _pointless(round_).exclude(pk__in=claimed)
        pks = list(found.values_list("pk", flat=True))
        if pks:
            _cancel(round_, pks, champion)
    return len(pks)


def _pointless(round_: Round) -> QuerySet[Task]:
    """Return the tasks that rest on policies no longer in use and that nobody has judged."""
    places = TaskResponse.objects.filter(task=OuterRef("pk"))
    asked = round_.tasks.filter(fresh(), status=Task.Status.OPEN, counted=0, chat=None)
    found = asked.exclude(selection=Task.Selection.WATCH).exclude(
        Exists(places.exclude(response__policy__status=RETIRED))
    )
    if round_.policies.exclude(status=RETIRED).exists():
        found = found.filter(Exists(places))  # what gets its answers later gets them from policies in use
    return found


def _cancel(round_: Round, tasks: list[int], champion: ModelVersion) -> None:
    cancelled = Task.objects.filter(pk__in=tasks)
    prompts = cancelled.filter(prompt__purpose=Prompt.Purpose.NONE).values_list(
        "prompt__content_hash", flat=True
    )
    known = round_.plan.get("superseded", {"tasks": 0, "prompts": []})
    round_.plan["superseded"] = {
        "champion": {"id": champion.pk, "name": champion.name},
        "tasks": known["tasks"] + len(tasks),
        "prompts": sorted({*known["prompts"], *prompts}),
    }
    Round.objects.filter(pk=round_.pk).update(plan=round_.plan)
    Slot.objects.filter(task__in=tasks, status=Slot.Status.OPEN).update(status=Slot.Status.CANCELLED)
    cancelled.update(status=Task.Status.CANCELLED)
    RoundEvent.objects.create(
        round=round_, before=round_.status, after=round_.status, reason=explain(round_)[:500]
    )


def explain(round_: Round) -> str:
    """Say what was taken back in a round, and why; empty when nothing was."""
    found = round_.plan.get("superseded")
    if not found:
        return ""
    sentence = ngettext(
        "%(tasks)s task was taken back: its answers come from policies that “%(name)s” replaced. "
        "Its prompt comes first in the next round.",
        "%(tasks)s tasks were taken back: their answers come from policies that “%(name)s” replaced. "
        "Their prompts come first in the next round.",
        found["tasks"],
    )
    return sentence % {"tasks": found["tasks"], "name": found["champion"]["name"]}
