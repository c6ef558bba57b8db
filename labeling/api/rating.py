"""Rating by program: what the rating pages do, for one's own user."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.roles import signed_in_user
from labeling import assignment, edits, history, judgments, origins, progress, rankings
from labeling.api.campaigns import GuidelineSerializer, InCampaign
from labeling.members import rated_by
from labeling.models import Campaign, Flag, Skip, Slot, Task
from labeling.tasks import measure_later


class RatableSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign as its raters see it."""

    class Meta:
        model = Campaign
        fields = ["slug", "name", "description", "status", "scale", "allow_ties"]


class Ratable(generics.ListAPIView[Campaign]):
    """List the campaigns that one may rate in."""

    action_for = {"GET": "rate"}
    serializer_class = RatableSerializer
    queryset = Campaign.objects.none()

    def get_queryset(self) -> QuerySet[Campaign]:
        return rated_by(signed_in_user(self.request)).order_by("pk")


class WorkSerializer(serializers.Serializer[Any]):
    """A claimed task: its answers in the order to show them, without their models."""

    task = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Task.Kind.choices)
    lease = serializers.UUIDField()
    lease_until = serializers.DateTimeField()
    messages = serializers.ListField(child=serializers.DictField())
    answers = serializers.ListField(child=serializers.CharField(allow_blank=True))
    verdicts = serializers.ListField(child=serializers.IntegerField())
    criteria = serializers.ListField(child=serializers.CharField())
    guideline = GuidelineSerializer(allow_null=True)


def show(slot: Slot) -> dict[str, Any]:
    """Return what a rater may see of a claimed slot."""
    task = slot.task
    texts = list(task.task_responses.order_by("position").values_list("response__text", flat=True))
    guideline = task.campaign.guidelines.order_by("-number").first()
    return {
        "task": task.pk,
        "kind": task.kind,
        "lease": slot.lease,
        "lease_until": slot.lease_until,
        "messages": task.prompt.messages,
        "answers": [texts[position] for position in slot.order_shown],
        "verdicts": judgments.verdicts(task.campaign) if task.kind == Task.Kind.COMPARE else [],
        "criteria": list(task.campaign.criteria.order_by("pk").values_list("key", flat=True)),
        "guideline": guideline,
    }


def answer(slot: Slot | None) -> Response:
    """Answer with a claimed task, or with nothing."""
    if slot is None:
        return Response(status=status.HTTP_204_NO_CONTENT)
    slot = Slot.objects.select_related("task__prompt", "task__campaign").get(pk=slot.pk)
    return Response(WorkSerializer(show(slot)).data)


class Conflict(APIException):
    """There is nothing that could be changed so."""

    status_code = status.HTTP_409_CONFLICT


class Rating(InCampaign):
    """A view of a campaign that the user is a member of."""

    action_for = {"*": "rate"}

    @property
    def rater(self) -> User:
        return signed_in_user(self.request)

    def member_campaign(self) -> Campaign:
        campaign = rated_by(self.rater).filter(slug=self.kwargs["slug"]).first()
        if campaign is None:
            raise NotFound
        return campaign

    def read(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        form = serializer(data=self.request.data)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)


class Next(Rating):
    """Claim the next task, or get the one that is claimed already."""

    @extend_schema(operation_id="rate_next", request=None, responses={200: WorkSerializer, 204: None})
    def post(self, request: Request, slug: str) -> Response:
        return answer(assignment.claim(self.rater, self.member_campaign()))


class LeaseSerializer(serializers.Serializer[Slot]):
    """The lease of a claimed task."""

    lease = serializers.UUIDField()


class WhySerializer(serializers.Serializer[Any]):
    """Why a task was asked, in sentences for its rater."""

    sentences = serializers.ListField(child=serializers.CharField())


class Why(Rating):
    """Say how a claimed task was chosen, and how many are asked."""

    @extend_schema(operation_id="rate_why", parameters=[LeaseSerializer], responses=WhySerializer)
    def get(self, request: Request, slug: str) -> Response:
        form = LeaseSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        slot = origins.find(self.rater, self.member_campaign(), form.validated_data["lease"])
        if slot is None:
            raise NotFound
        return Response({"sentences": origins.explain(slot)})


