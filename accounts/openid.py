"""The two addresses of single sign-on: away to the provider, and back from there."""

import secrets
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from requests import RequestException

from accounts.single_sign_on import unreachable


class Adapter(OpenIDConnectOAuth2Adapter):
    """allauth's, but that an id_token's signature and nonce are always checked, and all is of one person."""

    nonce = ""  # what this browser's way to the provider began with

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Return who signs in, from a checked id_token; what it leaves out, the provider is asked."""
        signed = kwargs["response"].get("id_token")
        if not signed:
            raise OAuth2Error("The provider sent no id_token.")
        self.did_fetch_access_token = False  # else the library trusts the connection that it came by
        claims = self._decode_id_token(app, signed)
        if not self.nonce or not constant_time_compare(str(claims.get("nonce")), self.nonce):
            raise OAuth2Error("The id_token answers another request.")
        if "email" not in claims and "userinfo_endpoint" in self.openid_config:
            more = self._fetch_user_info(token.token)
            if more.get("sub") != claims["sub"]:
                raise OAuth2Error("The provider speaks of two people.")
            claims = {**more, **claims}
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})


class ComeBack(OAuth2CallbackView):
    """allauth's, which keeps to itself with what a way to the provider began."""

    def _get_state(self, request: HttpRequest, provider: OpenIDConnectProvider) -> Any:
        state, refusal = super()._get_state(request, provider)
        self.adapter.nonce = (state or {}).get("nonce", "")
        return state, refusal


def leave(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send somebody to the provider: to sign in, and nothing else that a link asks."""
    # the button is a link: a form that ends at the provider is what the content policy forbids
    provider = _adapter(request, provider_id).get_provider()
    nonce = secrets.token_urlsafe(24)
    try:
        away: HttpResponse = provider.redirect(
            request,
            AuthProcess.LOGIN,
            get_next_redirect_url(request),
            auth_params={"nonce": nonce},
            nonce=nonce,
        )
    except RequestException as error:
        return unreachable(request, error)
    return away


def come_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take in whom the provider sends back."""
    response: HttpResponse = ComeBack.adapter_view(_adapter(request, provider_id))(request)
    return response


def _adapter(request: HttpRequest, provider_id: str) -> Adapter:
    try:
        adapter = Adapter(request, provider_id)
        adapter.get_provider()
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
    return adapter
