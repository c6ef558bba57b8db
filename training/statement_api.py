"""Over the API: what managers state of a campaign's data, and what one is told of one's downloads."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling.api.campaigns import InCampaign
from training import statements, withdrawal
from training.models import Statement, WithdrawalNotice


class StatementSerializer(serializers.ModelSerializer[Statement]):
    """What no row tells of a campaign's data; cards and datasheets quote it."""

    updated_at = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Statement
        fields = [*statements.FIELDS, "updated_at"]
        read_only_fields = ["updated_at"]


class OneStatement(InCampaign):
    """Show what a campaign's managers state of its data, or change some of it."""

    action_for = {"*": "manage"}
    serializer_class = StatementSerializer

    @extend_schema(operation_id="campaign_statement")
    def get(self, request: Request, slug: str) -> Response:
        return Response(StatementSerializer(statements.of(self.campaign)).data)

    @extend_schema(operation_id="campaign_statement_change")
    def patch(self, request: Request, slug: str) -> Response:
        form = StatementSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changed = statements.change(self.campaign, signed_in_user(request), **form.validated_data)
        return Response(StatementSerializer(changed).data)


class NoticeSerializer(serializers.ModelSerializer[WithdrawalNotice]):
    """That something one downloaded holds data withdrawn since, as a sentence."""

    says = serializers.SerializerMethodField()

    class Meta:
        model = WithdrawalNotice
        fields = ["id", "withdrawal", "says"]

    def get_says(self, notice: WithdrawalNotice) -> str:
        return withdrawal.sentence(notice.withdrawal)


class Notices(generics.ListAPIView[WithdrawalNotice]):
    """List what one was told of one's downloads and hasn't seen; POST notes that all of it is seen."""

    action_for = {"*": "export"}
    serializer_class = NoticeSerializer
    queryset = WithdrawalNotice.objects.none()

    def get_queryset(self) -> QuerySet[WithdrawalNotice]:
        return withdrawal.unseen(signed_in_user(self.request))

    @extend_schema(operation_id="withdrawal_notices")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="withdrawal_notices_seen", request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        withdrawal.see(signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
