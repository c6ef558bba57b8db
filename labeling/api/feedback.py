"""Reviewers' words to raters over the API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling import reviews, signals
from labeling.api.campaigns import InCampaign
from labeling.models import Feedback


class FeedbackSerializer(serializers.ModelSerializer[Feedback]):
    """A word to a rater about one of their judgments or edits, under their pseudonym."""

    rater = serializers.CharField(source="rater.pseudonym")
    reviewer = serializers.CharField(source="reviewer.username")

    class Meta:
        model = Feedback
        fields = ["id", "rater", "reviewer", "judgment", "edit", "text", "created_at", "read_at"]


class GiveSerializer(serializers.Serializer[Feedback]):
    """What it is about, by its kind and id, and the word itself."""

    kind = serializers.ChoiceField(choices=["judgment", "edit"])
    id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    text = serializers.CharField(max_length=reviews.FEEDBACK_LIMIT)


class GivenFeedback(InCampaign, generics.ListAPIView[Feedback]):
    """List what was said to a campaign's raters, newest first, or say something to one of them."""

    action_for = {"GET": "manage", "POST": "manage"}
    serializer_class = FeedbackSerializer
    queryset = Feedback.objects.none()

    def get_queryset(self) -> QuerySet[Feedback]:
        return reviews.feedback_in(self.campaign)

    @extend_schema(request=GiveSerializer, responses={201: FeedbackSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = GiveSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data
        about = reviews.find(self.campaign, said["kind"], said["id"])
        feedback = reviews.give(signed_in_user(request), self.campaign, about, said["text"])
        return Response(FeedbackSerializer(feedback).data, status=status.HTTP_201_CREATED)


class SignalSerializer(serializers.Serializer[Any]):
    """One thing that stands out, and how often it is wrong."""

    kind = serializers.CharField()
    strength = serializers.FloatField()
    evidence = serializers.CharField()
    wrong = serializers.CharField()


class FoundSerializer(serializers.Serializer[Any]):
    """A submission with its signals; `kind` is edit or judgment."""

    kind = serializers.CharField()
    id = serializers.IntegerField(source="row.pk")
    rater = serializers.CharField(source="row.rater.pseudonym")
    strength = serializers.FloatField()
    signals = SignalSerializer(many=True)


class Signals(InCampaign):
    """List what stands out among the newest edits and comments, strongest first; no verdict on anybody."""

    action_for = {"GET": "manage"}
    pagination_class = None

    @extend_schema(operation_id="signals", request=None, responses=FoundSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        return Response(FoundSerializer(signals.strongest(self.campaign, 100), many=True).data)
