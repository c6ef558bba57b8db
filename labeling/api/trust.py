"""How far raters are trusted, and gold tasks, over the API."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling import golds, trust
from labeling.api.campaigns import EstimateSerializer, InCampaign
from labeling.models import Campaign, Gold, Reliability, Task


class FlagSerializer(serializers.Serializer[Any]):
    """A reason to look at a rater's work, with the evidence in words; never a verdict."""

    flag = serializers.CharField()
    evidence = serializers.CharField()
    wrong = serializers.FloatField(help_text="The share of honest raters who get it in simulation, 0 to 1.")


class TrustSerializer(serializers.Serializer[Any]):
    """How far a rater is trusted in a campaign, as of the last fit."""

    rater = serializers.CharField(source="row.rater.username")
    pseudonym = serializers.CharField(source="row.rater.pseudonym")
    weight = serializers.FloatField(help_text="What a vote counts for in consensus and training, 0 to 1.")
    why = serializers.CharField()
    ability = EstimateSerializer()
    left = EstimateSerializer(help_text="How often the left side is picked of two equally good answers.")
    length = EstimateSerializer(help_text="Taste for length beyond everybody's, in logits.")
    gold = EstimateSerializer()
    repeats = EstimateSerializer()
    flags = FlagSerializer(many=True)
    judgments = serializers.IntegerField(source="row.judgments")
    computed_at = serializers.DateTimeField(source="row.computed_at")


class Trusted(InCampaign, generics.ListAPIView[Reliability]):
    """List the raters of a campaign with how far each is trusted, those who weigh least first."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = TrustSerializer
    queryset = Reliability.objects.none()

    def get_queryset(self) -> QuerySet[Reliability]:
        rows = Reliability.objects.filter(campaign=self.campaign).select_related("rater")
        return rows.order_by("weight", "pk")

    def paginate_queryset(self, queryset: Any) -> Any:
        """Put the rows of a page into figures and words."""
        page = super().paginate_queryset(queryset)
        return page if page is None else trust.of_rows(self.campaign, page)


class GoldSerializer(serializers.ModelSerializer[Gold]):
    """A comparison whose right verdict is known, between the task's answers: below 0 the first is better."""

    by = serializers.CharField(source="by.username", default=None, allow_null=True)
    right = serializers.IntegerField(read_only=True, help_text="How many answered it rightly")
    asked = serializers.IntegerField(read_only=True, help_text="How many answered it")

    class Meta:
        model = Gold
        fields = [
            "id", "task", "verdict", "tolerance", "explanation", "source", "by", "right", "asked",
            "created_at", "retired_at", "retired_why",
        ]  # fmt: skip


class NewGoldSerializer(serializers.Serializer[Any]):
    """Which task becomes a gold task; without a verdict, one that is proposed, as its raters judged it."""

    task = serializers.IntegerField()
    verdict = serializers.IntegerField(required=False, min_value=-3, max_value=3)
    tolerance = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=3, default=None,
        help_text="Verdicts so far from it are right; null: those for the same side.",
    )  # fmt: skip
    explanation = serializers.CharField(required=False, default="", allow_blank=True)


class ProposalSerializer(serializers.Serializer[Any]):
    """A comparison that could become a gold task."""

    task = serializers.IntegerField()
    verdict = serializers.IntegerField()
    votes = serializers.IntegerField()
    margin = serializers.FloatField(allow_null=True, help_text="Of the reward model's scores")


def told(campaign: Campaign, found: Sequence[Gold]) -> list[dict[str, Any]]:
    """Write some of a campaign's gold tasks with how they were answered."""
    answered = golds.answered(campaign)
    for gold in found:
        gold.right, gold.asked = answered.get(gold.pk, (0, 0))  # type: ignore[attr-defined]
    return [dict(row) for row in GoldSerializer(found, many=True).data]


class Golds(InCampaign):
    """List gold tasks, newest first, or make a comparison one."""

    action_for = {"GET": "manage", "POST": "manage"}
    queryset = Gold.objects.none()

    def get_queryset(self) -> QuerySet[Gold]:
        return golds.listed(self.campaign).order_by("-pk")

    @extend_schema(operation_id="gold_tasks", request=None, responses=GoldSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(told(self.campaign, page))

    @extend_schema(operation_id="make_gold", request=NewGoldSerializer, responses={201: GoldSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = NewGoldSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data
        task = self.campaign.tasks.filter(pk=said.pop("task")).first()
        if task is None:
            raise serializers.ValidationError({"task": ["This campaign has no such task."]})
        by = signed_in_user(request)
        gold = golds.make(task, by, **said) if "verdict" in said else golds.accept(self.campaign, task, by)
        [made] = told(self.campaign, [gold])
        return Response(made, status=status.HTTP_201_CREATED)


class Proposals(InCampaign):
    """List comparisons that could become gold tasks, the surest first."""

    action_for = {"GET": "manage"}
    pagination_class = None

    @extend_schema(operation_id="gold_proposals", request=None, responses=ProposalSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        rows = [row for _task, row in golds.proposals(self.campaign)]
        return Response(ProposalSerializer(rows, many=True).data)


class RetiringSerializer(serializers.Serializer[Task]):
    """Why a gold task is retired."""

    why = serializers.CharField(max_length=500)


class RetireGold(InCampaign):
    """Ask a gold task no more; what was answered stays."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="retire_gold", request=RetiringSerializer, responses={204: None})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        form = RetiringSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        gold = Gold.objects.filter(task__campaign=self.campaign, pk=pk).select_related("task").first()
        if gold is None:
            raise NotFound
        golds.retire(gold, signed_in_user(request), form.validated_data["why"])
        return Response(status=status.HTTP_204_NO_CONTENT)
