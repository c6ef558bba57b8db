"""Invitations and pools over the API."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Pool, Role, User
from accounts.roles import signed_in_user
from labeling import invitation_lists, invitations, pools
from labeling.api.campaigns import InCampaign
from labeling.invitation_lists import Invited
from labeling.models import Campaign, Invitation
from labeling.views.invitations import link_to


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """A link, without its secret, and who came by it."""

    pool = serializers.CharField(source="pool.name", default=None, allow_null=True)
    skills = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()
    came = serializers.SerializerMethodField(help_text="The user names of who came by it")
    by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    class Meta:
        model = Invitation
        fields = [
            "id", "role", "pool", "skills", "name", "email", "uses", "used", "state", "came", "by",
            "created_at", "expires_at", "revoked_at",
        ]  # fmt: skip

    def get_skills(self, invitation: Invitation) -> list[str]:
        return sorted(skill.name for skill in invitation.skills.all())

    def get_state(self, invitation: Invitation) -> str:
        return invitations.state(invitation)

    def get_came(self, invitation: Invitation) -> list[str]:
        return [arrival.user.username for arrival in invitation.arrivals.all()]


class GivesSerializer(serializers.Serializer[Any]):
    """What a link gives, and for how long; only who administers people may name a pool."""

    role = serializers.ChoiceField(choices=Role.choices, default=Role.RATER)
    days = serializers.IntegerField(min_value=1, max_value=invitations.MOST_DAYS, default=invitations.DAYS)
    pool = serializers.IntegerField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        allow_null=True,
        default=None,
        help_text="A pool's id",
    )


class NewLinkSerializer(GivesSerializer):
    """A link for one person or many."""

    uses = serializers.IntegerField(min_value=1, max_value=invitations.MOST_USES, default=1)
    skills = serializers.ListField(child=serializers.CharField(max_length=50), default=list, max_length=50)
    name = serializers.CharField(max_length=150, default="", allow_blank=True)
    email = serializers.EmailField(default="", allow_blank=True)


class NewListSerializer(GivesSerializer):
    """A link for each person on a list."""

    people = serializers.CharField(
        max_length=200_000, help_text="One on a line: name, e-mail, languages; or CSV with a line of heads"
    )
    mail = serializers.BooleanField(default=False, help_text="Mail everybody their link")


class InvitationLinkSerializer(serializers.Serializer[Any]):
    """A new link, whose address is shown this once."""

    invitation = InvitationSerializer()
    link = serializers.CharField()
    mailed = serializers.BooleanField(default=False)


class Everywhere:
    """A view of links that give a role everywhere."""

    def into(self) -> Campaign | None:
        """Return the campaign that the links lead into, or None."""
        return None


class IntoCampaign(InCampaign):
    """A view of links into one campaign."""

    def into(self) -> Campaign:
        return self.campaign


class Links(Everywhere, generics.ListAPIView[Invitation]):
    """List the links that give a role everywhere, newest first, or make one."""

    action_for = {"*": "administer"}
    serializer_class = InvitationSerializer
    queryset = Invitation.objects.none()

    def get_queryset(self) -> QuerySet[Invitation]:
        return invitations.listed(self.into())

    @extend_schema(request=NewLinkSerializer, responses={201: InvitationLinkSerializer})
    def post(self, request: Request, **kwargs: Any) -> Response:
        form = NewLinkSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said = {**form.validated_data, "pool": pool_named(request, form.validated_data["pool"])}
        made = Invited(*invitations.offer(signed_in_user(request), campaign=self.into(), **said))
        return Response(describe(request, made), status=status.HTTP_201_CREATED)


class CampaignLinks(IntoCampaign, Links):
    """List the links into a campaign, newest first, or make one."""

    action_for = {"*": "manage"}


class ListOfLinks(Everywhere, generics.GenericAPIView[Any]):
    """Make a link for each person on a list, or none where a line is wrong."""

    action_for = {"*": "administer"}
    pagination_class = None

    @extend_schema(request=NewListSerializer, responses={201: InvitationLinkSerializer(many=True)})
    def post(self, request: Request, **kwargs: Any) -> Response:
        form = NewListSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said = {**form.validated_data, "pool": pool_named(request, form.validated_data["pool"])}
        mail = said.pop("mail")
        if mail and not invitation_lists.can_mail():
            raise serializers.ValidationError({"mail": ["No mail server is set up."]})
        made = invitation_lists.invite(
            signed_in_user(request), said.pop("people"), campaign=self.into(), **said
        )
        letters = [
            (one.invitation.email, link_to(request, one.token)) for one in made if one.invitation.email
        ]
        failed = set(invitation_lists.send(letters, self.into())) if mail else {a for a, _link in letters}
        answers = [describe(request, one, one.invitation.email not in {"", *failed} and mail) for one in made]
        return Response(answers, status=status.HTTP_201_CREATED)


class CampaignListOfLinks(IntoCampaign, ListOfLinks):
    """Make a link into a campaign for each person on a list, or none where a line is wrong."""

    action_for = {"*": "manage"}


class Link(Everywhere, generics.GenericAPIView[Any]):
    """Take back a link that gives a role everywhere."""

    action_for = {"*": "administer"}

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, pk: int, **kwargs: Any) -> Response:
        found = get_object_or_404(Invitation, pk=pk, campaign=self.into())
        invitations.revoke(found, signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CampaignLink(IntoCampaign, Link):
    """Take back a link into a campaign."""

    action_for = {"*": "manage"}


def describe(request: Request, made: Invited, mailed: bool = False) -> dict[str, Any]:
    """Return a new link as the API tells it."""
    row = {"invitation": made.invitation, "link": link_to(request, made.token), "mailed": mailed}
    return dict(InvitationLinkSerializer(row).data)


def pool_named(request: Request, pk: int | None) -> Pool | None:
    """Return the pool that a request names; 400 for who may not give it away, or where there is none."""
    if pk is None:
        return None
    pool = pools.usable_by(signed_in_user(request)).filter(pk=pk).first()
    if pool is None:
        raise serializers.ValidationError({"pool": ["There is no such pool that you may give."]})
    return pool


class LinkTokenSerializer(serializers.Serializer[Any]):
    """The secret part of a link: what stands after /join/."""

    token = serializers.CharField(max_length=200)


class JoinedSerializer(serializers.Serializer[Any]):
    """What one is a member of now."""

    campaign = serializers.CharField(allow_null=True)


class Join(generics.GenericAPIView[Any]):
    """Take what a link gives, as who one is already."""

    action_for = {"*": "own_account"}

    @extend_schema(operation_id="join", request=LinkTokenSerializer, responses=JoinedSerializer)
    def post(self, request: Request) -> Response:
        form = LinkTokenSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        invitation = invitations.accept(form.validated_data["token"], signed_in_user(request))
        return Response({"campaign": invitation.campaign.slug if invitation.campaign else None})


# -- pools --------------------------------------------------------------------------------------------


class PoolSerializer(serializers.ModelSerializer[Pool]):
    """A named group of people."""

    class Meta:
        model = Pool
        fields = ["id", "name", "created_at"]


class NamesSerializer(serializers.Serializer[Any]):
    """People by their user names."""

    usernames = serializers.ListField(child=serializers.CharField(max_length=150), max_length=1000)


class JoinsSerializer(serializers.Serializer[Any]):
    """How many people are new."""

    new = serializers.IntegerField()


class PoolMemberSerializer(serializers.ModelSerializer[User]):
    """Somebody in a pool."""

    class Meta:
        model = User
        fields = ["username", "pseudonym", "is_active"]


class Pools(generics.ListAPIView[Pool]):
    """List the pools, or make one."""

    action_for = {"*": "administer"}
    serializer_class = PoolSerializer
    queryset = Pool.objects.order_by("pk")

    @extend_schema(request=PoolSerializer, responses={201: PoolSerializer})
    def post(self, request: Request) -> Response:
        form = PoolSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        pool = pools.create(form.validated_data["name"], signed_in_user(request))
        return Response(PoolSerializer(pool).data, status=status.HTTP_201_CREATED)


class OnePool(generics.GenericAPIView[Any]):
    """Dissolve a pool; its people stay."""

    action_for = {"*": "administer"}

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        pools.delete(get_object_or_404(Pool, pk=pk), signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PoolMembers(generics.ListAPIView[User]):
    """List a pool's people, or put some in: all, or nobody where a name is unknown."""

    action_for = {"*": "administer"}
    serializer_class = PoolMemberSerializer
    queryset = User.objects.none()

    def get_queryset(self) -> QuerySet[User]:
        return get_object_or_404(Pool, pk=self.kwargs["pk"]).members.order_by("pk")

    @extend_schema(request=NamesSerializer, responses=JoinsSerializer)
    def post(self, request: Request, pk: int) -> Response:
        pool = get_object_or_404(Pool, pk=pk)
        form = NamesSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(
            {"new": pools.join_named(pool, form.validated_data["usernames"], signed_in_user(request))}
        )


