"""Runs of the engine: what they do, how they went, and starting one."""

from hashlib import sha256
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from labeling.members import within
from labeling.rounds import StateError
from training import cards, run_plots
from training import runs as runs_
from training.models import Evaluation, Run, Snapshot
from training.plots import Plot
from training.readings import log_size, log_tail
from training.runs import RunError
from training.tasks import execute_run

ON_CARD = {
    "report",
    "criteria",
    "verifier",
}  # of a result: what is long and nested stands on the model's card


@require_safe
@require("view_campaigns")
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a run."""
    rows = Run.objects.select_related("campaign", "round", "snapshot", "parent", "reward_model", "produced")
    run = within(request, rows, pk=pk)
    context = {
        "run": run,
        "campaign": run.campaign,
        "evaluation": Evaluation.objects.filter(run=run).select_related("champion").first(),
        "events": run.events.select_related("by").order_by("pk"),
        "figures": flatten({name: run.result[name] for name in run.result if name not in ON_CARD}),
        "verifier": cards.of_verifier(run.result),
        "settings": flatten(run.config),
        "log": log_tail(run),
        "shown": [
            (run_plots.thin(plot), reverse("run_plot_csv", args=[pk, plot.key]))
            for plot in run_plots.read(run)
        ],
        "none": Plot("", "", []),
        "why_none": run_plots.why_none(run),
        "live": run.status in {Run.Status.QUEUED, Run.Status.RUNNING},
        "section": "campaigns",
    }
    return render(request, "training/run.html", context)


def flatten(result: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return nested results or settings as (name, value), the name of a nested one with its path."""
    flat: list[tuple[str, Any]] = []
    for name, value in result.items():
        if name == "stages" and value and isinstance(value[0], dict):
            # the stages of a policy's improvement, each by its name
            for stage in value:
                kept = {key: figure for key, figure in stage.items() if key not in {"name", *ON_CARD}}
                flat += flatten({stage["name"]: kept})
        elif isinstance(value, dict):
            flat += [(f"{name} · {inner}", v) for inner, v in flatten(value)]
        else:
            flat.append((name.replace("_", " "), value))
    return flat


@require_safe
@require("view_campaigns")
def run_live(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give a run's status, progress and log as they are now, or 304 where nothing moved."""
    run = within(request, Run.objects.select_related("campaign"), pk=pk)
    known = repr((run.status, run.progress, log_size(run)))
    etag = f'"{sha256(known.encode()).hexdigest()[:32]}"'
    answer = get_conditional_response(request, etag=etag)
    if answer is None:
        answer = JsonResponse({"status": run.status, "progress": run.progress, "log": log_tail(run)})
    answer["ETag"], answer["Cache-Control"] = etag, "private, no-cache"
    return answer


@require_POST
@require("manage")
def cancel_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a run."""
    run = within(request, Run.objects.select_related("campaign"), pk=pk)
    try:
        runs_.cancel(run, by=signed_in_user(request), reason=request.POST.get("reason", ""))
    except StateError as error:
        messages.error(request, str(error))
    return redirect("run", pk)


@require_POST
@require("manage")
def retry_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue a failed or cancelled run once more."""
    run = within(request, Run.objects.select_related("campaign", "round"), pk=pk)
    try:
        again = runs_.retry(run, by=signed_in_user(request))
    except (RunError, StateError) as error:
        messages.error(request, str(error))
        return redirect("run", pk)
    execute_run.delay_on_commit(again.pk)  # type: ignore[attr-defined]
    return redirect("run", again.pk)


@require_POST
@require("manage")
def start_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Train on a snapshot now: a reward model, or a better policy."""
    snapshot = within(request, Snapshot.objects.select_related("campaign"), pk=pk)
    queue = runs_.queue_policy if request.POST.get("kind") == Run.Kind.POLICY else runs_.queue_reward
    try:
        run = queue(snapshot.campaign, snapshot, by=signed_in_user(request))
    except RunError as error:
        messages.error(request, str(error))
        return redirect("snapshot", pk)
    execute_run.delay_on_commit(run.pk)  # type: ignore[attr-defined]
    return redirect("run", run.pk)
