"""What a manager does about a rater's work: pause, release, message, note skills; and "I have read it"."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts import skills
from accounts.models import User
from accounts.roles import require, signed_in_user
from labeling import messages as messages_
from labeling import pausing
from labeling.campaigns import skills_of
from labeling.members import named
from labeling.models import Campaign
from labeling.reviews import ReviewError


def member(request: HttpRequest, slug: str, pk: int) -> tuple[Campaign, User]:
    """Return the campaign of an address and one of its members; 404 for others."""
    campaign = named(request, slug)
    return campaign, get_object_or_404(User, memberships__campaign=campaign, pk=pk)


@require_POST
@require("manage")
def pause(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Give a rater no new tasks, or let them go on."""
    campaign, rater = member(request, slug, pk)
    change = pausing.pause if request.POST.get("paused") == "yes" else pausing.resume
    change(campaign, rater, signed_in_user(request))
    return redirect("rater", slug, pk)


@require_POST
@require("manage")
def release(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Give back what a rater holds."""
    campaign, rater = member(request, slug, pk)
    given = pausing.release(campaign, rater, signed_in_user(request))
    said = ngettext("%(n)s task is free for others.", "%(n)s tasks are free for others.", given)
    messages.success(request, said % {"n": given})
    return redirect("rater", slug, pk)


@require_POST
@require("manage")
def note_skills(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Note which of the skills that the campaign asks for a rater has."""
    campaign, rater = member(request, slug, pk)
    by = signed_in_user(request)
    skills.note_some(rater, skills_of(campaign), request.POST.getlist("skill"), by=by)
    messages.success(request, _("Saved."))
    return redirect("rater", slug, pk)


@require_POST
@require("manage")
def message_one(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Tell one rater something."""
    campaign, rater = member(request, slug, pk)
    _send(request, campaign, [rater])
    return redirect("rater", slug, pk)


@require_POST
@require("manage")
def message_all(request: HttpRequest, slug: str) -> HttpResponse:
    """Tell all raters of a campaign something."""
    _send(request, named(request, slug), None)
    return redirect("campaign_raters", slug)


def _send(request: HttpRequest, campaign: Campaign, to: list[User] | None) -> None:
    try:
        n = messages_.send(signed_in_user(request), campaign, request.POST.get("text", ""), to)
    except ReviewError as error:
        messages.error(request, str(error))
    else:
        said = ngettext("%(n)s person sees it from now on.", "%(n)s people see it from now on.", n)
        messages.success(request, said % {"n": n})


@require_POST
@require("own_account")
def read_word(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that one has read a word, and go on."""
    messages_.read(signed_in_user(request), pk)
    back = request.POST.get("next", "")
    known = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
    return redirect(back if known else "feedback")
