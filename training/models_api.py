"""Models' lineages and two policies side by side, over the API."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import asked, signed_in_user
from accounts.spreadsheets import harmless
from labeling import side_by_side
from labeling.members import reachable
from labeling.models import Campaign
from models_app import registry, samples
from models_app.models import ModelVersion
from models_app.samples_api import SampleSerializer, told
from models_app.tasks import draw_samples
from preferences.types import Estimate
from training import lineage, rivals


class LabelsSerializer(serializers.Serializer[Any]):
    """The dataset that a model learnt from."""

    id = serializers.IntegerField()
    digest = serializers.CharField()
    judgments = serializers.IntegerField()


class RelativeSerializer(serializers.Serializer[Any]):
    """A model of a line: how it is related to the one asked for, and what made it."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    status = serializers.ChoiceField(choices=ModelVersion.Status.choices)
    how = serializers.ChoiceField(choices=["ancestor", "self", "child", "chosen"])
    parent = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]
    run = serializers.IntegerField(allow_null=True)
    round = serializers.IntegerField(allow_null=True)
    labels = LabelsSerializer(allow_null=True)
    reward_model = serializers.IntegerField(allow_null=True)


FORMAT = OpenApiParameter("format", str, enum=["json", "csv"], description="csv: a table as a file")
# the columns of lineages, and of pairs, as files
RELATIVE = [
    "id", "name", "kind", "status", "how", "parent", "run", "round", "labels", "judgments", "reward_model",
]  # fmt: skip
PAIR = ["prompt", "question", "first", "second", "votes_first", "votes_neither", "votes_second"]
MOST_LINES = 1000  # of a file of pairs


