"""Who works on what: slots are claimed under a lease, kept by heartbeats, and given back.

A slot that somebody gave back is not opened again but cancelled, with its lease and rater, and a fresh one
takes its place. So a lease stays known for good: whoever submits late is recognised, with the order that
they were shown, and their work is kept.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Skill, User
from labeling.models import Campaign, Membership, Round, Slot, Task

# What the rater already holds, oldest first, or else the first open slot, in random order, of a task new to
# them. The turns of a live conversation are held through the conversation.
# Row locks skip what others are just claiming, and re-check `status` where they had to wait.
CLAIM = """
WITH held AS (
    SELECT id FROM labeling_slot
    WHERE rater_id = %(rater)s AND campaign_id = %(campaign)s AND status = 'claimed'
        AND NOT lease = ANY(%(besides)s)
        AND NOT EXISTS (
            SELECT FROM labeling_task task WHERE task.id = task_id AND task.chat_id IS NOT NULL)
    ORDER BY claimed_at LIMIT 1
    FOR UPDATE
), fresh AS (
    SELECT slot.id FROM labeling_slot slot
    WHERE slot.campaign_id = %(campaign)s AND slot.status = 'open'
        AND NOT EXISTS (SELECT FROM held)
        AND NOT EXISTS (
            SELECT FROM labeling_slot mine
            WHERE mine.task_id = slot.task_id AND mine.rater_id = %(rater)s
                AND mine.status IN ('claimed', 'done'))
        AND NOT EXISTS (
            SELECT FROM labeling_skip skip WHERE skip.task_id = slot.task_id AND skip.rater_id = %(rater)s)
        AND NOT EXISTS (
            SELECT FROM labeling_judgment said
            WHERE said.task_id = slot.task_id AND said.rater_id = %(rater)s AND NOT said.withdrawn
                AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id))
        AND NOT EXISTS (
            SELECT FROM labeling_edit said
            WHERE said.task_id = slot.task_id AND said.rater_id = %(rater)s AND NOT said.withdrawn
                AND NOT EXISTS (SELECT FROM labeling_edit later WHERE later.supersedes_id = said.id))
    ORDER BY slot.order_key LIMIT 1
    FOR UPDATE OF slot SKIP LOCKED
)
UPDATE labeling_slot SET
    status = 'claimed',
    rater_id = %(rater)s,
    lease_until = %(until)s,
    lease = CASE status WHEN 'claimed' THEN lease ELSE gen_random_uuid() END,
    claimed_at = CASE status WHEN 'claimed' THEN claimed_at ELSE %(now)s END,
    order_shown = CASE status WHEN 'claimed' THEN order_shown ELSE ARRAY(
        SELECT place.position FROM labeling_taskresponse place
        WHERE place.task_id = labeling_slot.task_id ORDER BY random()) END
WHERE id IN (SELECT id FROM held UNION ALL SELECT id FROM fresh)
RETURNING *
"""


class LeaseError(Exception):
    """A lease that isn't the rater's, or has run out; the message is for them."""


def claim(rater: User, campaign: Campaign, besides: Sequence[UUID] = ()) -> Slot | None:
    """Give a member of an active campaign the slot they hold, or the next one; None when there is nothing.

    `besides` are leases of slots that the rater has before them already: a page claims ahead.
    """
    slot = take(rater, campaign, besides)
    if slot is None and expire_leases(campaign):
        slot = take(rater, campaign, besides)
    return slot


def take(rater: User, campaign: Campaign, besides: Sequence[UUID]) -> Slot | None:
    """Claim what is open, in a transaction of its own."""
    with transaction.atomic():
        # The lock lets one rater's claims from several tabs follow each other.
        # (Not values_list: with it, Django would lock the campaign's row instead.)
        membership = (
            Membership.objects.select_for_update(of=("self",), no_key=True)
            .filter(may_work(), user=rater, campaign=campaign, campaign__status=Campaign.Status.ACTIVE)
            .select_related("campaign")
            .first()
        )
        if membership is not None:
            now = timezone.now()
            until = now + timedelta(minutes=membership.campaign.lease_minutes)
            values = {
                "rater": rater.pk,
                "campaign": campaign.pk,
                "now": now,
                "until": until,
                "besides": list(besides),
            }
            for slot in Slot.objects.raw(CLAIM, values):
                return slot
    return None


def may_work() -> Q:
    """Select the memberships of those who have a campaign's skills and passed its test, if it has one."""
    lacking = Skill.objects.filter(campaigns=OuterRef("campaign")).exclude(user=OuterRef("user"))
    return Q(Q(qualified_at__isnull=False) | Q(campaign__pass_mark=None), ~Exists(lacking))


def heartbeat(rater: User, lease: UUID) -> datetime:
    """Extend a lease that its rater still holds, and with it what they hold in the same campaign.

    Returns until when. Raises LeaseError.
    """
    held = Slot.objects.filter(lease=lease, rater=rater, status=Slot.Status.CLAIMED)
    campaign = held.values_list("campaign", "campaign__lease_minutes").first()
    if campaign is not None:
        until = timezone.now() + timedelta(minutes=campaign[1])
        all_held = Slot.objects.filter(campaign=campaign[0], rater=rater, status=Slot.Status.CLAIMED)
        if lease in [slot.lease for slot in extend(all_held, until)]:
            return until
    raise LeaseError(_("Your time for this one has run out, but you can still send it."))


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
    lapsed = Slot.objects.filter(status=Slot.Status.CLAIMED, lease_until__lt=timezone.now())
    if campaign is not None:
        lapsed = lapsed.filter(campaign=campaign)
    return give_back(list(lapsed.values_list("pk", flat=True)), lapsed_by=timezone.now())


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
            Slot(campaign_id=s.campaign_id, task_id=s.task_id, order_key=s.order_key)
            for s in gone
            if s.task.round_id in live and s.task.chat_id is None
        )
    return len(gone)


def lock_live_rounds(slots: Iterable[int]) -> set[int]:
    """Hold the rounds of some slots as they are till the transaction ends; return those that are open.

    A round that closes meanwhile waits, and so can't miss a slot that is being made.
    """
    rounds = Round.objects.select_for_update(no_key=True).filter(
        pk__in=Slot.objects.filter(pk__in=list(slots)).values("task__round")
    )
    return {r.pk for r in rounds.order_by("pk") if r.status == Round.Status.OPEN}
