"""Forms of the account pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Role


class TokenForm(forms.Form):
    """Name a new API token."""

    name = forms.CharField(max_length=80, label=_("What is it for?"), help_text=_("e.g. nightly import"))


class InviteForm(forms.Form):
    """Invite a person; they choose their own password."""

    username = forms.CharField(max_length=150, label=_("User name"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"))
    email = forms.EmailField(required=False, label=_("Email"), help_text=_("Optional; nothing is sent."))