class Lineage(APIView):
    """Show what a model was made from and what was made of it, the oldest first."""

    action_for = {"GET": "view_campaigns"}

    @extend_schema(
        operation_id="model_lineage",
        parameters=[FORMAT],
        responses={200: RelativeSerializer(many=True), (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        version = get_object_or_404(mine(request), pk=pk)
        line = [spell(each) for each in lineage.read(version)]
        if request.query_params.get("format") == "csv":
            rows = ({**each, **as_columns(each["labels"])} for each in line)
            return as_csv(RELATIVE, rows, f"lineage-{pk}")
        return Response(line)


def as_columns(labels: dict[str, Any] | None) -> dict[str, Any]:
    """Write the dataset that a model learnt from as two columns."""
    known = labels or {}
    return {"labels": known.get("digest"), "judgments": known.get("judgments")}


def as_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]], name: str) -> HttpResponse:
    """Answer with rows as a CSV file, whatever they have beside the columns left out."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    lines = csv.DictWriter(answer, columns, extrasaction="ignore")
    lines.writeheader()
    lines.writerows({name: harmless(row.get(name)) for name in columns} for row in rows)
    return answer


def spell(relative: lineage.Relative) -> dict[str, Any]:
    """Write a relative as RelativeSerializer says."""
    version, run = relative.version, relative.run
    labels = None
    if run is not None:
        counts = run.snapshot.counts
        labels = {
            "id": run.snapshot.pk,
            "digest": run.snapshot.digest,
            "judgments": counts.get("judgments", 0),
        }
    return {
        "id": version.pk,
        "name": version.name,
        "kind": version.kind,
        "status": version.status,
        "how": relative.how,
        "parent": version.parent_id,
        "run": run.pk if run else None,
        "round": run.round.number if run and run.round else None,
        "labels": labels,
        "reward_model": run.reward_model_id if run else None,
    }


class PolicyEstimateSerializer(serializers.Serializer[Estimate]):
    """A figure with the ends of its 95 % interval; without a value, `why` there is none."""

    value = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    n = serializers.IntegerField()
    why = serializers.CharField(allow_blank=True)


class PolicyShareSerializer(serializers.Serializer[Any]):
    """Which share of the votes the first takes from the second in a campaign, a tie counting half."""

    campaign = serializers.CharField()
    overall = PolicyEstimateSerializer()
    direct = PolicyEstimateSerializer(allow_null=True)


class VotesSerializer(serializers.Serializer[Any]):
    """How many votes each answer of a pair has, and how many were for neither."""

    first = serializers.IntegerField()
    neither = serializers.IntegerField()
    second = serializers.IntegerField()


class PairSerializer(serializers.Serializer[Any]):
    """Both answers to a prompt."""

    prompt = serializers.IntegerField()
    messages = serializers.ListField(child=serializers.DictField())
    first = serializers.CharField(allow_blank=True)
    second = serializers.CharField(allow_blank=True)
    votes = VotesSerializer()


class PolicyBesideSerializer(serializers.Serializer[Any]):
    """Two policies side by side; `next` is what to send as `before` for older prompts."""

    first = serializers.IntegerField()
    second = serializers.IntegerField()
    people = PolicyShareSerializer(many=True)
    pairs = PairSerializer(many=True)
    next = serializers.IntegerField(allow_null=True)


class AskBothSerializer(serializers.Serializer[Any]):
    """What both are asked: a question, or so many prompts of the campaign."""

    question = serializers.CharField(required=False, default="", allow_blank=True, max_length=4000)
    prompts = serializers.IntegerField(required=False, default=5, min_value=1, max_value=samples.MOST)


WITH = OpenApiParameter("with", int, description="the other policy; by default the parent or the champion")
LARGEST = 2**63 - 1


class Compare(APIView):
    """Show two policies' answers to the same prompts, or have both asked now."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}

    @extend_schema(
        operation_id="models_compare",
        parameters=[
            WITH,
            FORMAT,
            OpenApiParameter("before", int, description="only prompts with a lower id"),
        ],
        responses={200: PolicyBesideSerializer, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        first, second, campaigns = both(request, pk)
        before = number(request, "before")
        if request.query_params.get("format") == "csv":
            pairs = side_by_side.pairs(campaigns, first, second, before, MOST_LINES)
            return as_csv(PAIR, map(flat_pair, pairs), f"{first.pk}-beside-{second.pk}")
        found = side_by_side.pairs(campaigns, first, second, before)
        people = [
            {
                "campaign": each.campaign.slug,
                "overall": asdict(each.overall),
                "direct": None if each.direct is None else asdict(each.direct),
            }
            for each in side_by_side.standings(campaigns, first, second)
        ]
        return Response(
            {
                "first": first.pk,
                "second": second.pk,
                "people": people,
                "pairs": [spell_pair(pair) for pair in found],
                "next": found[-1].prompt.pk if len(found) == side_by_side.PAIRS else None,
            }
        )

    @extend_schema(
        operation_id="models_ask_both",
        parameters=[WITH],
        request=AskBothSerializer,
        responses={200: SampleSerializer, 202: SampleSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        first, second, campaigns = both(request, pk)
        form = AskBothSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        send = draw_samples.delay_on_commit  # type: ignore[attr-defined]
        by = signed_in_user(request)
        return told(rivals.ask(by, (first, second), campaigns, send, **form.validated_data))


def mine(request: Request) -> QuerySet[ModelVersion]:
    """Return the models of the families in which the user may do what they ask for."""
    return registry.visible_to(signed_in_user(request), asked(request))


def number(request: Request, name: str) -> int | None:
    """Read a key of the query; 400 for what is none."""
    said = request.query_params.get(name)
    if said is None:
        return None
    if not (said.isascii() and said.isdecimal() and int(said) <= LARGEST):
        raise serializers.ValidationError({name: ["This must be the id of one."]})
    return int(said)


def both(request: Request, pk: int) -> tuple[ModelVersion, ModelVersion, list[Campaign]]:
    """Return the two policies that a request names, and the campaigns in which either answers."""
    policies = mine(request).filter(kind=ModelVersion.Kind.POLICY)
    first, wanted = get_object_or_404(policies, pk=pk), number(request, "with")
    second = rivals.usual(first) if wanted is None else get_object_or_404(policies.exclude(pk=pk), pk=wanted)
    if second is None:
        raise Http404
    families = {first.family, second.family}
    return first, second, list(reachable(request).filter(model_family__in=families).order_by("name"))


def spell_pair(pair: side_by_side.Pair) -> dict[str, Any]:
    """Write a pair as PairSerializer says."""
    return {
        "prompt": pair.prompt.pk,
        "messages": pair.prompt.messages,
        "first": pair.first.text,
        "second": pair.second.text,
        "votes": dict(zip(("first", "neither", "second"), pair.votes, strict=True)),
    }


def flat_pair(pair: side_by_side.Pair) -> dict[str, Any]:
    """Write a pair as a line of a file: the question is the last message."""
    told = spell_pair(pair)
    votes = {f"votes_{side}": n for side, n in told["votes"].items()}
    return {**told, "question": pair.prompt.messages[-1]["content"], **votes}
