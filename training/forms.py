"""The form by which a snapshot is put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Func
from django.utils.translation import gettext_lazy as _

from accounts.models import Skill
from labeling.models import Campaign, Criterion, Guideline, Prompt, Round, Task
from models_app.models import ModelVersion
from training.models import Statement

if TYPE_CHECKING:
    StatementModelForm = forms.ModelForm[Statement]
else:
    StatementModelForm = forms.ModelForm

MOST_TAGS = 40


class Listed(forms.MultipleChoiceField):
    """Any of several, as check boxes."""

    widget = forms.CheckboxSelectMultiple


class SnapshotForm(forms.Form):
    """Ask for the filters of training.filters, offering what the campaigns have."""

    # named on the page already, and looked up when it is cut
    campaigns = forms.MultipleChoiceField(widget=forms.MultipleHiddenInput)

    rounds = Listed(label=_("Rounds"))
    kinds = Listed(label=_("Kinds of task"), choices=Task.Kind.choices)
    languages = Listed(label=_("Languages"))
    tags = Listed(label=_("Tags"))
    policies = Listed(label=_("Policies"), help_text=_("All answers of a task are theirs."))
    guidelines = Listed(label=_("Guideline versions"))
    skills = Listed(label=_("Raters' skills"))
    criteria = Listed(label=_("Criteria"), help_text=_("Only judgments that grade one of them."))
    since = forms.DateField(label=_("From this day"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Before this day"), widget=forms.DateInput(attrs={"type": "date"}))
    min_reliability = forms.FloatField(
        label=_("Least weight of a vote"), min_value=0, max_value=1,
        help_text=_("What its rater's votes count for, 0 to 1."),
    )  # fmt: skip
    min_agreement = forms.FloatField(
        label=_("Least agreement"), min_value=0, max_value=1,
        help_text=_("Among the votes on a comparison, 0 to 1."),
    )  # fmt: skip
    ties = forms.ChoiceField(label=_("Ties"), choices=[("keep", _("keep")), ("drop", _("leave out"))])
    uncounted = forms.ChoiceField(
        label=_("Extra, withdrawn and superseded"),
        choices=[("keep", _("keep, marked")), ("drop", _("leave out"))],
    )
    consensus = forms.ChoiceField(
        label=_("Consensus"),
        choices=[
            ("reliability", _("votes weigh what their raters do")),
            ("majority", _("all votes weigh the same")),
            ("each", _("a row for each judgment")),
        ],
    )

    def __init__(self, campaigns: Sequence[Campaign], *args: Any, **kwargs: Any) -> None:
        """Take the campaign that is cut first, and then those beside it."""
        super().__init__(*args, **kwargs)
        beside = [campaign.slug for campaign in campaigns[1:]]
        self.initial["campaigns"] = beside
        for name, found in {**_offered(campaigns), "campaigns": [(slug, slug) for slug in beside]}.items():
            listed = self.fields[name]
            assert isinstance(listed, forms.MultipleChoiceField)
            listed.choices = found
        for each in self.fields.values():
            each.required = False
            if isinstance(each, forms.FloatField):
                each.widget.attrs["step"] = 0.05
        self.many = [name for name, each in self.fields.items() if isinstance(each, Listed)]

    def offered(self) -> list[forms.BoundField]:
        """Return the lists that offer a choice."""
        least = {"criteria": 1}  # taking one of one leaves out what isn't graded
        return [self[name] for name in self.many if len(list(self[name])) >= least.get(name, 2)]

    def filters(self) -> dict[str, Any]:
        """Return what is set, as training.filters reads it."""
        found = {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])}
        for name in ("rounds", "guidelines"):
            if name in found:
                found[name] = [int(number) for number in found[name]]
        return {
            name: value.isoformat() if name in ("since", "until") else value for name, value in found.items()
        }


class StatementForm(StatementModelForm):
    """Ask for what no row tells of a campaign's data."""

    class Meta:
        model = Statement
        fields = ["licence", "collected", "payment", "uses", "limits", "contact"]
        labels = {
            "licence": _("Licence of the data"),
            "collected": _("How raters were found, and the data collected"),
            "payment": _("How raters are paid"),
            "uses": _("What the data is meant for, and what not"),
            "limits": _("Known limits"),
            "contact": _("Whom to ask, also for withdrawal"),
        }
        help_texts = {
            "licence": _("As model hubs spell it, such as cc-by-4.0; other words are kept as they are."),
        }
        widgets = {
            name: forms.Textarea(attrs={"rows": 3, "dir": "auto"})
            for name in ("collected", "payment", "uses", "limits")
        }


def _offered(campaigns: Sequence[Campaign]) -> dict[str, list[tuple[str, str]]]:
    """Return what each list offers in some campaigns."""
    prompts = Prompt.objects.filter(campaign__in=campaigns).order_by()
    languages = prompts.exclude(language="").values_list("language", flat=True).distinct()[:MOST_TAGS]
    tags = prompts.annotate(tag=Func("tags", function="unnest")).values_list("tag", flat=True).distinct()
    policies = ModelVersion.objects.filter(
        family__in=[campaign.model_family for campaign in campaigns], kind=ModelVersion.Kind.POLICY
    )
    skills = Skill.objects.filter(user__memberships__campaign__in=campaigns).distinct()
    criteria = Criterion.objects.filter(campaign__in=campaigns).order_by("pk").values_list("key", "name")
    values: dict[str, Iterable[Any]] = {
        "rounds": _numbers(Round, campaigns),
        "guidelines": _numbers(Guideline, campaigns),
        "languages": sorted(languages),
        "tags": sorted(tags[:MOST_TAGS]),
        "policies": dict.fromkeys(policies.order_by("pk").values_list("name", flat=True)),
        "skills": skills.order_by("name").values_list("name", flat=True),
    }
    offered = {name: [(str(value), str(value)) for value in found] for name, found in values.items()}
    return offered | {"criteria": list(dict(criteria).items())}


def _numbers(model: type[Round | Guideline], campaigns: Sequence[Campaign]) -> list[int]:
    found = model._default_manager.filter(campaign__in=campaigns).order_by("number")
    return list(found.values_list("number", flat=True).distinct())
