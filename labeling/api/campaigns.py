"""Campaigns, their guidelines and their raters over the API."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import skills
from accounts.models import User
from accounts.roles import signed_in_user
from labeling import campaigns, members, quality, states
from labeling.models import Campaign, Criterion, Guideline, Membership
from labeling.tasks import measure_figures
from models_app import sampling
from models_app.models import ModelVersion, SamplingConfig
from preferences.stopping import Outcome


class InCampaign(GenericAPIView[Any]):
    """A view of one campaign's things; the address names the campaign."""

    @cached_property
    def campaign(self) -> Campaign:
        return members.named(self.request, self.kwargs["slug"])


class SamplingSerializer(serializers.ModelSerializer[SamplingConfig]):
    """How answers are drawn."""

    class Meta:
        model = SamplingConfig
        fields = ["temperature", "top_p", "max_new_tokens", "seed"]
        validators: list[Any] = []  # equal values share a row
        extra_kwargs = {
            "temperature": {"min_value": 0.01},
            "top_p": {"min_value": 0.01, "max_value": 1},
            "max_new_tokens": {"min_value": 1, "max_value": 32768},
        }


class SkillsField(serializers.ListField):
    """The names of skills, all of which a rater must have."""

    def to_representation(self, data: Any) -> list[str]:
        return sorted(skill.name for skill in data.all())


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign's settings."""

    sampling = SamplingSerializer(required=False)
    skills = SkillsField(child=serializers.SlugField(max_length=50), required=False)

    class Meta:
        model = Campaign
        fields = [
            "slug", "name", "description", "status", "scale", "allow_ties", "overlap", "overlap_cap",
            "certainty", "rater_limit", "daily_limit", "gold_share", "repeat_share",
            "weigh_votes", "lease_minutes", "tasks_per_round",
            "edit_share", "rank_share", "rank_size", "chat_share", "chat_turns", "choose_pairs",
            "answers_per_prompt", "champion_share", "history_share", "repeat_prompts", "temperatures",
            "red_team",
            "reasons", "display_rate", "undo_minutes", "skills", "pass_mark", "test_attempts",
            "show_figures", "retrain_after", "max_rounds", "sampling", "stages", "hyper", "model_family",
            "loop_paused", "archived_at", "created_at",
        ]  # fmt: skip
        read_only_fields = ["model_family", "loop_paused", "archived_at", "created_at"]
        extra_kwargs = {"slug": {"required": False}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "skills" in attrs:
            attrs["skills"] = skills.check(attrs["skills"])
        if "reasons" in attrs:
            attrs["reasons"] = campaigns.check_reasons(attrs["reasons"])
        if "sampling" in attrs:
            given = attrs["sampling"]
            now = self.instance.sampling if self.instance is not None else None
            values = SamplingSerializer(now).data if now else {}
            attrs["sampling"] = sampling.get_config(**{**values, **given})
        return attrs


class BasePolicySerializer(serializers.Serializer[ModelVersion]):
    """Where the policy that answers first is."""

    name = serializers.CharField(max_length=200)
    backend = serializers.ChoiceField(choices=ModelVersion.Backend.choices)
    location = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)
    options = serializers.DictField(required=False, default=dict)


class NewCampaignSerializer(CampaignSerializer):
    """A new campaign, with its first guideline and its base policy."""

    guideline = serializers.CharField(required=False, write_only=True)
    base_policy = BasePolicySerializer(required=False, write_only=True)

    class Meta(CampaignSerializer.Meta):
        fields = [*CampaignSerializer.Meta.fields, "guideline", "base_policy"]


class Campaigns(generics.ListAPIView[Campaign]):
    """List campaigns, or make one."""

    action_for = {"GET": "view_campaigns", "POST": "administer"}
    serializer_class = CampaignSerializer
    queryset = Campaign.objects.none()

    def get_queryset(self) -> QuerySet[Campaign]:
        archived = self.request.query_params.get("archived", "").lower() in {"true", "1"}
        visible = campaigns.listed(signed_in_user(self.request), archived=archived)
        return visible.select_related("sampling").prefetch_related("skills").order_by("-pk")

    @extend_schema(parameters=[OpenApiParameter("archived", bool, description="Those in the archive.")])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=NewCampaignSerializer, responses={201: CampaignSerializer})
    def post(self, request: Request) -> Response:
        form = NewCampaignSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        campaign = campaigns.create(by=signed_in_user(request), **form.validated_data)
        return Response(CampaignSerializer(campaign).data, status=status.HTTP_201_CREATED)


