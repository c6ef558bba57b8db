"""Hold one rater back in a campaign, and give back what they hold."""

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from labeling import assignment
from labeling.models import Campaign, Membership, Slot


def pause(campaign: Campaign, user: User, by: User) -> None:
    """Give somebody no new tasks in a campaign, at once; what they hold they may still send."""
    members = Membership.objects.filter(campaign=campaign, user=user, paused_at=None)
    with transaction.atomic():
        if members.update(paused_at=timezone.now()):
            audit.record(by, "pause rater", campaign, rater=user.username)


def resume(campaign: Campaign, user: User, by: User) -> None:
    """Let somebody who was paused go on."""
    members = Membership.objects.filter(campaign=campaign, user=user, paused_at__isnull=False)
    with transaction.atomic():
        if members.update(paused_at=None):
            audit.record(by, "resume rater", campaign, rater=user.username)


def release(campaign: Campaign, user: User, by: User) -> int:
    """Give back what somebody holds in a campaign, for others; return how many tasks.

    What they send later for these is kept, and counts only while its place is free.
    """
    with transaction.atomic():
        held = Slot.objects.filter(campaign=campaign, rater=user, status=Slot.Status.CLAIMED)
        given = assignment.give_back(list(held.values_list("pk", flat=True)))
        if given:
            audit.record(by, "release work", campaign, rater=user.username, tasks=given)
    return given


def is_paused(campaign: Campaign, user: User) -> bool:
    """Tell whether somebody is held back in a campaign."""
    return campaign.memberships.filter(user=user, paused_at__isnull=False).exists()
