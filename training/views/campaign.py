"""One campaign: its rounds, runs and models, its figures, and what the loop does next."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.roles import require
from labeling import counting, quality, superseding
from labeling.counting import Tally
from labeling.members import named
from labeling.models import Campaign, Edit, Prompt, Round
from labeling.pace import Pace
from models_app.models import ModelVersion
from preferences.agreement import of_ceiling
from preferences.types import Estimate, Interval
from training import loop, overview, watch
from training.models import Run
from training.plots import Plot

LIVE_ROUND = {Round.Status.DRAFT, Round.Status.GENERATING, Round.Status.OPEN}
LIVE_RUN = {Run.Status.QUEUED, Run.Status.RUNNING}
NEWEST = 20  # rounds, runs and models of each kind on the page


@dataclass(frozen=True)
class Progress:
    """How far something is, for a <progress> bar; a total of zero is not known yet."""

    done: int
    total: int
    of: str


def visible_campaign(request: HttpRequest, slug: str) -> Campaign:
    """Return the campaign of an address, if the user may know of it."""
    return named(request, slug)


@require_safe
@require("view_campaigns")
def campaign(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a campaign."""
    campaign = visible_campaign(request, slug)
    facts = overview.Facts(campaign)
    groups = [
        (title, [(plot, reverse("campaign_plot_csv", args=[slug, plot.key])) for plot in plots])
        for title, plots in overview.group(overview.read(facts))
    ]
    context = {
        **shown_of(facts),
        "campaign": campaign,
        "groups": groups,
        "none": Plot("", "", []),
        "section": "campaigns",
        "tab": "overview",
    }
    return render(request, "training/campaign.html", context)


@require_safe
@require("view_campaigns")
def campaign_live(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the parts of a campaign's page that change by themselves, or 304 where nothing has."""
    campaign = visible_campaign(request, slug)
    etag = f'"{overview.stamp(campaign)}{live_stamp(campaign)}"'
    answer = get_conditional_response(request, etag=etag)
    if answer is None:
        context = {**shown_of(overview.Facts(campaign)), "campaign": campaign}
        answer = render(request, "training/_campaign.html", context)
    answer["ETag"], answer["Cache-Control"] = etag, "private, no-cache"
    return answer


def live_stamp(campaign: Campaign) -> str:
    """Return what stays the same as long as nothing moves that `overview.stamp` knows nothing of."""
    live = campaign.runs.filter(status__in=LIVE_RUN).order_by("pk").values_list("pk", "status", "progress")
    models = ModelVersion.objects.filter(family=campaign.model_family).aggregate(Count("pk"), Max("pk"))
    known = (campaign.loop_paused, list(live), models, list(campaign.rounds.values_list("error").distinct()))
    return sha256(repr(known).encode()).hexdigest()[:16]


def shown_of(facts: overview.Facts) -> dict[str, Any]:
    """Return what the page of a campaign shows beside its plots."""
    campaign = facts.campaign
    rounds = list(campaign.rounds.prefetch_related("policies").order_by("-number")[:NEWEST])
    tallies = counting.of_rounds(rounds)
    runs = campaign.runs.select_related("round", "produced", "snapshot", "evaluation").order_by("-pk")[
        :NEWEST
    ]
    versions = ModelVersion.objects.filter(family=campaign.model_family).select_related(
        "parent", "run__round"
    )
    models = list(
        versions.exclude(backend=ModelVersion.Backend.IMPORTED).order_by("kind", "-pk")[: 2 * NEWEST]
    )
    live = {"task__campaign": campaign, "extra": False, "withdrawn": False, "superseded_by": None}
    report, accuracy = facts.report, reward_accuracy(campaign)
    prompts = dict(campaign.prompts.values_list("split").annotate(n=Count("pk")))
    return {
        "rounds": [
            (round_, progress(round_, tallies[round_.pk]), superseding.explain(round_)) for round_ in rounds
        ],
        "pace": facts.pace,
        "time_left": time_left(facts.pace),
        "runs": runs,
        "models": models,
        "step": loop.decide(loop.read_facts(campaign)),
        "judgments": quality.count(campaign, report),
        "edits": Edit.objects.filter(**live).count(),
        "prompts": [(split.label, prompts[split]) for split in Prompt.Split if split in prompts],
        "n_prompts": sum(prompts.values()),
        "disputes": campaign.adjudications.filter(decided_at=None).count(),
        "report": report,
        "reward_accuracy": accuracy,
        "of_ceiling": of_ceiling(accuracy, report.figures.ceiling),
        "win_rate": win_rate(campaign),
        "alarm": watch.alarm(campaign),
        "under_way": any(r.status in LIVE_ROUND and r.origin == Round.Origin.LOOP for r in rounds)
        or any(run.status in LIVE_RUN for run in runs),
    }


def time_left(pace: Pace) -> tuple[str, str] | None:
    """Say how long what is asked takes at this pace, and between which ends; None where that isn't known."""
    if pace.hours.value is None:
        return None
    ends = pace.hours.interval
    between = (
        f"{overview.say_hours(ends.low)} – {overview.say_hours(ends.high)}" if ends and pace.left else ""
    )
    return overview.say_hours(pace.hours.value) if pace.left else _("none"), between


def progress(round_: Round, tally: Tally) -> Progress:
    """Return how far a round is: its answers while they are sampled, its tasks from then on."""
    if round_.status in {Round.Status.DRAFT, Round.Status.GENERATING} and round_.origin == Round.Origin.LOOP:
        return Progress(round_.responses_done, round_.responses_total, "answers")
    return Progress(tally.done, tally.tasks, "tasks")


def reward_accuracy(campaign: Campaign) -> Estimate:
    """Return the champion reward model's accuracy on held-out prompts."""
    run = _made_champion(campaign, Run.Kind.REWARD)
    if run is None:
        return Estimate(None, None, 0, "no reward model has been promoted yet")
    test = run.result.get("test") or {}
    return estimate(test.get("accuracy"), test.get("interval"), test.get("n"), test.get("why"))


def win_rate(campaign: Campaign) -> Estimate:
    """Return how often the champion policy beat its parent, by the reward model on held-out prompts."""
    run = _made_champion(campaign, Run.Kind.POLICY)
    if run is None:
        return Estimate(None, None, 0, "no policy has been improved and promoted yet")
    proxy = run.result.get("proxy") or {}
    why = proxy.get("why") or "there was no reward model to judge by"
    return estimate(proxy.get("win_rate"), proxy.get("interval"), proxy.get("n"), why)


def _made_champion(campaign: Campaign, kind: Run.Kind) -> Run | None:
    champion = {"produced__family": campaign.model_family, "produced__status": ModelVersion.Status.CHAMPION}
    return Run.objects.filter(kind=kind, **champion).first()


def estimate(value: float | None, interval: list[float] | None, n: int | None, why: str | None) -> Estimate:
    """Read a figure that the engine wrote to result.json."""
    if value is None:
        return Estimate(None, None, n or 0, why or "it was not measured")
    return Estimate(value, Interval(*interval) if interval else None, n or 0, why or "")
