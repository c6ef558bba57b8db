"""What the rater's buttons have in common: whose campaign, what comes next, and how a refusal reads.

A browser with scripts sends `X-Fragment` and gets the next task straight back; one without is redirected.
The script always has the next task already: it names the leases that it holds in `X-Holding` and gets the
task after those. A page that holds none gets its task together with the one after, in a template.
"""

from typing import Any

from django.contrib import messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import signed_in_user
from labeling import assignment, onboarding, progress
from labeling.assignment import LeaseError
from labeling.models import Campaign, Criterion, Guideline, GuidelineRead, Task
from labeling.submissions import SubmissionError
from labeling.verdict_scale import actions
from labeling.views.reading import read_holding
from labeling.views.showing import shown, typed


def member_campaign(user: User, slug: str) -> Any:
    """Return a campaign that a user rates in, with its criteria and its guideline's number; or 404.

    `guideline_read` is the newest version that they have opened, None when none.
    """
    newest = Guideline.objects.filter(campaign=OuterRef("pk")).order_by("-number")
    read = GuidelineRead.objects.filter(user=user, guideline__campaign=OuterRef("pk"))
    criteria = Criterion.objects.filter(campaign=OuterRef("pk")).order_by("pk")
    campaign = (
        Campaign.objects.filter(memberships__user=user, slug=slug)
        .exclude(status=Campaign.Status.DRAFT)
        .annotate(
            guideline_number=Subquery(newest.values("number")[:1]),
            guideline_read=Subquery(read.order_by("-guideline__number").values("guideline__number")[:1]),
            graded=ArraySubquery(
                criteria.values(c=JSONObject(key="key", name="name", points="points", required="required"))
            ),
        )
        .first()
    )
    if campaign is None:
        raise Http404
    return campaign


def fragment(request: HttpRequest) -> bool:
    """Tell whether the page's script asked, and takes the task alone."""
    return "X-Fragment" in request.headers


def page(request: HttpRequest, name: str) -> str:
    """Return the template of a whole page, or of its part."""
    return f"labeling/_{name}.html" if fragment(request) else f"labeling/{name}.html"


def work(
    request: HttpRequest, campaign: Any, *, said: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    """Show the next task, filled in with `said` or else its draft, and the one after it."""
    user = signed_in_user(request)
    if request.method == "GET" and not fragment(request) and onboarding.comes_first(user, campaign):
        return redirect("onboarding", slug=campaign.slug)
    holding = read_holding(request)
    slot = assignment.claim(user, campaign, holding)
    context = {"campaign": campaign, "fragment": fragment(request)}
    if slot is None:
        context["waiting"] = onboarding.obstacle(user, campaign) or progress.waiting(campaign)
        context["offered"] = actions(campaign, Task.Kind.COMPARE)
    else:
        context.update(shown(slot, campaign, said))
        if not holding and slot.lease is not None:
            after = assignment.claim(user, campaign, [slot.lease])
            if after is not None:
                values = {**context, **shown(after, campaign, None)}
                context["ahead"] = render_to_string("labeling/_task.html", values, request)
    return render(request, page(request, "work"), context, status=status)


def accepted(request: HttpRequest, campaign: Any, *, extra: bool) -> HttpResponse:
    """Go on to the next task, and tell kindly when the answer came too late to count."""
    if extra:
        late = _(
            "Thank you. Your time for that one had run out and its place was taken: it is kept, uncounted."
        )
        messages.info(request, late)
    return go_on(request, campaign)


def go_on(request: HttpRequest, campaign: Any) -> HttpResponse:
    """Answer a POST with the next task, or with the way to it."""
    return work(request, campaign) if fragment(request) else redirect("rate", slug=campaign.slug)


def refused(request: HttpRequest, campaign: Any, error: SubmissionError | LeaseError) -> HttpResponse:
    """Say what is wrong: the script still has the task as it was filled in; without one it is shown again."""
    lost = isinstance(error, LeaseError) or error.field == "lease"
    if lost and not fragment(request):
        context = {"campaign": campaign, "reason": str(error)}
        return render(request, "labeling/refused.html", context, status=409)
    messages.error(request, str(error))
    if fragment(request):
        return render(request, "labeling/_messages.html", status=409 if lost else 400)
    return work(request, campaign, said=typed(request.POST), status=400)
