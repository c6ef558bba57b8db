"""Live conversations by program, for one's own user: what their page does."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import chats
from labeling.api.rating import KeptSerializer, LeaseSerializer, Rating, VerdictSerializer
from labeling.models import Slot, Task, Turn


class TalkSerializer(serializers.Serializer[chats.Talk]):
    """How far a conversation is; sides are as shown, without their models."""

    status = serializers.ChoiceField(
        choices=[chats.WRITING, Turn.Status.SAMPLING, Turn.Status.READY, Turn.Status.FAILED],
        help_text="writing: your message is awaited; ready: your pick; failed: send for the answers again.",
    )
    number = serializers.IntegerField(help_text="Of the turn under way, or to be written.")
    messages = serializers.ListField(
        child=serializers.DictField(), help_text="All that was said before the two answers."
    )
    answers = serializers.ListField(
        child=serializers.CharField(allow_blank=True), help_text="As far as they are written."
    )
    pick = serializers.UUIDField(
        source="pick.lease", default=None, allow_null=True, help_text="The lease to pick under."
    )
    stalled = serializers.BooleanField(help_text="Nothing has come for a while: send for them again.")


class MessageSerializer(LeaseSerializer):
    """A message as turn `number`; the same again changes nothing."""

    number = serializers.IntegerField(min_value=1)
    message = serializers.CharField(trim_whitespace=False)


class TurnSerializer(LeaseSerializer):
    """A turn of a conversation."""

    number = serializers.IntegerField(min_value=1)


class PickSerializer(VerdictSerializer):
    """A verdict on a turn's two answers under the lease of its pick."""

    goes_on = serializers.IntegerField(
        min_value=0, max_value=1, required=False, help_text="With which side, where neither is better."
    )


class EndedSerializer(serializers.Serializer[Any]):
    """Whether an ended conversation counts, or came too late."""

    counts = serializers.BooleanField()


class Talking(Rating):
    """A view of a conversation that the user holds."""

    def talk(self, lease: UUID) -> Response:
        held = Slot.objects.filter(lease=lease, rater=self.rater, status=Slot.Status.CLAIMED)
        slot = held.filter(task__kind=Task.Kind.CHAT).select_related("task__prompt").first()
        if slot is None:
            raise NotFound
        return Response(TalkSerializer(chats.read(slot)).data)


class Chat(Talking):
    """See how far a claimed conversation is."""

    @extend_schema(
        operation_id="chat",
        parameters=[OpenApiParameter("lease", OpenApiTypes.UUID, required=True)],
        responses=TalkSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        form = LeaseSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        return self.talk(form.validated_data["lease"])


class Say(Talking):
    """Write a message; two answers to it are sent for."""

    @extend_schema(operation_id="chat_say", request=MessageSerializer, responses=TalkSerializer)
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        given = self.read(MessageSerializer)
        lease: UUID = given.pop("lease")
        chats.say(self.rater, lease, **given)
        return self.talk(lease)


class Pick(Talking):
    """Pick between a turn's two answers; the better one goes on."""

    @extend_schema(operation_id="chat_pick", request=PickSerializer, responses={201: KeptSerializer})
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        given = self.read(PickSerializer)
        lease: UUID = given.pop("lease")
        judgment = chats.pick(self.rater, lease, **given)
        return Response(KeptSerializer(judgment).data, status=status.HTTP_201_CREATED)


class Retry(Talking):
    """Send for a turn's answers again, where they failed or nothing has come for a while."""

    @extend_schema(operation_id="chat_retry", request=TurnSerializer, responses=TalkSerializer)
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        given = self.read(TurnSerializer)
        chats.retry(self.rater, given["lease"], given["number"])
        return self.talk(given["lease"])


class End(Talking):
    """End a conversation in which something was picked."""

    @extend_schema(operation_id="chat_end", request=LeaseSerializer, responses=EndedSerializer)
    def post(self, request: Request, slug: str) -> Response:
        self.member_campaign()
        counts = chats.end(self.rater, self.read(LeaseSerializer)["lease"])
        return Response({"counts": counts})
