"""The tables of live plots as files, and a run's log."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.roles import require
from labeling.members import within
from training import overview, run_plots
from training.models import Run
from training.plots_api import as_file, log_file, one_of
from training.views.campaign import visible_campaign


@require_safe
@require("view_campaigns")
def campaign_csv(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Give the table of one plot of a campaign's overview."""
    campaign = visible_campaign(request, slug)
    return as_file(one_of(lambda: overview.one(campaign, key)), f"{campaign.slug}-{key}")


@require_safe
@require("view_campaigns")
def run_csv(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Give all points of one curve of a run."""
    run = within(request, Run.objects.select_related("campaign"), pk=pk)
    return as_file(one_of(lambda: run_plots.one(run, key)), f"run-{run.pk}-{key.replace('/', '-')}")


@require_safe
@require("view_campaigns")
def run_log(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give a run's whole log."""
    return log_file(within(request, Run.objects.select_related("campaign"), pk=pk))
