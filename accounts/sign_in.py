"""Signing in: by name and password, then by a second factor where somebody has one."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from accounts.single_sign_on import PROVIDER


class SignInForm(AuthenticationForm):
    """A name and a password; too many wrong ones have to wait."""

    def clean(self) -> dict[str, Any]:
        """Check them, through the library that counts what fails by name and by address."""
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name is not None and password:
            self.user_cache = get_adapter().authenticate(self.request, username=name, password=password)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data


# around it all: whoever is signed in is sent on before Django's view looks at the method
@method_decorator(require_http_methods(["GET", "HEAD", "POST"]), name="dispatch")
class SignInView(LoginView):
    """The way in."""

    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign somebody in, or ask for their second factor first."""
        login = Login(user=form.get_user(), redirect_url=self.get_success_url(), email_verification="none")
        name = {"username": form.get_user().get_username()}
        response: HttpResponse = perform_password_login(self.request, name, login)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say whether there is single sign-on, and what it is called."""
        provider = {"provider": PROVIDER, "provider_name": settings.OIDC_NAME} if settings.OIDC_ISSUER else {}
        return {**super().get_context_data(**kwargs), **provider}
