"""Who manages a campaign, and who looks at it, over the API."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Role, User
from accounts.roles import signed_in_user
from labeling import members
from labeling.api.campaigns import InCampaign
from labeling.members import MemberError
from labeling.models import Membership


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """Somebody's role in a campaign: rater, or manager and researcher of this campaign alone."""

    username = serializers.SlugRelatedField[Any](source="user", slug_field="username", read_only=True)
    role = serializers.ChoiceField(choices=Role.choices)

    class Meta:
        model = Membership
        fields = ["username", "role", "created_at"]
        read_only_fields = ["created_at"]


class Entrusted(InCampaign, generics.ListAPIView[Membership]):
    """List who manages a campaign or looks at it by a role of its own."""

    action_for = {"GET": "view_campaigns"}
    serializer_class = MemberSerializer
    queryset = Membership.objects.none()

    def get_queryset(self) -> QuerySet[Membership]:
        return members.entrusted(self.campaign).order_by("pk")


class Member(InCampaign):
    """Give somebody a role in a campaign, instead of the one that they have there."""

    action_for = {"PUT": "manage"}
    serializer_class = MemberSerializer

    @extend_schema(operation_id="campaign_member_role", request=MemberSerializer, responses=MemberSerializer)
    def put(self, request: Request, slug: str, username: str) -> Response:
        campaign = self.campaign
        form = MemberSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        person = get_object_or_404(User, username=username, is_active=True)
        try:
            role = form.validated_data["role"]
            given = members.give_role(campaign, person, role, signed_in_user(request))
        except MemberError as error:
            raise serializers.ValidationError({error.field: [str(error)]}) from error
        return Response(MemberSerializer(given).data)
