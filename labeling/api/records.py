"""Rounds, tasks, imports and what raters said, over the API."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling import counting, rounds
from labeling.api.campaigns import InCampaign
from labeling.models import Edit, Judgment, Likeness, Prompt, Round, Task, TaskResponse
from labeling.tasks import generate_round
from models_app.models import ModelVersion


class RoundSerializer(serializers.ModelSerializer[Round]):
    """A round with how far it is."""

    policies = serializers.SlugRelatedField[ModelVersion](many=True, read_only=True, slug_field="name")
    tasks = serializers.IntegerField(source="tally.tasks", read_only=True)
    tasks_done = serializers.IntegerField(source="tally.done", read_only=True)

    class Meta:
        model = Round
        fields = [
            "id", "number", "origin", "status", "policies", "responses_done", "responses_total", "tasks",
            "tasks_done", "plan", "error", "created_at",
        ]  # fmt: skip


def with_tallies(shown: list[Round], tallies: dict[int, counting.Tally]) -> list[Round]:
    """Tell rounds how far they are."""
    for each in shown:
        each.tally = tallies.get(each.pk, counting.Tally())  # type: ignore[attr-defined]
    return shown


def describe(round_: Round) -> dict[str, Any]:
    """Return a round as it is now."""
    (now,) = with_tallies([Round.objects.get(pk=round_.pk)], counting.count_rounds([round_]))
    return RoundSerializer(now).data


class Rounds(InCampaign, generics.ListAPIView[Round]):
    """List a campaign's rounds, or start the next."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = RoundSerializer
    queryset = Round.objects.none()

    def get_queryset(self) -> QuerySet[Round]:
        return self.campaign.rounds.prefetch_related("policies").order_by("-number")

    def paginate_queryset(self, queryset: Any) -> Any:
        shown = super().paginate_queryset(queryset) or []
        return with_tallies(shown, counting.of_rounds(shown))

    @extend_schema(request=None, responses={201: RoundSerializer})
    def post(self, request: Request, slug: str) -> Response:
        round_ = rounds.start_next(self.campaign, signed_in_user(request))
        generate_round.delay_on_commit(round_.pk)  # type: ignore[attr-defined]
        return Response(describe(round_), status=status.HTTP_201_CREATED)


class ReasonSerializer(serializers.Serializer[Round]):
    """Why, in words."""

    reason = serializers.CharField(max_length=500, required=False, default="")


class EndRound(InCampaign):
    """Close a round (its labels count) or cancel it (it is given up)."""

    action_for = {"POST": "manage"}
    serializer_class = ReasonSerializer
    verb = "close"

    @extend_schema(request=ReasonSerializer, responses=RoundSerializer)
    def post(self, request: Request, slug: str, number: int) -> Response:
        round_ = get_object_or_404(self.campaign.rounds, number=number)
        form = ReasonSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        end = rounds.close if self.verb == "close" else rounds.cancel
        end(round_, by=signed_in_user(request), reason=form.validated_data["reason"])
        return Response(describe(round_))


class PromptSerializer(serializers.ModelSerializer[Prompt]):
    """A conversation awaiting an answer."""

    messages = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))

    class Meta:
        model = Prompt
        fields = ["id", "messages", "split", "purpose", "language", "tags", "meta", "created_at"]


