"""The API about people: oneself, one's tokens, and (for managers) everybody."""

from dataclasses import fields
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import own_settings, people, skills, tokens
from accounts.json_body import JSONBody
from accounts.models import ApiToken, Role, User
from accounts.roles import ACTIONS, signed_in_user


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Say in the OpenAPI document how a token is sent."""

    target_class = "accounts.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "Token tst_…",
        }


class PersonSerializer(serializers.ModelSerializer[User]):
    """A person as managers see them."""

    role = serializers.ChoiceField(choices=Role.choices)

    class Meta:
        model = User
        fields = ["id", "username", "role", "pseudonym", "email", "is_active", "simulated"]
        read_only_fields = ["id", "pseudonym", "is_active", "simulated"]


class InvitedSerializer(PersonSerializer):
    """A person just invited, with the path at which they choose a password."""

    welcome = serializers.CharField(read_only=True)

    class Meta(PersonSerializer.Meta):
        fields = [*PersonSerializer.Meta.fields, "welcome"]


class OwnSettingsSerializer(serializers.ModelSerializer[User]):
    """How the pages look and speak to a person; `keys` holds only what differs from the default."""

    keys = serializers.DictField(child=serializers.CharField(), required=False)

    class Meta:
        model = User
        fields = own_settings.FIELDS


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its secret; no scopes: all that its owner may do, no campaign: in all of theirs."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(ACTIONS)), default=list)
    campaign = serializers.SlugField(max_length=60, default="", allow_blank=True)
    days = serializers.IntegerField(
        write_only=True, default=None, allow_null=True, min_value=1, max_value=tokens.MOST_DAYS,
        help_text="after how many it ends; none: it lasts until it is revoked",
    )  # fmt: skip

    class Meta:
        model = ApiToken
        fields = [
            "id", "name", "scopes", "campaign", "days", "created_at", "expires_at", "last_used_at",
            "revoked_at",
        ]  # fmt: skip
        read_only_fields = ["id", "created_at", "expires_at", "last_used_at", "revoked_at"]


class IssuedSerializer(serializers.Serializer[ApiToken]):
    """A new token's secret, which is shown this once."""

    token = serializers.CharField()


class Me(APIView):
    """Tell who the token or session belongs to."""

    action_for = {"GET": "own_account"}

    @extend_schema(operation_id="me", responses=PersonSerializer)
    def get(self, request: Request) -> Response:
        return Response(PersonSerializer(signed_in_user(request)).data)


class OwnSettings(APIView):
    """Tell one's own settings, or change some of them."""

    action_for = {"GET": "own_account", "PATCH": "own_account"}
    parser_classes = [JSONBody]

    @extend_schema(operation_id="own_settings", responses=OwnSettingsSerializer)
    def get(self, request: Request) -> Response:
        return Response(OwnSettingsSerializer(signed_in_user(request)).data)

    @extend_schema(
        operation_id="change_own_settings", request=OwnSettingsSerializer, responses=OwnSettingsSerializer
    )
    def patch(self, request: Request) -> Response:
        user = signed_in_user(request)
        own_settings.change(user, serializers.DictField().run_validation(request.data))
        return Response(OwnSettingsSerializer(user).data)


class Tokens(generics.ListAPIView[ApiToken]):
    """List one's own tokens, or issue one."""

    action_for = {"*": "own_account"}
    serializer_class = TokenSerializer
    queryset = ApiToken.objects.none()

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.filter(user=signed_in_user(self.request)).order_by("-pk")

    @extend_schema(request=TokenSerializer, responses={201: IssuedSerializer})
    def post(self, request: Request) -> Response:
        form = TokenSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        token = tokens.issue(signed_in_user(request), **form.validated_data)
        return Response({"token": token}, status=status.HTTP_201_CREATED)


class Token(generics.DestroyAPIView[ApiToken]):
    """Revoke one of one's own tokens."""

    action_for = {"*": "own_account"}
    serializer_class = TokenSerializer
    queryset = ApiToken.objects.none()

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.filter(user=signed_in_user(self.request))

    def perform_destroy(self, instance: ApiToken) -> None:
        tokens.revoke(instance)


class People(generics.ListAPIView[User]):
    """List everybody who was invited, or invite somebody."""

    action_for = {"*": "administer"}
    serializer_class = PersonSerializer
    queryset = User.objects.none()

    def get_queryset(self) -> QuerySet[User]:
        return people.found(people.Filter.read(self.request.query_params)).order_by("pk")

    @extend_schema(parameters=[OpenApiParameter(field.name, str) for field in fields(people.Filter)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=PersonSerializer, responses={201: InvitedSerializer})
    def post(self, request: Request) -> Response:
        form = PersonSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = people.invite(**form.validated_data, by=signed_in_user(request))
        uid, token = people.invitation(user)
        answer = {**PersonSerializer(user).data, "welcome": reverse("welcome", args=[uid, token])}
        return Response(answer, status=status.HTTP_201_CREATED)


class SkillsSerializer(serializers.Serializer[Any]):
    """All the skills that somebody has, by name."""

    skills = serializers.ListField(child=serializers.CharField(max_length=skills.LENGTH))


class PersonSkills(APIView):
    """Note what somebody is good at."""

    action_for = {"*": "administer"}

    @extend_schema(request=SkillsSerializer, responses=SkillsSerializer)
    def put(self, request: Request, pk: int) -> Response:
        form = SkillsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = get_object_or_404(User, pk=pk)
        skills.note(user, form.validated_data["skills"], by=signed_in_user(request))
        return Response({"skills": sorted(user.skills.values_list("name", flat=True))})
