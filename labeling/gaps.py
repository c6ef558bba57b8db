"""Guideline gaps: cases that the guideline doesn't settle, kept until its next version does."""

from django.db import transaction
from django.db.models import F, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling import examples
from labeling.models import Campaign, Example, Guideline, GuidelineGap, TaskResponse
from labeling.reviews import ReviewError
from labeling.submissions import clean_text

REASON_LIMIT = 500
Status = GuidelineGap.Status


def listed(campaign: Campaign) -> QuerySet[GuidelineGap]:
    """Return a campaign's gaps, the open ones first, with the comparison that each came from."""
    places = TaskResponse.objects.order_by("position").select_related("response")
    rows = campaign.guideline_gaps.select_related(
        "adjudication__task__prompt", "example", "guideline", "created_by", "settled_by"
    ).prefetch_related(Prefetch("adjudication__task__task_responses", places))
    return rows.order_by(F("settled_at").desc(nulls_first=True), "-created_at", "-pk")


def find(campaign: Campaign, pk: int) -> GuidelineGap:
    """Return a gap of a campaign. Raises ReviewError."""
    gap = listed(campaign).filter(pk=pk).first()
    if gap is None:
        raise ReviewError("gap", _("This campaign has no such gap."))
    return gap


def make_example(gap: GuidelineGap, by: User, explanation: str) -> Example:
    """Take a gap up as a worked example of the guideline, with the reviewer's verdict.

    Raises ReviewError when it was settled already, CampaignError when its comparison makes no example.
    """
    if gap.adjudication is None or gap.verdict is None:
        raise ReviewError("gap", _("This gap came from no comparison: write it into the guideline."))
    task = gap.adjudication.task
    answers = [place.response for place in task.task_responses.all()]
    if any(answer.turns for answer in answers):
        raise ReviewError(
            "gap", _("Whole conversations make no worked example: write it into the guideline.")
        )
    with transaction.atomic():
        settle(gap, by, Status.TAKEN_UP)
        example = examples.create(
            gap.campaign,
            by,
            use=Example.Use.EDGE_CASE.value,
            messages=task.prompt.messages,
            answers=[answer.text for answer in answers],
            verdict=gap.verdict,
            explanation=explanation,
        )
        GuidelineGap.objects.filter(pk=gap.pk).update(example=example)
    return example


def write_in(gap: GuidelineGap, by: User, guideline: Guideline) -> None:
    """Note which version of the guideline settles a gap. Raises ReviewError when it was settled already."""
    with transaction.atomic():
        settle(gap, by, Status.TAKEN_UP)
        GuidelineGap.objects.filter(pk=gap.pk).update(guideline=guideline)


def dismiss(gap: GuidelineGap, by: User, why: str) -> None:
    """Leave the guideline as it is, and say why. Raises ReviewError."""
    why = clean_text("why", why, REASON_LIMIT).strip()
    if not why:
        raise ReviewError("why", _("Say why the guideline stays as it is."))
    with transaction.atomic():
        settle(gap, by, Status.DISMISSED, why)


def settle(gap: GuidelineGap, by: User, status: str, why: str = "") -> None:
    """Move a gap from open, once; call in a transaction with what comes of it."""
    left_open = GuidelineGap.objects.filter(pk=gap.pk, status=Status.OPEN)
    settled = {"status": status, "settled_by": by, "settled_at": timezone.now(), "settled_why": why}
    if not left_open.update(**settled):
        raise ReviewError("gap", _("This gap was settled already."))
    audit.record(by, "settle gap", gap.campaign, gap=gap.pk, status=status, why=why)


def as_text(gap: GuidelineGap) -> str:
    """Return what a gap adds to the guideline's Markdown."""
    return f"\n\n{gap.text.strip()}"
