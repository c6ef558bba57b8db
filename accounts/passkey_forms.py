"""What browsers say of passkeys, as forms take it in: anybody may send anything as such."""

import struct
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.utils.translation import gettext_lazy

from accounts import json_body

NAME = 60  # characters
# what the library's parsers raise for what is no passkey, besides refusing it
FAULTS = (AttributeError, LookupError, RecursionError, TypeError, ValueError, struct.error)


class Checked(forms.Form):
    """Refuse whatever is no passkey like one that is wrong."""

    def full_clean(self) -> None:
        try:
            super().full_clean()
        except FAULTS:
            self.add_error("credential", get_adapter().validation_error("incorrect_code"))


class NewPasskeyForm(Checked, AddWebAuthnForm):
    """The browser's word, a name, and whether the passkey alone shall let its owner in."""

    name = forms.CharField(label=gettext_lazy("Name"), required=False, max_length=NAME)
    passwordless = forms.BooleanField(
        label=gettext_lazy("Sign in with it alone, without name and password"), required=False, initial=True
    )

    def clean(self) -> dict[str, Any]:
        """Keep what was chosen where the library reads it, instead of what the browser says there."""
        data: dict[str, Any] = super().clean() or {}
        if credential := data.get("credential"):
            json_body.check(credential)
            credential["clientExtensionResults"] = {"credProps": {"rk": data["passwordless"]}}
        return data


class PasskeyNameForm(EditWebAuthnForm):
    """A new name."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME)


class PasskeyForm(Checked, AuthenticateWebAuthnForm):
    """A passkey shown after the password."""


class PasskeyAloneForm(Checked, LoginWebAuthnForm):
    """A passkey shown instead of name and password."""

    def clean_credential(self) -> Authenticator:
        """Refuse those whose owners want them asked for after the password only."""
        passkey: Authenticator = super().clean_credential()
        if not passkey.wrap().is_passwordless:
            raise get_adapter().validation_error("incorrect_code")
        return passkey


class PasskeyAgainForm(Checked, ReauthenticateWebAuthnForm):
    """A passkey shown once more before something weighty."""
