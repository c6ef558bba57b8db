"""The manager's page about what the guideline lacks, as reviewers found it."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from labeling import gaps
from labeling.campaigns import CampaignError
from labeling.models import Campaign, GuidelineGap
from labeling.reviews import ReviewError
from labeling.submissions import SubmissionError
from labeling.verdict_scale import say
from labeling.views.manage import named

ON_PAGE = 30


@require_safe
@require("manage")
def list_(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the gaps, open ones first, each with the comparison it came from and what came of it."""
    campaign = named(request, slug)
    page = Paginator(gaps.listed(campaign), ON_PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign,
        "page": page,
        "gaps": [(gap, None if gap.verdict is None else say(campaign, gap.verdict)) for gap in page],
        "section": "campaigns",
        "tab": "adjudications",
    }
    return render(request, "manage/gaps.html", context)


@require_POST
@require("manage")
def make_example(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Make a worked example of a gap, shown in the guideline from now on, and open it for a last look."""
    campaign = named(request, slug)
    gap = found(campaign, pk)
    try:
        example = gaps.make_example(gap, signed_in_user(request), request.POST.get("explanation", ""))
    except (CampaignError, ReviewError) as error:
        messages.error(request, str(error))
        return redirect("gaps", slug)
    messages.success(request, _("The guideline has a new worked example. Mend it here if need be."))
    return redirect("example", slug, example.pk)


@require_POST
@require("manage")
def dismiss(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Leave the guideline as it is."""
    campaign = named(request, slug)
    try:
        gaps.dismiss(found(campaign, pk), signed_in_user(request), request.POST.get("why", ""))
    except SubmissionError as error:
        messages.error(request, str(error))
    return redirect("gaps", slug)


def found(campaign: Campaign, pk: int) -> GuidelineGap:
    """Return the gap of an address."""
    try:
        return gaps.find(campaign, pk)
    except ReviewError as error:
        raise Http404 from error