CAMPAIGNS = OpenApiParameter("campaigns", bool, description="Also out of the campaigns that have the pool")
MEMBERS = OpenApiParameter("members", bool, description="Also its people, but those of another pool of it")


def asked_for(request: Request, name: str) -> bool:
    """Read a yes-or-no parameter of an address."""
    return request.query_params.get(name, "").lower() in {"1", "true", "yes", "on"}


class PoolMember(generics.GenericAPIView[Any]):
    """Take somebody out of a pool."""

    action_for = {"*": "administer"}

    @extend_schema(request=None, responses={204: None}, parameters=[CAMPAIGNS])
    def delete(self, request: Request, pk: int, username: str) -> Response:
        pool = get_object_or_404(Pool, pk=pk)
        user = get_object_or_404(pool.members, username=username)
        pools.leave(pool, user, signed_in_user(request), campaigns=asked_for(request, "campaigns"))
        return Response(status=status.HTTP_204_NO_CONTENT)


class UsePoolSerializer(serializers.Serializer[Any]):
    """The pool to take."""

    pool = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="A pool's id")


class CampaignPools(InCampaign, generics.ListAPIView[Pool]):
    """List the pools that rate in a campaign, or take one: its people rate there from then on."""

    action_for = {"GET": "view_campaigns", "POST": "manage"}
    serializer_class = PoolSerializer
    queryset = Pool.objects.none()

    def get_queryset(self) -> QuerySet[Pool]:
        return self.campaign.pools.order_by("pk")

    @extend_schema(request=UsePoolSerializer, responses=JoinsSerializer)
    def post(self, request: Request, slug: str) -> Response:
        campaign = self.campaign
        form = UsePoolSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        pool = pools.usable_by(signed_in_user(request)).filter(pk=form.validated_data["pool"]).first()
        if pool is None:
            raise ValidationError({"pool": "There is no such pool."})
        return Response({"new": pools.use(campaign, pool, signed_in_user(request))})


class CampaignPool(InCampaign):
    """Take a pool from a campaign."""

    action_for = {"*": "manage"}

    @extend_schema(request=None, responses={204: None}, parameters=[MEMBERS])
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        pool = self.campaign.pools.filter(pk=pk).first()
        if pool is None:
            raise NotFound
        members = asked_for(request, "members")
        pools.drop(self.campaign, pool, signed_in_user(request), members=members)
        return Response(status=status.HTTP_204_NO_CONTENT)
