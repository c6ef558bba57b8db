"""Snapshots: the datasets that researchers download and runs read."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from labeling import campaigns
from training import difference, exports
from training import snapshots as snapshots_
from training.export_formats import FORMATS
from training.exports import ExportError
from training.forms import SnapshotForm
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
    context = {
        "page": page,
        "campaigns": visible,
        "chosen": chosen,
        "form": SnapshotForm(chosen) if chosen else None,
        "section": "datasets",
    }
    return render(request, "training/snapshots.html", context)


@require_POST
@require("export")
def cut_snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """Cut a snapshot of a campaign."""
    campaign = visible_campaign(request, slug)
    form = SnapshotForm(campaign, request.POST)
    try:
        if form.is_valid():
            snapshot = snapshots_.cut(campaign, by=signed_in_user(request), filters=form.filters())
            return redirect("snapshot", snapshot.pk)
        messages.error(request, said_wrong(form))
    except SnapshotError as error:
        messages.error(request, str(error))
    return redirect(f"{reverse('snapshots')}?campaign={campaign.slug}")


@require_safe
@require("export")
def count_snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """Count what the filters of the form would take."""
    campaign = visible_campaign(request, slug)
    form = SnapshotForm(campaign, request.GET)
    context: dict[str, object] = {}
    try:
        if form.is_valid():
            context["counts"] = snapshots_.count(campaign, form.filters())
            context["agreement"] = "min_agreement" in form.filters()
        else:
            context["wrong"] = said_wrong(form)
    except SnapshotError as error:
        context["wrong"] = str(error)
    return render(request, "training/_snapshot_counts.html", context)


def said_wrong(form: SnapshotForm) -> str:
    """Say what is wrong with a form, naming its fields."""
    return " ".join(
        f"{form[name].label}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()
    )


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
        "filters": [
            (name, ", ".join(map(str, value)) if isinstance(value, list) else value)
            for name, value in row.filters.items()
            if name != "rounds"
        ],
        "others": row.campaign.snapshots.exclude(pk=row.pk).order_by("-pk")[:10],
        "manifest": manifest,
        "formats": FORMATS,
        "runs": row.runs.select_related("produced").order_by("-pk"),
        "section": "datasets",
    }
    return render(request, "training/snapshot.html", context)


@require_safe
@require("export")
def snapshot_difference(request: HttpRequest, first: int, second: int) -> HttpResponse:
    """Show what came and went between two snapshots."""
    sides = [get_object_or_404(Snapshot.objects.select_related("campaign"), pk=pk) for pk in (first, second)]
    try:
        found = difference.compare(*sides)
    except SnapshotError as error:
        messages.error(request, str(error))
        return redirect("snapshot", second)
    context = {"first": sides[0], "second": sides[1], "found": found, "section": "datasets"}
    return render(request, "training/difference.html", context)


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
