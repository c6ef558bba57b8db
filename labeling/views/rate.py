"""The comparison and the edit: showing a task, and what the buttons of its page do."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.roles import require, signed_in_user
from labeling import (
    assignment,
    drafts,
    edits,
    guidelines,
    history,
    judgments,
    origins,
    progress,
    typing_signals,
)
from labeling.assignment import LeaseError
from labeling.submissions import SubmissionError
from labeling.tasks import measure_later
from labeling.views.reading import read_remarks, read_uuid, read_verdict, read_work
from labeling.views.showing import as_draft, guideline_shown, typed
from labeling.views.working import (
    accepted,
    campaign_of,
    go_on,
    going_on,
    member_campaign,
    page,
    refused,
    work,
)


@require_GET
@require("rate")
def rate(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the task that the rater holds, or give them the next."""
    return work(request, member_campaign(signed_in_user(request), slug))


@require_GET
@require("rate")
def guideline(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a campaign's newest guideline with its edge cases, and what changed since the rater read it."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    newest = guidelines.newest(campaign)
    read = guidelines.last_read(user, campaign)
    if newest is not None:
        guidelines.mark_read(user, newest)
    return render(request, page(request, "guideline"), guideline_shown(campaign, newest, read))


@require_GET
@require("rate")
def why(request: HttpRequest, slug: str) -> HttpResponse:
    """Say why the rater has a task before them."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    try:
        slot = origins.find(user, campaign, read_uuid(request.GET, "lease"))
    except LeaseError as error:
        raise Http404 from error
    if slot is None:
        raise Http404
    context = {"campaign": campaign, "sentences": origins.explain(slot)}
    return render(request, page(request, "why"), context)


@require_POST
@require("rate")
def judge(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a verdict and go on."""
    user, said, onward = signed_in_user(request), request.POST, going_on(request, slug)
    try:
        verdict, both_bad = read_verdict(said)
        judgment = judgments.submit(
            user,
            read_uuid(said, "lease"),
            idempotency_key=read_uuid(said, "idempotency_key"),
            verdict=verdict,
            both_bad=both_bad,
            onward=onward,
            **read_remarks(said),
        )
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign_of(request, onward), error)
    return accepted(request, campaign_of(request, onward), extra=judgment.extra, slot=onward.slot)


@require_POST
@require("rate")
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a rewrite and go on."""
    user, said, onward = signed_in_user(request), request.POST, going_on(request, slug)
    try:
        rewrite = edits.submit(
            user,
            read_uuid(said, "lease"),
            idempotency_key=read_uuid(said, "idempotency_key"),
            text=said.get("text", ""),
            already_good="already_good" in said,
            instruction=said.get("instruction", ""),
            signals=typing_signals.parse(said.get("signals", "")),
            onward=onward,
            **read_work(said, 1),
        )
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign_of(request, onward), error)
    measure_later(rewrite)
    return accepted(request, campaign_of(request, onward), extra=rewrite.extra, slot=onward.slot)


@require_POST
@require("rate")
def skip(request: HttpRequest, slug: str) -> HttpResponse:
    """Pass a task over and go on."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    said = request.POST
    try:
        judgments.skip(user, read_uuid(said, "lease"), said.get("kind", "skip"), said.get("reason", ""))
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    messages.info(request, _("Passed over. It won't come back to you."))
    return go_on(request, campaign)


@require_POST
@require("rate")
def undo(request: HttpRequest, slug: str) -> HttpResponse:
    """Take back what the rater sent last, and show it again as they left it."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    last = progress.last_said(user, campaign)
    try:
        if last is None:
            raise SubmissionError("id", _("There is nothing to take back."))
        slot = history.take_back(user, last)
    except SubmissionError as error:
        return refused(request, campaign, error)
    if slot is not None and slot.lease is not None:
        drafts.save(user, slot.lease, as_draft(last))
    messages.info(request, _("Taken back. Here it is again."))
    return go_on(request, campaign)


@require_POST
@require("rate")
def draft(request: HttpRequest, slug: str) -> JsonResponse:
    """Keep what is typed so far."""
    user = signed_in_user(request)
    member_campaign(user, slug)
    try:
        saved = drafts.save(user, read_uuid(request.POST, "lease"), typed(request.POST))
    except LeaseError as error:
        return JsonResponse({"detail": str(error)}, status=409)
    except SubmissionError as error:
        return JsonResponse({error.field: [str(error)]}, status=400)
    return JsonResponse({"saved": True, "at": saved})


@require_POST
@require("rate")
def heartbeat(request: HttpRequest, slug: str) -> JsonResponse:
    """Extend the lease of somebody who is working."""
    user = signed_in_user(request)
    member_campaign(user, slug)
    try:
        until = assignment.heartbeat(user, read_uuid(request.POST, "lease"))
    except LeaseError as error:
        return JsonResponse({"detail": str(error)}, status=409)
    return JsonResponse({"lease_until": until})
