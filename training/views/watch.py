"""The page of the over-optimisation watch: the two curves of best-of-n, what they come to, and past looks."""

import csv
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.roles import require, signed_in_user
from labeling.models import Campaign
from labeling.rounds import StateError
from preferences.types import Estimate
from training import watch
from training.models import Watch
from training.plots import Level, Mark, Plot, Series
from training.views.campaign import visible_campaign
from training.watch import Reading

PROMPTS = 40  # that the form proposes
STANDINGS = {
    "": gettext_lazy("people weren't asked"),
    "too few": gettext_lazy("too few votes"),
    "pays": gettext_lazy("pays"),
    "undecided": gettext_lazy("undecided"),
    "stopped": gettext_lazy("alarm"),
}
STAGES = {
    "drawing": gettext_lazy("Answers are being drawn."),
    "scoring": gettext_lazy("Answers are being scored."),
    "checking": gettext_lazy("Second reward models read the answers."),
}


@require("view_campaigns", post="manage")
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the newest watch (or the one that ?watch= names) and the earlier ones; a manager starts one."""
    campaign = visible_campaign(request, slug)
    if request.method == "POST":
        number = request.POST.get("prompts", "")
        try:
            watch.start(campaign, int(number) if number.isdecimal() else 0, by=signed_in_user(request))
        except StateError as error:
            messages.error(request, str(error))
        return redirect("watch", slug)
    context = {
        **context_of(campaign, request.GET.get("watch", "")),
        "campaign": campaign,
        "section": "campaigns",
        "tab": "watch",
        "prompts": PROMPTS,
        "most": watch.MOST_PROMPTS,
    }
    return render(request, "training/watch.html", context)


@require_safe
@require("view_campaigns")
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the part of the page that changes by itself while a watch is under way."""
    campaign = visible_campaign(request, slug)
    return render(request, "training/_watch.html", {**context_of(campaign, ""), "campaign": campaign})


def context_of(campaign: Campaign, wanted: str) -> dict[str, Any]:
    """Return what the page shows of a campaign's watches: one of them read, and all listed."""
    watches = watch.newest(campaign)
    chosen = next((each for each in watches if str(each.pk) == wanted), watches[0] if watches else None)
    reading = watch.read(chosen) if chosen else None
    return {
        "watches": [
            (each, STANDINGS.get(each.people.get("standing", ""), "") if each.status == "done" else "")
            for each in watches
        ],
        "chosen": chosen,
        "reading": reading,
        "plot": plot(reading) if reading and reading.rows else None,
        "stage": STAGES.get(chosen.progress.get("stage", ""), "") if chosen else "",
        "under_way": bool(watches) and watches[0].status in watch.LIVE,
    }


def plot(reading: Reading) -> Plot:
    """Return the two curves over n: the chance to win against a random answer, by models and by people."""
    rows = list(enumerate(reading.rows))
    own = [Mark(at, str(row.n), row.promised) for at, row in rows]
    people = [Mark(at, str(row.n), row.people) for at, row in rows]
    return Plot(
        "best-of-n",
        _("n, the answers it chooses from"),
        [
            Series(_("The reward model's own estimate"), own, joined=True),
            Series(_("People"), people, joined=True, hollow=True),
        ],
        levels=[Level(_("No better than a random answer:"), 0.5)],
    )


@require_safe
@require("view_campaigns")
def download(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Give a watch's curves as CSV."""
    campaign = visible_campaign(request, slug)
    looked = get_object_or_404(Watch, pk=pk, campaign=campaign)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="watch-{campaign.slug}-{pk}.csv"'
    columns = ("reward", "promised", "check", "people")
    rows = csv.writer(answer)
    rows.writerow(["n", "kl", *(f"{name}{part}" for name in columns for part in ("", "_low", "_high", "_n"))])
    for row in watch.read(looked).rows:
        figures = [figure for name in columns for figure in _cells(getattr(row, name))]
        rows.writerow([row.n, round(row.divergence, 6), *figures])
    return answer


def _cells(estimate: Estimate) -> list[Any]:
    figures = (estimate.value, *(estimate.interval or (None, None)))
    return [*(None if figure is None else round(figure, 6) for figure in figures), estimate.n]
