"""Who works on what: slots are claimed under a lease, kept by heartbeats, and given back.

A slot that somebody gave back is not opened again but cancelled, with its lease and rater, and a fresh one
takes its place. So a lease stays known for good: whoever submits late is recognised, with the order that
they were shown, and their work is kept.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from accounts import audit, rows
from accounts.models import Role, User
from labeling.models import Campaign, Round, Skip, Slot, Task
from labeling.statements import CLAIM, HELD, LOCK_MEMBER, SLOT_COLUMNS, TASK_COLUMNS


class ReservationError(Exception):
    """A task can't be kept for somebody; `field` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class LeaseError(Exception):
    """A lease that isn't the rater's, or has run out; the message is for them."""


def claim(rater: User, campaign: Campaign, besides: Sequence[UUID] = ()) -> Any:
    """Give a member of an active campaign the slot they hold, or the next one; None when there is nothing.

    `besides` are leases of slots that the rater has before them already: a page claims ahead. The slot has,
    for its page, `task`, `prompt_messages`, `answers` (each {"text", "turns"}), `draft_data`, `draft_at`.
    """
    for _attempt in range(2):
        slot = take(rater, campaign, besides)
        if slot is not None or not expire_leases(campaign):
            return slot
    return None


def lock_member(rater: User, campaign: Campaign) -> None:
    """Hold a rater's membership till the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_MEMBER, {"rater": rater.pk, "campaign": campaign.pk})


def take(rater: User, campaign: Campaign, besides: Sequence[UUID]) -> Any:
    """Claim as `claim` does, but for what others have left lying."""
    values = {"rater": rater.pk, "campaign": campaign.pk, "besides": rows.array(besides)}
    return _shown(CLAIM, values)


def held(rater: User, campaign: Campaign, lease: UUID) -> Any:
    """Return a slot that a rater holds, with what its page shows; None when they don't hold it."""
    return _shown(HELD, {"rater": rater.pk, "campaign": campaign.pk, "lease": lease})


def _shown(statement: str, values: dict[str, Any]) -> Any:
    row = rows.one(statement, values)
    return read_shown(iter(row)) if row is not None else None


def read_shown(values_left: Iterator[Any]) -> Any:
    """Take a claimed slot, as `claim` returns it, from the rest of a row."""
    slot: Any = rows.read(Slot, values_left, SLOT_COLUMNS)
    slot.task = rows.read(Task, values_left, TASK_COLUMNS)
    messages, draft, slot.draft_at, answers = values_left
    slot.prompt_messages, slot.draft_data = json.loads(messages), json.loads(draft) if draft else None
    slot.answers = json.loads(answers) if answers else []
    return slot


def heartbeat(rater: User, lease: UUID) -> datetime:
    """Extend a lease that its rater still holds, and with it what they hold in the same campaign.

    Returns until when. Raises LeaseError.
    """
    held = Slot.objects.filter(lease=lease, rater=rater, status=Slot.Status.CLAIMED)
    campaign = held.values_list("campaign", "campaign__lease_minutes").first()
    if campaign is not None:
        until = clock() + timedelta(minutes=campaign[1])
        all_held = Slot.objects.filter(campaign=campaign[0], rater=rater, status=Slot.Status.CLAIMED)
        if lease in [slot.lease for slot in extend(all_held, until)]:
            return until
    raise LeaseError(_("Your time for this one has run out, but you can still send it."))


def clock() -> datetime:
    """Return the time by the database's clock, which alone decides about leases."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def extend(held: QuerySet[Slot], until: datetime) -> list[Slot]:
    """Extend the leases of those slots that are still claimed, and return them."""
    with transaction.atomic():
        slots = list(held.select_for_update().order_by("pk"))
        Slot.objects.filter(pk__in=[slot.pk for slot in slots]).update(lease_until=until)
    return slots


def release(rater: User, lease: UUID) -> None:
    """Give a claimed slot back for others."""
    if not give_back(Slot.objects.filter(lease=lease, rater=rater).values_list("pk", flat=True)):
        raise LeaseError(_("You don't hold this any more."))


def expire_leases(campaign: Campaign | None = None) -> int:
    """Give back, in one campaign or in all, what its raters left lying; return how many."""
    now = clock()
    lapsed = Slot.objects.filter(status=Slot.Status.CLAIMED, lease_until__lt=now)
    if campaign is not None:
        lapsed = lapsed.filter(campaign=campaign)
    return give_back(list(lapsed.values_list("pk", flat=True)), lapsed_by=now)


def give_back(slots: Iterable[int], *, lapsed_by: datetime | None = None) -> int:
    """Cancel claimed slots and open fresh ones in their place; return how many.

    With `lapsed_by`, only those whose lease had run out by then: a heartbeat may have come in between.
    """
    slots = list(slots)
    if not slots:
        return 0
    with transaction.atomic():
        live = lock_live_rounds(slots)
        # whoever gives a conversation back is no longer asked to pick in it
        talks = Slot.objects.filter(pk__in=slots, task=OuterRef("task__chat"), rater=OuterRef("rater"))
        slots += Slot.objects.filter(Exists(talks), status=Slot.Status.CLAIMED).values_list("pk", flat=True)
        claimed = Slot.objects.select_for_update(of=("self",)).filter(
            pk__in=slots, status=Slot.Status.CLAIMED
        )
        if lapsed_by is not None:
            claimed = claimed.filter(lease_until__lt=lapsed_by)
        gone = list(claimed.select_related("task").order_by("pk"))
        Slot.objects.filter(pk__in=[s.pk for s in gone]).update(status=Slot.Status.CANCELLED)
        # a turn of a conversation is nobody else's: without its rater it is not asked any more
        Task.objects.filter(pk__in=[s.task_id for s in gone], chat__isnull=False).update(
            status=Task.Status.CANCELLED
        )
        Slot.objects.bulk_create(
            again(s, reserved_for_id=s.reserved_for_id)
            for s in gone
            if s.task.round_id in live and s.task.chat_id is None
        )
    return len(gone)


def again(slot: Slot, **more: Any) -> Slot:
    """Return a slot, not stored yet, in another's place in the queue: open, if `more` says nothing."""
    return Slot(
        campaign_id=slot.campaign_id,
        task_id=slot.task_id,
        order_key=slot.order_key,
        priority=slot.priority,
        gold=slot.gold,
        **more,
    )


