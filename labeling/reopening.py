"""Re-opening: what one rater said in a campaign counts no more, and others are asked in their place.

Nothing is deleted: each judgment or edit is superseded by a withdrawal that says who took it out and why.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from accounts import audit
from accounts.models import User
from labeling import assignment
from labeling.models import Campaign, Edit, Feedback, Judgment, Round, Skip, Slot, Task
from labeling.models.judgment import counting
from labeling.models.task import fresh
from labeling.reviews import FEEDBACK_LIMIT, ReviewError
from labeling.submissions import SubmissionError, clean_text

REASON_LIMIT = 2000
# of the skip that keeps a re-opened task from coming back to the same rater; no history shows it
NOT_AGAIN = "re-opened"
BATCH = 1000


@dataclass(frozen=True)
class Reopening:
    """How much is taken out: what was said, and of its tasks how many others are asked about."""

    judgments: int
    edits: int
    asked_again: int  # in rounds that are open
    closed: int  # in rounds that are over: left out of every dataset cut from now on

    @property
    def all(self) -> int:
        return self.judgments + self.edits


def preview(campaign: Campaign, rater: User) -> Reopening:
    """Count what re-opening a rater's work would take out."""
    again = Q(task__round__status=Round.Status.OPEN, task__chat=None)
    counts = [
        rows.aggregate(all=Count("pk"), again=Count("pk", filter=again))
        for rows in (counted(Judgment, campaign, rater), counted(Edit, campaign, rater))
    ]
    everything, asked = sum(c["all"] for c in counts), sum(c["again"] for c in counts)
    return Reopening(counts[0]["all"], counts[1]["all"], asked, everything - asked)


def counted(model: Any, campaign: Campaign, rater: User) -> QuerySet[Any]:
    """Return the judgments, or edits, of a rater that count; on gold tasks and repeats they are evidence."""
    said = counting() & fresh("task__") & Q(task__campaign=campaign, rater=rater)
    rows: QuerySet[Any] = model._default_manager.filter(said)
    return rows


def reopen(campaign: Campaign, rater: User, by: User, reason: str) -> Reopening:
    """Take out everything that a rater said in a campaign, and ask others in the rounds that are open.

    Each counted row is superseded by a withdrawal whose `meta.reopened` holds the reason; its place becomes a
    fresh slot while its round is open. The rater is told, and the tasks don't come back to them. Doing it
    again finds nothing more. Returns what was taken out. Raises ReviewError without a reason.
    """
    reason = check_reason(reason)
    with transaction.atomic():
        # membership, rounds, slots, tasks: the order of every other transaction
        assignment.lock_member(rater, campaign)
        held = [model for model in (Judgment, Edit) if counted(model, campaign, rater).exists()]
        slots = {
            model: list(counted(model, campaign, rater).values_list("slot", flat=True)) for model in held
        }
        live = assignment.lock_live_rounds(pk for pks in slots.values() for pk in pks)
        # what was taken back while the rounds were waited for is not there any more
        rows = [
            row
            for model in held
            for row in counted(model, campaign, rater).select_related("task").order_by("slot")
        ]
        if not rows:
            return Reopening(0, 0, 0, 0)
        withdraw(rows, by, reason)
        again = give_to_others(rows, live)
        done = Reopening(
            sum(isinstance(row, Judgment) for row in rows),
            sum(isinstance(row, Edit) for row in rows),
            again,
            len(rows) - again,
        )
        tell(campaign, rater, by, reason, done)
        counts = {"judgments": done.judgments, "edits": done.edits, "asked_again": done.asked_again}
        audit.record(by, "reopen", campaign, rater=rater.username, reason=reason, **counts)
    return done


def check_reason(reason: str) -> str:
    """Return a reason as stored. Raises ReviewError."""
    try:
        reason = clean_text("reason", reason, REASON_LIMIT).strip()
    except SubmissionError as error:
        raise ReviewError(error.field, str(error)) from error
    if not reason:
        raise ReviewError("reason", _("Say why: the rater reads it, and it is kept with what is taken out."))
    return reason


def withdraw(rows: Iterable[Judgment | Edit], by: User, reason: str) -> None:
    """Supersede each row by a withdrawal that says who took it out and why."""
    found: dict[Any, list[Judgment | Edit]] = {Judgment: [], Edit: []}
    for row in rows:
        common = {
            "task_id": row.task_id,
            "rater_id": row.rater_id,
            "guideline_id": row.guideline_id,
            "idempotency_key": uuid4(),
            "withdrawn": True,
            "imported": row.imported,
            "supersedes_id": row.pk,
            "meta": {"reopened": reason, "by": by.pk},
        }
        if isinstance(row, Judgment):
            said = {name: getattr(row, name) for name in ("verdict", "ranking", "both_bad", "order_shown")}
            found[Judgment].append(Judgment(**common, **said))
        else:
            found[Edit].append(Edit(**common, original_id=row.original_id))
    for model, withdrawals in found.items():
        model.objects.bulk_create(withdrawals, batch_size=BATCH)


def give_to_others(rows: list[Any], live: set[int]) -> int:
    """Cancel the rows' slots, count them no more, and open fresh ones where the round is open."""
    tasks = {row.task_id: row.task for row in rows}
    slots = list(Slot.objects.select_for_update().filter(pk__in=[row.slot_id for row in rows]).order_by("pk"))
    again = [s for s in slots if tasks[s.task_id].round_id in live and tasks[s.task_id].chat_id is None]
    Slot.objects.filter(pk__in=[s.pk for s in slots]).update(status=Slot.Status.CANCELLED)
    # one rater has at most one counted row on a task
    of_tasks = Task.objects.filter(pk__in=tasks)
    asked = Q(pk__in=[s.task_id for s in again])
    of_tasks.filter(asked).update(counted=F("counted") - 1, status=Task.Status.OPEN)
    of_tasks.exclude(asked).update(counted=F("counted") - 1, status=Task.Status.CANCELLED)
    Slot.objects.bulk_create((assignment.again(s) for s in again), batch_size=BATCH)
    Skip.objects.bulk_create(
        (Skip(task_id=row.task_id, rater_id=row.rater_id, reason=NOT_AGAIN) for row in rows),
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    return len(again)


def tell(campaign: Campaign, rater: User, by: User, reason: str, done: Reopening) -> None:
    """Send the rater a word about it, in their language; those that came with an import have no inbox."""
    if rater.imported:
        return
    with override(rater.language or settings.LANGUAGE_CODE):
        said = ngettext(
            "%(n)s of your answers counts no more, and others are asked instead. The reason: %(reason)s",
            "%(n)s of your answers count no more, and others are asked instead. The reason: %(reason)s",
            done.all,
        ) % {"n": done.all, "reason": reason}
    Feedback.objects.create(campaign=campaign, rater=rater, reviewer=by, text=said[:FEEDBACK_LIMIT])
