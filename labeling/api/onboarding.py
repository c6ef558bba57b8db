"""Worked examples and the way into a campaign over the API: what their pages do."""

import io
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.roles import signed_in_user
from labeling import examples, guidelines, onboarding, qualification
from labeling.api.campaigns import InCampaign
from labeling.api.imports import LineErrorSerializer
from labeling.api.rating import Rating
from labeling.models import Example
from labeling.onboarding import Question, Step


class ExampleSerializer(serializers.ModelSerializer[Example]):
    """A worked example: `verdict` is between the answers as given, −3 (first) … +3 (second)."""

    messages = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    answers = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), min_length=2, max_length=2
    )

    class Meta:
        model = Example
        fields = ["id", "use", "messages", "answers", "verdict", "explanation", "retired", "created_at"]
        read_only_fields = ["retired", "created_at"]
        extra_kwargs = {"explanation": {"required": False, "default": "", "allow_blank": True}}

    def validate_messages(self, messages: list[dict[str, str]]) -> list[dict[str, str]]:
        for message in messages:
            if set(message) != {"role", "content"} or message["role"] not in ("system", "user", "assistant"):
                raise serializers.ValidationError(
                    "Each message has a role (system, user, assistant) and content."
                )
        return messages


class Examples(InCampaign, generics.ListAPIView[Example]):
    """List a campaign's worked examples, or add one."""

    action_for = {"GET": "manage", "POST": "manage"}
    serializer_class = ExampleSerializer
    queryset = Example.objects.none()

    def get_queryset(self) -> QuerySet[Example]:
        return self.campaign.examples.order_by("pk")

    @extend_schema(request=ExampleSerializer, responses={201: ExampleSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = ExampleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        added = examples.create(self.campaign, signed_in_user(request), **form.validated_data)
        return Response(ExampleSerializer(added).data, status=status.HTTP_201_CREATED)


class OneExample(InCampaign):
    """Change a worked example, or retire it; an answered one is retired and replaced."""

    action_for = {"PUT": "manage", "DELETE": "manage"}
    serializer_class = ExampleSerializer

    @extend_schema(operation_id="example_change")
    def put(self, request: Request, slug: str, pk: int) -> Response:
        form = ExampleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        example = get_object_or_404(self.campaign.examples, pk=pk)
        changed = examples.revise(example, signed_in_user(request), **form.validated_data)
        return Response(ExampleSerializer(changed).data)

    @extend_schema(operation_id="example_retire", request=None, responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        examples.retire(get_object_or_404(self.campaign.examples, pk=pk), signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class LinesSerializer(serializers.Serializer[Any]):
    """The text of a JSONL file of examples."""

    text = serializers.CharField(trim_whitespace=False)


class ImportedSerializer(serializers.Serializer[Any]):
    """What an import of examples added; with errors it added nothing."""

    added = serializers.IntegerField()
    known = serializers.IntegerField()
    errors = LineErrorSerializer(many=True)  # type: ignore[assignment]


class ImportExamples(InCampaign):
    """Add examples from JSONL, all or none; the same again adds nothing."""

    action_for = {"POST": "manage"}

    @extend_schema(
        operation_id="examples_import",
        request=LinesSerializer,
        responses={201: ImportedSerializer, 400: ImportedSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        form = LinesSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        source = io.BytesIO(form.validated_data["text"].encode("utf-8", "replace"))
        report = examples.import_lines(self.campaign, source, signed_in_user(request))
        return Response(ImportedSerializer(report).data, status=400 if report.errors else 201)


class QualificationSerializer(serializers.Serializer[Any]):
    """Let a member in without the test (waive), or give them all attempts anew (reset)."""

    how = serializers.ChoiceField(choices=["waive", "reset"])


class StandingSerializer(serializers.Serializer[Any]):
    """How a member's test went: the scores of full tries, and how many were begun."""

    qualified_at = serializers.DateTimeField(allow_null=True)
    scores = serializers.ListField(child=serializers.FloatField())
    tried = serializers.IntegerField()


class Qualification(InCampaign):
    """Show how a member's test went, and let them in or try anew."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}

    @property
    def rater(self) -> User:
        return get_object_or_404(User, username=self.kwargs["username"], memberships__campaign=self.campaign)

    def answer(self) -> Response:
        rater = self.rater
        standing = qualification.standings(self.campaign, [rater])[rater.pk]
        return Response(StandingSerializer(standing).data)

    @extend_schema(operation_id="qualification", request=None, responses=StandingSerializer)
    def get(self, request: Request, slug: str, username: str) -> Response:
        return self.answer()

    @extend_schema(
        operation_id="qualification_change", request=QualificationSerializer, responses=StandingSerializer
    )
    def post(self, request: Request, slug: str, username: str) -> Response:
        form = QualificationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        decide = qualification.waive if form.validated_data["how"] == "waive" else qualification.reset
        decide(self.campaign, self.rater, signed_in_user(request))
        return self.answer()


# -- the rater's side ---------------------------------------------------------------------------------


class QuestionSerializer(serializers.Serializer[Any]):
    """An example to answer: its answers in the order to show them."""

    example = serializers.IntegerField()
    attempt = serializers.IntegerField(help_text="0 for practice.")
    number = serializers.IntegerField()
    total = serializers.IntegerField()
    messages = serializers.ListField(child=serializers.DictField())
    answers = serializers.ListField(child=serializers.CharField(allow_blank=True))


def ask(question: Question) -> dict[str, Any]:
    """Return what a rater may see of a question."""
    return {
        "example": question.example.pk,
        "attempt": question.attempt,
        "number": question.number,
        "total": question.total,
        "messages": question.example.messages,
        "answers": [question.example.answers[position] for position in question.order],
    }


STEPS = [step.value for step in Step]


class WayInSerializer(serializers.Serializer[Any]):
    """Where one is on the way into a campaign, and what is asked next."""

    step = serializers.ChoiceField(choices=STEPS)
    steps = serializers.ListField(child=serializers.CharField())
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    attempt = serializers.IntegerField()
    attempts_left = serializers.IntegerField()
    score = serializers.FloatField(allow_null=True, help_text="Of the last full try at the test, 0 to 1.")
    qualified = serializers.BooleanField()
    lacking = serializers.ListField(child=serializers.CharField(), help_text="Skills that one lacks.")
    practice = QuestionSerializer(many=True)
    question = QuestionSerializer(allow_null=True, help_text="The test's next question.")


class TrialSerializer(serializers.Serializer[Any]):
    """A verdict on an example as shown."""

    example = serializers.IntegerField()
    attempt = serializers.IntegerField(min_value=0, max_value=32767, help_text="0 for practice.")
    verdict = serializers.IntegerField()
    both_bad = serializers.BooleanField(default=False)


class ToldSerializer(serializers.Serializer[Any]):
    """What practice says to an answer; a test says nothing before its end."""

    right = serializers.BooleanField(allow_null=True)
    verdict = serializers.IntegerField(
        allow_null=True, help_text="The right one, between the sides as shown."
    )
    explanation = serializers.CharField()


class WayIn(Rating):
    """Show the way into a campaign, and take answers to practice tasks and test questions."""

    @extend_schema(operation_id="way_in", request=None, responses=WayInSerializer)
    def get(self, request: Request, slug: str) -> Response:
        campaign = self.member_campaign()
        state = onboarding.state(self.rater, campaign)
        question = onboarding.next_question(self.rater, campaign)
        told = {
            **asdict(state),
            "score": state.score,
            "practice": [ask(q) for q in onboarding.practice(self.rater, campaign)],
            "question": ask(question) if question else None,
        }
        return Response(WayInSerializer(told).data)

    @extend_schema(operation_id="way_in_answer", request=TrialSerializer, responses={201: ToldSerializer})
    def post(self, request: Request, slug: str) -> Response:
        campaign = self.member_campaign()
        trial = onboarding.answer(self.rater, campaign, **self.read(TrialSerializer))
        told: dict[str, Any] = {"right": None, "verdict": None, "explanation": ""}
        if trial.attempt == onboarding.PRACTICE:
            told = {
                "right": trial.right,
                "verdict": onboarding.as_shown(trial.example, trial.order_shown),
                "explanation": examples.explain(trial.example, trial.order_shown),
            }
        return Response(ToldSerializer(told).data, status=status.HTTP_201_CREATED)


class ReadGuideline(Rating):
    """Confirm that one has read the newest guideline."""

    @extend_schema(operation_id="way_in_guideline", request=None, responses={204: None})
    def post(self, request: Request, slug: str) -> Response:
        newest = guidelines.newest(self.member_campaign())
        if newest is not None:
            guidelines.mark_read(self.rater, newest)
        return Response(status=status.HTTP_204_NO_CONTENT)
