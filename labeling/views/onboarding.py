"""A rater's way into a campaign: the pages of its guideline, practice and qualification test."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.roles import require, signed_in_user
from labeling import examples, guidelines, onboarding
from labeling.models import Trial
from labeling.onboarding import Question, Step
from labeling.rendering import render as markdown
from labeling.rendering import render_many
from labeling.submissions import SubmissionError
from labeling.verdict_scale import points, say
from labeling.views.reading import read_number, read_verdict
from labeling.views.showing import NAMES, guideline_shown
from labeling.views.working import member_campaign


@require_GET
@require("rate")
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the steps into a campaign, and what to do at the present one."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    state = onboarding.state(user, campaign)
    if not state.steps:
        return redirect("rate", slug)
    context = {"campaign": campaign, "state": state, "steps": steps(state)}
    if state.step == Step.PRACTICE:
        context["resume"] = onboarding.first_unpractised(user, campaign)
    if state.step == Step.GUIDELINE:
        context |= guideline_shown(campaign, guidelines.newest(campaign), None)
    return render(request, "labeling/onboarding.html", context)


def steps(state: onboarding.State) -> list[dict[str, str]]:
    """Return the steps with where each stands: done, now or later."""
    now = Step.TEST if state.step == Step.FAILED else state.step
    here = state.steps.index(now) if now in state.steps else len(state.steps)
    names = {Step.GUIDELINE: _("Guideline"), Step.PRACTICE: _("Practice"), Step.TEST: _("Test")}
    return [
        {"name": names[step], "is": "done" if place < here else "now" if place == here else "later"}
        for place, step in enumerate(state.steps)
    ]


@require_POST
@require("rate")
def confirm(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a rater's word that they have read the guideline."""
    user = signed_in_user(request)
    newest = guidelines.newest(member_campaign(user, slug))
    if newest is not None:
        guidelines.mark_read(user, newest)
    return redirect("onboarding", slug)


@require_http_methods(["GET", "POST"])
@require("rate")
def practice(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Ask a practice task; once it is answered, show whether rightly, and why."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    asked = onboarding.practice(user, campaign)
    if not 1 <= number <= len(asked):
        return redirect("onboarding", slug)
    question = asked[number - 1]
    if request.method == "POST":
        if keep(request, campaign, onboarding.PRACTICE):
            # the address says that the answer is to be shown, so that a reload shows it again
            return redirect(f"{request.path}?answered")
        return show(request, campaign, question, status=400)
    trial = said(user, question) if "answered" in request.GET else None
    return show(request, campaign, question, trial)


@require_http_methods(["GET", "POST"])
@require("rate")
def test(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask the next question of the test; after the last one the first page shows the result."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    refused = request.method == "POST" and not keep(request, campaign)
    if request.method == "POST" and not refused:
        running = onboarding.state(user, campaign).running
        return redirect("onboarding-test" if running else "onboarding", slug)
    question = onboarding.next_question(user, campaign)
    if question is None:
        return redirect("onboarding", slug)
    return show(request, campaign, question, status=400 if refused else 200)


def keep(request: HttpRequest, campaign: Any, attempt: int | None = None) -> bool:
    """Keep what a form says about an example; False when it can't be taken, which a message says."""
    try:
        verdict, both_bad = read_verdict(request.POST)
        if attempt is None:
            attempt = read_number(request.POST, "attempt") or 0
        onboarding.answer(
            signed_in_user(request),
            campaign,
            example=read_number(request.POST, "example") or 0,
            attempt=attempt,
            verdict=verdict,
            both_bad=both_bad,
        )
    except SubmissionError as error:
        messages.error(request, str(error))
        return False
    return True


def said(user: User, question: Question) -> Trial | None:
    """Return what somebody answered to a practice task last."""
    return Trial.objects.filter(rater=user, example=question.example, attempt=question.attempt).first()


def show(
    request: HttpRequest, campaign: Any, question: Question, trial: Trial | None = None, status: int = 200
) -> HttpResponse:
    """Show a question as the comparison page would, and after practice its right verdict and why."""
    example = question.example
    texts = [example.answers[position] for position in question.order]
    htmls = render_many([*texts, *(m["content"] for m in example.messages)])
    chosen = request.POST.get("verdict", "")
    context: dict[str, Any] = {
        "campaign": campaign,
        "question": question,
        "practising": question.attempt == onboarding.PRACTICE,
        "turns": [
            {"role": m["role"], "html": html} for m, html in zip(example.messages, htmls[2:], strict=True)
        ],
        "sides": [
            {"name": name, "html": html, "text": text}
            for name, html, text in zip(NAMES, htmls, texts, strict=False)
        ],
        "points": points(campaign, chosen),
        "both_bad": campaign.allow_ties,
        "values": {"verdict": chosen},
    }
    if trial is not None:
        context |= {
            "trial": trial,
            "right": say(campaign, onboarding.as_shown(example, question.order)),
            "said": _("Both are bad") if trial.both_bad else say(campaign, trial.verdict),
            "why": markdown(examples.explain(example, question.order)),
            "following": question.number + 1 if question.number < question.total else None,
        }
    return render(request, "labeling/onboarding_question.html", context, status=status)