class Prompts(InCampaign, generics.ListAPIView[Prompt]):
    """List a campaign's prompts."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = PromptSerializer
    queryset = Prompt.objects.none()

    def get_queryset(self) -> QuerySet[Prompt]:
        return self.campaign.prompts.order_by("pk")


class AnswerSerializer(serializers.ModelSerializer[TaskResponse]):
    """An answer at its place in a task."""

    id = serializers.IntegerField(source="response_id")
    text = serializers.CharField(source="response.text")
    origin = serializers.CharField(source="response.origin")
    policy = serializers.CharField(source="response.policy.name", default=None, allow_null=True)

    class Meta:
        model = TaskResponse
        fields = ["position", "id", "text", "origin", "policy"]


class TaskSerializer(serializers.ModelSerializer[Task]):
    """A question to raters."""

    round = serializers.IntegerField(source="round.number")
    messages = serializers.ListField(source="prompt.messages", child=serializers.DictField())
    answers = AnswerSerializer(source="task_responses", many=True)

    class Meta:
        model = Task
        fields = [
            "id", "round", "kind", "status", "overlap", "counted", "priority", "gold", "repeats", "selection",
            "probability", "external_id", "messages", "answers",
        ]  # fmt: skip


class Tasks(InCampaign, generics.ListAPIView[Task]):
    """List a campaign's tasks."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = TaskSerializer
    queryset = Task.objects.none()

    def get_queryset(self) -> QuerySet[Task]:
        rows = self.campaign.tasks.select_related("prompt", "round").order_by("pk")
        rows = rows.prefetch_related("task_responses__response__policy")
        return rows.filter(
            **_filters(self.request, {"round": "round__number", "status": "status", "kind": "kind"})
        )

    @extend_schema(
        parameters=[
            OpenApiParameter("round", int), OpenApiParameter("status", enum=Task.Status.values),
            OpenApiParameter("kind", enum=Task.Kind.values),
        ]
    )  # fmt: skip
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


def _filters(request: Request, names: dict[str, str]) -> dict[str, str]:
    """Read filters from the query; a number that is none is refused by name."""
    found = {
        lookup: request.query_params[name] for name, lookup in names.items() if name in request.query_params
    }
    if not found.get("round__number", "0").isdigit():
        raise serializers.ValidationError({"round": ["A round is named by its number."]})
    return found


class JudgmentSerializer(serializers.ModelSerializer[Judgment]):
    """One verdict or ranking; `counts` is false when it is extra, withdrawn or superseded."""

    rater = serializers.CharField(source="rater.pseudonym")
    guideline = serializers.IntegerField(source="guideline.number", default=None, allow_null=True)
    order_shown = serializers.ListField(child=serializers.IntegerField())
    ranking = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        allow_null=True,
        help_text="Places of the task from best to worst, equals together; null for a verdict.",
    )
    counts = serializers.SerializerMethodField()

    class Meta:
        model = Judgment
        fields = [
            "id", "task", "rater", "verdict", "ranking", "both_bad", "criteria", "reasons", "comment",
            "order_shown", "guideline", "active_ms", "extra", "withdrawn", "supersedes", "counts", "imported",
            "created_at",
        ]  # fmt: skip

    def get_counts(self, judgment: Judgment) -> bool:
        return not (judgment.extra or judgment.withdrawn or hasattr(judgment, "superseded_by"))


class Judgments(InCampaign, generics.ListAPIView[Judgment]):
    """List the verdicts and rankings of a campaign under the raters' pseudonyms."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = JudgmentSerializer
    queryset = Judgment.objects.none()

    def get_queryset(self) -> QuerySet[Judgment]:
        rows = Judgment.objects.filter(task__campaign=self.campaign)
        return rows.select_related("rater", "guideline", "superseded_by").order_by("pk")


class LikenessSerializer(serializers.ModelSerializer[Likeness]):
    """The model's answer that an edit is close to; `share` is of the words that the rater added, 0…1."""

    class Meta:
        model = Likeness
        fields = ["response", "share"]


class EditSerializer(serializers.ModelSerializer[Edit]):
    """One rewrite; `edited` is null where the rater said that the original is already good."""

    rater = serializers.CharField(source="rater.pseudonym")
    original = serializers.CharField(source="original.text")
    edited = serializers.CharField(source="edited.text", default=None, allow_null=True)
    close_to = LikenessSerializer(source="likeness", default=None, allow_null=True)
    guideline = serializers.IntegerField(source="guideline.number", default=None, allow_null=True)

    class Meta:
        model = Edit
        fields = [
            "id", "task", "rater", "original", "edited", "instruction", "distance", "flags", "signals",
            "close_to", "guideline", "active_ms", "extra", "withdrawn", "supersedes", "imported",
            "created_at",
        ]  # fmt: skip


class Edits(InCampaign, generics.ListAPIView[Edit]):
    """List the rewrites of a campaign under the raters' pseudonyms."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = EditSerializer
    queryset = Edit.objects.none()

    def get_queryset(self) -> QuerySet[Edit]:
        rows = Edit.objects.filter(task__campaign=self.campaign)
        return rows.select_related("rater", "original", "edited", "guideline", "likeness").order_by("pk")
