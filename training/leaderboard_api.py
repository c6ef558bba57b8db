"""Leaderboards over the API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling import campaigns
from labeling.api.campaigns import DuelFigureSerializer, EstimateSerializer, InCampaign
from labeling.models import Campaign
from training import leaderboards


class PlaceSerializer(serializers.Serializer[Any]):
    """A policy: Elo points above the base, raw and at equal style, and shares of votes."""

    policy = serializers.CharField()
    model = serializers.IntegerField()
    status = serializers.CharField()
    round = serializers.IntegerField(allow_null=True)
    answered = serializers.ListField(child=serializers.IntegerField())
    votes = serializers.IntegerField()
    elo = EstimateSerializer()
    fair = EstimateSerializer()
    against_base = EstimateSerializer()
    against_champion = EstimateSerializer()


class BoardSerializer(serializers.Serializer[Any]):
    """All policies, the best first, and which votes were left out for which cause."""

    places = PlaceSerializer(many=True)
    base = serializers.CharField()
    champion = serializers.CharField()
    predecessor = serializers.CharField()
    duel = DuelFigureSerializer(allow_null=True)
    votes = serializers.IntegerField()
    left_out = serializers.DictField(child=serializers.IntegerField())
    why = serializers.CharField()


class StepSerializer(serializers.Serializer[Any]):
    """What a policy gained on its parent, and for 1,000 labels."""

    round = serializers.IntegerField(allow_null=True)
    policy = serializers.CharField()
    model = serializers.IntegerField()
    against = serializers.CharField()
    status = serializers.CharField()
    labels = serializers.IntegerField(allow_null=True)
    elo = EstimateSerializer()
    fair = EstimateSerializer()
    per_thousand = EstimateSerializer()


class GainsSerializer(serializers.Serializer[Any]):
    """Every step, and the champion above the base."""

    steps = StepSerializer(many=True)
    total = StepSerializer(allow_null=True)


class RewardPlaceSerializer(serializers.Serializer[Any]):
    """A reward model on votes that it hasn't seen."""

    round = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    model = serializers.IntegerField()
    status = serializers.CharField()
    passed = serializers.BooleanField(allow_null=True)
    labels = serializers.IntegerField()
    accuracy = EstimateSerializer()
    unseen_raters = EstimateSerializer()
    newest_round = EstimateSerializer()
    calibration = EstimateSerializer()
    ceiling = EstimateSerializer()
    of_ceiling = EstimateSerializer()


class AheadSerializer(serializers.Serializer[Any]):
    """What is foretold after so many votes, and how much that is above today's."""

    votes = serializers.IntegerField()
    accuracy = EstimateSerializer()
    gain = EstimateSerializer()


class MeasuredSerializer(serializers.Serializer[Any]):
    """A measured point of a learning curve."""

    votes = serializers.IntegerField()
    accuracy = EstimateSerializer()


class OutlookSerializer(serializers.Serializer[Any]):
    """A learning curve, where it leads, and that in words."""

    model = serializers.CharField()
    points = serializers.SerializerMethodField()
    ahead = AheadSerializer(many=True)
    says = serializers.ListField(child=serializers.CharField())
    ceiling = EstimateSerializer()

    @extend_schema(responses=MeasuredSerializer(many=True))
    def get_points(self, outlook: Any) -> list[dict[str, Any]]:
        rows = [{"votes": votes, "accuracy": estimate} for votes, estimate in outlook.points]
        return [dict(row) for row in MeasuredSerializer(rows, many=True).data]


class LeaderboardsSerializer(serializers.Serializer[Any]):
    """All leaderboards of a campaign, as last computed."""

    computed_at = serializers.DateTimeField(allow_null=True)
    judgments = serializers.IntegerField()
    fresh = serializers.IntegerField()
    policies = BoardSerializer()
    rounds = GainsSerializer()
    reward_models = RewardPlaceSerializer(many=True)
    more_labels = OutlookSerializer()


class Leaderboard(InCampaign):
    """Show the leaderboards of a campaign's policies, rounds and reward models."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(operation_id="campaign_leaderboard", request=None, responses=LeaderboardsSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(LeaderboardsSerializer(leaderboards.read(self.campaign)).data)


class ChampionSerializer(serializers.Serializer[Any]):
    """A campaign's champion and what it gained on the base."""

    campaign = serializers.CharField(source="campaign.slug")
    champion = serializers.CharField()
    total = StepSerializer(allow_null=True)


class Champions(generics.GenericAPIView[Any]):
    """List the campaigns that one may see, each with its champion's gain."""

    action_for = {"GET": "view_campaigns"}
    queryset = Campaign.objects.none()
    serializer_class = ChampionSerializer

    def get_queryset(self) -> QuerySet[Campaign]:
        return campaigns.visible_to(signed_in_user(self.request)).order_by("name")

    @extend_schema(operation_id="leaderboards", responses=ChampionSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        found = ChampionSerializer(leaderboards.champions(page), many=True).data
        return self.get_paginated_response(found)
