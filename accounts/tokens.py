"""API tokens: shown once, kept as a hash, revocable; limited to some actions, to one campaign, in time."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import audit
from accounts.models import ApiToken, User
from accounts.roles import ACTIONS, can, can_somewhere

PREFIX = "tst_"
MOST_DAYS = 3650
FRESH = timedelta(minutes=1)  # a use is noted this often at most


def digest(token: str) -> str:
    """Return the hash under which a token is kept; tokens are long and random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def scopes_for(user: User) -> list[str]:
    """Return the actions that a token of somebody's may be for."""
    return [action for action in ACTIONS if can_somewhere(user, action)]


def issue(
    user: User, name: str, *, scopes: Iterable[str] = (), campaign: str = "", days: int | None = None
) -> str:
    """Make a token for a user and return it; it can't be shown again.

    Without scopes it is for all that its user may do, without `days` it doesn't end. Raises ValidationError,
    and PermissionDenied where a token that is limited itself asks for another.
    """
    if user.acts_by is not None and _limited(user.acts_by):
        raise PermissionDenied(_("A token that is limited can't make others."))
    scopes = sorted(set(scopes))
    unknown = [scope for scope in scopes if scope not in ACTIONS]
    if unknown:
        known = {"scope": unknown[0], "known": ", ".join(ACTIONS)}
        raise ValidationError({"scopes": _("“%(scope)s” is no scope; choose among %(known)s.") % known})
    if campaign:
        _check_campaign(user, campaign)
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise ValidationError({"days": _("A token may last 1 to %(most)s days.") % {"most": MOST_DAYS}})
    secret = PREFIX + secrets.token_urlsafe(32)
    ends = timezone.now() + timedelta(days=days) if days else None
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name, digest=digest(secret), scopes=scopes, campaign=campaign, expires_at=ends
        )
        audit.record(user, "issue token", token, name=name, scopes=scopes, campaign=campaign, days=days)
    return secret


def _limited(token: ApiToken) -> bool:
    return bool(token.scopes or token.campaign or token.expires_at)


def _check_campaign(user: User, slug: str) -> None:
    """Refuse a campaign that isn't there, or that a user has nothing to do with."""
    # by name, not by import: campaigns are a floor above
    campaigns = apps.get_model("labeling", "Campaign").objects.filter(slug=slug)
    member = Q(memberships__user=user)
    if not (campaigns if can(user, "view_campaigns") else campaigns.filter(member)).exists():
        raise ValidationError({"campaign": _("You have no campaign “%(slug)s”.") % {"slug": slug}})


def revoke(token: ApiToken) -> None:
    """End a token at once."""
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(token.user, "revoke token", token, name=token.name)


def find(token: str) -> ApiToken | None:
    """Return a token that is valid now, with its user, who then acts by it; and note that it was used."""
    now = timezone.now()
    valid = ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    known = valid.select_related("user").filter(digest=digest(token)).first()
    if known is None or not known.user.is_active:
        return None
    if known.last_used_at is None or known.last_used_at < now - FRESH:
        ApiToken.objects.filter(pk=known.pk).update(last_used_at=now)
    known.user.acts_by = known
    return known


class TokenAuthentication(BaseAuthentication):
    """Authenticate `Authorization: Token tst_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() not in {"token", "bearer"}:
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Send the header as: Authorization: Token tst_…")
        token = find(words[1])
        if token is None:
            raise AuthenticationFailed("This token is unknown, revoked or over.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"
