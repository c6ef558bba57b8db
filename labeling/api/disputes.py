"""Disputes, the guideline's gaps and re-opening over the API: the same functions as the reviewer's pages."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.roles import signed_in_user
from labeling import adjudication, gaps, reopening
from labeling.api.campaigns import InCampaign
from labeling.judgments import verdicts
from labeling.models import Adjudication, GuidelineGap
from labeling.reviews import ReviewError


class BlindSerializer(serializers.Serializer[Adjudication]):
    """A dispute to decide: the task in the order to show, and nothing of what anybody said."""

    id = serializers.IntegerField()
    held_until = serializers.DateTimeField()
    messages = serializers.JSONField(source="task.prompt.messages")
    answers = serializers.SerializerMethodField()
    verdicts = serializers.SerializerMethodField()

    def get_answers(self, row: Adjudication) -> list[dict[str, Any]]:
        placed = list(row.task.task_responses.all())
        shown = [placed[position].response for position in adjudication.order_shown(row)]
        return [{"text": response.text, "turns": response.turns} for response in shown]

    def get_verdicts(self, row: Adjudication) -> list[int]:
        return list(verdicts(row.task.campaign))


class DecidedSerializer(serializers.ModelSerializer[Adjudication]):
    """A decided dispute; `verdict` is between the task's positions: below 0 the first answer is better."""

    reviewer = serializers.CharField(source="reviewer.username", default="")  # none yet: votes refuse
    gap = serializers.SerializerMethodField()

    class Meta:
        model = Adjudication
        fields = [
            "id", "task", "reason", "evidence", "verdict", "both_bad", "cause", "note", "gap", "reviewer",
            "decided_at",
        ]  # fmt: skip

    def get_gap(self, row: Adjudication) -> int | None:
        return row.gap.pk if hasattr(row, "gap") else None


class VoteSerializer(serializers.Serializer[Any]):
    """What a rater said, between the task's positions, and what it weighs."""

    judgment = serializers.IntegerField(source="judgment.pk")
    rater = serializers.CharField(source="judgment.rater.pseudonym")
    verdict = serializers.IntegerField()
    both_bad = serializers.BooleanField(source="judgment.both_bad")
    weight = serializers.FloatField()
    why = serializers.CharField(source="trust.why")
    comment = serializers.CharField(source="judgment.comment")
    flags = serializers.ListField(child=serializers.CharField(), source="judgment.flags")


class RevealedSerializer(DecidedSerializer):
    """A decided dispute with every judgment that counts."""

    votes = serializers.SerializerMethodField()

    class Meta(DecidedSerializer.Meta):
        fields = [*DecidedSerializer.Meta.fields, "votes"]

    @extend_schema(responses=VoteSerializer(many=True))
    def get_votes(self, row: Adjudication) -> list[dict[str, Any]]:
        turned = 1 if adjudication.order_shown(row)[0] == 0 else -1
        said = VoteSerializer(adjudication.votes(row), many=True).data
        return [{**vote, "verdict": vote["verdict"] * turned} for vote in said]


class FinalWordSerializer(serializers.Serializer[Any]):
    """The final word on the answers in the order shown."""

    verdict = serializers.IntegerField(min_value=-3, max_value=3)
    both_bad = serializers.BooleanField(default=False)


class CauseSerializer(serializers.Serializer[Any]):
    """Why a decided comparison was in dispute; a gap says what the guideline should say."""

    cause = serializers.ChoiceField(choices=Adjudication.Cause.choices)
    note = serializers.CharField(default="", allow_blank=True, max_length=adjudication.NOTE_LIMIT)
    gap = serializers.CharField(default="", allow_blank=True, max_length=adjudication.NOTE_LIMIT)


class OfDispute(InCampaign):
    """A view of one dispute."""

    def dispute(self) -> Adjudication:
        try:
            return adjudication.find(self.campaign, self.kwargs["pk"])
        except ReviewError as error:
            raise NotFound from error


