"""Snapshots: the datasets that researchers download and runs read."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from labeling import campaigns
from training import exports
from training import snapshots as snapshots_
from training.export_formats import FORMATS
from training.exports import ExportError
from training.models import Snapshot
from training.snapshots import SnapshotError
from training.views.campaign import visible_campaign


@require_safe
@require("export")
def snapshots(request: HttpRequest) -> HttpResponse:
    """List all snapshots, or one campaign's with ?campaign=slug."""
    visible = campaigns.visible_to(signed_in_user(request)).order_by("name")
    chosen = visible.filter(slug=request.GET.get("campaign", "")).first()
    rows = Snapshot.objects.filter(campaign__in=visible).select_related("campaign").order_by("-pk")
    page = Paginator(rows.filter(campaign=chosen) if chosen else rows, 50).get_page(request.GET.get("page"))
    rounds = chosen.rounds.order_by("number").values_list("number", flat=True) if chosen else []
    context = {
        "page": page,
        "campaigns": visible,
        "chosen": chosen,
        "rounds": rounds,
        "section": "datasets",
    }
    return render(request, "training/snapshots.html", context)


@require_POST
@require("export")
def cut_snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """Cut a snapshot of a campaign."""
    campaign = visible_campaign(request, slug)
    numbers = [int(number) for number in request.POST.getlist("rounds") if number.isdigit()]
    try:
        snapshot = snapshots_.cut(
            campaign, by=signed_in_user(request), filters={"rounds": numbers} if numbers else None
        )
    except SnapshotError as error:
        messages.error(request, str(error))
        return redirect("snapshots")
    return redirect("snapshot", snapshot.pk)


@require_safe
@require("export")
def snapshot(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a snapshot's counts and manifest, its downloads and the runs that read it."""
    row = get_object_or_404(Snapshot.objects.select_related("campaign", "created_by"), pk=pk)
    try:
        manifest = (snapshots_.path(row) / "manifest.json").read_text()
    except SnapshotError as error:
        messages.error(request, str(error))
        manifest = ""
    context = {
        "snapshot": row,
        "campaign": row.campaign,
        "counts": [(name.replace("_", " "), number) for name, number in row.counts.items()],
        "manifest": manifest,
        "formats": FORMATS,
        "runs": row.runs.select_related("produced").order_by("-pk"),
        "section": "datasets",
    }
    return render(request, "training/snapshot.html", context)


@require_safe
@require("export")
def download(request: HttpRequest, pk: int, format: str) -> HttpResponseBase:
    """Stream a snapshot in one of the formats, as a zip file."""
    row = get_object_or_404(Snapshot.objects.select_related("campaign"), pk=pk)
    try:
        content = exports.export(row, format, request.GET.get("file", ""))
    except (ExportError, SnapshotError) as error:
        messages.error(request, str(error))
        return redirect("snapshot", pk)
    return as_download(content, exports.file_name(row, format))


def as_download(content: object, name: str) -> StreamingHttpResponse:
    """Send the bytes of a zip file as they come."""
    response = StreamingHttpResponse(content, content_type="application/zip")  # type: ignore[arg-type]
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
