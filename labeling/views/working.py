"""What the rater's buttons have in common: whose campaign, what comes next, and how a refusal reads.

A browser with scripts sends `X-Fragment` and gets the next task straight back; one without is redirected.
The script always has the next task already: it names the leases that it holds in `X-Holding` and gets the
task after those. A page that holds none gets its task together with the one after, in a template.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts import rows
from accounts.models import User
from accounts.roles import signed_in_user
from labeling import assignment, onboarding, progress
from labeling.assignment import LeaseError
from labeling.models import Task
from labeling.statements import MEMBERS_CAMPAIGN
from labeling.submissions import Onward, SubmissionError, read_campaign
from labeling.verdict_scale import actions
from labeling.views.frames import render_task
from labeling.views.reading import read_holding
from labeling.views.showing import shown, typed


def member_campaign(user: User, slug: str) -> Any:
    """Return a campaign that a user rates in, as submissions.read_campaign does; or 404."""
    row = rows.one(MEMBERS_CAMPAIGN, {"rater": user.pk, "slug": slug})
    if row is None:
        raise Http404
    return read_campaign(iter(row))


def fragment(request: HttpRequest) -> bool:
    """Tell whether the page's script asked, and takes the task alone."""
    return "HTTP_X_FRAGMENT" in request.META


def page(request: HttpRequest, name: str) -> str:
    """Return the template of a whole page, or of its part."""
    return f"labeling/_{name}.html" if fragment(request) else f"labeling/{name}.html"


def going_on(request: HttpRequest, slug: str) -> Onward:
    """Say what a page goes on with after a submission: the script's with the next task at once."""
    return Onward(slug, read_holding(request) if fragment(request) else None)


def campaign_of(request: HttpRequest, onward: Onward) -> Any:
    """Return a page's campaign, which was read with the submission where there was one to take; or 404."""
    return onward.campaign or member_campaign(signed_in_user(request), onward.slug)


def work(
    request: HttpRequest,
    campaign: Any,
    *,
    slot: Any = None,
    said: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the next task, or the one just claimed, filled in with `said` or its draft; and the one after."""
    user = signed_in_user(request)
    if request.method == "GET" and not fragment(request) and onboarding.comes_first(user, campaign):
        return redirect("onboarding", slug=campaign.slug)
    holding = read_holding(request)
    slot = slot or assignment.claim(user, campaign, holding)
    context = {"campaign": campaign, "fragment": fragment(request)}
    if slot is None:
        context["waiting"] = onboarding.obstacle(user, campaign) or progress.waiting(user, campaign)
        context["offered"] = actions(campaign, Task.Kind.COMPARE)
    else:
        context.update(shown(slot, campaign, said))
        context["task"] = render_task(request, context)
        if not holding and slot.lease is not None:
            after = assignment.claim(user, campaign, [slot.lease])
            if after is not None:
                context["ahead"] = render_task(request, {**context, **shown(after, campaign, None)})
    alone = context["fragment"] and "task" in context and "ahead" not in context
    if alone and not campaign.word and not len(messages.get_messages(request)):
        return HttpResponse(context["task"], status=status)  # all that the template would come to
    return render(request, page(request, "work"), context, status=status)


def accepted(request: HttpRequest, campaign: Any, *, extra: bool, slot: Any = None) -> HttpResponse:
    """Go on to the next task, and tell kindly when the answer came too late to count."""
    if extra:
        late = _(
            "Thank you. Your time for that one had run out and its place was taken: it is kept, uncounted."
        )
        messages.info(request, late)
    return go_on(request, campaign, slot)


def go_on(request: HttpRequest, campaign: Any, slot: Any = None) -> HttpResponse:
    """Answer a POST with the next task, or with the way to it."""
    return work(request, campaign, slot=slot) if fragment(request) else redirect("rate", slug=campaign.slug)


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
