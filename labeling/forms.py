"""Forms of the manager's pages."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Pool, User
from labeling.models import Criterion

if TYPE_CHECKING:
    CriterionModelForm = forms.ModelForm[Criterion]
else:
    CriterionModelForm = forms.ModelForm


class GuidelineForm(forms.Form):
    """The next version of the instructions."""

    text = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 18}), label=_("Text"), help_text=_("Markdown.")
    )


class CriterionForm(CriterionModelForm):
    """A quality that raters grade beside the verdict."""

    class Meta:
        model = Criterion
        fields = ["key", "name", "points", "required"]
        labels = {
            "key": _("Key"),
            "name": _("Shown as"),
            "points": _("Grades"),
            "required": _("Must be graded"),
        }
        help_texts = {"key": _("Its name in datasets, e.g. helpful."), "points": _("From 1 to this many.")}


class FindForm(forms.Form):
    """Look for people who could rate in a campaign."""

    find = forms.CharField(required=False, max_length=150, label=_("Name"))
    pool = forms.ModelChoiceField(
        Pool.objects.none(), required=False, label=_("Of the pool"), empty_label=_("Any")
    )

    def __init__(self, *args: Any, pools: QuerySet[Pool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["pool"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = pools


class AddRatersForm(forms.Form):
    """Let people rate in a campaign."""

    users = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),
        label=_("People"),
        error_messages={"required": _("Tick at least one person.")},
    )

    def __init__(self, *args: Any, choices: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["users"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = choices


class UploadForm(forms.Form):
    """A file, or its text pasted."""

    file = forms.FileField(required=False, label=_("File"))
    text = forms.CharField(
        required=False,
        strip=False,
        label=_("… or paste it"),
        widget=forms.Textarea(attrs={"rows": 6, "class": "code", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if bool(data.get("file")) == bool((data.get("text") or "").strip()):
            self.add_error("file", _("Choose a file or paste a text (one of the two)."))
        return data
