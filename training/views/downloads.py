"""Downloads of snapshots: by people, with tokens, and through signed links."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from rest_framework.request import Request

from accounts import limits
from accounts.models import User
from accounts.roles import can, require, signed_in_user
from accounts.whence import address_of
from labeling import members
from training import exports, links, preparations, snapshots, withdrawal
from training.archives import Archive
from training.exports import ExportError
from training.links import LinkError
from training.models import Download, DownloadLink, Preparation, Snapshot
from training.snapshots import SnapshotError
from training.views.sending import begins, send
from training.withdrawal import WithdrawnError

RETRY = 3  # seconds until one may ask again for what is being prepared


@dataclass(frozen=True)
class Wanted:
    """Which export somebody asks for, and how."""

    snapshot: Snapshot
    format: str
    file: str
    via: str
    by: User | None = None
    link: DownloadLink | None = None


def visible_snapshot(request: HttpRequest | Request, pk: int) -> Snapshot:
    """Return the snapshot of an address, if the user may have it."""
    return members.within(request, snapshots.visible_to(signed_in_user(request)), pk=pk)


def give(request: HttpRequest, wanted: Wanted) -> HttpResponseBase | Preparation:
    """Send an export, or return what a worker prepares before it can be sent.

    Raises WithdrawnError, ExportError or SnapshotError before the first byte.
    """
    withdrawal.refuse(wanted.snapshot, wanted.by)
    found = preparations.export(wanted.snapshot, wanted.format, wanted.file, wanted.by)
    if isinstance(found, Archive):
        if begins(request):
            _note(wanted, found)
        return send(request, found)
    return found


@require_safe
@require("export")
def download(request: HttpRequest, pk: int, format: str) -> HttpResponseBase:
    """Send a snapshot in one of the formats, as a zip file; the snapshot's page says while it is prepared."""
    row = visible_snapshot(request, pk)
    user = signed_in_user(request)
    try:
        given = give(request, Wanted(row, format, request.GET.get("file", ""), Download.Via.PAGE, user))
    except WithdrawnError as error:
        return HttpResponse(str(error), status=410, content_type="text/plain; charset=utf-8")
    except (ExportError, SnapshotError) as error:
        messages.error(request, str(error))
        return redirect("snapshot", pk)
    if isinstance(given, Preparation):
        messages.info(
            request, _("This file is being prepared. It is listed on this page as soon as it is ready.")
        )
        return redirect("snapshot", pk)
    return given


@require_safe
@login_not_required
def signed_download(request: HttpRequest, token: str) -> HttpResponseBase:
    """Send the export that a signed link is for."""
    wait = limits.wait_for("links", address_of(request) or "nowhere")
    if wait:
        late = _plain(_("Too many requests. Ask again in a minute."), 429)
        late["Retry-After"] = str(wait)
        return late
    link = links.find(token)
    if link is None:
        return _plain(_("This link has ended or was never there."), 404)
    wanted = Wanted(link.snapshot, link.format, link.file, Download.Via.LINK, link=link)
    try:
        given = give(request, wanted)
    except WithdrawnError as error:
        return _plain(str(error), 410)
    except (ExportError, SnapshotError) as error:
        return _plain(str(error), 404)
    if isinstance(given, Preparation):
        waiting = _plain(_("This file is being prepared. Ask again in a moment."), 503)
        waiting["Retry-After"] = str(RETRY)
        return waiting
    return given


@require_POST
@require("export")
def make_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a signed link to one export."""
    row = visible_snapshot(request, pk)
    format, _comma, file = request.POST.get("export", "").partition(" ")
    days = request.POST.get("days", "")
    try:
        withdrawal.refuse(row, signed_in_user(request))
        links.make(row, signed_in_user(request), format, file, int(days) if days.isdecimal() else 0)
    except (ExportError, LinkError, WithdrawnError) as error:
        messages.error(request, str(error))
    return redirect("snapshot", pk)


@require_POST
@require("export")
def revoke_link(request: HttpRequest, pk: int) -> HttpResponse:
    """End a signed link at once."""
    seen = snapshots.visible_to(signed_in_user(request))
    found = DownloadLink.objects.filter(snapshot__in=seen).select_related("snapshot__campaign")
    link = get_object_or_404(found, pk=pk)
    try:
        links.revoke(link, signed_in_user(request))
    except PermissionDenied as error:
        messages.error(request, str(error))
    return redirect("snapshot", link.snapshot_id)


@require_safe
@require("export")
def files(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the part of a snapshot's page that changes while files are prepared."""
    row = visible_snapshot(request, pk)
    return render(request, "training/_preparations.html", {"preparations": prepared(row)})


def prepared(snapshot: Snapshot) -> list[tuple[Preparation, int]]:
    """Return a snapshot's newest prepared exports, each with how many of its rows are done."""
    return [(row, preparations.done(row)) for row in preparations.under_way(snapshot.campaign, snapshot)[:5]]


def own_links(request: HttpRequest, snapshot: Snapshot) -> list[tuple[DownloadLink, str, bool]]:
    """Return a snapshot's links that one may end, newest first: with their addresses, and if they last."""
    user, now = signed_in_user(request), timezone.now()
    found = snapshot.links.select_related("by").order_by("-pk")
    if not can(user, "manage", snapshot.campaign.slug):
        found = found.filter(by=user)
    return [
        (link, request.build_absolute_uri(links.address(link)), not link.revoked_at and link.expires_at > now)
        for link in found[:20]
    ]


def _note(wanted: Wanted, archive: Archive) -> None:
    _kind, file = exports.chosen(wanted.format, wanted.file)
    Download.objects.create(
        snapshot=wanted.snapshot,
        by=wanted.by,
        link=wanted.link,
        format=wanted.format,
        file=file,
        bytes=archive.bytes,
        via=wanted.via,
    )


def _plain(sentence: str, status: int) -> HttpResponse:
    return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
