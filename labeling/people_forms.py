"""Forms of the pages that bring people in: links, lists, pools, and what a newcomer says."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.db.models import QuerySet
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import Pool, Role
from labeling import invitations

PASSWORD_HELP = lazy(password_validators_help_text_html, str)


class GivesForm(forms.Form):
    """What an invitation gives, and for how long; pools are for who administers people."""

    role = forms.ChoiceField(choices=Role.choices, label=_("Role"))
    days = forms.IntegerField(
        min_value=1, max_value=invitations.MOST_DAYS, initial=invitations.DAYS, label=_("Days it holds")
    )
    pool = forms.ModelChoiceField(
        queryset=Pool.objects.none(), required=False, label=_("Pool"), empty_label=_("None"),
        help_text=_("Who comes joins it, and with it its campaigns."),
    )  # fmt: skip

    def __init__(self, *args: Any, pools: QuerySet[Pool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["pool"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = pools
        if not pools.exists():
            del self.fields["pool"]
        self.order_fields(["people", "role", "uses", "days", "skills", "pool"])


class LinkForm(GivesForm):
    """One link for one person or many."""

    uses = forms.IntegerField(
        min_value=1, max_value=invitations.MOST_USES, initial=1, label=_("How many people may use it")
    )
    skills = forms.CharField(
        required=False, max_length=500, label=_("Skills and languages"),
        help_text=_("Noted for whoever comes; commas between them, e.g. arabic, medicine"),
    )  # fmt: skip

    def clean_skills(self) -> list[str]:
        return str(self.cleaned_data["skills"]).split(",")


class ListForm(GivesForm):
    """A link for each person on a list."""

    people = forms.CharField(
        label=_("People"), max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_("One on a line: name, e-mail, languages. Only one of name and e-mail is needed, e.g. "
                    "Rosa Luz, rosa@example.org, spanish english"),
    )  # fmt: skip
    mail = forms.BooleanField(required=False, label=_("Mail everybody their link"))

    def __init__(self, *args: Any, can_mail: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not can_mail:
            del self.fields["mail"]


class JoinForm(forms.Form):
    """What somebody who comes by a link says of themselves."""

    username = forms.CharField(
        max_length=150, label=_("User name"),
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
        help_text=_("Letters, digits and @ . + - _ only; others see it."),
    )  # fmt: skip
    email = forms.EmailField(required=False, label=_("Email"), help_text=_("Optional."))
    password = forms.CharField(
        label=_("Password"), strip=False, help_text=PASSWORD_HELP(),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip


class PoolForm(forms.Form):
    """Name a new pool."""

    name = forms.CharField(max_length=80, label=_("Name"), help_text=_("e.g. Spanish speakers, Night shift"))


class MembersForm(forms.Form):
    """Put people into a pool."""

    usernames = forms.CharField(
        label=_("User names"), max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One on a line, or with commas between them."),
    )  # fmt: skip

    def clean_usernames(self) -> list[str]:
        return str(self.cleaned_data["usernames"]).replace("\n", ",").split(",")
