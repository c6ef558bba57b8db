"""What a rater's page shows of a claimed task: nothing says which model wrote what."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery
from django.http.request import QueryDict
from django.utils.safestring import SafeString

from labeling.models import Draft, Judgment, Slot, Task, TaskResponse
from labeling.rendering import render as markdown
from labeling.verdict_scale import points

TEMPLATES = {
    Task.Kind.COMPARE: "labeling/_comparison.html",
    Task.Kind.EDIT: "labeling/_edit.html",
}
NAMES = "ABCDEFGHI"
DRAFT_FIELDS = ("verdict", "comment", "text", "instruction", "already_good")
BOTH_BAD = "both_bad"


@dataclass(frozen=True)
class Side:
    """An answer as displayed."""

    name: str
    html: SafeString
    text: str


def shown(claimed: Slot, campaign: Any, said: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the page of a claimed slot shows, filled in with `said` or else its draft."""
    texts = TaskResponse.objects.filter(task=OuterRef("task")).order_by("position").values("response__text")
    kept = Draft.objects.filter(task=OuterRef("task"), rater=OuterRef("rater")).values("data")[:1]
    slot: Any = (
        Slot.objects.select_related("task__prompt")
        .annotate(texts=ArraySubquery(texts), draft=Subquery(kept))
        .get(pk=claimed.pk)
    )
    sides = [
        Side(name, markdown(slot.texts[position]), slot.texts[position])
        for name, position in zip(NAMES, slot.order_shown or [], strict=False)
    ]
    values = said or slot.draft or {}
    return {
        "slot": slot,
        "kind": slot.task.kind,
        "task_template": TEMPLATES[slot.task.kind],
        "turns": [{"role": m["role"], "html": markdown(m["content"])} for m in slot.task.prompt.messages],
        "sides": sides,
        "points": points(campaign, values.get("verdict", "")),
        "both_bad": campaign.allow_ties,
        "grades": grades(campaign, values, sides),
        "values": values,
        "text": values.get("text", sides[0].text if sides else ""),
        "idempotency_key": uuid4(),
    }


def grades(campaign: Any, values: dict[str, Any], sides: list[Side]) -> list[dict[str, Any]]:
    """Return a campaign's criteria with the grades given so far to each side."""
    return [
        {
            **criterion,
            "sides": [
                {
                    "name": side.name,
                    "field": f"grade-{criterion['key']}-{number}",
                    "steps": [
                        (step, values.get(f"grade-{criterion['key']}-{number}") == str(step))
                        for step in range(1, criterion["points"] + 1)
                    ],
                }
                for number, side in enumerate(sides)
            ],
        }
        for criterion in campaign.graded
    ]


def typed(said: QueryDict) -> dict[str, Any]:
    """Return those of a form's values that are worth keeping; reasons and flags are lists."""
    kept: dict[str, Any] = {
        name: said.get(name, "") for name in said if name in DRAFT_FIELDS or name.startswith("grade-")
    }
    return kept | {name: said.getlist(name) for name in said if name == "flag" or name.startswith("reason-")}


def as_draft(said: Any) -> dict[str, str]:
    """Return a stored judgment or edit as the values of its form."""
    if isinstance(said, Judgment):
        values = {"verdict": BOTH_BAD if said.both_bad else str(said.verdict), "comment": said.comment}
        for key, given in said.criteria.items():
            for side, position in enumerate(said.order_shown):
                if given[position] is not None:
                    values[f"grade-{key}-{side}"] = str(given[position])
        return values
    good = {"already_good": "on"} if said.edited is None else {"text": said.edited.text}
    return {"instruction": said.instruction, **good}