class Heartbeat(Rating):
    """Extend a lease while working."""

    @extend_schema(operation_id="rate_heartbeat", request=LeaseSerializer, responses={204: None})
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        assignment.heartbeat(self.rater, self.read(LeaseSerializer)["lease"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class Release(Rating):
    """Give a claimed task back unjudged; it may come again."""

    @extend_schema(operation_id="rate_release", request=LeaseSerializer, responses={204: None})
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        assignment.release(self.rater, self.read(LeaseSerializer)["lease"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class SkipSerializer(LeaseSerializer):
    """Why a task is passed over; it never comes back."""

    kind = serializers.ChoiceField(choices=Skip.Kind.choices, default=Skip.Kind.SKIP)
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class SkipTask(Rating):
    """Pass a claimed task over."""

    @extend_schema(operation_id="rate_skip", request=SkipSerializer, responses={204: None})
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        judgments.skip(self.rater, **self.read(SkipSerializer))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Undo(Rating):
    """Take back what one sent last; the task comes back, unless its round is over."""

    @extend_schema(operation_id="rate_undo", request=None, responses={200: WorkSerializer, 204: None})
    def post(self, request: Request, slug: str) -> Response:
        last = progress.last_said(self.rater, self.member_campaign())
        if last is None:
            raise Conflict(_("There is nothing to take back."))
        return answer(history.take_back(self.rater, last))


class SubmitSerializer(LeaseSerializer):
    """What is common to a verdict and a rewrite."""

    idempotency_key = serializers.UUIDField(help_text="The same key sent again gives the first answer again.")
    guideline = serializers.IntegerField(
        required=False, help_text="The number of the guideline that was shown; the newest if left out."
    )
    active_ms = serializers.IntegerField(min_value=0, required=False)
    attention = serializers.DictField(
        required=False, help_text="Of the active time: {“prompt”: ms, “answers”: [ms of each as shown]}."
    )
    flags = serializers.ListField(child=serializers.ChoiceField(choices=Flag.choices), required=False)


class RemarksSerializer(SubmitSerializer):
    """What goes with a verdict or a ranking."""

    criteria = serializers.DictField(required=False)
    reasons = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(max_length=200)),
        required=False,
        help_text="For each answer as shown, why.",
    )
    display_rate = serializers.IntegerField(
        min_value=0, max_value=500, required=False, help_text="Words a second; 0: all at once."
    )
    comment = serializers.CharField(required=False, default="", allow_blank=True)
    signals = serializers.DictField(
        required=False,
        help_text="Counts of the comment: pastes, bursts of them, characters pasted and typed, typing_ms.",
    )


class VerdictSerializer(RemarksSerializer):
    """A verdict on the sides as shown: −3 (first much better) … +3 (second much better)."""

    verdict = serializers.IntegerField()
    both_bad = serializers.BooleanField(default=False)


class RankingSerializer(RemarksSerializer):
    """An order of the answers as shown: from best to worst, equals together, such as [[2], [0, 1], [3]]."""

    ranking = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class RewriteSerializer(SubmitSerializer):
    """A rewrite of the answer, or the word that it is already good."""

    text = serializers.CharField(required=False, default="", allow_blank=True, trim_whitespace=False)
    already_good = serializers.BooleanField(default=False)
    instruction = serializers.CharField(required=False, default="", allow_blank=True)
    signals = serializers.DictField(
        required=False, help_text="Counts: pastes, bursts of them, characters pasted and typed, typing_ms."
    )


class KeptSerializer(serializers.Serializer[Any]):
    """A submission as it was kept; `extra` is true when it came too late to count."""

    id = serializers.IntegerField()
    task = serializers.IntegerField(source="task_id")
    idempotency_key = serializers.UUIDField()
    extra = serializers.BooleanField()


class SubmitVerdict(Rating):
    """Submit a verdict on a claimed comparison."""

    @extend_schema(operation_id="rate_judge", request=VerdictSerializer, responses={201: KeptSerializer})
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        given = self.read(VerdictSerializer)
        lease: UUID = given.pop("lease")
        judgment = judgments.submit(self.rater, lease, **given)
        return Response(KeptSerializer(judgment).data, status=status.HTTP_201_CREATED)


class SubmitRanking(Rating):
    """Submit an order of a claimed ranking's answers."""

    @extend_schema(operation_id="rate_rank", request=RankingSerializer, responses={201: KeptSerializer})
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        given = self.read(RankingSerializer)
        lease: UUID = given.pop("lease")
        judgment = rankings.submit(self.rater, lease, **given)
        return Response(KeptSerializer(judgment).data, status=status.HTTP_201_CREATED)


class SubmitEdit(Rating):
    """Submit a rewrite of a claimed answer."""

    @extend_schema(operation_id="rate_edit", request=RewriteSerializer, responses={201: KeptSerializer})
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        given = self.read(RewriteSerializer)
        lease: UUID = given.pop("lease")
        edit = edits.submit(self.rater, lease, **given)
        measure_later(edit)
        return Response(KeptSerializer(edit).data, status=status.HTTP_201_CREATED)
