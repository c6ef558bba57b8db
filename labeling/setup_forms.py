"""Forms of a campaign's setup, one a step; each choice is explained where it is made."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from labeling.demo import POLICY
from labeling.models import Campaign
from labeling.settings_forms import SettingsForm
from labeling.setup import KINDS, kind_of
from models_app import registry
from models_app.models import ModelVersion

if TYPE_CHECKING:
    CampaignModelForm = forms.ModelForm[Campaign]
else:
    CampaignModelForm = forms.ModelForm

KIND_CHOICES = [
    ("compare", _("Compare two answers")),
    ("edit", _("Edit an answer until it is good")),
    ("rank", _("Put several answers in order")),
    ("chat", _("Talk with two policies, and pick the better answer at each turn")),
    ("mixed", _("A mixture: four comparisons for each edit")),
]
COMMON = [
    ("helpful", _("Helpful")),
    ("honest", _("Honest")),
    ("harmless", _("Harmless")),
    ("correct", _("Correct")),
    ("clear", _("Clear")),
]


class BasicsForm(forms.Form):
    """What a campaign is called, and what it asks of raters."""

    name = forms.CharField(
        max_length=120,
        label=_("Name"),
        help_text=_("Raters see it in their list of work."),
    )
    description = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label=_("Description"),
        help_text=_("One sentence for raters and colleagues; may stay empty."),
    )
    kind = forms.ChoiceField(
        choices=KIND_CHOICES, initial="compare", widget=forms.RadioSelect, label=_("What do raters do?")
    )

    def __init__(self, *args: Any, campaign: Campaign | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = kind_of(campaign) if campaign else ""
        if campaign is not None:
            about = {"name": campaign.name, "description": campaign.description, "kind": self.before}
            self.initial = about

    def settings(self) -> dict[str, Any]:
        """Return what campaigns.create and campaigns.update take; shares only where the kind is another."""
        data = self.cleaned_data
        shares = {} if data["kind"] == self.before else KINDS[data["kind"]]
        return {"name": data["name"], "description": data["description"], **shares}


class QuestionForm(CampaignModelForm):
    """How raters answer: the scale, ties, and what they grade beside the verdict."""

    common = forms.MultipleChoiceField(
        choices=COMMON,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("What else do they grade, for each answer?"),
    )
    own = forms.CharField(
        required=False,
        max_length=300,
        label=_("More of your own"),
        help_text=_("Separated by commas, such as: polite, well sourced. Each is graded from 1 to 5."),
    )

    class Meta(SettingsForm.Meta):
        fields = ["scale", "allow_ties", "red_team"]
        widgets: dict[str, Any] = {"scale": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scale"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = Campaign.Scale.choices  # a campaign always has one: no empty choice
        there = dict(self.instance.criteria.order_by("pk").values_list("key", "name"))
        self.initial["common"] = [key for key, _name in COMMON if key in there]
        self.initial["own"] = ", ".join(name for key, name in there.items() if key not in dict(COMMON))

    def clean_own(self) -> dict[str, str]:
        """Return the names of their own criteria by key."""
        names = [name.strip() for name in self.cleaned_data["own"].split(",") if name.strip()]
        keyed = {slugify(name)[:40]: name for name in names}
        if "" in keyed or any(len(name) > 80 for name in names):
            raise forms.ValidationError(
                _("Give each a name of at most 80 characters with a letter or a digit in it.")
            )
        return keyed

    def criteria(self) -> dict[str, str]:
        """Return the names of all criteria by key."""
        names = dict(COMMON)
        own: dict[str, str] = self.cleaned_data["own"]
        return {key: str(names[key]) for key in self.cleaned_data["common"]} | own


class PolicyForm(forms.Form):
    """Which policy answers the prompts."""

    base = forms.ChoiceField(widget=forms.RadioSelect, label=_("Who answers the prompts?"))
    existing = forms.ModelChoiceField(
        queryset=ModelVersion.objects.none(), required=False, label=_("Registered model")
    )
    location = forms.CharField(required=False, max_length=500, label=_("Folder, hub id or address"))
    server_model = forms.CharField(required=False, max_length=200, label=_("Model name at the server"))
    api_key_env = forms.CharField(
        required=False,
        max_length=80,
        label=_("Variable that holds the server's key"),
        help_text=_(
            "An environment variable of the workers whose name ends in _API_KEY; "
            "the key itself is not stored."
        ),
    )

    def __init__(self, *args: Any, by: User, policy: str = "", answered: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = registry.visible_to(by).filter(kind=ModelVersion.Kind.POLICY)
        choices = choices.exclude(backend=ModelVersion.Backend.IMPORTED)
        existing = self.fields["existing"]
        assert isinstance(existing, forms.ModelChoiceField)
        existing.queryset = choices.order_by("-pk")
        existing.label_from_instance = named  # type: ignore[method-assign]
        base = self.fields["base"]
        assert isinstance(base, forms.ChoiceField)
        none = _("Nobody: answers come with the import")
        base.choices = [
            ("none", _("The policy that does so now") if policy else none),
            ("demo", _("The demo policy: small, for everyday questions")),
            ("existing", _("A model that is registered already")),
            ("transformers", _("A Transformers checkpoint: a folder or a hub id")),
            ("openai_compatible", _("A server that speaks the chat-completions protocol")),
        ]
        base.initial = "none" if policy or answered else "demo"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        base = data.get("base")
        if base == "existing" and not data.get("existing"):
            self.add_error("existing", _("Choose one of the registered models."))
        if base in {"transformers", "openai_compatible"} and not data.get("location"):
            self.add_error("location", _("Say where the model is."))
        if base == "openai_compatible" and not data.get("server_model"):
            self.add_error("server_model", _("Name the model that the server should use."))
        return data

    def policy(self) -> dict[str, Any] | None:
        """Return what campaigns.set_base_policy takes; None where nothing is to change."""
        data = self.cleaned_data
        if data["base"] == "none":
            return None
        if data["base"] == "demo":
            return {"name": "demo", "backend": ModelVersion.Backend.TRANSFORMERS, "location": str(POLICY)}
        if data["base"] == "existing":
            version: ModelVersion = data["existing"]
            about = ("name", "backend", "location", "options")
            return {name: getattr(version, name) for name in about}
        options = {"model": data["server_model"], "api_key_env": data["api_key_env"]}
        return {
            "name": "base",
            "backend": data["base"],
            "location": data["location"],
            "options": options if data["base"] == ModelVersion.Backend.OPENAI else {},
        }

    def blame(self) -> str:
        """Name the field that a refused model came from."""
        fields = {"existing": "existing", "transformers": "location", "openai_compatible": "location"}
        return fields.get(self.cleaned_data["base"], "base")


class ChecksForm(CampaignModelForm):
    """How many raters judge each task, and how they are checked."""

    class Meta(SettingsForm.Meta):
        fields = ["overlap", "gold_share", "repeat_share", "pass_mark", "test_attempts"]
        widgets: dict[str, Any] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "checks" not in self.instance.setup_seen and not self.instance.gold_share:
            self.initial["gold_share"] = 0.1


class TrainingForm(CampaignModelForm):
    """When the models are retrained, and for how long the loop goes on."""

    stages = SettingsForm.base_fields["stages"]

    class Meta(SettingsForm.Meta):
        fields = ["tasks_per_round", "retrain_after", "max_rounds", "stages"]
        widgets: dict[str, Any] = {}


class KnownForm(forms.Form):
    """The right verdicts on some comparisons, as far as they are known."""

    def __init__(self, *args: Any, tasks: list[Any], verdicts: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tasks = tasks
        for task in tasks:
            self.fields[f"known-{task.pk}"] = forms.TypedChoiceField(
                coerce=int,
                empty_value=None,
                required=False,
                choices=[("", _("Not known")), *verdicts],
                label=_("The right verdict"),
            )

    def rows(self) -> list[tuple[Any, forms.BoundField]]:
        """Return each comparison with its field."""
        return [(task, self[f"known-{task.pk}"]) for task in self.tasks]

    def known(self) -> list[tuple[Any, int]]:
        """Return the comparisons whose verdict was given, with it."""
        found = [(task, self.cleaned_data[f"known-{task.pk}"]) for task in self.tasks]
        return [(task, verdict) for task, verdict in found if verdict is not None]


class CloneForm(forms.Form):
    """What of a campaign comes along into its copy."""

    name = forms.CharField(
        max_length=120, label=_("Name of the copy"), help_text=_("Its address is made of it.")
    )
    prompts = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Prompts, and the gold tasks among them"),
        help_text=_("Otherwise you import others."),
    )
    policy = forms.BooleanField(
        required=False,
        initial=True,
        label=_("The policy that answers now"),
        help_text=_("It begins a line of models of its own."),
    )
    raters = forms.BooleanField(
        required=False, initial=True, label=_("The people"), help_text=_("Everybody keeps the same role.")
    )


def named(obj: ModelVersion) -> str:
    """Tell models of the same name apart by their family."""
    return f"{obj.name} ({obj.family})"
