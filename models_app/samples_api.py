"""A model's answers to look at, over the API: asked for, and fetched once a worker has drawn them."""

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import signed_in_user
from models_app import samples
from models_app.models import ModelVersion
from models_app.tasks import draw_samples


class AskSampleSerializer(serializers.Serializer[Any]):
    """A model that need not be registered, and what to try it with: a reward model reads `answers`."""

    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices, default=ModelVersion.Kind.POLICY)
    backend = serializers.ChoiceField(choices=ModelVersion.Backend.choices)
    location = serializers.CharField(max_length=500)
    options = serializers.DictField(required=False, default=dict)
    question = serializers.CharField(max_length=4000)
    answers = serializers.ListField(
        child=serializers.CharField(max_length=4000), required=False, default=list, max_length=samples.MOST
    )
    temperature = serializers.FloatField(default=1.0, min_value=0.01, max_value=5.0)
    max_new_tokens = serializers.IntegerField(default=96, min_value=1, max_value=samples.MOST_TOKENS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["kind"] == ModelVersion.Kind.REWARD and not attrs["answers"]:
            raise serializers.ValidationError({"answers": _("Give the answers that it is to score.")})
        if attrs["kind"] == ModelVersion.Kind.POLICY and attrs["answers"]:
            raise serializers.ValidationError({"answers": _("Only a reward model scores answers.")})
        return attrs


class AnsweredSerializer(serializers.Serializer[Any]):
    """What one model answered: a text for each question, or none with the reason in `error`.

    Of a reward model the answers that it was given, and `rewards`, what they are worth.
    """

    name = serializers.CharField(allow_blank=True)
    answers = serializers.ListField(child=serializers.CharField(allow_null=True, allow_blank=True))
    rewards = serializers.ListField(child=serializers.FloatField(), required=False)
    loaded = serializers.FloatField(required=False)
    seconds = serializers.FloatField(required=False)
    tokens_per_second = serializers.FloatField(required=False, allow_null=True)
    error = serializers.CharField(allow_blank=True)


class SampleSerializer(serializers.Serializer[Any]):
    """How far a request is, with the answers that have come; times are in seconds."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=["queued", "running", "done", "failed"])
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    models = AnsweredSerializer(many=True, required=False)


class AskSample(APIView):
    """Ask a model something before it is registered: 202 until a worker has drawn the answer, then 200."""

    action_for = {"POST": "administer"}

    @extend_schema(
        operation_id="models_samples_ask",
        request=AskSampleSerializer,
        responses={200: SampleSerializer, 202: SampleSerializer},
    )
    def post(self, request: Request) -> Response:
        form = AskSampleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        spelt = {name: data[name] for name in ("kind", "backend", "location", "options")}
        model = {"name": "", **spelt}
        params = {name: data[name] for name in ("temperature", "max_new_tokens")}
        questions = samples.exchanges(data["question"], data["answers"])
        send = draw_samples.delay_on_commit  # type: ignore[attr-defined]
        return told(samples.ask(signed_in_user(request), [model], questions, params, send))


class OneSample(APIView):
    """Show the answers that one asked for, kept for half an hour."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(operation_id="models_sample", responses={200: SampleSerializer, 202: SampleSerializer})
    def get(self, request: Request, key: str) -> Response:
        found = samples.find(key, signed_in_user(request))
        if found is None:
            raise Http404
        return told(found)


def told(found: samples.Sample) -> Response:
    """Answer with a request's answers, with 202 as long as more may come."""
    under_way = found["status"] in {"queued", "running"}
    return Response(found, status.HTTP_202_ACCEPTED if under_way else status.HTTP_200_OK)
