"""The pages that take a campaign from nothing to its start; each step is a page of the draft campaign."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.roles import require, signed_in_user
from labeling import campaigns, golds, setup
from labeling.campaigns import CampaignError
from labeling.golds import GoldError
from labeling.models import Campaign
from labeling.setup_forms import BasicsForm, ChecksForm, KnownForm, PolicyForm, QuestionForm, TrainingForm
from labeling.verdict_scale import points
from labeling.views.golds import comparisons
from labeling.views.manage import named
from models_app.registry import ModelError

CASES = 5  # comparisons whose right verdict may be given at once

StepView = Callable[[HttpRequest, Campaign], HttpResponse]


def step(view: StepView) -> Callable[[HttpRequest, str], HttpResponse]:
    """Make a view of a draft campaign a page of its setup; a campaign that has begun has its settings."""

    @require("manage")
    @wraps(view)
    def page(request: HttpRequest, slug: str) -> HttpResponse:
        campaign = named(request, slug)
        if campaign.status != Campaign.Status.DRAFT:
            return redirect("campaign_settings", slug)
        return view(request, campaign)

    return page


def show(request: HttpRequest, campaign: Campaign, key: str, **context: Any) -> HttpResponse:
    """Show a step's page; 400 where its form was refused."""
    form = context.get("form")
    context |= {"campaign": campaign, "section": "campaigns", "tab": key}
    context["following"] = setup.read(campaign).after(key)
    return render(request, f"manage/setup_{key}.html", context, status=400 if form and form.errors else 200)


def go_on(campaign: Campaign, key: str) -> HttpResponse:
    """Remember that a step is done, and go to the next."""
    setup.mark_seen(campaign, key)
    return redirect(setup.read(campaign).after(key).page, campaign.slug)


def refuse(form: forms.BaseForm, error: CampaignError) -> None:
    """Show what the domain says at the field that it is about."""
    form.add_error(error.field if error.field in form.fields else None, str(error))


@require("administer")
def new_campaign(request: HttpRequest) -> HttpResponse:
    """Make a draft campaign, and go on to its second step."""
    form = BasicsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by, status = signed_in_user(request), Campaign.Status.DRAFT
        try:
            campaign = campaigns.create(by=by, status=status, **form.settings())
        except CampaignError as error:
            form.add_error("name", str(error))
        else:
            return go_on(campaign, "basics")
    context = {"form": form, "section": "campaigns", "steps": setup.STEPS.items()}
    return render(request, "manage/new_campaign.html", context)


@require_safe
@step
def resume(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Go to the first step that is still to be looked at."""
    return redirect(setup.read(campaign).next.page, campaign.slug)


@step
def basics(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Change the name and the kind of a draft."""
    form = BasicsForm(request.POST or None, campaign=campaign)
    if request.method == "POST" and form.is_valid():
        campaigns.update(campaign, signed_in_user(request), **form.settings())
        return go_on(campaign, "basics")
    return show(request, campaign, "basics", form=form)


@step
def question(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Choose the scale and what is graded beside the verdict."""
    form = QuestionForm(request.POST or None, instance=campaign)
    if request.method == "POST" and form.is_valid():
        by, now = signed_in_user(request), Campaign.objects.get(pk=campaign.pk)
        settings = {name: form.cleaned_data[name] for name in QuestionForm.Meta.fields}
        with transaction.atomic():
            campaigns.update(now, by, **settings)
            campaigns.set_criteria(now, by, form.criteria())
        return go_on(now, "question")
    return show(request, campaign, "question", form=form)


@step
def answers(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Choose who answers the prompts."""
    facts = setup.read_facts(campaign)
    form = PolicyForm(
        request.POST or None, by=signed_in_user(request), policy=facts.policy, answered=facts.questions
    )
    if request.method == "POST" and form.is_valid():
        policy = form.policy()
        try:
            if policy is not None:
                campaigns.set_base_policy(campaign, signed_in_user(request), **policy)
        except ModelError as error:
            form.add_error(form.blame(), str(error))
        else:
            return go_on(campaign, "answers")
    return show(request, campaign, "answers", form=form, facts=facts)


@step
def checks(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Choose how many raters judge each task and how they are checked, and say which verdicts are known."""
    form = ChecksForm(request.POST or None, instance=campaign)
    cases = list(comparisons(campaign).filter(known=None).order_by("pk")[:CASES])
    verdicts = [(point.verdict, point.name) for point in points(campaign, "")]
    known = KnownForm(request.POST or None, tasks=cases, verdicts=verdicts)
    if request.method == "POST" and form.is_valid() and known.is_valid():
        by, now = signed_in_user(request), Campaign.objects.get(pk=campaign.pk)
        try:
            with transaction.atomic():
                values = {name: form.cleaned_data[name] for name in ChecksForm.Meta.fields}
                campaigns.update(now, by, **values)
                for task, verdict in known.known():
                    golds.make(task, by, verdict)
        except (CampaignError, GoldError) as error:
            refuse(form, error) if isinstance(error, CampaignError) else form.add_error(None, str(error))
        else:
            return go_on(now, "checks")
    facts = setup.read_facts(campaign)
    return show(request, campaign, "checks", form=form, known=known, facts=facts)


@step
def training(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Choose when the models are retrained."""
    form = TrainingForm(request.POST or None, instance=campaign)
    if request.method == "POST" and form.is_valid():
        now = Campaign.objects.get(pk=campaign.pk)
        campaigns.update(now, signed_in_user(request), **form.cleaned_data)
        return go_on(now, "training")
    return show(request, campaign, "training", form=form, facts=setup.read_facts(campaign))


@require_safe
@step
def start(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Say what still lacks, or let the campaign start."""
    found = setup.read(campaign)
    pages = {step.key: step.page for step in found.steps}
    lacks = [(lack.says, pages[lack.step]) for lack in found.lacks]
    context = {"facts": found.facts, "lacks": lacks, "kind": setup.kind_of(campaign)}
    return show(request, campaign, "start", **context, suggestions=suggest(found, pages))


def suggest(found: setup.Setup, pages: dict[str, str]) -> list[tuple[str, str]]:
    """Return what would help but isn't needed, each with the page of its step."""
    facts, tips = found.facts, []
    if not facts.guidelines:
        tips.append((_("There is no guideline: raters decide by their own lights."), "guideline"))
    if facts.questions and not facts.golds:
        tips.append((_("No verdict is known: nothing checks who rates carefully."), "checks"))
    return [(says, pages[key]) for says, key in tips]
