"""The live conversation: writing, watching two answers come, picking one, ending."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.roles import require, signed_in_user
from labeling import assignment, chats
from labeling.assignment import LeaseError
from labeling.models import Slot, Task, Turn
from labeling.submissions import SubmissionError
from labeling.views.frames import render_task
from labeling.views.reading import read_number, read_remarks, read_uuid, read_verdict
from labeling.views.showing import NAMES, shown
from labeling.views.working import accepted, fragment, go_on, member_campaign, refused

ENOUGH = 286  # tells htmx to stop asking


@require_GET
@require("rate")
def talk(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a held conversation as far as it is, for the page that it stands on."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    return show(request, campaign, held(request, user, campaign))


@require_GET
@require("rate")
def turn(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what is there of the two answers; once there is more to see than they, say so."""
    user = signed_in_user(request)
    now = chats.read(held(request, user, member_campaign(user, slug)))
    # a page that has said so goes on asking: the answers may come yet
    known = now.stalled == ("stalled" in request.GET)
    sampling = now.status == Turn.Status.SAMPLING and known
    context = {"answers": list(zip(NAMES, now.answers, strict=False)), "again": True}
    return render(request, "labeling/_chat_growing.html", context, status=200 if sampling else ENOUGH)


@require_POST
@require("rate")
def say(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a rater's message and send for two answers."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    said = request.POST
    try:
        lease = read_uuid(said, "lease")
        chats.say(user, lease, number=read_number(said, "number") or 0, message=said.get("message", ""))
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    return stay(request, campaign, user, lease)


@require_POST
@require("rate")
def pick(request: HttpRequest, slug: str) -> HttpResponse:
    """Take the verdict on a turn's answers; the conversation goes on, or is over."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    said = request.POST
    try:
        verdict, both_bad = read_verdict(said)
        judgment = chats.pick(
            user,
            read_uuid(said, "lease"),
            idempotency_key=read_uuid(said, "idempotency_key"),
            verdict=verdict,
            both_bad=both_bad,
            goes_on=read_number(said, "goes_on"),
            **read_remarks(said),
        )
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    slot = chats.chat_of(judgment)
    if slot is None or slot.lease is None:
        return accepted(request, campaign, extra=judgment.extra)
    return stay(request, campaign, user, slot.lease)


@require_POST
@require("rate")
def end(request: HttpRequest, slug: str) -> HttpResponse:
    """End a conversation and go on."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    try:
        counts = chats.end(user, read_uuid(request.POST, "lease"))
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    messages.info(request, _("The conversation is over. Thank you."))
    return accepted(request, campaign, extra=not counts)


@require_POST
@require("rate")
def retry(request: HttpRequest, slug: str) -> HttpResponse:
    """Send for a turn's answers again."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    try:
        lease = read_uuid(request.POST, "lease")
        chats.retry(user, lease, read_number(request.POST, "number") or 0)
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    return stay(request, campaign, user, lease)


def held(request: HttpRequest, user: User, campaign: Any) -> Any:
    """Return the conversation whose lease the address names; 404 when the rater doesn't hold it."""
    try:
        lease = read_uuid(request.GET, "lease")
    except LeaseError as error:
        raise Http404 from error
    slot = find(user, campaign, lease)
    if slot is None:
        raise Http404
    return slot


def find(user: User, campaign: Any, lease: UUID) -> Any:
    """Return a held conversation by its lease."""
    slot = assignment.held(user, campaign, lease)
    return slot if slot is not None and slot.task.kind == Task.Kind.CHAT else None


def stay(request: HttpRequest, campaign: Any, user: User, lease: UUID) -> HttpResponse:
    """Answer a POST with the conversation as it is now, or with the way to it."""
    slot = find(user, campaign, lease) if fragment(request) else None
    if not fragment(request):
        return redirect("rate", slug=campaign.slug)
    return show(request, campaign, slot) if slot is not None else go_on(request, campaign)


def show(request: HttpRequest, campaign: Any, slot: Slot) -> HttpResponse:
    """Show the conversation alone, as a task."""
    context = {"campaign": campaign, "fragment": True, **shown(slot, campaign, None)}
    return render(request, "labeling/_work.html", {"fragment": True, "task": render_task(request, context)})
