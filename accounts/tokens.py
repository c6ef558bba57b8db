"""API tokens: shown once, kept as a hash, revocable."""

import hashlib
import secrets

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken, User

PREFIX = "tst_"


def digest(token: str) -> str:
    """Return the hash under which a token is kept; tokens are long and random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue(user: User, name: str) -> str:
    """Make a token for a user and return it; it can't be shown again."""
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, name=name, digest=digest(token))
    return token


def revoke(token: ApiToken) -> None:
    """End a token at once."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def find(token: str) -> ApiToken | None:
    """Return a token that is valid now, with its user, and note that it was used."""
    known = ApiToken.objects.select_related("user").filter(digest=digest(token), revoked_at=None).first()
    if known is None or not known.user.is_active:
        return None
    ApiToken.objects.filter(pk=known.pk).update(last_used_at=timezone.now())
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
            raise AuthenticationFailed("This token is unknown or revoked.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"
