"""The page of a campaign's figures."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require
from labeling import quality
from labeling.figures import DuelFigure
from labeling.models import Task
from labeling.tasks import measure_figures
from labeling.views.manage import named
from preferences.stopping import Outcome

TITLES = {
    "kind": gettext_lazy("By kind of task"),
    "round": gettext_lazy("By round"),
    "language": gettext_lazy("By the prompt's language"),
    "skill": gettext_lazy("Among raters with a skill"),
}

STYLES = {
    "length": gettext_lazy("Longer"),
    "lists": gettext_lazy("Has lists"),
    "headings": gettext_lazy("Has headings"),
    "code": gettext_lazy("Has code"),
    "bold": gettext_lazy("Has bold type"),
}


@require_safe
@require("view_campaigns")
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how far raters agree, and what they think of the policies, as last computed."""
    campaign = named(request, slug)
    report = quality.latest(campaign)
    context = {
        "campaign": campaign,
        "report": report,
        "figures": report.figures,
        "groups": [
            (by, title, [(label(by, group.name), group) for group in report.figures.groups if group.by == by])
            for by, title in TITLES.items()
        ],
        "styles": [(STYLES[style.name], style) for style in report.figures.styles],
        "duels": [(say(duel), duel) for duel in report.figures.duels],
        "section": "campaigns",
        "tab": "figures",
    }
    return render(request, "manage/figures.html", context)


def label(by: str, name: str) -> str:
    """Say for people what a group is called."""
    if by == "kind":
        return str(Task.Kind(name).label)
    if by == "round":
        return _("Round %(number)s") % {"number": name}
    return name or _("not stated")


def say(duel: DuelFigure) -> str:
    """Say where the comparison of two policies stands."""
    better = {Outcome.FIRST: duel.first, Outcome.SECOND: duel.second}.get(Outcome(duel.outcome))
    if better is not None:
        return _("decided: raters prefer ⁨%(policy)s⁩") % {"policy": better}
    if duel.outcome == Outcome.EVEN:
        return _("decided: no difference worth asking for")
    if duel.outcome == Outcome.CAPPED:
        return _("undecided after %(cap)s votes") % {"cap": duel.cap}
    return _("open: at most %(n)s votes to go") % {"n": duel.cap - duel.votes}


@require_POST
@require("manage")
def measure(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the figures computed now."""
    campaign = named(request, slug)
    measure_figures.delay_on_commit(campaign.pk)  # type: ignore[attr-defined]
    messages.success(request, _("The figures are being computed; load this page again in a moment."))
    return redirect("figures", slug)
