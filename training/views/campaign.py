"""One campaign: its rounds, runs and models, its figures, and what the loop does next."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.roles import require
from labeling import quality, superseding
from labeling.members import named
from labeling.models import Campaign, Edit, Prompt, Round, Task
from labeling.models.task import fresh
from models_app.models import ModelVersion
from preferences.agreement import of_ceiling
from preferences.types import Estimate, Interval
from training import loop, watch
from training.models import Run

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
    context = {**overview(campaign), "campaign": campaign, "section": "campaigns", "tab": "overview"}
    return render(request, "training/campaign.html", context)


@require_safe
@require("view_campaigns")
def campaign_live(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the part of a campaign's page that changes by itself."""
    campaign = visible_campaign(request, slug)
    return render(request, "training/_campaign.html", {**overview(campaign), "campaign": campaign})


def overview(campaign: Campaign) -> dict[str, Any]:
    """Return what the page of a campaign shows."""
    rounds = list(
        campaign.rounds.annotate(
            n_tasks=Count("tasks", filter=fresh("tasks__") & ~Q(tasks__status=Task.Status.CANCELLED)),
            n_done=Count("tasks", filter=fresh("tasks__") & Q(tasks__status=Task.Status.DONE)),
        )
        .prefetch_related("policies")
        .order_by("-number")[:NEWEST]
    )
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
    report, accuracy = quality.latest(campaign), reward_accuracy(campaign)
    prompts = dict(campaign.prompts.values_list("split").annotate(n=Count("pk")))
    return {
        "rounds": [(round_, progress(round_), superseding.explain(round_)) for round_ in rounds],
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


def progress(round_: Round) -> Progress:
    """Return how far a round is: its answers while they are sampled, its tasks from then on."""
    if round_.status in {Round.Status.DRAFT, Round.Status.GENERATING} and round_.origin == Round.Origin.LOOP:
        return Progress(round_.responses_done, round_.responses_total, "answers")
    return Progress(round_.n_done, round_.n_tasks, "tasks")  # type: ignore[attr-defined]


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
