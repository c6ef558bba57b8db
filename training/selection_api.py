"""The choice of comparisons over the API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling.api.campaigns import EstimateSerializer, InCampaign
from training import selection, selection_report
from training.selection_report import Report


class ShareSerializer(serializers.Serializer[Any]):
    """How many comparisons were asked in one way, in words."""

    name = serializers.CharField()
    tasks = serializers.IntegerField()
    share = serializers.FloatField()
    judgments = serializers.IntegerField()


class RefitSerializer(serializers.Serializer[Any]):
    """The newest fit that chose: to how many labels, in how much processor time, and when."""

    labels = serializers.IntegerField()
    seconds = serializers.FloatField()
    at = serializers.DateTimeField()


class PointSerializer(serializers.Serializer[Any]):
    """Of held-out votes, what either kind of label foretells at equal numbers."""

    labels = serializers.IntegerField()
    active = EstimateSerializer()
    random = EstimateSerializer()


class ChosenPairSerializer(serializers.Serializer[Any]):
    """A chosen comparison: how likely its first answer was to win, and what its vote was to teach."""

    task = serializers.IntegerField(source="task.pk")
    likely = serializers.FloatField()
    gain = serializers.FloatField()


class SelectionSerializer(serializers.Serializer[Report]):
    """How a campaign's comparisons are chosen, and whether that pays."""

    choosing = serializers.BooleanField()
    says = serializers.CharField()
    stopped = serializers.BooleanField()
    verdict = serializers.CharField()
    round = serializers.IntegerField(source="round.number", default=None, allow_null=True)
    asked = serializers.IntegerField()
    waiting = serializers.IntegerField()
    refit = RefitSerializer(allow_null=True)
    shares = ShareSerializer(many=True)
    gain = EstimateSerializer()
    evidence = EstimateSerializer()
    saved = serializers.FloatField(allow_null=True)
    everything = EstimateSerializer()
    points = serializers.SerializerMethodField()
    examples = ChosenPairSerializer(many=True)

    @extend_schema(responses=PointSerializer(many=True))
    def get_points(self, report: Report) -> list[dict[str, Any]]:
        rows = [{"labels": n, "active": active, "random": random} for n, active, random in report.points]
        return [dict(row) for row in PointSerializer(rows, many=True).data]


class Selection(InCampaign):
    """Show how comparisons are chosen; POST chooses again after it was given up."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = SelectionSerializer

    @extend_schema(operation_id="campaign_selection", request=None, responses=SelectionSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(SelectionSerializer(selection_report.read(self.campaign)).data)

    @extend_schema(operation_id="campaign_selection_resume", request=None, responses=SelectionSerializer)
    def post(self, request: Request, slug: str) -> Response:
        selection.resume(self.campaign, signed_in_user(request))
        return self.get(request, slug)
