"""The pages of passkeys: made, named and removed; shown as second factor, alone on the way in, or once more.

What a browser says of one comes through a form, as JSON (static/js/passkeys.js). accounts.urls loads these
pages when one is asked for.
"""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    EditWebAuthnView,
    LoginWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts import two_factors
from accounts.factor_pages import own
from accounts.passkey_forms import NAME, NewPasskeyForm, PasskeyAgainForm, PasskeyAloneForm, PasskeyNameForm
from accounts.roles import signed_in_user
from accounts.sessions import device_of


@method_decorator(own, name="dispatch")
class AddPasskey(AddWebAuthnView):
    template_name = "accounts/passkey_add.html"
    form_class = NewPasskeyForm

    def get_initial(self) -> dict[str, Any]:
        """Suggest the name of the device."""
        return {"name": device_of(self.request.headers.get("User-Agent", ""))[:NAME]}

    @transaction.atomic
    def form_valid(self, form: NewPasskeyForm) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        user = signed_in_user(self.request)
        two_factors.note(
            self.request, user, "add passkey", Authenticator.Type.WEBAUTHN, name=form.cleaned_data["name"]
        )
        return response


@method_decorator(own, name="dispatch")
class RenamePasskey(EditWebAuthnView):
    template_name = "accounts/passkey_name.html"
    form_class = PasskeyNameForm
    success_url = reverse_lazy("mfa_index")

    @transaction.atomic
    def form_valid(self, form: PasskeyNameForm) -> HttpResponse:
        before, after = self.object.wrap().name, form.cleaned_data["name"]
        response: HttpResponse = super().form_valid(form)
        two_factors.note(
            self.request,
            signed_in_user(self.request),
            "rename passkey",
            before={"name": before},
            after={"name": after},
        )
        return response


@method_decorator(own, name="dispatch")
class RemovePasskey(RemoveWebAuthnView):
    template_name = "accounts/passkey_remove.html"
    success_url = reverse_lazy("mfa_index")

    @transaction.atomic
    def form_valid(self, form: forms.Form) -> HttpResponse:
        name = self.object.wrap().name
        response: HttpResponse = super().form_valid(form)
        two_factors.note(self.request, signed_in_user(self.request), "remove passkey", name=name)
        return response


@method_decorator(never_cache, name="dispatch")
class SignInByPasskey(LoginWebAuthnView):
    """What the sign-in page's script asks for, and where it sends the answer."""

    form_class = PasskeyAloneForm

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        messages.error(self.request, _refused(form))
        return redirect("login")


@method_decorator(own, name="dispatch")
class ConfirmByPasskey(ReauthenticateWebAuthnView):
    template_name = "accounts/confirm_passkey.html"
    form_class = PasskeyAgainForm

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        messages.error(self.request, _refused(form))
        return redirect(self.request.get_full_path())


def _refused(form: forms.Form) -> str:
    waits = any(
        error.code == "too_many_login_attempts" for error in form.errors.as_data().get("credential", [])
    )
    if waits:
        return _("Too many attempts failed. Wait a few minutes, and try again.")
    return _("This passkey was not recognised. Try again, or choose another way.")
