"""Snapshots and runs over the API."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import signed_in_user
from labeling import members
from labeling.api.campaigns import InCampaign
from models_app import registry
from models_app.models import ModelVersion
from training import card_files, cards, difference, filters, preparations, runs, snapshots, withdrawal
from training.downloads_api import PreparationSerializer, waiting
from training.filters import FilterError
from training.models import Evaluation, Preparation, Run, Snapshot
from training.readings import curves
from training.snapshots import holds
from training.tasks import compare_snapshots, execute_run
from training.views.downloads import visible_snapshot


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    """An immutable dataset of a campaign, or of several; `filters` are those of training.filters."""

    campaign = serializers.SlugRelatedField[Any](read_only=True, slug_field="slug")
    campaigns = serializers.SerializerMethodField(help_text="all that it takes from, by short name")
    withdrawn = serializers.SerializerMethodField(help_text="sentences on what of its data was withdrawn")

    class Meta:
        model = Snapshot
        fields = ["id", "campaign", "campaigns", "digest", "filters", "counts", "withdrawn", "created_at"]
        read_only_fields = ["digest", "counts", "created_at"]

    def get_campaigns(self, snapshot: Snapshot) -> list[str]:
        return [campaign.slug for campaign in snapshots.sources(snapshot)]

    def get_withdrawn(self, snapshot: Snapshot) -> list[str]:
        return [withdrawal.sentence(each) for each in snapshot.withdrawals.all()]

    def validate_filters(self, given: Any) -> Any:
        """Refuse a wrong filter by its name."""
        try:
            filters.read(given)
        except FilterError as error:
            raise serializers.ValidationError(str(error)) from error
        return given


class Snapshots(InCampaign, generics.ListAPIView[Snapshot]):
    """List a campaign's snapshots, or cut one: 202 where a worker does it, since there is much to take."""

    action_for = {"*": "export"}
    serializer_class = SnapshotSerializer
    queryset = Snapshot.objects.none()

    def get_queryset(self) -> QuerySet[Snapshot]:
        rows = snapshots.visible_to(signed_in_user(self.request)).filter(holds(self.campaign))
        return rows.prefetch_related("withdrawals__rater", "beside").order_by("-pk")

    @extend_schema(responses={201: SnapshotSerializer, 202: PreparationSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = SnapshotSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data.get("filters")
        made = preparations.cut(self.campaign, signed_in_user(request), wanted or {})
        if isinstance(made, Preparation):
            return waiting(made)
        return Response(SnapshotSerializer(made).data, status=status.HTTP_201_CREATED)


class FoundSnapshots(generics.ListAPIView[Snapshot]):
    """List the snapshots whose digest begins as ?digest= says, the newest first."""

    action_for = {"GET": "export"}
    serializer_class = SnapshotSerializer
    queryset = Snapshot.objects.none()

    def get_queryset(self) -> QuerySet[Snapshot]:
        digest = self.request.query_params.get("digest", "")
        rows = snapshots.visible_to(signed_in_user(self.request)).filter(digest__startswith=digest)
        return rows.prefetch_related("withdrawals__rater", "beside").order_by("-pk")


class SnapshotCount(InCampaign, APIView):
    """Count what a snapshot's filters would take, but for agreement, which only a cut looks at."""

    action_for = {"POST": "export"}

    @extend_schema(
        operation_id="snapshot_count",
        request=inline_serializer("SnapshotFilters", {"filters": serializers.DictField()}),
        responses=inline_serializer(
            "SnapshotCounts",
            {
                name: serializers.IntegerField()
                for name in ("judgments", "edits", "tasks", "prompts", "raters")
            }
            | {"about": serializers.BooleanField()},
        ),
    )
    def post(self, request: Request, slug: str) -> Response:
        form = SnapshotSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data.get("filters") or {}
        return Response(snapshots.count(self.campaign, wanted, signed_in_user(request)))


class OneSnapshot(generics.RetrieveAPIView[Snapshot]):
    """Show a snapshot."""

    action_for = {"GET": "export"}
    serializer_class = SnapshotSerializer
    queryset = Snapshot.objects.none()

    def get_queryset(self) -> QuerySet[Snapshot]:
        return snapshots.visible_to(signed_in_user(self.request))


class SnapshotDifference(APIView):
    """Say what came and went between two snapshots."""

    action_for = {"GET": "export"}

    @extend_schema(
        operation_id="snapshot_difference", responses={200: OpenApiTypes.OBJECT, 202: OpenApiTypes.OBJECT}
    )
    def get(self, request: Request, first: int, second: int) -> Response:
        sides = visible_snapshot(request, first), visible_snapshot(request, second)
        found = difference.find(*sides, compare_snapshots.delay_on_commit)  # type: ignore[attr-defined]
        if found is None:
            return Response({"status": "queued"}, status.HTTP_202_ACCEPTED)
        return Response(vars(found))


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    """A gate's report; each check says in words what it found."""

    checks = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = Evaluation
        fields = ["passed", "checks", "champion", "created_at"]


class RunSerializer(serializers.ModelSerializer[Run]):
    """One execution of the engine on one snapshot."""

    campaign = serializers.SlugRelatedField[Any](read_only=True, slug_field="slug")
    round = serializers.IntegerField(source="round.number", default=None, allow_null=True, read_only=True)
    evaluation = EvaluationSerializer(default=None, allow_null=True, read_only=True)

    class Meta:
        model = Run
        fields = [
            "id", "campaign", "round", "kind", "status", "snapshot", "parent", "reward_model", "produced",
            "config", "result", "progress", "attempts", "error", "evaluation", "created_at", "started_at",
            "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class StartSerializer(serializers.ModelSerializer[Run]):
    """What to train on which snapshot."""

    class Meta:
        model = Run
        fields = ["kind", "snapshot"]


class Runs(InCampaign, generics.ListAPIView[Run]):
    """List a campaign's runs, or start one."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = RunSerializer
    queryset = Run.objects.none()

    def get_queryset(self) -> QuerySet[Run]:
        return self.campaign.runs.select_related("campaign", "round", "evaluation").order_by("-pk")

    @extend_schema(request=StartSerializer, responses={201: RunSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = StartSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        snapshot = form.validated_data["snapshot"]
        if snapshot.campaign_id != self.campaign.pk:
            raise serializers.ValidationError({"snapshot": ["This snapshot is of another campaign."]})
        queue = runs.queue_policy if form.validated_data["kind"] == Run.Kind.POLICY else runs.queue_reward
        run = queue(self.campaign, snapshot, by=signed_in_user(request))
        execute_run.delay_on_commit(run.pk)  # type: ignore[attr-defined]
        return Response(RunSerializer(run).data, status=status.HTTP_201_CREATED)


class OneRun(generics.RetrieveAPIView[Run]):
    """Show a run."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = RunSerializer
    queryset = Run.objects.none()

    def get_queryset(self) -> QuerySet[Run]:
        rows = Run.objects.filter(campaign__in=members.reachable(self.request))
        return rows.select_related("campaign", "round", "evaluation")


class Metrics(APIView):
    """Show a run's curves as (step, value) by name, thinned out evenly where there are many points."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(operation_id="run_metrics", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: int) -> Response:
        return Response(curves(members.within(request, Run.objects.select_related("campaign"), pk=pk)))


class Card(APIView):
    """Show a reward model's card: what was measured, its gate, and who made it champion or went back."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(operation_id="model_card", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: int) -> Response:
        mine = registry.visible_to(signed_in_user(request))
        version = get_object_or_404(mine, pk=pk, kind=ModelVersion.Kind.REWARD)
        return Response(card_files.as_json(cards.read(version)))


class CancelSerializer(serializers.Serializer[Run]):
    """Why a run is stopped."""

    reason = serializers.CharField(max_length=500, required=False, default="")


class Cancel(APIView):
    """Stop a run; a running one takes a few seconds."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="run_cancel", request=CancelSerializer, responses=RunSerializer)
    def post(self, request: Request, pk: int) -> Response:
        form = CancelSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        run = members.within(request, Run.objects.select_related("campaign", "round"), pk=pk)
        run = runs.cancel(run, by=signed_in_user(request), reason=form.validated_data["reason"])
        return Response(RunSerializer(run).data)


class Retry(APIView):
    """Queue a failed or cancelled run once more, as a new run."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="run_retry", request=None, responses={201: RunSerializer})
    def post(self, request: Request, pk: int) -> Response:
        run = members.within(request, Run.objects.select_related("campaign", "round", "snapshot"), pk=pk)
        again = runs.retry(run, by=signed_in_user(request))
        execute_run.delay_on_commit(again.pk)  # type: ignore[attr-defined]
        return Response(RunSerializer(again).data, status=status.HTTP_201_CREATED)
