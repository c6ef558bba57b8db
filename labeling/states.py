"""The states of a campaign: draft, active, paused, closed; and put away in the archive.

Nobody else writes `status` or `archived_at`. Each change is one guarded update with its audit row.
"""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling import setup
from labeling.campaigns import CampaignError
from labeling.models import Campaign
from labeling.rounds import StateError

S = Campaign.Status

TRANSITIONS: dict[str, frozenset[str]] = {
    S.DRAFT: frozenset({S.ACTIVE}),
    S.ACTIVE: frozenset({S.PAUSED, S.CLOSED}),
    S.PAUSED: frozenset({S.ACTIVE, S.CLOSED}),
    S.CLOSED: frozenset({S.ACTIVE}),
}
# What nobody works in, and only that, can be put away.
ARCHIVABLE = frozenset({S.DRAFT, S.CLOSED})


def change(campaign: Campaign, status: str, by: User) -> None:
    """Start, pause, close or reopen a campaign; pausing stops new assignments at once.

    A draft starts only once nothing lacks. Raises CampaignError for a status that there isn't, StateError for
    one that the table doesn't allow.
    """
    if status not in S.values:
        raise CampaignError("status", _("A campaign can't be “%(status)s”.") % {"status": status})
    if status == campaign.status and campaign.archived_at is None:
        return
    if campaign.status == S.DRAFT and status == S.ACTIVE:
        lacking = [lack.says for lack in setup.read(campaign).lacks]
        if lacking:
            raise StateError(" ".join([_("The campaign can't start yet."), *lacking]))
    with transaction.atomic():
        allowed = status in TRANSITIONS[campaign.status]
        now = Campaign.objects.filter(pk=campaign.pk, status=campaign.status, archived_at=None)
        if not allowed or not now.update(status=status):
            campaign.refresh_from_db(fields=["status", "archived_at"])
            raise StateError(_refusal(campaign, status))
        audit.record(
            by, "change campaign", campaign, before={"status": campaign.status}, after={"status": status}
        )
    campaign.status = status


def _refusal(campaign: Campaign, status: str) -> str:
    if campaign.archived_at is not None:
        return _("The campaign is archived: bring it back first.")
    names = {"before": campaign.get_status_display().lower(), "after": S(status).label.lower()}
    return _("The campaign is %(before)s; it can't become %(after)s.") % names


def archive(campaign: Campaign, by: User) -> None:
    """Put a draft or a closed campaign away: out of the lists, and read-only. Raises StateError."""
    with transaction.atomic():
        rows = Campaign.objects.filter(pk=campaign.pk, status__in=ARCHIVABLE, archived_at=None)
        if rows.update(archived_at=timezone.now()):
            audit.record(by, "archive campaign", campaign)
    campaign.refresh_from_db()
    if campaign.archived_at is None:
        raise StateError(_("People may still work in this campaign: close it before you archive it."))


def bring_back(campaign: Campaign, by: User) -> None:
    """Take a campaign out of the archive, in the state that it was in."""
    with transaction.atomic():
        rows = Campaign.objects.filter(pk=campaign.pk).exclude(archived_at=None)
        if rows.update(archived_at=None):
            audit.record(by, "bring back campaign", campaign)
    campaign.refresh_from_db()
