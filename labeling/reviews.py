"""Reviews: what raters sent, newest first, for who looks after a campaign, and the word they send back."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling.models import Campaign, Edit, Feedback, Judgment, Slot, Task
from labeling.submissions import SubmissionError, clean_text

FEEDBACK_LIMIT = 5000
PAGE = 20
WORDS = Prefetch("feedback", Feedback.objects.select_related("reviewer").order_by("pk"))
PICKED = "chat"  # the picks of live conversations, among the kinds to look at


class ReviewError(SubmissionError):
    """What a reviewer asks for or says can't be taken as it is."""


@dataclass(frozen=True)
class Cursor:
    """Where a page begins: below these ids of judgments and of edits."""

    judgment: int
    edit: int

    def __str__(self) -> str:
        return f"{self.judgment}-{self.edit}"


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor as an address carries it; None for the newest."""
    numbers = text.split("-")
    if not text:
        return None
    if len(numbers) != 2 or not all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
        raise ReviewError("before", _("This page has no such address; begin at the newest."))
    return Cursor(int(numbers[0]), int(numbers[1]))


def submissions(
    campaign: Campaign,
    *,
    rater: str = "",
    kind: str = "",
    with_signals: bool = False,
    before: Cursor | None = None,
) -> tuple[list[Judgment | Edit], Cursor | None]:
    """Return a page of what raters sent that stands, newest first, and the cursor of the page after it.

    `rater` is a username, `kind` one of Task.Kind (chat: the picks of live conversations). `with_signals`
    keeps edits that were pasted or are close to a model's answer. Rows carry all that a page shows of them.
    """
    judgments, edits = _judgments(campaign), _edits(campaign)
    if rater:
        judgments, edits = judgments.filter(rater__username=rater), edits.filter(rater__username=rater)
    if kind == PICKED:
        judgments = judgments.filter(task__chat__isnull=False)
    elif kind:
        judgments = judgments.filter(task__kind=kind, task__chat=None)
    if kind and kind != Task.Kind.EDIT:
        edits = edits.none()
    if with_signals:
        judgments = judgments.none()
        edits = edits.filter(Q(signals__pasted__gt=0) | Q(likeness__isnull=False))
    if before is not None:
        judgments, edits = judgments.filter(pk__lt=before.judgment), edits.filter(pk__lt=before.edit)
    # each list in its own order, so that the last row taken of each says where the next page begins
    newest: Iterator[Judgment | Edit] = heapq.merge(
        judgments.order_by("-pk")[: PAGE + 1],
        edits.order_by("-pk")[: PAGE + 1],
        key=lambda row: row.created_at,
        reverse=True,
    )
    rows = list(islice(newest, PAGE + 1))
    if len(rows) <= PAGE:
        return rows, None
    rows.pop()
    top = before or Cursor(2**62, 2**62)
    taken = {model: [row.pk for row in rows if isinstance(row, model)] for model in (Judgment, Edit)}
    return rows, Cursor(min(taken[Judgment], default=top.judgment), min(taken[Edit], default=top.edit))


def _judgments(campaign: Campaign) -> QuerySet[Judgment]:
    rows = Judgment.objects.filter(standing(Judgment), task__campaign=campaign, imported=False)
    rows = rows.select_related("rater", "task__prompt", "task__campaign")
    return rows.prefetch_related("task__task_responses__response__policy", WORDS)


def _edits(campaign: Campaign) -> QuerySet[Edit]:
    rows = Edit.objects.filter(standing(Edit), task__campaign=campaign, imported=False)
    return rows.select_related(
        "rater",
        "task__prompt",
        "task__campaign",
        "original__policy",
        "edited",
        "likeness__response__policy",
    ).prefetch_related(WORDS)


def standing(model: type[Judgment] | type[Edit]) -> Q:
    """Select what stands, as models.judgment.effective does, spelt so that the newest are found by index.

    Of a join that keeps what found no partner the planner expects one row, and reads the whole table.
    """
    return Q(~Exists(model._default_manager.filter(supersedes=OuterRef("pk"))), withdrawn=False)


def raters(campaign: Campaign) -> list[str]:
    """Return the usernames of who has been given something in a campaign, by one look into an index each."""
    given = Slot.objects.filter(rater=OuterRef("pk"), campaign=campaign)
    people = User.objects.filter(Exists(given), imported=False)
    return list(people.order_by("username").values_list("username", flat=True))


# -- feedback -----------------------------------------------------------------------------------------


def find(campaign: Campaign, kind: str, pk: int) -> Judgment | Edit:
    """Return the judgment or edit of a campaign that a reviewer means; ReviewError when there is none."""
    models: dict[str, type[Judgment] | type[Edit]] = {"judgment": Judgment, "edit": Edit}
    if kind not in models:
        raise ReviewError("kind", _("Feedback is about a judgment or an edit."))
    row = models[kind].objects.filter(pk=pk, task__campaign=campaign).select_related("rater").first()
    if row is None:
        raise ReviewError("id", _("This campaign has no such submission."))
    return row


def give(reviewer: User, campaign: Campaign, about: Judgment | Edit, text: str) -> Feedback:
    """Send a rater a word about something that they said. Raises ReviewError."""
    try:
        text = clean_text("text", text, FEEDBACK_LIMIT).strip()
    except SubmissionError as error:
        raise ReviewError(error.field, str(error)) from error
    if not text:
        raise ReviewError("text", _("Write what the rater should know."))
    if about.imported or about.rater.imported:
        raise ReviewError("id", _("This came with an import: there is nobody to read a word about it."))
    with transaction.atomic():
        feedback = Feedback.objects.create(
            campaign=campaign,
            rater=about.rater,
            reviewer=reviewer,
            judgment=about if isinstance(about, Judgment) else None,
            edit=about if isinstance(about, Edit) else None,
            text=text,
        )
        audit.record(reviewer, "feedback", about, rater=about.rater.username, feedback=feedback.pk)
    return feedback


def feedback_in(campaign: Campaign) -> QuerySet[Feedback]:
    """Return what was said to a campaign's raters, newest first."""
    return campaign.feedback.select_related("rater", "reviewer").order_by("-created_at", "-pk")


def feedback_to(user: User) -> QuerySet[Feedback]:
    """Return what reviewers said to somebody, newest first, with what it is about."""
    words = Feedback.objects.filter(rater=user).select_related("campaign", "reviewer", "judgment", "edit")
    return words.order_by("-created_at", "-pk")


def unread_count(user: User) -> int:
    """Count the words that somebody hasn't seen yet."""
    return Feedback.objects.filter(rater=user, read_at=None).count()


def mark_read(user: User) -> int:
    """Note that somebody has seen all that reviewers said to them; return how many were new."""
    return Feedback.objects.filter(rater=user, read_at=None).update(read_at=timezone.now())
