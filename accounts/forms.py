"""Forms of the account pages."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import audit_names
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


SCOPES = {
    "rate": _("Rate: get tasks and answer them"),
    "view_campaigns": _("Look: campaigns, their rounds, runs, models and figures"),
    "manage": _("Manage: settings, imports, raters, rounds, reviews and runs of campaigns"),
    "export": _("Export: cut datasets and download them"),
    "administer": _("Administer: people, the audit log, new campaigns, models"),
    "own_account": _("Own account: settings and tokens"),
}


class TokenForm(forms.Form):
    """Say what a new API token is for; nothing ticked: all that one may do oneself."""

    name = forms.CharField(max_length=80, label=_("What is it for?"), help_text=_("e.g. nightly import"))
    scopes = forms.MultipleChoiceField(
        required=False,
        label=_("What may it do?"),
        help_text=_("Tick nothing for all that you may do yourself."),
        widget=forms.CheckboxSelectMultiple,
    )
    campaign = forms.CharField(
        required=False,
        max_length=60,
        label=_("Only in one campaign"),
        help_text=_("The campaign's short name, as in its address; empty for all."),
    )
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        label=_("Days until it ends"),
        help_text=_("Empty: it lasts until you revoke it."),
    )

    def __init__(self, *args: Any, scopes: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(scope, SCOPES[scope]) for scope in scopes]


class AuditForm(forms.Form):
    """Choose what of the audit log is shown."""

    who = forms.CharField(required=False, max_length=150, label=_("Who"))
    what = forms.ChoiceField(required=False, label=_("Did"), choices=audit_names.choices)
    campaign = forms.SlugField(required=False, max_length=60, label=_("Campaign"))
    since = forms.DateField(
        required=False, label=_("From day"), widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(required=False, label=_("To day"), widget=forms.DateInput(attrs={"type": "date"}))


class InviteForm(forms.Form):
    """Invite a person; they choose their own password."""

    username = forms.CharField(max_length=150, label=_("User name"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"))
    email = forms.EmailField(required=False, label=_("Email"), help_text=_("Optional; nothing is sent."))
