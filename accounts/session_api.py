"""Sessions and second factors over the API: one's own, and for managers those of others."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import people, sessions, two_factors
from accounts.models import User
from accounts.roles import signed_in_user


class SeatSerializer(serializers.Serializer[Any]):
    """One of one's sessions; `current` is the one that asks."""

    name = serializers.CharField()
    device = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    seen = serializers.DateTimeField(allow_null=True)
    current = serializers.BooleanField()


class SessionsEndedSerializer(serializers.Serializer[Any]):
    """How many sessions ended."""

    ended = serializers.IntegerField()


class Sessions(APIView):
    """Tell where one is signed in, or end all other sessions."""

    action_for = {"GET": "own_account", "DELETE": "own_account"}

    @extend_schema(operation_id="own_sessions", responses=SeatSerializer(many=True))
    def get(self, request: Request) -> Response:
        seats = sessions.of_user(signed_in_user(request), request.session.session_key)
        return Response(SeatSerializer(seats, many=True).data)

    @extend_schema(operation_id="end_other_sessions", request=None, responses={200: SessionsEndedSerializer})
    def delete(self, request: Request) -> Response:
        ended = sessions.end_others(signed_in_user(request), request.session.session_key)
        return Response({"ended": ended})


class OneSession(APIView):
    """End one of one's own sessions."""

    action_for = {"DELETE": "own_account"}

    @extend_schema(operation_id="end_session", request=None, responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        if not sessions.end_one(signed_in_user(request), name):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)


class SignOut(APIView):
    """End all of somebody's sessions and tokens."""

    action_for = {"POST": "administer"}

    @extend_schema(operation_id="sign_out_person", request=None, responses={204: None})
    def post(self, request: Request, pk: int) -> Response:
        sessions.sign_out(get_object_or_404(User, pk=pk), by=signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RemoveFactor(APIView):
    """Remove the second factor of somebody who has lost it."""

    action_for = {"POST": "administer"}

    @extend_schema(operation_id="remove_factor", request=None, responses={204: None})
    def post(self, request: Request, pk: int) -> Response:
        two_factors.take_away(get_object_or_404(User, pk=pk), by=signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ActiveSerializer(serializers.Serializer[Any]):
    """Whether somebody may come in."""

    active = serializers.BooleanField()


class SetActive(APIView):
    """Keep somebody out, or let them in again."""

    action_for = {"POST": "administer"}

    @extend_schema(operation_id="set_active", request=ActiveSerializer, responses=ActiveSerializer)
    def post(self, request: Request, pk: int) -> Response:
        user = get_object_or_404(User, pk=pk)
        form = ActiveSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        people.set_active(user, form.validated_data["active"], by=signed_in_user(request))
        return Response(form.validated_data)