class Disputes(InCampaign, generics.ListAPIView[Adjudication]):
    """List what was decided, newest first, or take the most urgent dispute (204: there is none)."""

    action_for = {"GET": "manage", "POST": "manage"}
    serializer_class = DecidedSerializer
    queryset = Adjudication.objects.none()

    def get_queryset(self) -> QuerySet[Adjudication]:
        return adjudication.decided(self.campaign, unsorted=bool(self.request.GET.get("unsorted")))

    @extend_schema(parameters=[OpenApiParameter("unsorted", bool)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="take_dispute", request=None, responses={200: BlindSerializer, 204: None})
    def post(self, request: Request, slug: str) -> Response:
        taken = adjudication.claim(signed_in_user(request), self.campaign)
        if taken is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(BlindSerializer(adjudication.find(self.campaign, taken.pk)).data)


class OneDispute(OfDispute):
    """Show a decided dispute with what was said."""

    action_for = {"GET": "manage"}

    @extend_schema(operation_id="dispute", request=None, responses=RevealedSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(RevealedSerializer(self.dispute()).data)


class Decide(OfDispute):
    """Say the final word on a dispute that one holds."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="decide_dispute", request=FinalWordSerializer, responses=RevealedSerializer)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        form = FinalWordSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        row = adjudication.decide(self.dispute(), signed_in_user(request), **form.validated_data)
        return Response(RevealedSerializer(row).data)


class Leave(OfDispute):
    """Leave a dispute that one holds to somebody else."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="release_dispute", request=None, responses={204: None})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        adjudication.release(self.dispute(), signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Sort(OfDispute):
    """Say, once, why a decided comparison was in dispute."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="sort_dispute", request=CauseSerializer, responses=RevealedSerializer)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        form = CauseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        row = adjudication.sort(self.dispute(), signed_in_user(request), **form.validated_data)
        return Response(RevealedSerializer(row).data)


# -- gaps ---------------------------------------------------------------------------------------------


class GapSerializer(serializers.ModelSerializer[GuidelineGap]):
    """What the guideline lacks, where it was found, and what came of it."""

    guideline = serializers.IntegerField(source="guideline.number", allow_null=True, default=None)

    class Meta:
        model = GuidelineGap
        fields = [
            "id", "text", "why", "verdict", "adjudication", "status", "example", "guideline", "settled_why",
            "created_at", "settled_at",
        ]  # fmt: skip


class SettleSerializer(serializers.Serializer[Any]):
    """How a gap is settled: by a worked example, by a version that says so, or not at all."""

    explanation = serializers.CharField(required=False, help_text="Makes a worked example of it")
    guideline = serializers.IntegerField(
        required=False, help_text="The number of the version that settles it"
    )
    dismiss = serializers.CharField(required=False, max_length=gaps.REASON_LIMIT, help_text="Why not")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give one of explanation, guideline and dismiss.")
        return attrs


class Gaps(InCampaign, generics.ListAPIView[GuidelineGap]):
    """List what the guideline lacks, the newest first."""

    action_for = {"GET": "manage"}
    serializer_class = GapSerializer
    queryset = GuidelineGap.objects.none()

    def get_queryset(self) -> QuerySet[GuidelineGap]:
        return gaps.listed(self.campaign).order_by("-pk")


class SettleGap(InCampaign):
    """Settle a gap, once."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="settle_gap", request=SettleSerializer, responses=GapSerializer)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        form = SettleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said, by = form.validated_data, signed_in_user(request)
        try:
            gap = gaps.find(self.campaign, pk)
        except ReviewError as error:
            raise NotFound from error
        if "explanation" in said:
            gaps.make_example(gap, by, said["explanation"])
        elif "dismiss" in said:
            gaps.dismiss(gap, by, said["dismiss"])
        else:
            version = self.campaign.guidelines.filter(number=said["guideline"]).first()
            if version is None:
                raise serializers.ValidationError({"guideline": ["There is no such version."]})
            gaps.write_in(gap, by, version)
        return Response(GapSerializer(gaps.find(self.campaign, pk)).data)


# -- re-opening ---------------------------------------------------------------------------------------


class ReopeningSerializer(serializers.Serializer[Any]):
    """How much counts no more, and how much of it others are asked about."""

    judgments = serializers.IntegerField()
    edits = serializers.IntegerField()
    asked_again = serializers.IntegerField()
    closed = serializers.IntegerField()


class WhyReopenedSerializer(serializers.Serializer[Any]):
    """Why; the rater reads it."""

    reason = serializers.CharField(max_length=reopening.REASON_LIMIT)


class Reopen(InCampaign):
    """Count what taking a rater's work out would take out, or do it."""

    action_for = {"GET": "manage", "POST": "manage"}

    def rater(self) -> User:
        found = User.objects.filter(username=self.kwargs["username"]).first()
        if found is None:
            raise NotFound
        return found

    @extend_schema(operation_id="preview_reopening", request=None, responses=ReopeningSerializer)
    def get(self, request: Request, slug: str, username: str) -> Response:
        return Response(ReopeningSerializer(reopening.preview(self.campaign, self.rater())).data)

    @extend_schema(operation_id="reopen", request=WhyReopenedSerializer, responses=ReopeningSerializer)
    def post(self, request: Request, slug: str, username: str) -> Response:
        form = WhyReopenedSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        by, reason = signed_in_user(request), form.validated_data["reason"]
        return Response(ReopeningSerializer(reopening.reopen(self.campaign, self.rater(), by, reason)).data)
