"""The pages of leaderboards: of a campaign's policies, rounds and reward models, and of all campaigns."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.roles import require, signed_in_user
from labeling import campaigns
from labeling.models import Campaign
from labeling.views.figures import say
from training import leaderboards
from training.board_plots import climb_plot, places_plot
from training.leaderboard_files import TABLES, write_csv
from training.views.campaign import visible_campaign

LEFT_OUT = {
    "chosen": gettext_lazy("on pairs that were picked for what they teach a model"),
    "asked again": gettext_lazy("asked for because earlier votes on the same pair disagreed"),
    "apart": gettext_lazy("between policies that no vote joins with these"),
    "one policy": gettext_lazy("between two answers of the same policy"),
    "no policy": gettext_lazy("on an answer that isn't known to be of a policy"),
}


@require_safe
@require("view_campaigns")
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a campaign's leaderboards."""
    campaign = visible_campaign(request, slug)
    context = {**context_of(campaign), "campaign": campaign, "section": "campaigns", "tab": "leaderboard"}
    return render(request, "training/leaderboard.html", context)


@require_safe
@require("view_campaigns")
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the part of the page that changes by itself."""
    campaign = visible_campaign(request, slug)
    return render(request, "training/_leaderboard.html", {**context_of(campaign), "campaign": campaign})


@require_safe
@require("view_campaigns")
def download(request: HttpRequest, slug: str, table: str) -> HttpResponse:
    """Give one of the tables as CSV."""
    campaign = visible_campaign(request, slug)
    if table not in TABLES:
        raise Http404
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{campaign.slug}-{table}.csv"'
    write_csv(leaderboards.read(campaign), table, answer)  # type: ignore[arg-type]
    return answer


@require_safe
@require("view_campaigns")
def everywhere(request: HttpRequest) -> HttpResponse:
    """List the campaigns, each with its champion and what that gained on the base."""
    visible = campaigns.visible_to(signed_in_user(request)).order_by("name")
    page = Paginator(visible, 50).get_page(request.GET.get("page"))
    context = {"page": page, "rows": leaderboards.champions(list(page)), "section": "campaigns"}
    return render(request, "training/leaderboards.html", context)


def context_of(campaign: Campaign) -> dict[str, Any]:
    """Return what the page of a campaign's leaderboards shows."""
    boards = leaderboards.read(campaign)
    board = boards.policies
    return {
        "boards": boards,
        "board": board,
        "placed": any(place.votes for place in board.places),
        "duel_says": say(board.duel) if board.duel else "",
        "left_out": [(LEFT_OUT[why], n) for why, n in board.left_out.items() if n],
        "places": places_plot(board),
        "climb": climb_plot(boards.rounds, board),
    }
