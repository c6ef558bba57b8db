"""Withdrawals and datasheets over the API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import signed_in_user
from training import datasheet, withdrawal
from training.models import Withdrawal
from training.views.downloads import visible_snapshot
from training.withdrawal import WithdrawalError


class WithdrawalSerializer(serializers.ModelSerializer[Withdrawal]):
    """What was withdrawn, a rater (pseudonym) or a prompt (content hash), and the snapshots that hold it."""

    rater = serializers.SlugRelatedField[Any](read_only=True, slug_field="pseudonym")
    snapshots = serializers.SlugRelatedField[Any](read_only=True, many=True, slug_field="digest")

    class Meta:
        model = Withdrawal
        fields = ["id", "rater", "prompt", "reason", "counts", "snapshots", "created_at"]
        read_only_fields = fields


class AskedSerializer(serializers.Serializer[Withdrawal]):
    """What to withdraw: `what` is rater (by username or pseudonym) or prompt (by content hash)."""

    what = serializers.ChoiceField(choices=["rater", "prompt"])
    name = serializers.CharField(max_length=200)
    reason = serializers.CharField(max_length=2000)


class Withdrawals(generics.ListAPIView[Withdrawal]):
    """List what was withdrawn, newest first, or withdraw a rater's or a prompt's data."""

    action_for = {"GET": "export", "POST": "administer"}
    serializer_class = WithdrawalSerializer
    queryset = Withdrawal.objects.none()

    def get_queryset(self) -> QuerySet[Withdrawal]:
        return withdrawal.known_to(signed_in_user(self.request)).select_related("rater").order_by("-pk")

    @extend_schema(request=AskedSerializer, responses={201: WithdrawalSerializer})
    def post(self, request: Request) -> Response:
        form = AskedSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        try:
            done = withdrawal.withdraw(asked["what"], asked["name"], signed_in_user(request), asked["reason"])
        except WithdrawalError as error:
            raise serializers.ValidationError({error.field: [str(error)]}) from error
        return Response(WithdrawalSerializer(done).data, status=status.HTTP_201_CREATED)


class Datasheet(APIView):
    """Show a snapshot's datasheet: its statistics, and its sections in words."""

    action_for = {"GET": "export"}

    @extend_schema(operation_id="snapshot_datasheet", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: int) -> Response:
        snapshot = visible_snapshot(request, pk)
        return Response(datasheet.as_json(datasheet.read(snapshot)))