class OneCampaign(InCampaign):
    """Show a campaign, or change its settings."""

    action_for = {"GET": "view_campaigns", "PATCH": "manage"}
    serializer_class = CampaignSerializer

    @extend_schema(operation_id="campaign")
    def get(self, request: Request, slug: str) -> Response:
        return Response(CampaignSerializer(self.campaign).data)

    @extend_schema(operation_id="campaign_change")
    def patch(self, request: Request, slug: str) -> Response:
        form = CampaignSerializer(self.campaign, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        by = signed_in_user(request)
        changes = {key: value for key, value in form.validated_data.items() if key not in {"slug", "status"}}
        with transaction.atomic():
            if changes:
                campaigns.update(self.campaign, by, **changes)
            if "status" in form.validated_data:
                states.change(self.campaign, form.validated_data["status"], by)
        return Response(CampaignSerializer(self.campaign).data)


class LoopSerializer(serializers.Serializer[Campaign]):
    """Whether the conductor leaves the campaign alone, and why."""

    paused = serializers.BooleanField()
    reason = serializers.CharField(max_length=500, required=False, default="Paused by hand.")


class Loop(InCampaign):
    """Pause or resume a campaign's loop."""

    action_for = {"POST": "manage"}
    serializer_class = LoopSerializer

    @extend_schema(operation_id="campaign_loop", request=LoopSerializer, responses=CampaignSerializer)
    def post(self, request: Request, slug: str) -> Response:
        form = LoopSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        by = signed_in_user(request)
        if form.validated_data["paused"]:
            campaigns.pause_loop(self.campaign, form.validated_data["reason"], by)
        else:
            campaigns.resume_loop(self.campaign, by)
        return Response(CampaignSerializer(self.campaign).data)


class GuidelineSerializer(serializers.ModelSerializer[Guideline]):
    """One version of the instructions."""

    class Meta:
        model = Guideline
        fields = ["number", "text", "created_at"]
        read_only_fields = ["number", "created_at"]


class Guidelines(InCampaign, generics.ListAPIView[Guideline]):
    """List the versions of a campaign's instructions, or publish the next."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = GuidelineSerializer
    queryset = Guideline.objects.none()

    def get_queryset(self) -> QuerySet[Guideline]:
        return self.campaign.guidelines.order_by("-number")

    @extend_schema(request=GuidelineSerializer, responses={201: GuidelineSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = GuidelineSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        text = form.validated_data["text"]
        guideline = campaigns.add_guideline(self.campaign, text, signed_in_user(request))
        return Response(GuidelineSerializer(guideline).data, status=status.HTTP_201_CREATED)


class CriterionSerializer(serializers.ModelSerializer[Criterion]):
    """A quality that raters grade beside the verdict, from 1 to `points`."""

    class Meta:
        model = Criterion
        fields = ["key", "name", "points", "required"]


class Criteria(InCampaign, generics.ListAPIView[Criterion]):
    """List what raters grade beside the verdict; add a criterion, or change the one of that key."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = CriterionSerializer
    queryset = Criterion.objects.none()

    def get_queryset(self) -> QuerySet[Criterion]:
        return self.campaign.criteria.order_by("pk")

    @extend_schema(request=CriterionSerializer, responses={201: CriterionSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = CriterionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        by = signed_in_user(request)
        criterion = campaigns.set_criterion(self.campaign, by=by, **form.validated_data)
        return Response(CriterionSerializer(criterion).data, status=status.HTTP_201_CREATED)


class OneCriterion(InCampaign):
    """Ask for a quality no more; grades given before stay."""

    action_for = {"DELETE": "manage"}

    @extend_schema(operation_id="campaign_criterion_remove", request=None, responses={204: None})
    def delete(self, request: Request, slug: str, key: str) -> Response:
        campaigns.remove_criterion(self.campaign, key, signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RaterSerializer(serializers.ModelSerializer[Membership]):
    """Somebody who may rate in a campaign."""

    username = serializers.SlugRelatedField[User](
        source="user", slug_field="username", queryset=User.objects.filter(imported=False)
    )
    pseudonym = serializers.CharField(source="user.pseudonym", read_only=True)

    class Meta:
        model = Membership
        fields = ["username", "pseudonym", "qualified_at", "created_at"]
        read_only_fields = ["qualified_at", "created_at"]


class Raters(InCampaign, generics.ListAPIView[Membership]):
    """List who may rate in a campaign, or add somebody."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = RaterSerializer
    queryset = Membership.objects.none()

    def get_queryset(self) -> QuerySet[Membership]:
        return self.campaign.memberships.select_related("user").order_by("user__username")

    @extend_schema(request=RaterSerializer, responses={201: RaterSerializer})
    def post(self, request: Request, slug: str) -> Response:
        form = RaterSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = form.validated_data["user"]
        membership = campaigns.add_rater(self.campaign, user, signed_in_user(request))
        return Response(RaterSerializer(membership).data, status=status.HTTP_201_CREATED)


class Rater(InCampaign):
    """End somebody's right to rate in a campaign."""

    action_for = {"DELETE": "manage"}

    @extend_schema(operation_id="campaign_rater_remove", request=None, responses={204: None})
    def delete(self, request: Request, slug: str, username: str) -> Response:
        user = get_object_or_404(User, username=username, memberships__campaign=self.campaign)
        campaigns.remove_rater(self.campaign, user, signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class EstimateSerializer(serializers.Serializer[Any]):
    """A figure with its 95 % interval and n; an undefined figure is null and says why."""

    value = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    n = serializers.IntegerField()
    why = serializers.CharField()


class GroupFigureSerializer(serializers.Serializer[Any]):
    """How far raters agree within a kind of task, a skill of raters, a language or a round."""

    by = serializers.ChoiceField(choices=["kind", "skill", "language", "round"])
    name = serializers.CharField()
    alpha = EstimateSerializer()
    pairs = EstimateSerializer()
    ceiling = EstimateSerializer()


class PolicyFigureSerializer(serializers.Serializer[Any]):
    """What share of raters' votes a policy takes from the reference policy: raw, and at equal style."""

    policy = serializers.CharField()
    model = serializers.IntegerField()
    votes = serializers.IntegerField()
    share = EstimateSerializer()
    fair = EstimateSerializer()


class StyleFigureSerializer(serializers.Serializer[Any]):
    """How many logits one standard deviation of a difference in style is worth to raters."""

    name = serializers.CharField()
    effect = EstimateSerializer()


class DuelFigureSerializer(serializers.Serializer[Any]):
    """Where the direct comparison of two policies stands."""

    first = serializers.CharField()
    second = serializers.CharField()
    outcome = serializers.ChoiceField(choices=[str(outcome) for outcome in Outcome])
    votes = serializers.IntegerField()
    cap = serializers.IntegerField()
    evidence = serializers.FloatField()
    share = EstimateSerializer()


class FiguresSerializer(serializers.Serializer[Any]):
    """What the labels of a campaign say, as last computed."""

    computed_at = serializers.DateTimeField(allow_null=True)
    judgments = serializers.IntegerField()
    fresh = serializers.IntegerField()
    agreement = EstimateSerializer()
    alpha = EstimateSerializer()
    ceiling = EstimateSerializer()
    left = EstimateSerializer()
    fleiss = EstimateSerializer()
    cohen = EstimateSerializer()
    groups = GroupFigureSerializer(many=True)
    reference = serializers.CharField()
    policies = PolicyFigureSerializer(many=True)
    policies_why = serializers.CharField()
    styles = StyleFigureSerializer(many=True)
    duels = DuelFigureSerializer(many=True)


class Figures(InCampaign):
    """Show agreement between raters and what they think of the policies, or have it computed now."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}

    @extend_schema(operation_id="campaign_figures", request=None, responses=FiguresSerializer)
    def get(self, request: Request, slug: str) -> Response:
        report = quality.latest(self.campaign)
        return Response(FiguresSerializer({**vars(report.figures), **vars(report)}).data)

    @extend_schema(operation_id="campaign_figures_measure", request=None, responses={202: None})
    def post(self, request: Request, slug: str) -> Response:
        measure_figures.delay_on_commit(self.campaign.pk)  # type: ignore[attr-defined]
        return Response(status=status.HTTP_202_ACCEPTED)
