"""The over-optimisation watch over the API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling.api.campaigns import EstimateSerializer, InCampaign
from training import watch
from training.models import Watch


class CurveSerializer(serializers.Serializer[Any]):
    """The curves at one n."""

    n = serializers.IntegerField()
    divergence = serializers.FloatField()
    reward = EstimateSerializer()
    promised = EstimateSerializer()
    check = EstimateSerializer()
    people = EstimateSerializer()


class WatchSerializer(serializers.ModelSerializer[Watch]):
    """A look at over-optimisation: `curves` by n, and what they come to in words."""

    round = serializers.IntegerField(source="round.number", default=None, allow_null=True, read_only=True)
    curves = serializers.SerializerMethodField()
    alarm = serializers.SerializerMethodField()
    says = serializers.SerializerMethodField()
    standing = serializers.SerializerMethodField()

    class Meta:
        model = Watch
        fields = [
            "id", "round", "policy", "reward_model", "prompts", "status", "progress", "error", "votes",
            "standing", "alarm", "says", "curves", "created_at",
        ]  # fmt: skip
        read_only_fields = [name for name in fields if name != "prompts"]

    @extend_schema_field(CurveSerializer(many=True))
    def get_curves(self, looked: Watch) -> list[dict[str, Any]]:
        return [dict(row) for row in CurveSerializer(watch.read(looked).rows, many=True).data]

    def get_alarm(self, looked: Watch) -> bool:
        return watch.read(looked).alarm

    def get_says(self, looked: Watch) -> list[str]:
        return watch.read(looked).says

    def get_standing(self, looked: Watch) -> str:
        return str(looked.people.get("standing", ""))


class Watches(InCampaign, generics.ListAPIView[Watch]):
    """List a campaign's looks at over-optimisation, or start one."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = WatchSerializer
    queryset = Watch.objects.none()

    def get_queryset(self) -> QuerySet[Watch]:
        return self.campaign.watches.select_related("round").order_by("-pk")

    @extend_schema(request=WatchSerializer, responses={201: WatchSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = WatchSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        started = watch.start(self.campaign, form.validated_data["prompts"], by=signed_in_user(request))
        return Response(WatchSerializer(started).data, status=status.HTTP_201_CREATED)
