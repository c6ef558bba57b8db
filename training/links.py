"""Signed links: addresses under which one export can be had without signing in, until they end."""

from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record
from accounts.models import User
from accounts.roles import can
from training import exports, snapshots
from training.models import DownloadLink, Snapshot

MOST_DAYS = 90
_SIGNER = Signer(sep=".", salt="training.links")


class LinkError(Exception):
    """Say in one plain sentence why there is no such link; `field` is what was wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def make(snapshot: Snapshot, by: User, format: str, file: str, days: int) -> DownloadLink:
    """Make a link to one export that ends after some days. Raises ExportError or LinkError."""
    _kind, file = exports.chosen(format, file)
    if not 1 <= days <= MOST_DAYS:
        raise LinkError("days", _("A link may last 1 to %(most)s days.") % {"most": MOST_DAYS})
    with transaction.atomic():
        link = DownloadLink.objects.create(
            snapshot=snapshot,
            by=by,
            format=format,
            file=file,
            expires_at=timezone.now() + timedelta(days=days),
        )
        record(by, "link.made", link, snapshot=snapshot.digest, format=format, file=file, days=days)
    return link


def revoke(link: DownloadLink, by: User) -> None:
    """End a link at once. Its maker may, and whoever may manage; PermissionDenied for others."""
    if link.by_id != by.pk and not can(by, "manage", link.snapshot.campaign.slug):
        raise PermissionDenied(_("Only who made a link, or a manager, can end it."))
    with transaction.atomic():
        if DownloadLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record(by, "link.revoked", link)


def address(link: DownloadLink) -> str:
    """Return a link's path, which nobody can guess."""
    return reverse("signed_download", args=[_SIGNER.sign(str(link.pk))])


def find(token: str) -> DownloadLink | None:
    """Return the link of a path while it lasts, and its maker may still export."""
    try:
        pk = _SIGNER.unsign(token)
    except BadSignature:
        return None
    found = DownloadLink.objects.filter(pk=pk, revoked_at=None, expires_at__gt=timezone.now())
    link = found.select_related("snapshot__campaign", "by").first()
    allowed = link is not None and snapshots.visible_to(link.by).filter(pk=link.snapshot_id).exists()
    return link if allowed else None
