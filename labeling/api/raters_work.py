"""What a manager does about a rater's work, over the API: pause, release, message, note skills."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import skills
from accounts.models import User
from accounts.roles import signed_in_user
from labeling import messages, pausing
from labeling.api.campaigns import InCampaign
from labeling.campaigns import skills_of
from labeling.reviews import FEEDBACK_LIMIT


class MemberView(InCampaign):
    """A view of one member of a campaign."""

    def member(self) -> User:
        return get_object_or_404(User, username=self.kwargs["username"], memberships__campaign=self.campaign)


class PauseSerializer(serializers.Serializer[Any]):
    """Whether somebody gets no new tasks here."""

    paused = serializers.BooleanField()


class Pause(MemberView):
    """Give a rater no new tasks in a campaign, or let them go on."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="pause_rater", request=PauseSerializer, responses=PauseSerializer)
    def post(self, request: Request, slug: str, username: str) -> Response:
        rater = self.member()
        form = PauseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        change = pausing.pause if form.validated_data["paused"] else pausing.resume
        change(self.campaign, rater, signed_in_user(request))
        return Response({"paused": pausing.is_paused(self.campaign, rater)})


class ReleasedSerializer(serializers.Serializer[Any]):
    """How many tasks are free for others."""

    tasks = serializers.IntegerField()


class ReleaseWork(MemberView):
    """Give back what a rater holds in a campaign."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="release_rater", request=None, responses=ReleasedSerializer)
    def post(self, request: Request, slug: str, username: str) -> Response:
        return Response({"tasks": pausing.release(self.campaign, self.member(), signed_in_user(request))})


class MessageTextSerializer(serializers.Serializer[Any]):
    """What to tell."""

    text = serializers.CharField(max_length=FEEDBACK_LIMIT)


class RatersToldSerializer(serializers.Serializer[Any]):
    """How many people see it."""

    people = serializers.IntegerField()


class MessageAll(InCampaign):
    """Tell all raters of a campaign something; they see it until they have read it."""

    action_for = {"POST": "manage"}

    @extend_schema(
        operation_id="message_raters", request=MessageTextSerializer, responses=RatersToldSerializer
    )
    def post(self, request: Request, slug: str) -> Response:
        campaign = self.campaign
        form = MessageTextSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        n = messages.send(signed_in_user(request), campaign, form.validated_data["text"])
        return Response({"people": n})


class MessageOne(MemberView):
    """Tell one rater of a campaign something."""

    action_for = {"POST": "manage"}

    @extend_schema(
        operation_id="message_rater", request=MessageTextSerializer, responses=RatersToldSerializer
    )
    def post(self, request: Request, slug: str, username: str) -> Response:
        rater = self.member()
        form = MessageTextSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        n = messages.send(signed_in_user(request), self.campaign, form.validated_data["text"], [rater])
        return Response({"people": n})


class HasSerializer(serializers.Serializer[Any]):
    """Which of the skills that the campaign asks for somebody has; others of theirs stay."""

    skills = serializers.ListField(child=serializers.CharField(max_length=50), max_length=50)


class RaterSkills(MemberView):
    """Note which of the skills that a campaign asks for one of its raters has."""

    action_for = {"PUT": "manage"}

    @extend_schema(operation_id="rater_skills", request=HasSerializer, responses=HasSerializer)
    def put(self, request: Request, slug: str, username: str) -> Response:
        rater = self.member()
        form = HasSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = skills_of(self.campaign)
        skills.note_some(rater, asked, form.validated_data["skills"], by=signed_in_user(request))
        has = rater.skills.filter(name__in=asked).order_by("name")
        return Response({"skills": list(has.values_list("name", flat=True))})


class ReadWord(generics.GenericAPIView[Any]):
    """Note that one has read one word of a reviewer or manager."""

    action_for = {"POST": "own_account"}

    @extend_schema(operation_id="read_word", request=None, responses={204: None})
    def post(self, request: Request, pk: int) -> Response:
        messages.read(signed_in_user(request), pk)
        return Response(status=status.HTTP_204_NO_CONTENT)
