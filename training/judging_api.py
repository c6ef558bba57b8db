"""Judges and targets over the API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling.api.campaigns import EstimateSerializer, InCampaign
from models_app.models import ModelVersion
from training import judges, targets
from training.models import Judging, Target


class JudgingSerializer(serializers.ModelSerializer[Judging]):
    """A model asked to judge: `figures` by name, each with its interval, and what they come to in words."""

    judge = serializers.PrimaryKeyRelatedField[Any](queryset=ModelVersion.objects.all())
    template = serializers.CharField(
        source="template.text", required=False, allow_null=True, default=None, trim_whitespace=False
    )
    template_digest = serializers.CharField(source="template.digest", read_only=True, default=None)
    figures = serializers.SerializerMethodField()
    unreadable = serializers.SerializerMethodField()
    says = serializers.SerializerMethodField()

    class Meta:
        model = Judging
        fields = [
            "id", "judge", "tasks", "template", "template_digest", "status", "progress", "error", "votes",
            "unreadable", "says", "figures", "created_at",
        ]  # fmt: skip
        read_only_fields = ["status", "progress", "error", "votes", "created_at"]

    @extend_schema_field(serializers.DictField(child=EstimateSerializer()))
    def get_figures(self, judging: Judging) -> dict[str, Any]:
        read = judges.read(judging).figures
        return {key: EstimateSerializer(figure).data for key, _what, figure in read}

    def get_unreadable(self, judging: Judging) -> int:
        return judges.read(judging).unread

    def get_says(self, judging: Judging) -> list[str]:
        return judges.read(judging).says


class Judges(InCampaign, generics.ListAPIView[Judging]):
    """List the models that were asked to judge in a campaign, or ask one."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = JudgingSerializer
    queryset = Judging.objects.none()

    def get_queryset(self) -> QuerySet[Judging]:
        return self.campaign.judgings.select_related("template").order_by("-pk")

    @extend_schema(request=JudgingSerializer, responses={201: JudgingSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = JudgingSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        words = (given.get("template") or {}).get("text") or ""
        started = judges.start(
            self.campaign, given["judge"], given["tasks"], template=words, by=signed_in_user(request)
        )
        return Response(JudgingSerializer(started).data, status=status.HTTP_201_CREATED)


class TargetSerializer(serializers.ModelSerializer[Target]):
    """A failure that is being mended: `checks` say how often each policy shows it on held-out prompts."""

    name = serializers.CharField(source="source.name", max_length=120)
    campaign = serializers.CharField(source="source.slug", read_only=True)
    prompts = serializers.CharField(write_only=True, help_text="Lines of text, or of JSON.")
    checks = serializers.SerializerMethodField()

    class Meta:
        model = Target
        fields = [
            "id", "name", "campaign", "description", "pattern", "fails", "prompts", "weight", "active",
            "asked_at", "error", "checks", "created_at",
        ]  # fmt: skip
        read_only_fields = ["active", "asked_at", "error", "created_at"]

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_checks(self, target: Target) -> list[dict[str, Any]]:
        return [
            {
                "policy": row.check.version_id,
                "rate": EstimateSerializer(row.rate).data,
                "change": EstimateSerializer(row.change).data,
                "error": row.check.error,
            }
            for row in targets.standings(target)
        ]


class Targets(InCampaign, generics.ListAPIView[Target]):
    """List a campaign's targets, or add one."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = TargetSerializer
    queryset = Target.objects.none()

    def get_queryset(self) -> QuerySet[Target]:
        found = self.campaign.targets.select_related("source").order_by("-pk")
        return found.prefetch_related("checks__version")

    @extend_schema(request=TargetSerializer, responses={201: TargetSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = TargetSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        name = given.pop("source")["name"]
        made = targets.create(self.campaign, by=signed_in_user(request), name=name, **given)
        return Response(TargetSerializer(made).data, status=status.HTTP_201_CREATED)


class ChangeSerializer(serializers.Serializer[Any]):
    """How heavily a target is mixed in, and whether it is."""

    weight = serializers.FloatField(min_value=0, max_value=targets.HEAVIEST)
    active = serializers.BooleanField()


class OneTarget(InCampaign, generics.RetrieveAPIView[Target]):
    """Show a target, or change its weight."""

    action_for = {"GET": "view_campaigns", "PATCH": "manage"}
    serializer_class = TargetSerializer
    queryset = Target.objects.none()

    def get_queryset(self) -> QuerySet[Target]:
        return self.campaign.targets.select_related("campaign", "source")

    @extend_schema(request=ChangeSerializer, responses={200: TargetSerializer})
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        target = self.get_object()
        form = ChangeSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        wanted = {"weight": target.weight, "active": target.active, **form.validated_data}
        targets.change(target, signed_in_user(request), **wanted)
        return Response(TargetSerializer(target).data)
