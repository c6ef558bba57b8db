"""A campaign's setup, its copies and its archive over the API: what their pages do."""

from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling import campaigns, cloning, members, setup, states
from labeling.api.campaigns import BasePolicySerializer, CampaignSerializer, InCampaign
from labeling.models import Campaign

STEPS = list(setup.STEPS)


class SetupStepSerializer(serializers.Serializer[Any]):
    """One step of the setup."""

    key = serializers.ChoiceField(choices=STEPS)
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=[setup.DONE, setup.OPEN, setup.OPTIONAL])


class LackSerializer(serializers.Serializer[Any]):
    """What keeps a campaign from starting, in words, and the step that mends it."""

    step = serializers.ChoiceField(choices=STEPS)
    says = serializers.CharField()


class SetupSerializer(serializers.Serializer[Any]):
    """How far a campaign's setup is; with no lack it can start."""

    steps = SetupStepSerializer(many=True)
    lacks = LackSerializer(many=True)


class Setup(InCampaign):
    """Say how far a campaign's setup is, and what it still lacks."""

    action_for = {"GET": "manage"}

    @extend_schema(operation_id="campaign_setup", request=None, responses=SetupSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(SetupSerializer(setup.read(self.campaign)).data)


class BasePolicy(InCampaign):
    """Let a policy answer a campaign's prompts from now on."""

    action_for = {"POST": "manage"}

    @extend_schema(
        operation_id="campaign_policy", request=BasePolicySerializer, responses={201: SetupSerializer}
    )
    def post(self, request: Request, slug: str) -> Response:
        form = BasePolicySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        campaigns.set_base_policy(self.campaign, signed_in_user(request), **form.validated_data)
        found = SetupSerializer(setup.read(self.campaign)).data
        return Response(found, status=status.HTTP_201_CREATED)


class InAnyCampaign(InCampaign):
    """A view of one campaign that is meant for archived ones, too."""

    @cached_property
    def campaign(self) -> Campaign:
        return members.named(self.request, self.kwargs["slug"], archived=True)


class ArchiveSerializer(serializers.Serializer[Any]):
    """Whether the campaign is to be in the archive."""

    archived = serializers.BooleanField(default=True)


class Archive(InAnyCampaign):
    """Put a draft or a closed campaign into the archive, or bring it back."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="campaign_archive", request=ArchiveSerializer, responses=CampaignSerializer)
    def post(self, request: Request, slug: str) -> Response:
        form = ArchiveSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        put = states.archive if form.validated_data["archived"] else states.bring_back
        put(self.campaign, signed_in_user(request))
        return Response(CampaignSerializer(self.campaign).data)


class CloneSerializer(serializers.Serializer[Any]):
    """The copy's name, and what comes along beside settings, criteria, guideline and examples."""

    name = serializers.CharField(max_length=120)
    prompts = serializers.BooleanField(default=True, help_text="And the gold tasks among them.")
    policy = serializers.BooleanField(default=True, help_text="The one that answers now.")
    raters = serializers.BooleanField(default=True, help_text="Everybody, in their roles.")


class Clone(InAnyCampaign):
    """Make a draft that is like a campaign."""

    action_for = {"POST": "administer"}

    @extend_schema(
        operation_id="campaign_clone", request=CloneSerializer, responses={201: CampaignSerializer}
    )
    def post(self, request: Request, slug: str) -> Response:
        form = CloneSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        copy = cloning.clone(self.campaign, by=signed_in_user(request), **form.validated_data)
        return Response(CampaignSerializer(copy).data, status=status.HTTP_201_CREATED)
