"""What people may reach: the campaigns in which they may take an action, and the things of these.

What roles allow is said by accounts.roles; here is how rows are held against it, and how a campaign gives
people roles of its own.
"""

from typing import Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts import audit
from accounts.models import Pool, Role, User
from accounts.roles import asked, campaigns_for, can, signed_in_user
from labeling import assignment
from labeling.models import Campaign, Membership, Slot

M = TypeVar("M", bound=Model)

# whose memberships get tasks: `role <> 'researcher'` in labeling.statements
RATES = [Role.RATER, Role.MANAGER]


class MemberError(Exception):
    """A role can't be given so; `field` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def visible_to(user: User, action: str = "view_campaigns") -> QuerySet[Campaign]:
    """Return the campaigns in which somebody may take an action, by their own role or one of the campaign."""
    if can(user, action):
        return Campaign.objects.all()
    return Campaign.objects.filter(slug__in=campaigns_for(user, action))


def rated_by(user: User) -> QuerySet[Campaign]:
    """Return the campaigns that somebody rates in, those begun and not archived.

    With a token of one campaign that alone.
    """
    rows = Campaign.objects.filter(memberships__user=user, memberships__role__in=RATES)
    if user.acts_by and user.acts_by.campaign:
        rows = rows.filter(slug=user.acts_by.campaign)
    return rows.filter(archived_at=None).exclude(status=Campaign.Status.DRAFT)


def reachable(request: HttpRequest | Request) -> QuerySet[Campaign]:
    """Return the campaigns in which the user may do what the request asks; only behind `require`."""
    return visible_to(signed_in_user(request), asked(request))


def named(request: HttpRequest | Request, slug: str, *, archived: bool = False) -> Campaign:
    """Return the campaign of an address, with how it samples.

    404 where the user may not know of it; 403 where they may look at it and not do what is asked, or where it
    is archived and something is to be changed that isn't meant for archived ones.
    """
    user = signed_in_user(request)
    _admit(user, asked(request), slug)
    campaign = get_object_or_404(Campaign.objects.select_related("sampling"), slug=slug)
    if not archived:
        refuse_archived(request, campaign)
    return campaign


def within(request: HttpRequest | Request, rows: QuerySet[M], **lookup: Any) -> M:
    """Return what an address names of rows that have a `campaign`; 404 and 403 as for the campaign itself."""
    found: Any = get_object_or_404(rows, **lookup)
    _admit(signed_in_user(request), asked(request), found.campaign.slug)
    refuse_archived(request, found.campaign)
    return cast(M, found)


def refuse_archived(request: HttpRequest | Request, campaign: Campaign) -> None:
    """Raise PermissionDenied where a request would change something in an archived campaign."""
    if campaign.archived_at is not None and request.method not in SAFE_METHODS:
        raise PermissionDenied(_("This campaign is archived: bring it back to change anything in it."))


def _admit(user: User, action: str, slug: str) -> None:
    """Raise where somebody may not take an action in a campaign, and note what the page is about."""
    if not can(user, action, slug):
        raise PermissionDenied if can(user, "view_campaigns", slug) else Http404
    user.focus = slug


def give_role(campaign: Campaign, user: User, role: str, by: User) -> Membership:
    """Make somebody a rater, a manager or a researcher of a campaign. Raises MemberError."""
    if role not in Role.values:
        known = ", ".join(Role.values)
        message = _("“%(role)s” is no role; choose one of %(known)s.") % {"role": role, "known": known}
        raise MemberError("role", message)
    if not may_have_roles().filter(pk=user.pk).exists():
        raise MemberError("username", _("Only people who sign in can have a role."))
    with transaction.atomic():
        members = Membership.objects.select_for_update().filter(campaign=campaign, user=user)
        before = members.values_list("role", flat=True).first()
        if before != role:
            Membership.objects.update_or_create(campaign=campaign, user=user, defaults={"role": role})
            if role not in RATES:
                assignment.unreserve(Slot.objects.filter(campaign=campaign, reserved_for=user))
            change = {"before": before or "", "after": role}
            audit.record(by, "give campaign role", campaign, person=user.username, **change)
    return Membership.objects.get(campaign=campaign, user=user)


def may_have_roles() -> QuerySet[User]:
    """Return the people who sign in."""
    return User.objects.filter(is_active=True, imported=False, simulated=False).order_by("username")


def could_rate(campaign: Campaign, find: str = "", pool: Pool | None = None) -> QuerySet[User]:
    """Return who could be added as a rater, by a part of their name, and of one pool."""
    people = may_have_roles().filter(role__in=RATES).exclude(memberships__campaign=campaign)
    people = people.filter(username__icontains=find)
    return people.filter(pools=pool) if pool else people


def copy(source: Campaign, target: Campaign, by: User) -> None:
    """Give everybody of one campaign the same role in another; who has one there keeps it."""
    there = set(target.memberships.values_list("user", flat=True))
    with transaction.atomic():
        for member in source.memberships.exclude(user__in=there).select_related("user"):
            Membership.objects.create(campaign=target, user=member.user, role=member.role)
            audit.record(by, "add rater", target, rater=member.user.username, after=member.role)


def entrusted(campaign: Campaign) -> QuerySet[Membership]:
    """Return who manages or researches in a campaign by a role of its own."""
    rows = campaign.memberships.exclude(role=Role.RATER).select_related("user")
    return rows.order_by("role", "user__username")
