"""The plots of a campaign's overview and of a run, for browsers that draw them and for programs."""

from collections.abc import Callable
from io import StringIO
from typing import Any

from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import members
from labeling.api.campaigns import InCampaign
from training import overview, readings, run_plots
from training.models import Run
from training.plot_tables import as_json, write_csv
from training.plots import Plot

KNOWN = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="the ETag of what is known already"
)
FORMAT = OpenApiParameter("format", str, enum=["json", "csv"], description="csv: the plot's table as a file")
UNCHANGED = OpenApiResponse(description="It is as it was.")


class PlotSeriesSerializer(serializers.Serializer[Any]):
    """Figures in the order of the plot's labels, with the ends of their 95 % intervals, and all in words."""

    name = serializers.CharField()
    unit = serializers.CharField(
        allow_blank=True, help_text="% for shares, n for counts, Elo, g for numbers of any size"
    )
    joined = serializers.BooleanField(help_text="follow each other")
    hollow = serializers.BooleanField(help_text="are beside the matter, and drawn lighter")
    values = serializers.ListField(child=serializers.FloatField(allow_null=True))
    low = serializers.ListField(child=serializers.FloatField(allow_null=True))
    high = serializers.ListField(child=serializers.FloatField(allow_null=True))
    n = serializers.ListField(child=serializers.IntegerField())
    words = serializers.ListField(child=serializers.CharField())
    more = serializers.ListField(
        child=serializers.CharField(allow_blank=True), help_text="interval and n, or why there is no figure"
    )


class PlotLevelSerializer(serializers.Serializer[Any]):
    """A value to compare with."""

    name = serializers.CharField()
    value = serializers.FloatField()


SCALES = ["category", "number", "time"]


class PlotSerializer(serializers.Serializer[Any]):
    """A plot; `why` says what is to be done where there is nothing to draw, and is empty otherwise."""

    key = serializers.CharField()
    title = serializers.CharField()
    says = serializers.CharField(allow_blank=True)
    why = serializers.CharField(allow_blank=True)
    x = serializers.CharField(help_text="what the labels are")
    scale = serializers.ChoiceField(choices=SCALES)
    unit = serializers.CharField(allow_blank=True)
    labels = serializers.ListField(child=serializers.CharField())
    at = serializers.ListField(child=serializers.FloatField(), help_text="place, number or time in seconds")
    series = PlotSeriesSerializer(many=True)
    levels = PlotLevelSerializer(many=True)


class PlotsSerializer(serializers.Serializer[Any]):
    """All plots of a campaign, or of a run."""

    plots = PlotSerializer(many=True)
    why = serializers.CharField(allow_blank=True, help_text="why there is no plot at all")


class RunLogSerializer(serializers.Serializer[Any]):
    """The last lines of a run's log."""

    text = serializers.CharField(allow_blank=True)
    bytes = serializers.IntegerField(help_text="of the whole log")


def unless_known(request: Request, stamp: str, read: Callable[[], dict[str, Any]]) -> Response:
    """Answer with what `read` gives under an ETag, or 304 without reading where the asker has it already."""
    etag = f'"{stamp}"'
    given = parse_etags(request.headers.get("If-None-Match", ""))
    # a proxy that compresses makes it a weak one
    same = etag in {each.removeprefix("W/") for each in given}
    answer = Response(status=304) if same else Response(read())
    answer["ETag"], answer["Cache-Control"] = etag, "private, no-cache"
    answer["Vary"] = "Cookie, Authorization, Accept-Language"
    return answer


def as_file(plot: Plot, name: str) -> HttpResponse:
    """Answer with a plot's table as a CSV file."""
    text = StringIO(newline="")
    write_csv(plot, text)
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def one_of(read: Callable[[], Plot]) -> Plot:
    """Read one plot; Http404 where there is none of that name."""
    try:
        return read()
    except KeyError as error:
        raise Http404 from error


class CampaignPlots(InCampaign):
    """Show what the overview of a campaign draws."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(
        operation_id="campaign_plots",
        parameters=[KNOWN],
        request=None,
        responses={200: PlotsSerializer, 304: UNCHANGED},
    )
    def get(self, request: Request, slug: str) -> Response:
        campaign = self.campaign

        def read() -> dict[str, Any]:
            return {"plots": [as_json(plot) for plot in overview.read(overview.Facts(campaign))], "why": ""}

        return unless_known(request, overview.stamp(campaign), read)


class CampaignPlot(InCampaign):
    """Show one plot of a campaign's overview, or its table as CSV."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(
        operation_id="campaign_plot",
        parameters=[
            KNOWN,
            FORMAT,
            OpenApiParameter("key", str, OpenApiParameter.PATH, enum=list(overview.PLOTS)),
        ],
        request=None,
        responses={200: PlotSerializer, 304: UNCHANGED, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, slug: str, key: str) -> HttpResponseBase:
        campaign = self.campaign
        if request.query_params.get("format") == "csv":
            return as_file(one_of(lambda: overview.one(campaign, key)), f"{campaign.slug}-{key}")
        return unless_known(
            request,
            overview.stamp(campaign),
            lambda: as_json(one_of(lambda: overview.one(campaign, key))),
        )


def run_named(request: Request, pk: int) -> Run:
    """Return a run that the user may see, or 404."""
    return members.within(request, Run.objects.select_related("campaign"), pk=pk)


class RunPlots(APIView):
    """Show a run's curves as far as they have come."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(
        operation_id="run_plots",
        parameters=[KNOWN],
        request=None,
        responses={200: PlotsSerializer, 304: UNCHANGED},
    )
    def get(self, request: Request, pk: int) -> Response:
        run = run_named(request, pk)

        def read() -> dict[str, Any]:
            plots = [as_json(plot) for plot in run_plots.read(run)]
            return {"plots": plots, "why": "" if plots else run_plots.why_none(run)}

        return unless_known(request, run_plots.stamp(run), read)


class RunPlot(APIView):
    """Show one curve of a run, or its table as CSV; `key` is the metric's name, such as sft/loss."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(
        operation_id="run_plot",
        parameters=[KNOWN, FORMAT],
        request=None,
        responses={200: PlotSerializer, 304: UNCHANGED, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int, key: str) -> HttpResponseBase:
        run = run_named(request, pk)
        if request.query_params.get("format") == "csv":
            plot = one_of(lambda: run_plots.one(run, key))
            return as_file(plot, f"run-{run.pk}-{key.replace('/', '-')}")
        return unless_known(
            request, run_plots.stamp(run), lambda: as_json(one_of(lambda: run_plots.one(run, key)))
        )


class RunLog(APIView):
    """Show the last lines of a run's log, or with ?format=txt give all of it."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(
        operation_id="run_log",
        parameters=[OpenApiParameter("format", str, enum=["json", "txt"])],
        request=None,
        responses={200: RunLogSerializer, (200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        run = run_named(request, pk)
        if request.query_params.get("format") == "txt":
            return log_file(run)
        return Response({"text": readings.log_tail(run), "bytes": readings.log_size(run)})


def log_file(run: Run) -> HttpResponseBase:
    """Answer with a run's whole log as a file; an empty one before it has written anything."""
    name = f"run-{run.pk}.txt"
    try:
        lines = readings.log_path(run).open("rb")
    except FileNotFoundError:
        return HttpResponse(content_type="text/plain; charset=utf-8")
    return FileResponse(lines, as_attachment=True, filename=name, content_type="text/plain; charset=utf-8")
