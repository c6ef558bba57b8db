"""Invitations: links that make whoever opens them a rater, a manager or a researcher, here or in a campaign.

A link's token is shown once and kept as a hash, as those of the API are.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, skills
from accounts.models import Pool, Role, User
from accounts.tokens import digest
from labeling import members, pools
from labeling.models import Arrival, Campaign, Invitation

DAYS = 14
MOST_DAYS = 365
MOST_USES = 10_000


def offer(
    by: User,
    *,
    campaign: Campaign | None = None,
    role: str = Role.RATER,
    pool: Pool | None = None,
    skills: Iterable[str] = (),
    uses: int = 1,
    days: int = DAYS,
    name: str = "",
    email: str = "",
) -> tuple[Invitation, str]:
    """Make a link and return it with its token, which can't be shown again; ValidationError names a field.

    In a campaign `role` is what people are there; else what they are everywhere.
    """
    names = _checked(role, skills, uses, days)
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        digest=digest(token), role=role, campaign=campaign, pool=pool, name=name, email=email, uses=uses,
        expires_at=timezone.now() + timedelta(days=days), created_by=by,
    )  # fmt: skip
    invitation.full_clean(exclude=["digest"])
    with transaction.atomic():
        invitation.save(force_insert=True)
        _gives_skills(invitation, names)
        audit.record(
            by, "invite by link", campaign or invitation, invitation=invitation.pk, role=role, uses=uses,
            pool=pool.name if pool else "", skills=names, person=name or email, days=days,
        )  # fmt: skip
    return invitation, token


def _checked(role: str, names: Iterable[str], uses: int, days: int) -> list[str]:
    problems: dict[str, str] = {}
    if role not in Role.values:
        problems["role"] = _("“%(role)s” is no role.") % {"role": role}
    if not 1 <= uses <= MOST_USES:
        problems["uses"] = _("Let it be used 1 to %(most)s times.") % {"most": MOST_USES}
    if not 1 <= days <= MOST_DAYS:
        problems["days"] = _("Let it hold for 1 to %(most)s days.") % {"most": MOST_DAYS}
    if problems:
        raise ValidationError(problems)
    try:
        return skills.check(names)
    except ValidationError as error:
        raise ValidationError({"skills": error.messages}) from error


def _gives_skills(invitation: Invitation, names: Sequence[str]) -> None:
    if names:
        invitation.skills.set(skills.named(names))


def revoke(invitation: Invitation, by: User) -> None:
    """End a link at once; who came by it stays."""
    with transaction.atomic():
        open_ = Invitation.objects.filter(pk=invitation.pk, revoked_at=None)
        if open_.update(revoked_at=timezone.now()):
            target = invitation.campaign or invitation
            audit.record(by, "revoke invitation", target, invitation=invitation.pk)


def listed(campaign: Campaign | None) -> QuerySet[Invitation]:
    """Return the invitations to a campaign, or those to the whole, newest first, with who came by each."""
    arrivals = Prefetch("arrivals", Arrival.objects.select_related("user").order_by("pk"))
    rows = Invitation.objects.filter(campaign=campaign).select_related("pool", "created_by", "campaign")
    return rows.prefetch_related("skills", arrivals).order_by("-pk")


def state(invitation: Invitation) -> str:
    """Tell whether a link is open, or why it isn't: revoked, used or expired.

    Those of somebody who is kept out are as if revoked.
    """
    by = invitation.created_by
    if invitation.revoked_at is not None or (by is not None and not by.is_active):
        return "revoked"
    if invitation.used >= invitation.uses:
        return "used"
    return "open" if invitation.expires_at > timezone.now() else "expired"


# -- coming in ----------------------------------------------------------------------------------------


def find(token: str) -> Invitation:
    """Return the invitation of a link that works now; ValidationError says why another doesn't."""
    found = Invitation.objects.filter(digest=digest(token)).select_related("campaign", "pool", "created_by")
    return _open(found.first())


def _open(invitation: Invitation | None) -> Invitation:
    if invitation is None:
        raise ValidationError({"token": _("This link is not known here. Was all of it copied?")})
    match state(invitation):
        case "revoked":
            raise ValidationError({"token": _("This link was taken back.")})
        case "used":
            raise ValidationError({"token": _("This link has been used up.")})
        case "expired":
            raise ValidationError({"token": _("This link's time is over.")})
    return invitation


def arrive(token: str, *, username: str, password: str, email: str = "") -> User:
    """Make a newcomer of whoever holds a link; ValidationError names a bad field, and changes nothing."""
    with transaction.atomic():
        invitation = _hold(token)
        role = Role.RATER if invitation.campaign else invitation.role
        user = User(username=username.strip(), email=email.strip() or invitation.email, role=role)
        user.set_password(password)
        user.full_clean()
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise ValidationError({"password": error.messages}) from error
        user.save(force_insert=True)
        _let_in(invitation, user)
    return user


def accept(token: str, user: User) -> Invitation:
    """Give somebody who is here already what a link gives: campaign, pool and skills, but no role elsewhere.

    ValidationError says why it can't be; whoever came by it before gets nothing anew.
    """
    with transaction.atomic():
        before = Invitation.objects.filter(digest=digest(token), arrivals__user=user).first()
        if before is not None:
            return before
        invitation = _hold(token)
        _let_in(invitation, user)
    return invitation


def _hold(token: str) -> Invitation:
    # of itself alone: the campaign of an invitation may be none, and PostgreSQL locks no outer join
    row = Invitation.objects.select_for_update(of=("self",)).select_related("campaign", "pool", "created_by")
    return _open(row.filter(digest=digest(token)).first())


def _let_in(invitation: Invitation, user: User) -> None:
    """Give somebody what an invitation gives, and count it; call it with the invitation locked."""
    by = invitation.created_by or user
    user.skills.add(*invitation.skills.all())
    campaign = invitation.campaign
    if campaign is not None:
        has = campaign.memberships.filter(user=user).values_list("role", flat=True).first()
        if has is None or has == Role.RATER:
            members.give_role(campaign, user, invitation.role, by)
    if invitation.pool is not None:
        pools.join(invitation.pool, [user], by)
    Invitation.objects.filter(pk=invitation.pk).update(used=F("used") + 1)
    Arrival.objects.create(invitation=invitation, user=user)
    audit.record(user, "come by link", campaign or invitation, invitation=invitation.pk, person=user.username)
