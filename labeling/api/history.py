"""One's own history and feedback over the API: what the pages of a rater at home show."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import signed_in_user
from labeling import history, reviews
from labeling.api.rating import WorkSerializer, answer
from labeling.members import rated_by
from labeling.models import Feedback

TAKEABLE = ["judgment", "edit"]


class SeenAnswerSerializer(serializers.Serializer[history.Answer]):
    """The beginning of an answer as it was displayed, and what was said about it."""

    name = serializers.CharField()
    text = serializers.CharField()
    grades = serializers.SerializerMethodField()
    reasons = serializers.ListField(child=serializers.CharField())

    def get_grades(self, answer: history.Answer) -> dict[str, int]:
        return dict(answer.grades)


class EntrySerializer(serializers.Serializer[history.Entry]):
    """One thing that one said; `words` says it as the page does."""

    kind = serializers.ChoiceField(choices=list(history.KINDS))
    id = serializers.IntegerField(source="row.pk")
    task = serializers.IntegerField(source="row.task_id")
    campaign = serializers.SlugField(source="campaign.slug")
    created_at = serializers.DateTimeField(source="row.created_at")
    prompt = serializers.CharField(help_text="Its beginning.")
    answers = SeenAnswerSerializer(many=True)
    words = serializers.CharField()
    comment = serializers.CharField(source="row.comment", default="")
    flags = serializers.ListField(source="row.flags", child=serializers.CharField(), default=list)
    state = serializers.ChoiceField(choices=["counts", "late", "undone", "reopened", "passed"])
    takeable = serializers.BooleanField(help_text="It can be taken back now.")


class HistorySerializer(serializers.Serializer[Any]):
    """A page of one's history, and the place at which the next begins."""

    entries = EntrySerializer(many=True)
    next = serializers.CharField(allow_null=True)


class History(APIView):
    """List what one said, newest first."""

    action_for = {"*": "rate"}

    @extend_schema(
        operation_id="history",
        parameters=[
            OpenApiParameter("campaign", description="A campaign's slug: only what was said there."),
            OpenApiParameter("from", description="The place at which to begin: `next` of the page before."),
        ],
        responses=HistorySerializer,
    )
    def get(self, request: Request) -> Response:
        user, campaign = signed_in_user(request), None
        if slug := request.query_params.get("campaign"):
            campaign = rated_by(user).filter(slug=slug).first()
            if campaign is None:
                raise NotFound
        entries, following = history.of_rater(user, campaign, request.query_params.get("from", ""))
        return Response(HistorySerializer({"entries": entries, "next": following or None}).data)


class TakenBackSerializer(serializers.Serializer[Any]):
    """Which judgment or edit to take back."""

    kind = serializers.ChoiceField(choices=TAKEABLE)
    id = serializers.IntegerField()


class TakeBack(APIView):
    """Take one of the things one said back; the task comes back, unless it came late and held no place."""

    action_for = {"*": "rate"}

    @extend_schema(
        operation_id="history_undo",
        request=TakenBackSerializer,
        responses={200: WorkSerializer, 204: None},
    )
    def post(self, request: Request) -> Response:
        form = TakenBackSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = signed_in_user(request)
        said = history.find(user, form.validated_data["kind"], form.validated_data["id"])
        return answer(history.take_back(user, said))


class WordSerializer(serializers.ModelSerializer[Feedback]):
    """A reviewer's word about a judgment or an edit of one's own."""

    campaign = serializers.SlugRelatedField[Any](read_only=True, slug_field="slug")
    reviewer = serializers.SlugRelatedField[Any](read_only=True, slug_field="username")

    class Meta:
        model = Feedback
        fields = ["id", "campaign", "reviewer", "judgment", "edit", "text", "created_at", "read_at"]


class Words(generics.ListAPIView[Feedback]):
    """List what reviewers said to one, newest first; POST notes that all of it is read."""

    action_for = {"*": "rate"}
    serializer_class = WordSerializer
    queryset = Feedback.objects.none()

    def get_queryset(self) -> Any:
        return reviews.feedback_to(signed_in_user(self.request))

    @extend_schema(operation_id="feedback_read", request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        reviews.mark_read(signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
