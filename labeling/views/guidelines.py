"""The manager's pages about the guideline: writing it, its versions side by side, who has read which."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.roles import require, signed_in_user
from labeling import campaigns, examples, gaps, guidelines, setup
from labeling.campaigns import CampaignError
from labeling.forms import GuidelineForm
from labeling.members import named
from labeling.models import Campaign, Example, Guideline, GuidelineGap
from labeling.rendering import render as render_markdown
from labeling.reviews import ReviewError
from labeling.submissions import SubmissionError, clean_text
from labeling.verdict_scale import say


@require("view_campaigns", post="manage")
def guideline(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the instructions with their versions and edge cases, and publish the next version."""
    campaign = named(request, slug)
    latest = guidelines.newest(campaign)
    gap = gap_named(campaign, request.POST.get("gap") or request.GET.get("gap", ""))
    text = latest.text if latest else setup.first_guideline(campaign)
    form = GuidelineForm(request.POST or None, initial={"text": text + (gaps.as_text(gap) if gap else "")})
    shown = None
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            shown = render_markdown(form.cleaned_data["text"])
        else:
            return _publish(request, campaign, form.cleaned_data["text"], gap)
    versions = campaign.guidelines.select_related("created_by").annotate(readers=Count("reads"))
    context = {
        "campaign": campaign,
        "latest": latest,
        "html": render_markdown(latest.text) if latest else "",
        "versions": versions.order_by("-number"),
        "cases": _cases(campaign),
        "form": form,
        "shown": shown or render_markdown(form["text"].value() or ""),
        "gap": gap,
        "following": setup.read(campaign).after("guideline") if campaign.status == "draft" else None,
        "section": "campaigns",
        "tab": "guideline",
    }
    return render(request, "manage/guideline.html", context)


def _publish(request: HttpRequest, campaign: Campaign, text: str, gap: GuidelineGap | None) -> HttpResponse:
    by = signed_in_user(request)
    with transaction.atomic():
        published = campaigns.add_guideline(campaign, text, by)
        if gap is not None:
            gaps.write_in(gap, by, published)
    messages.success(request, _("Version %(number)s is in use.") % {"number": published.number})
    draft = campaign.status == Campaign.Status.DRAFT
    return redirect(setup.read(campaign).after("guideline").page if draft else "guideline", campaign.slug)


def _cases(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the edge cases, and for what else each is used."""
    rows = list(examples.active(campaign))
    content = ("messages", "answers", "verdict", "explanation")
    return [
        {
            "example": case,
            "verdict": say(campaign, case.verdict),
            "why": examples.explain(case),
            "also": {
                row.use for row in rows if all(getattr(row, name) == getattr(case, name) for name in content)
            },
        }
        for case in rows
        if case.use == Example.Use.EDGE_CASE
    ]


def gap_named(campaign: Campaign, pk: str) -> GuidelineGap | None:
    """Return the open gap that a new version is to settle, if one is named."""
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    return gaps.listed(campaign).filter(pk=int(pk), status=GuidelineGap.Status.OPEN).first()


@require("manage")
@require_POST
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a text as raters would see it."""
    named(request, slug)
    try:
        text = clean_text("text", request.POST.get("text", ""))
    except SubmissionError as error:
        return JsonResponse({error.field: [str(error)]}, status=400)
    return HttpResponse(render_markdown(text))


@require("view_campaigns")
@require_GET
def diff(request: HttpRequest, slug: str) -> HttpResponse:
    """Show two versions side by side, by default the newest and the one before it."""
    campaign = named(request, slug)
    versions = list(campaign.guidelines.order_by("-number"))
    by_number = {str(version.number): version for version in versions}
    new = by_number.get(request.GET.get("new", ""), versions[0] if versions else None)
    old = by_number.get(request.GET.get("old", ""), versions[min(1, len(versions) - 1)] if versions else None)
    context = {
        "campaign": campaign,
        "versions": versions,
        "old": old,
        "new": new,
        "rows": guidelines.beside(old.text, new.text) if old and new else [],
        "section": "campaigns",
        "tab": "guideline",
    }
    return render(request, "manage/guideline_diff.html", context)


@require("manage")
@require_POST
def restore(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Publish an old version as the next one."""
    old = get_object_or_404(Guideline, campaign=named(request, slug), number=number)
    published = guidelines.restore(old, signed_in_user(request))
    messages.success(request, _("Version %(number)s is in use.") % {"number": published.number})
    return redirect("guideline", slug)


@require("manage")
@require_GET
def readers(request: HttpRequest, slug: str) -> HttpResponse:
    """Show which version each rater has opened last."""
    campaign = named(request, slug)
    latest = guidelines.newest(campaign)
    rows = list(guidelines.readers(campaign))
    context = {
        "campaign": campaign,
        "latest": latest,
        "rows": rows,
        "behind": sum(latest is not None and row.number != latest.number for row in rows),
        "section": "campaigns",
        "tab": "guideline",
    }
    return render(request, "manage/guideline_readers.html", context)


@require("manage")
@require_POST
def remind(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask who hasn't opened the newest version to read it."""
    try:
        told = guidelines.remind(named(request, slug), signed_in_user(request))
    except ReviewError as error:
        messages.error(request, str(error))
    else:
        text = ngettext("One rater was asked to read it.", "%(n)d raters were asked to read it.", told)
        messages.success(request, text % {"n": told})
    return redirect("guideline_readers", slug)


@require("manage")
@require_POST
def use_too(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Use an edge case as a practice task or a question of the test as well."""
    case = get_object_or_404(named(request, slug).examples.filter(retired=False), pk=pk)
    try:
        examples.use_too(case, request.POST.get("use", ""), signed_in_user(request))
    except CampaignError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Added."))
    return redirect("guideline", slug)
