"""A second factor: codes of an authenticator app, passkeys and recovery codes; who must have one."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Role, User

MANAGERS, EVERYBODY = "managers", "everybody"
# what somebody without the factor that they need may open: to set it up, and to leave
OPEN = frozenset(
    {"mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate", "mfa_reauthenticate",
     "mfa_reauthenticate_webauthn", "mfa_view_recovery_codes", "mfa_generate_recovery_codes",
     "login", "logout", "api_me"}
)  # fmt: skip


class Adapter(DefaultMFAAdapter):
    """Keep secrets under a key that is made of SECRET_KEY, so that the database alone opens nothing."""

    @cached_property
    def _box(self) -> Any:
        from cryptography.fernet import Fernet  # of no use to most processes

        key = hashlib.sha256(b"second factors" + settings.SECRET_KEY.encode()).digest()
        return Fernet(base64.urlsafe_b64encode(key))

    def encrypt(self, text: str) -> str:
        return str(self._box.encrypt(text.encode()).decode())

    def decrypt(self, encrypted_text: str) -> str:
        return str(self._box.decrypt(encrypted_text.encode()).decode())


def must_have(user: User) -> bool:
    """Tell whether settings ask a second factor of somebody."""
    if settings.REQUIRE_TWO_FACTORS == EVERYBODY:
        return True
    manages = user.is_superuser or user.role == Role.MANAGER or Role.MANAGER in user.campaign_roles.values()
    return settings.REQUIRE_TWO_FACTORS == MANAGERS and manages


def was_shown(request: HttpRequest, user: User) -> bool:
    """Tell whether this session began with a second factor, or by single sign-on, which sees to its own."""
    records = get_authentication_records(request, user)
    return any(record["method"] in {"mfa", "socialaccount"} for record in records)


def note(request: HttpRequest, user: User, action: str, shown: str = "", **detail: Any) -> None:
    """Write down that somebody changed a factor; who set one up just now has `shown` it."""
    audit.record(user, action, user, **detail)
    if shown:
        record_authentication(request, user, method="mfa", type=str(shown))


def take_away(user: User, *, by: User) -> None:
    """Remove somebody's factors, who has lost them; they sign in by their password again."""
    if Authenticator.objects.filter(user=user).delete()[0]:
        audit.record(by, "remove second factor", user)


class Demand:
    """Let those who must have a second factor do nothing before they have shown it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.REQUIRE_TWO_FACTORS:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        """Send them to where they set it up."""
        user, match = request.user, request.resolver_match
        if not isinstance(user, User) or match is None or match.url_name in OPEN or not must_have(user):
            return None
        if was_shown(request, user):
            return None
        says = _("Your role needs a second factor: set it up, or sign in again with it.")
        if request.path.startswith("/api/"):
            return JsonResponse({"detail": says}, status=403)
        messages.warning(request, says)
        return redirect("mfa_index")
