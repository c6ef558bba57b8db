"""The reviewer's pages about disputes: the queue, one to decide blind, and what it turns out to be."""

from dataclasses import dataclass
from math import exp
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from labeling import adjudication, disputes, guidelines
from labeling.adjudication import Vote
from labeling.models import Adjudication, Campaign, Flag
from labeling.rendering import MAX_LENGTH, render_plain
from labeling.reviews import ReviewError
from labeling.submissions import SubmissionError
from labeling.tasks import look_for_disputes
from labeling.verdict_scale import points, say
from labeling.views.manage import named
from labeling.views.reading import read_verdict
from labeling.views.review import author
from labeling.views.showing import NAMES, Side, as_turns, rendered, transcript

SIZE = 20


@dataclass(frozen=True)
class Spoken:
    """What one rater said, in words on the sides as the reviewer sees them."""

    vote: Vote
    words: str
    flags: list[str]


@require("manage")
def queue(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how many disputes there are and what was decided; a POST takes the most urgent, or looks anew."""
    campaign = named(request, slug)
    if request.method == "POST" and "look" in request.POST:
        look_for_disputes.delay_on_commit(campaign.pk)  # type: ignore[attr-defined]
        messages.info(request, _("Looking. Reload this page in a moment."))
        return redirect("adjudications", slug)
    if request.method == "POST":
        found = adjudication.claim(signed_in_user(request), campaign)
        if found is not None:
            return redirect("adjudication", slug, found.pk)
        messages.info(request, _("There is nothing to decide just now."))
        return redirect("adjudications", slug)
    unsorted = bool(request.GET.get("unsorted"))
    page = Paginator(adjudication.decided(campaign, unsorted=unsorted), SIZE).get_page(
        request.GET.get("page")
    )
    counts = disputes.count_open(campaign)
    context = {
        "campaign": campaign,
        "open": sum(counts.values()),
        "reasons": [(reason.label, counts[reason.value]) for reason in Adjudication.Reason],
        "figures": adjudication.measure(campaign),
        "cause_names": {cause.value: cause.label for cause in Adjudication.Cause},
        "page": page,
        "rows": [(row, final_word(campaign, row)) for row in page],
        "unsorted": unsorted,
        "section": "campaigns",
        "tab": "adjudications",
    }
    return render(request, "manage/adjudications.html", context)


@require_safe
@require("manage")
def one(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Show a comparison to its reviewer, blind; once decided, with all that was said about it."""
    campaign = named(request, slug)
    row = found(campaign, pk)
    if row.decided_at is not None:
        return render(request, "manage/adjudication.html", revealed(campaign, row))
    if row.reviewer_id != request.user.pk:
        messages.info(request, _("This one isn't yours: take the next from here."))
        return redirect("adjudications", slug)
    return render(request, "manage/adjudicate.html", blind(campaign, row))


@require_POST
@require("manage")
def decide(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Store the final word."""
    campaign = named(request, slug)
    row = found(campaign, pk)
    try:
        verdict, both_bad = read_verdict(request.POST)
        adjudication.decide(row, signed_in_user(request), verdict, both_bad)
    except SubmissionError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Decided. Now you see what was said: sort why it was in dispute."))
    return redirect("adjudication", slug, pk)


@require_POST
@require("manage")
def release(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Leave a dispute to somebody else."""
    campaign = named(request, slug)
    try:
        adjudication.release(found(campaign, pk), signed_in_user(request))
    except ReviewError as error:
        messages.error(request, str(error))
    return redirect("adjudications", slug)


@require_POST
@require("manage")
def sort(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Keep why a decided comparison was in dispute, and go on with the next one if asked to."""
    campaign, user = named(request, slug), signed_in_user(request)
    row = found(campaign, pk)
    said = {name: request.POST.get(name, "") for name in ("cause", "note", "gap")}
    try:
        adjudication.sort(row, user, **said)
    except SubmissionError as error:
        messages.error(request, str(error))
        if row.decided_at is None:
            return redirect("adjudication", slug, pk)
        return render(request, "manage/adjudication.html", revealed(campaign, row, said), status=400)
    messages.success(request, _("Kept."))
    following = adjudication.claim(user, campaign) if request.POST.get("next") else None
    if following is not None:
        return redirect("adjudication", slug, following.pk)
    return redirect("adjudications", slug)


def found(campaign: Campaign, pk: int) -> Adjudication:
    """Return the adjudication of an address."""
    try:
        return adjudication.find(campaign, pk)
    except ReviewError as error:
        raise Http404 from error


def final_word(campaign: Campaign, row: Adjudication) -> str:
    """Say a final word in words, on the sides as the reviewer saw them."""
    if row.both_bad:
        return _("Both bad")
    verdict = row.verdict or 0
    return say(campaign, verdict if adjudication.order_shown(row)[0] == 0 else -verdict)


def shown(row: Adjudication) -> dict[str, Any]:
    """Return the comparison as its raters saw it, on the reviewer's own sides."""
    placed = list(row.task.task_responses.all())
    responses = [placed[position].response for position in adjudication.order_shown(row)]
    answers = [{"text": response.text, "turns": response.turns} for response in responses]
    conversation = row.task.prompt.messages
    html = rendered(conversation, answers)
    sides = []
    for name, answer in zip(NAMES, answers, strict=False):
        text = transcript(answer["turns"]) if answer["turns"] else answer["text"]
        source = render_plain(text) if len(text) <= MAX_LENGTH else ""
        turns = as_turns(answer["turns"], html)
        sides.append(Side(name, html[answer["text"]], text, source, [], turns))  # type: ignore[arg-type]
    return {"turns": as_turns(conversation, html), "sides": sides, "responses": responses}


def blind(campaign: Campaign, row: Adjudication) -> dict[str, Any]:
    """Return what the page to decide on shows: the task, and nothing of what anybody said."""
    task = shown(row)
    return {
        "campaign": campaign,
        "row": row,
        "turns": task["turns"],
        "sides": task["sides"],
        "points": points(campaign, ""),
        "both_bad": campaign.allow_ties,
        "guideline": guidelines.newest(campaign),
    }


def revealed(campaign: Campaign, row: Adjudication, said: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what the page of a decided dispute shows."""
    task = shown(row)
    order = adjudication.order_shown(row)
    votes = [
        Spoken(
            vote,
            _("Both bad") if vote.judgment.both_bad else say(campaign, vote.verdict),
            [str(Flag(flag).label) for flag in vote.judgment.flags],
        )
        for vote in adjudication.votes(row)
    ]
    margin = row.evidence.get("margin")
    return {
        "campaign": campaign,
        "row": row,
        "turns": task["turns"],
        "sides": list(zip(task["sides"], map(author, task["responses"]), strict=True)),
        "word": final_word(campaign, row),
        "votes": votes,
        "weight_left": sum(spoken.vote.weight for spoken in votes if spoken.vote.verdict < 0),
        "weight": sum(spoken.vote.weight for spoken in votes),
        "model": None if margin is None else model_says(row, margin if order[0] == 0 else -margin),
        "causes": Adjudication.Cause.choices,
        "said": said or {},
        "section": "campaigns",
        "tab": "adjudications",
    }


def model_says(row: Adjudication, margin: float) -> dict[str, Any]:
    """Return which side the reward model scored higher, by how much, and how sure that makes it."""
    sure = 1 / (1 + exp(-min(abs(margin) / row.evidence.get("temperature", 1.0), 30.0)))
    side = NAMES[0] if margin > 0 else NAMES[1]
    return {"name": row.evidence["model"], "side": side, "margin": abs(margin), "sure": sure}
