"""Addresses of the account pages."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponseBase
from django.urls import path, reverse_lazy
from django.views.decorators.http import require_http_methods

from accounts import audit_pages, people_pages, session_pages, sign_in, views


def later(module: str, name: str) -> Callable[..., HttpResponseBase]:
    """Return a view that is imported when it is first asked for."""

    @cache
    def load() -> Callable[..., HttpResponseBase]:
        found = getattr(import_module(module), name)
        view: Callable[..., HttpResponseBase] = found.as_view() if hasattr(found, "as_view") else found
        return view

    @require_http_methods(["GET", "HEAD", "POST"])
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return load()(request, *args, **kwargs)

    return answer


def factors(name: str) -> Callable[..., HttpResponseBase]:
    """Return a page of second factors."""
    return later("accounts.factor_pages", name)


def passkeys(name: str) -> Callable[..., HttpResponseBase]:
    """Return a page of passkeys."""
    return later("accounts.passkey_pages", name)


urlpatterns = [
    path("login/", sign_in.SignInView.as_view(), name="login"),
    # names that begin with account, mfa and openid_connect are those that django-allauth looks for
    path("login/", sign_in.SignInView.as_view(), name="account_login"),
    path("login/factor/", login_not_required(factors("AskFactor")), name="mfa_authenticate"),
    path("login/passkey/", login_not_required(passkeys("SignInByPasskey")), name="mfa_login_webauthn"),
    path("login/confirm/", factors("ConfirmByPassword"), name="account_reauthenticate"),
    path("login/confirm/factor/", factors("ConfirmByFactor"), name="mfa_reauthenticate"),
    path("login/confirm/passkey/", passkeys("ConfirmByPasskey"), name="mfa_reauthenticate_webauthn"),
    path(
        "login/with/<str:provider_id>/",
        login_not_required(later("accounts.openid", "leave")),
        name="openid_connect_login",
    ),
    path(
        "login/with/<str:provider_id>/back/",
        login_not_required(later("accounts.openid", "come_back")),
        name="openid_connect_callback",
    ),
    path("account/factors/", factors("Factors"), name="mfa_index"),
    path("account/factors/app/", factors("SetUp"), name="mfa_activate_totp"),
    path("account/factors/app/remove/", factors("TakeAway"), name="mfa_deactivate_totp"),
    path("account/factors/passkeys/new/", passkeys("AddPasskey"), name="mfa_add_webauthn"),
    path("account/factors/passkeys/<int:pk>/name/", passkeys("RenamePasskey"), name="mfa_edit_webauthn"),
    path("account/factors/passkeys/<int:pk>/remove/", passkeys("RemovePasskey"), name="mfa_remove_webauthn"),
    path("account/factors/codes/", factors("Codes"), name="mfa_view_recovery_codes"),
    path("account/factors/codes/new/", factors("NewCodes"), name="mfa_generate_recovery_codes"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("welcome/<str:uidb64>/<str:token>/", views.WelcomeView.as_view(), name="welcome"),
    path("settings/", views.settings, name="settings"),
    path("account/", views.account, name="tokens"),
    path(
        "account/password/",
        PasswordChangeView.as_view(
            http_method_names=views.PAGE_METHODS,
            template_name="accounts/password.html",
            success_url=reverse_lazy("settings"),
        ),
        name="password",
    ),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke_token"),
    path("account/sessions/", session_pages.sessions, name="sessions"),
    path("account/sessions/end/", session_pages.end, name="end_sessions"),
    path("people/<int:pk>/sign-out/", session_pages.sign_out_person, name="sign_out_person"),
    path("people/<int:pk>/factor/", session_pages.remove_factor, name="remove_factor"),
    path("people/", people_pages.people, name="people"),
    path("people/<int:pk>/active/", views.set_active, name="set_active"),
    path("people/<int:pk>/skills/", views.note_skills, name="note_skills"),
    path("audit/", audit_pages.show, name="audit"),
    path("audit.csv", audit_pages.download, name="audit_csv"),
]
