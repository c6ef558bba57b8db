"""The two addresses of single sign-on: away to the provider, and back from there."""

from typing import Any

from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponse


class Adapter(OpenIDConnectOAuth2Adapter):
    """allauth's, but that an id_token's signature is always checked, and all else is about one person."""

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Return who signs in, from a checked id_token; what it leaves out, the provider is asked."""
        signed = kwargs["response"].get("id_token")
        if not signed:
            raise OAuth2Error("The provider sent no id_token.")
        self.did_fetch_access_token = False  # else the library trusts the connection that it came by
        claims = self._decode_id_token(app, signed)
        if "email" not in claims and "userinfo_endpoint" in self.openid_config:
            more = self._fetch_user_info(token.token)
            if more.get("sub") != claims["sub"]:
                raise OAuth2Error("The provider speaks of two people.")
            claims = {**more, **claims}
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})


def leave(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send somebody to the provider."""
    return _through(OAuth2LoginView, request, provider_id)


def come_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take in whom the provider sends back."""
    return _through(OAuth2CallbackView, request, provider_id)


def _through(view: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        adapter = Adapter(request, provider_id)
        adapter.get_provider()
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
    response: HttpResponse = view.adapter_view(adapter)(request)
    return response
