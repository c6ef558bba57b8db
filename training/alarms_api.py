"""Alarms over the API: the figures, their bands, what was raised, and how the loop goes on."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling.api.campaigns import EstimateSerializer, InCampaign
from training import alarms, bands
from training.bands import FIGURES, BandError
from training.models import Alarm


class MeasuredSerializer(serializers.Serializer[Any]):
    """A figure as it stood in a round."""

    round = serializers.IntegerField()
    figure = serializers.CharField()
    estimate = EstimateSerializer()


class AlarmSerializer(serializers.ModelSerializer[Alarm]):
    """An alarm in words, and how it was settled."""

    round = serializers.IntegerField(source="round.number")
    says = serializers.SerializerMethodField()
    settled_by = serializers.CharField(source="settled_by.username", default=None, allow_null=True)

    class Meta:
        model = Alarm
        fields = [
            "id", "round", "name", "says", "created_at", "paused_at", "settled_at", "settled_by", "reason",
        ]  # fmt: skip

    def get_says(self, alarm: Alarm) -> str:
        return alarms.sentence(alarm)


class AlarmsSerializer(serializers.Serializer[Any]):
    """Everything that alarms look at in a campaign; `bands` are the limits, [low, high], by figure."""

    paused = serializers.CharField()
    bands = serializers.DictField()
    figures = MeasuredSerializer(many=True)
    alarms = AlarmSerializer(many=True)


class BandsSerializer(serializers.Serializer[Any]):
    """New limits: {figure: [low, high], or null for the usual ones}; `suite` names the part that is asked."""

    bands = serializers.DictField()


class ResumeSerializer(serializers.Serializer[Any]):
    """Why the loop may go on."""

    reason = serializers.CharField(max_length=500)


class Alarms(InCampaign):
    """Read a campaign's figures and alarms, change its bands, or settle the alarms and go on."""

    action_for = {"GET": "view_campaigns", "PATCH": "manage", "POST": "manage"}
    serializer_class = AlarmsSerializer

    @extend_schema(responses=AlarmsSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return self.told()

    @extend_schema(request=BandsSerializer, responses=AlarmsSerializer)
    def patch(self, request: Request, slug: str) -> Response:
        form = BandsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            bands.change(self.campaign, signed_in_user(request), form.validated_data["bands"])
        except BandError as error:
            raise serializers.ValidationError({error.field: [str(error)]}) from error
        return self.told()

    @extend_schema(request=ResumeSerializer, responses=AlarmsSerializer)
    def post(self, request: Request, slug: str) -> Response:
        form = ResumeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        alarms.resume(self.campaign, signed_in_user(request), form.validated_data["reason"])
        return self.told()

    def told(self) -> Response:
        """Answer with everything as it is now."""
        raised = Alarm.objects.filter(campaign=self.campaign).select_related("round", "settled_by")
        names = [*FIGURES, *bands.LIMITS]
        shown = {
            "paused": self.campaign.loop_paused,
            "bands": {name: list(bands.limits(self.campaign, name)) for name in names}
            | {"suite": self.campaign.bands.get("suite", "")},
            "figures": [
                {"round": number, "figure": name, "estimate": found}
                for number, name, found in alarms.history(self.campaign)
            ],
            "alarms": raised.order_by("-pk")[:50],
        }
        return Response(AlarmsSerializer(shown).data)
