"""Forms of the account pages."""

from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User, languages

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
else:
    UserForm = forms.ModelForm


class LookForm(UserForm):
    """Choose how the pages look and which language they speak."""

    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=lambda: [("", _("As the browser asks")), *languages()],
    )

    class Meta:
        model = User
        fields = ["language", "theme", "text_size", "density"]
        widgets = {
            "theme": forms.RadioSelect,
            "text_size": forms.RadioSelect,
            "density": forms.RadioSelect,
        }


class TokenForm(forms.Form):
    """Name a new API token."""

    name = forms.CharField(max_length=80, label=_("What is it for?"), help_text=_("e.g. nightly import"))


class InviteForm(forms.Form):
    """Invite a person; they choose their own password."""

    username = forms.CharField(max_length=150, label=_("User name"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"))
    email = forms.EmailField(required=False, label=_("Email"), help_text=_("Optional; nothing is sent."))
