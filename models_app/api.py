"""The registry over the API."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import signed_in_user
from models_app import queries, registry, score_requests
from models_app.models import ModelVersion, Promotion
from models_app.tasks import score_texts


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    """A policy or reward model."""

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "family",
            "kind",
            "name",
            "backend",
            "location",
            "options",
            "parent",
            "status",
            "created_at",
        ]
        read_only_fields = ["status", "created_at"]
        validators: list[Any] = []  # registry.register says it in a sentence


class Models(generics.ListAPIView[ModelVersion]):
    """List models, or register one after looking at what it names."""

    action_for = {"GET": "view_campaigns", "POST": "administer"}
    serializer_class = ModelSerializer
    queryset = ModelVersion.objects.none()

    def get_queryset(self) -> QuerySet[ModelVersion]:
        wanted = {k: v for k, v in self.request.query_params.items() if k in {"family", "kind", "status"}}
        rows = registry.visible_to(signed_in_user(self.request))
        return rows.filter(**wanted).order_by("-pk")

    @extend_schema(
        parameters=[
            OpenApiParameter("family", str), OpenApiParameter("kind", enum=ModelVersion.Kind.values),
            OpenApiParameter("status", enum=ModelVersion.Status.values),
        ]
    )  # fmt: skip
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=ModelSerializer, responses={201: ModelSerializer})
    def post(self, request: Request) -> Response:
        form = ModelSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        version = registry.register(by=signed_in_user(request), **form.validated_data)
        return Response(ModelSerializer(version).data, status=status.HTTP_201_CREATED)


class Model(generics.RetrieveAPIView[ModelVersion]):
    """Show a model."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = ModelSerializer
    queryset = ModelVersion.objects.none()

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return registry.visible_to(signed_in_user(self.request))


class PromotionSerializer(serializers.ModelSerializer[Promotion]):
    """A change of champion: by a gate's report, or by a person whose word it then is."""

    by = serializers.SlugRelatedField[Any](read_only=True, slug_field="username")

    class Meta:
        model = Promotion
        fields = ["id", "version", "previous", "gate", "by", "reason", "created_at"]
        read_only_fields = ["version", "previous", "gate"]
        extra_kwargs = {"reason": {"required": True, "allow_blank": False}}


class Promote(APIView):
    """Make a model the champion of its family, with a reason."""

    action_for = {"POST": "administer"}

    @extend_schema(
        operation_id="model_promote", request=PromotionSerializer, responses={201: PromotionSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        version = get_object_or_404(ModelVersion, pk=pk)
        form = PromotionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        reason = form.validated_data["reason"]
        promotion = registry.promote(version, by=signed_in_user(request), reason=reason)
        return Response(PromotionSerializer(promotion).data, status=status.HTTP_201_CREATED)


class RollBackSerializer(serializers.Serializer[Promotion]):
    """Whose champion goes back to its predecessor, and why."""

    family = serializers.SlugField()
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    reason = serializers.CharField(max_length=500)


class RollBack(APIView):
    """Make the champion's predecessor the champion again."""

    action_for = {"POST": "administer"}

    @extend_schema(
        operation_id="models_roll_back", request=RollBackSerializer, responses={201: PromotionSerializer}
    )
    def post(self, request: Request) -> Response:
        form = RollBackSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        promotion = registry.roll_back(by=signed_in_user(request), **form.validated_data)
        return Response(PromotionSerializer(promotion).data, status=status.HTTP_201_CREATED)


class QuerySerializer(serializers.Serializer[Any]):
    """Texts to score: strings in the model's chat template, lists of messages, or {"prompt", "response"}."""

    query = serializers.ListField(child=serializers.JSONField(), max_length=score_requests.MOST)
    prompts = serializers.ListField(child=serializers.JSONField(), required=False, allow_null=True)
    labels = serializers.ListField(child=serializers.JSONField(), required=False, allow_null=True)


class ScoreSerializer(serializers.Serializer[Any]):
    """Rewards in the order of the texts once `status` is done; `detail` says why it failed."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=["queued", "done", "failed"])
    rewards = serializers.ListField(child=serializers.FloatField(), required=False)
    scores = serializers.ListField(child=serializers.FloatField(), required=False)
    extra_logs = serializers.DictField(required=False)
    model = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class AskScores(APIView):
    """Have a small batch of texts scored by a reward model: 202 until a worker has done it, then 200."""

    action_for = {"POST": "view_campaigns"}

    @extend_schema(
        operation_id="model_score",
        request=QuerySerializer,
        responses={200: ScoreSerializer, 202: ScoreSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        version = get_object_or_404(registry.visible_to(signed_in_user(request)), pk=pk)
        texts = queries.read(request.data, score_requests.MOST)
        return scored(score_requests.ask(version, texts, score_texts.delay_on_commit))  # type: ignore[attr-defined]


class FindScores(APIView):
    """Show the scores that were asked for, kept for ten minutes."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(operation_id="model_scored", responses={200: ScoreSerializer, 202: ScoreSerializer})
    def get(self, request: Request, pk: int, key: str) -> Response:
        get_object_or_404(registry.visible_to(signed_in_user(request)), pk=pk)
        found = score_requests.find(pk, key)
        if found is None:
            raise Http404
        return scored(found)


def scored(answer: score_requests.Answer) -> Response:
    """Answer with scores, or with 202 as long as there are none."""
    return Response(answer, status.HTTP_202_ACCEPTED if answer["status"] == "queued" else status.HTTP_200_OK)
