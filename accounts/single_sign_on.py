"""Single sign-on by OpenID Connect, and how the program wants its sign-in library (django-allauth) to behave.

config.settings reads the provider from the environment. Its word is taken only with an id_token that its
published keys signed, for this client and in time.
"""

import logging
from typing import Any, NoReturn

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts import audit, sessions, two_factors, whence
from accounts.models import User

logger = logging.getLogger(__name__)
PROVIDER = "sso"
NOBODY = "none"  # as the role of newcomers: they are refused


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves, and signing in is no news."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: our pages speak for themselves."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that failed sign-ins are counted by."""
        return whence.address_of(request) or "unknown"

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        return refusal(request, _("This account is kept out. Ask a manager to let it in."))


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Who may come by single sign-on, and what newcomers are."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse foreign domains; newcomers also without a role for them, or with somebody's address."""
        email = next((a.email.lower() for a in sociallogin.email_addresses if a.verified), "")
        domains = settings.OIDC_DOMAINS
        if domains and email.rpartition("@")[2] not in domains:
            refuse(request, _("Only people with a confirmed address at %(domains)s come in this way.")
                   % {"domains": ", ".join(domains)})  # fmt: skip
        if sociallogin.is_existing:
            if sociallogin.account.pk is None and sociallogin.user.is_active:
                self._begin_anew(sociallogin.user)
            return
        if settings.OIDC_ROLE == NOBODY:
            refuse(request, _("Nobody here has this address yet. Ask a manager to invite you."))
        claimed = [a.email for a in sociallogin.email_addresses]
        if any(User.objects.filter(email__iexact=address).exists() for address in claimed):
            refuse(request, _("Somebody here has this address, and your provider does not confirm that it is "
                              "yours. Sign in with your password."))  # fmt: skip

    def _begin_anew(self, user: User) -> None:
        """End whatever else opens an account that somebody has just shown to be theirs.

        Until now nobody had proved that the address is theirs: whoever knew the account's link or password
        may have set up factors and tokens.
        """
        with transaction.atomic():
            two_factors.take_away(user, by=user)
            told = {"password": "ended"} if user.has_usable_password() else {}
            user.set_unusable_password()
            user.save(update_fields=["password"])
            sessions.sign_out(user, by=user, **told)

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Return who here has an address that the provider confirms, whatever its case; none for two."""
        for address in (a.email for a in sociallogin.email_addresses if a.verified):
            users = list(User.objects.filter(email__iexact=address, imported=False)[:2])
            if len(users) == 1:
                return users[0], address
        return None

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return True  # pre_social_login has let them through

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make a newcomer, with the role that settings name."""
        sociallogin.user.role = settings.OIDC_ROLE
        user: User = super().save_user(request, sociallogin, form)
        audit.record(user, "come by single sign-on", user, username=user.username, role=user.role)
        return user

    def on_authentication_error(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Say so on a page of our own; what went wrong is in the log."""
        error = kwargs.get("exception") or kwargs.get("error")
        refuse(request, _("The provider did not say who you are, or not so that it can be trusted."), error)


def refusal(request: HttpRequest, says: str) -> HttpResponse:
    """Answer that somebody may not come in, and why."""
    return render(request, "accounts/refused.html", {"says": says}, status=403)


def unreachable(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer that the provider can't be asked now."""
    logger.warning("Single sign-on can't reach its provider: %s", error)
    says = _("The provider can not be reached now. Try again in a while, or sign in with your password.")
    return render(request, "accounts/refused.html", {"says": says}, status=503)


def refuse(request: HttpRequest, says: str, error: object = None) -> NoReturn:
    """Break a sign-in off with a page that says why."""
    if error is not None:
        logger.warning("Single sign-on was refused: %s", error)
    raise ImmediateHttpResponse(refusal(request, says))
