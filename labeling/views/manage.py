"""The manager's pages about campaigns: list, settings, guideline, raters, rounds."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.roles import require, signed_in_user
from labeling import campaigns as campaigns_
from labeling import cloning, quality, rounds, states
from labeling.campaigns import CampaignError
from labeling.forms import CriterionForm
from labeling.members import RATES
from labeling.members import named as named  # the other pages take it from here
from labeling.models import Campaign, Membership, Prompt, Round
from labeling.rounds import StateError
from labeling.settings_forms import SettingsForm, told
from labeling.setup_forms import CloneForm
from labeling.tasks import generate_round
from models_app.registry import ModelError


def count_of(rows: QuerySet[Any]) -> dict[int, int]:
    """Count rows by campaign, those of campaigns that have some."""
    return dict(rows.order_by().values_list("campaign").annotate(n=Count("pk")))


@require_safe
@require("view_campaigns")
def campaigns(request: HttpRequest) -> HttpResponse:
    """List the campaigns with how far each is; `?archived=yes` lists those put away."""
    archived = request.GET.get("archived") == "yes"
    current = Round.objects.filter(campaign=OuterRef("pk")).order_by("-number")
    rows = (
        campaigns_.listed(signed_in_user(request), archived=archived)
        .annotate(
            round_number=Subquery(current.values("number")[:1]),
            round_status=Subquery(current.values("status")[:1]),
        )
        .order_by("-pk")
    )
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    rows_shown: Iterable[Any] = page.object_list  # which are given four more attributes
    judgments, edits = quality.counts(rows_shown), quality.edits(rows_shown)
    prompts = count_of(Prompt.objects.filter(campaign__in=rows_shown))
    raters = count_of(Membership.objects.filter(role__in=RATES, campaign__in=rows_shown))
    for campaign in rows_shown:
        campaign.n_judgments, campaign.n_edits = judgments[campaign.pk], edits.get(campaign.pk, 0)
        campaign.n_prompts, campaign.n_raters = prompts.get(campaign.pk, 0), raters.get(campaign.pk, 0)
    context = {"page": page, "archived": archived, "section": "campaigns"}
    return render(request, "manage/campaigns.html", context)


@require("manage")
def campaign_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Change a campaign's settings, or undo their last change."""
    campaign, by = named(request, slug), signed_in_user(request)
    undone = request.POST.get("undo")
    if undone:
        try:
            campaigns_.undo(campaign, undone, by)
            messages.success(request, _("The change is undone."))
        except CampaignError as error:
            messages.error(request, str(error))
        return redirect("campaign_settings", slug)
    form = SettingsForm(request.POST or None, instance=campaign)
    if request.method == "POST" and form.is_valid():
        # validating has written the form's values into the instance; `update` notes what they were before
        campaigns_.update(named(request, slug), by, **form.settings())
        messages.success(request, _("Saved. The next round follows the new settings."))
        return redirect("campaign_settings", slug)
    last = campaigns_.last_change(campaign)
    context = {
        "campaign": campaign,
        "form": form,
        "last": last,
        "changes": told(last) if last else [],
        "section": "campaigns",
        "tab": "settings",
    }
    return render(request, "manage/settings.html", context)


@require("manage")
def criteria(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what raters grade beside the verdict, and add to it or change it."""
    campaign = named(request, slug)
    form = CriterionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        campaigns_.set_criterion(campaign, by=signed_in_user(request), **form.cleaned_data)
        return redirect("criteria", slug)
    context = {
        "campaign": campaign,
        "form": form,
        "criteria": campaign.criteria.order_by("pk"),
        "section": "campaigns",
        "tab": "criteria",
    }
    return render(request, "manage/criteria.html", context)


@require_POST
@require("manage")
def remove_criterion(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Ask for a quality no more."""
    campaigns_.remove_criterion(named(request, slug), key, signed_in_user(request))
    return redirect("criteria", slug)


@require_POST
@require("manage")
def set_status(request: HttpRequest, slug: str) -> HttpResponse:
    """Start, pause, close or reopen a campaign."""
    campaign = named(request, slug)
    begins = campaign.status == Campaign.Status.DRAFT
    try:
        states.change(campaign, request.POST.get("status", ""), signed_in_user(request))
    except (CampaignError, StateError) as error:
        messages.error(request, str(error))
    else:
        if begins:
            messages.success(request, _("It has started: raters get work now."))
    return redirect("campaign", slug)


@require_POST
@require("manage")
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    """Put a campaign into the archive, or bring it back."""
    campaign, by = named(request, slug, archived=True), signed_in_user(request)
    try:
        if request.POST.get("archived") == "no":
            states.bring_back(campaign, by)
        else:
            states.archive(campaign, by)
            messages.success(request, _("Archived. The list of archived campaigns has it."))
    except StateError as error:
        messages.error(request, str(error))
    return redirect("campaign", slug)


@require("administer")
def clone(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a draft that is like a campaign."""
    campaign = named(request, slug, archived=True)
    suggested = _("Copy of %(name)s") % {"name": campaign.name}
    form = CloneForm(request.POST or None, initial={"name": suggested[:120]})
    if request.method == "POST" and form.is_valid():
        try:
            copy = cloning.clone(campaign, by=signed_in_user(request), **form.cleaned_data)
        except CampaignError as error:
            form.add_error("name", str(error))
        except ModelError as error:
            form.add_error("policy", str(error))
        else:
            return redirect("setup", copy.slug)
    context = {"campaign": campaign, "form": form, "section": "campaigns", "tab": "clone"}
    return render(request, "manage/clone.html", context, status=400 if form.errors else 200)


@require_POST
@require("manage")
def set_loop(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause the loop, or let it go on."""
    campaign, by = named(request, slug), signed_in_user(request)
    if request.POST.get("paused") == "yes":
        campaigns_.pause_loop(campaign, request.POST.get("reason", ""), by)
    else:
        campaigns_.resume_loop(campaign, by)
    return redirect("campaign", slug)


@require_POST
@require("manage")
def remove_rater(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """End somebody's right to rate in a campaign."""
    campaigns_.remove_rater(named(request, slug), get_object_or_404(User, pk=pk), signed_in_user(request))
    return redirect("campaign_raters", slug)


@require_POST
@require("manage")
def start_round(request: HttpRequest, slug: str) -> HttpResponse:
    """Start the next round now."""
    try:
        round_ = rounds.start_next(named(request, slug), signed_in_user(request))
    except StateError as error:
        messages.error(request, str(error))
    else:
        generate_round.delay_on_commit(round_.pk)  # type: ignore[attr-defined]
    return redirect("campaign", slug)


@require_POST
@require("manage")
def end_round(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Close a round, so that its labels are learnt from, or cancel it."""
    round_ = get_object_or_404(named(request, slug).rounds, number=number)
    end = rounds.cancel if request.POST.get("how") == "cancel" else rounds.close
    try:
        end(round_, by=signed_in_user(request), reason=request.POST.get("reason", ""))
    except StateError as error:
        messages.error(request, str(error))
    return redirect("campaign", slug)
