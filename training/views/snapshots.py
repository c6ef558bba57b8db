"""Snapshots: the datasets that researchers download and runs read."""

from collections.abc import Sequence

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from labeling import campaigns
from labeling.models import Campaign
from training import difference, links, preparations, snapshot_names, withdrawal
from training import snapshots as snapshots_
from training.export_formats import FORMATS
from training.forms import SnapshotForm
from training.models import Preparation, Snapshot, Withdrawal
from training.snapshots import SnapshotError
from training.tasks import compare_snapshots
from training.views.campaign import visible_campaign
from training.views.downloads import own_links, prepared, visible_snapshot


@require_safe
@require("export")
def snapshots(request: HttpRequest) -> HttpResponse:
    """List all snapshots, or one campaign's with ?campaign=slug."""
    visible = campaigns.visible_to(signed_in_user(request), "export").order_by("name")
    chosen = visible.filter(slug=request.GET.get("campaign", "")).first()
    marks = Withdrawal.snapshots.through.objects.filter(snapshot=OuterRef("pk"))
    rows = snapshots_.visible_to(signed_in_user(request)).prefetch_related("beside").order_by("-pk")
    rows = rows.annotate(withdrawn=Exists(marks))
    rows = rows.filter(snapshots_.holds(chosen)) if chosen else rows
    beside = together(request, chosen, request.GET.getlist("with")) if chosen else []
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "titles": [(row, snapshots_.title(row)) for row in page],
        "campaigns": visible,
        "chosen": chosen,
        "beside": beside[1:],
        "form": SnapshotForm(beside) if chosen else None,
        "preparations": being_cut(chosen) if chosen else [],
        "notices": withdrawal.unseen(signed_in_user(request)),
        "section": "datasets",
    }
    return render(request, "training/snapshots.html", context)


@require_safe
@require("export")
def cuts(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the part of the page that changes while a campaign's snapshots are cut."""
    context = {"preparations": being_cut(visible_campaign(request, slug))}
    return render(request, "training/_preparations.html", context)


def together(request: HttpRequest, campaign: Campaign, names: Sequence[str]) -> list[Campaign]:
    """Return a campaign and, of those that are named, the others that the user may export."""
    mine = campaigns.visible_to(signed_in_user(request), "export")
    return [campaign, *mine.filter(slug__in=names).exclude(pk=campaign.pk).order_by("slug")]


def builder(request: HttpRequest, campaign: Campaign, given: QueryDict) -> SnapshotForm:
    """Return the form as it was filled in."""
    return SnapshotForm(together(request, campaign, given.getlist("campaigns")), given)


def being_cut(campaign: Campaign) -> list[tuple[Preparation, int]]:
    """Return the newest large cuts of a campaign, each with how many of its prompts are done."""
    return [(row, preparations.done(row)) for row in preparations.under_way(campaign)[:3]]


@require_POST
@require("export")
def cut_snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """Cut a snapshot of a campaign."""
    campaign = visible_campaign(request, slug)
    form = builder(request, campaign, request.POST)
    try:
        if form.is_valid():
            made = preparations.cut(campaign, signed_in_user(request), form.filters())
            if isinstance(made, Snapshot):
                return redirect("snapshot", made.pk)
            messages.info(request, _("The snapshot is being cut. It is listed here as soon as it is done."))
        else:
            messages.error(request, said_wrong(form))
    except SnapshotError as error:
        messages.error(request, str(error))
    return redirect(f"{reverse('snapshots')}?campaign={campaign.slug}")


@require_safe
@require("export")
def count_snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """Count what the filters of the form would take."""
    campaign = visible_campaign(request, slug)
    form = builder(request, campaign, request.GET)
    context: dict[str, object] = {"looked_at": snapshots_.LOOKED_AT}
    try:
        if form.is_valid():
            context["counts"] = snapshots_.count(campaign, form.filters(), signed_in_user(request))
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
    row = visible_snapshot(request, pk)
    try:
        manifest = (snapshots_.path(row) / "manifest.json").read_text()
    except SnapshotError as error:
        messages.error(request, str(error))
        manifest = ""
    called = {name: field.label for name, field in SnapshotForm.base_fields.items()}
    context = {
        "snapshot": row,
        "campaign": row.campaign,
        "title": snapshots_.title(row),
        "sources": snapshots_.sources(row),
        "counts": snapshot_names.told(row.counts),
        "filters": [
            (called.get(name, name), ", ".join(map(str, value)) if isinstance(value, list) else value)
            for name, value in row.filters.items()
            if name not in ("campaigns", "rounds")
        ],
        "withdrawn": [withdrawal.sentence(each) for each in withdrawal.of_snapshot(row)],
        "others": snapshots_.visible_to(signed_in_user(request))
        .filter(snapshots_.holds(row.campaign))
        .exclude(pk=row.pk)
        .order_by("-pk")[:10],
        "manifest": manifest,
        "formats": FORMATS,
        "preparations": prepared(row),
        "links": own_links(request, row),
        "most_days": links.MOST_DAYS,
        "runs": row.runs.select_related("produced").order_by("-pk"),
        "section": "datasets",
    }
    return render(request, "training/snapshot.html", context)


@require_safe
@require("export")
def snapshot_difference(request: HttpRequest, first: int, second: int) -> HttpResponse:
    """Show what came and went between two snapshots."""
    sides = visible_snapshot(request, first), visible_snapshot(request, second)
    try:
        found = difference.find(*sides, compare_snapshots.delay_on_commit)  # type: ignore[attr-defined]
    except SnapshotError as error:
        messages.error(request, str(error))
        return redirect("snapshot", second)
    context = {"first": sides[0], "second": sides[1], "found": found, "section": "datasets"}
    return render(request, "training/difference.html", context)
