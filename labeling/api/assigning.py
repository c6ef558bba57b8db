"""Who gets what first: tasks kept for one rater, and tasks that come before others."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.roles import signed_in_user
from labeling import assignment
from labeling.api.campaigns import InCampaign
from labeling.assignment import ReservationError
from labeling.models import Slot


class ReserveSerializer(serializers.Serializer[Slot]):
    """For whom one of a task's judgments is kept."""

    rater = serializers.CharField(help_text="A user name")


class Reserve(InCampaign):
    """Keep one of a task's judgments for one rater, who gets it before anything else."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="reserve_task", request=ReserveSerializer, responses={204: None})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        form = ReserveSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        task = self.campaign.tasks.filter(pk=pk).first()
        if task is None:
            raise NotFound
        rater = User.objects.filter(
            username=form.validated_data["rater"], memberships__campaign=self.campaign
        )
        try:
            assignment.reserve(task, rater.get(), signed_in_user(request))
        except User.DoesNotExist as error:
            raise serializers.ValidationError(
                {"rater": ["Nobody of this name rates in the campaign."]}
            ) from error
        except ReservationError as error:
            raise serializers.ValidationError({error.field: [str(error)]}) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class PrioritySerializer(serializers.Serializer[Slot]):
    """How early some tasks, or all of a round, are asked: higher comes first, 0 is usual."""

    priority = serializers.IntegerField(min_value=-1000, max_value=1000)
    tasks = serializers.ListField(child=serializers.IntegerField(), required=False, max_length=10_000)
    round = serializers.IntegerField(required=False, help_text="A round's number")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("tasks" in attrs) == ("round" in attrs):
            raise serializers.ValidationError({"tasks": ["Name either some tasks or a round."]})
        return attrs


class Priority(InCampaign):
    """Let some tasks be asked before others."""

    action_for = {"POST": "manage"}

    @extend_schema(
        operation_id="prioritise_tasks",
        request=PrioritySerializer,
        responses={200: {"type": "object", "properties": {"tasks": {"type": "integer"}}}},
    )
    def post(self, request: Request, slug: str) -> Response:
        form = PrioritySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data
        chosen = {"pk__in": said["tasks"]} if "tasks" in said else {"round__number": said["round"]}
        tasks = self.campaign.tasks.filter(**chosen)
        changed = assignment.prioritise(tasks, said["priority"], signed_in_user(request))
        return Response({"tasks": changed})