def lock_live_rounds(slots: Iterable[int]) -> set[int]:
    """Hold the rounds of some slots as they are till the transaction ends; return those that are open.

    A round that closes meanwhile waits, and so can't miss a slot that is being made.
    """
    rounds = Round.objects.select_for_update(no_key=True).filter(
        pk__in=Slot.objects.filter(pk__in=list(slots)).values("task__round")
    )
    return {r.pk for r in rounds.order_by("pk") if r.status == Round.Status.OPEN}


def reserve(task: Task, rater: User, by: User) -> Slot:
    """Keep one of a task's open slots for one rater, who gets it before anything else.

    Where every slot is taken, the task is asked once more. Raises ReservationError.
    """
    with transaction.atomic():
        if not Round.objects.select_for_update(no_key=True).filter(pk=task.round_id, status="open").exists():
            raise ReservationError("task", _("The round of this task isn't open."))
        if not task.campaign.memberships.filter(user=rater).exclude(role=Role.RESEARCHER).exists():
            raise ReservationError("rater", _("This person doesn't rate in the campaign."))
        task = Task.objects.select_for_update(no_key=True).get(pk=task.pk)
        if task.chat_id is not None or task.repeats_id is not None or task.status == Task.Status.CANCELLED:
            raise ReservationError("task", _("This task can't be given to somebody by name."))
        if Skip.objects.filter(task=task, rater=rater).exists():
            raise ReservationError("rater", _("This rater has passed this task over."))
        mine = Q(rater=rater, status__in=[Slot.Status.CLAIMED, Slot.Status.DONE]) | Q(reserved_for=rater)
        if Slot.objects.filter(mine, task=task).exclude(status=Slot.Status.CANCELLED).exists():
            raise ReservationError("rater", _("This rater has this task already."))
        slot = Slot.objects.select_for_update().filter(task=task, status="open", reserved_for=None).first()
        if slot is None:
            slot = ask_once_more(task)
        slot.reserved_for = rater
        slot.save(update_fields=["reserved_for"])
        audit.record(by, "reserve", task, rater=rater.username)
    return slot


def unreserve(kept: QuerySet[Slot]) -> None:
    """Leave open slots that were kept for one rater to all; repeats, which are theirs alone, are dropped."""
    repeat = Exists(Task.objects.filter(pk=OuterRef("task"), repeats__isnull=False))
    kept.filter(status=Slot.Status.OPEN).update(
        reserved_for=None,
        status=Case(When(repeat, then=Value(Slot.Status.CANCELLED)), default=Value(Slot.Status.OPEN)),
    )


def ask_once_more(task: Task) -> Slot:
    """Give a task of an open round one slot more; call with the round and the task locked."""
    Task.objects.filter(pk=task.pk).update(overlap=F("overlap") + 1, status=Task.Status.OPEN)
    return Slot.objects.create(
        campaign_id=task.campaign_id,
        task_id=task.pk,
        order_key=random.random(),
        priority=task.priority,
        gold=task.gold,
    )


def prioritise(tasks: QuerySet[Task], priority: int, by: User) -> int:
    """Let tasks of one campaign be asked before those of a lower priority; return how many there are."""
    with transaction.atomic():
        first = tasks.select_related("campaign").first()
        Slot.objects.filter(task__in=tasks, status=Slot.Status.OPEN).update(priority=priority)
        changed = tasks.update(priority=priority)
        if first is not None:
            audit.record(by, "prioritise", first.campaign, tasks=changed, priority=priority)
    return changed


def limit_reached(rater: User, campaign: Campaign) -> str:
    """Name the limit that keeps a rater from more: "daily", "all", or none ("")."""
    taken = Slot.objects.filter(
        rater=rater, campaign=campaign, status__in=[Slot.Status.CLAIMED, Slot.Status.DONE]
    )
    if campaign.rater_limit is not None and taken.count() >= campaign.rater_limit:
        return "all"
    if campaign.daily_limit is None:
        return ""
    midnight = clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return "daily" if taken.filter(claimed_at__gte=midnight).count() >= campaign.daily_limit else ""
