"""The form of a campaign's settings, in the groups of its page; the setup takes its texts from here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import audit_names, json_body, skills
from accounts.models import AuditEvent
from labeling import campaigns
from labeling.campaigns import CampaignError
from labeling.models import Campaign
from labeling.models.campaign import default_reasons
from models_app import sampling

if TYPE_CHECKING:
    CampaignModelForm = forms.ModelForm[Campaign]
else:
    CampaignModelForm = forms.ModelForm

DESIGN = ("champion_share", "history_share", "repeat_prompts")
STAGES = [
    ("sft", _("Learn from edits (SFT)")),
    ("dpo", _("Learn from judgments (DPO)")),
    ("best_of_n", _("Learn from the reward model's best of n")),
    ("rl", _("Learn by reinforcement (RL, needs TRL)")),
]


@dataclass(frozen=True)
class Group:
    """Settings that belong together: their title, and what they do, cost or are at first."""

    key: str
    title: Any
    about: Any
    names: tuple[str, ...]


GROUPS = (
    Group(
        "seen",
        _("What raters see"),
        _("In a new campaign they see answers at once, and say on seven points how much better one is."),
        (
            "name", "description", "scale", "allow_ties", "red_team", "reasons", "display_rate",
            "undo_minutes", "show_figures",
        ),
    ),
    Group(
        "kinds",
        _("What they are asked to do"),
        _("What the shares leave over are comparisons of two answers; at 0, all tasks are."),
        ("edit_share", "rank_share", "rank_size", "chat_share", "chat_turns"),
    ),
    Group(
        "who",
        _("Who works, and how much"),
        _("In a new campaign everybody who was let in may rate, as much as they like."),
        ("skills", "pass_mark", "test_attempts", "rater_limit", "daily_limit", "lease_minutes"),
    ),
    Group(
        "overlap",
        _("How many judgments"),
        _("More judgments of each task cost as much more work, and make each majority surer."),
        ("overlap", "overlap_cap", "certainty"),
    ),
    Group(
        "quality",
        _("How the work is checked"),
        _("Gold tasks and repeats look like any other task, and raters read that there are some."),
        ("gold_share", "repeat_share", "weigh_votes"),
    ),
    Group(
        "pairs",
        _("Which prompts and answers"),
        _("At 0, the policy in use gives all answers, and each round asks new prompts while there are any."),
        ("choose_pairs", "answers_per_prompt", "champion_share", "history_share", "repeat_prompts"),
    ),
    Group(
        "loop",
        _("Rounds and retraining"),
        _("When enough labels are in, the round closes, the models learn from it, and the next round opens."),
        ("tasks_per_round", "retrain_after", "max_rounds", "stages", "hyper"),
    ),
    Group(
        "drawing",
        _("How answers are drawn"),
        _("This holds for the policies' answers to a round's prompts; imported answers stay as they are."),
        ("temperature", "top_p", "max_new_tokens", "temperatures"),
    ),
)  # fmt: skip


class SettingsForm(CampaignModelForm):
    """A campaign's settings."""

    temperature = forms.FloatField(
        min_value=0.01,
        initial=1.0,
        label=_("Temperature"),
        help_text=_("How freely answers are drawn: low gives nearly always the same one."),
    )
    top_p = forms.FloatField(
        min_value=0.01,
        max_value=1,
        initial=1.0,
        label=_("Top-p"),
        help_text=_("Below 1, the least likely words are never drawn."),
    )
    max_new_tokens = forms.IntegerField(
        min_value=1,
        initial=96,
        label=_("Longest answer, in tokens"),
        help_text=_("A longer one is cut off there; 100 tokens are about 75 English words."),
    )
    stages = forms.MultipleChoiceField(
        choices=STAGES,
        required=False,
        initial=["sft", "best_of_n"],
        widget=forms.CheckboxSelectMultiple,
        label=_("How the policy is improved"),
        help_text=_("One after another, from the top. With none ticked, only the reward model is retrained."),
    )
    hyper = forms.JSONField(
        required=False,
        initial=dict,
        label=_("Training settings"),
        help_text=_("Overrides of the defaults as JSON: {“reward”: {…}, “policy”: {…}}; empty for none."),
    )

    reasons = forms.CharField(
        required=False,
        initial="\n".join(default_reasons()),
        widget=forms.Textarea(attrs={"rows": 5}),
        label=_("Reasons"),
        help_text=_(
            "One per line: what raters may tick about each answer after the verdict; empty for none."
        ),
    )
    skills = forms.CharField(
        required=False,
        label=_("Skills"),
        help_text=_("What a rater must have, all of it, separated by commas, such as: french, medicine."),
    )

    class Meta:
        model = Campaign
        fields = [
            "name", "description", "scale", "allow_ties", "overlap", "overlap_cap", "certainty",
            "lease_minutes", "tasks_per_round", "rater_limit", "daily_limit",
            "edit_share", "rank_share", "rank_size", "chat_share", "chat_turns", "choose_pairs",
            "answers_per_prompt", "champion_share", "history_share", "repeat_prompts", "temperatures",
            "red_team", "reasons", "display_rate",
            "undo_minutes", "skills", "pass_mark", "test_attempts", "show_figures", "gold_share",
            "repeat_share", "weigh_votes", "retrain_after",
            "max_rounds", "stages", "hyper",
        ]  # fmt: skip
        widgets = {"description": forms.Textarea(attrs={"rows": 2})}
        labels = {
            "name": _("Name"),
            "description": _("Description"),
            "scale": _("Scale"),
            "allow_ties": _("Raters may say that both are about the same, or both bad"),
            "overlap": _("Judgments per task"),
            "overlap_cap": _("Judgments per task, at most"),
            "certainty": _("Until the majority is certain to"),
            "rater_limit": _("Tasks of one rater, at most"),
            "daily_limit": _("Tasks of one rater in a day, at most"),
            "lease_minutes": _("Minutes per task"),
            "tasks_per_round": _("Tasks per round"),
            "edit_share": _("Share of edits"),
            "rank_share": _("Share of rankings"),
            "rank_size": _("Answers in a ranking"),
            "chat_share": _("Share of live conversations"),
            "chat_turns": _("Turns of a conversation"),
            "choose_pairs": _("Ask what teaches the reward model most, as far as is known, batch by batch"),
            "answers_per_prompt": _("Answers to choose from"),
            "champion_share": _("Share of champion against predecessor"),
            "history_share": _("Share with an earlier policy"),
            "repeat_prompts": _("Share of prompts asked before"),
            "temperatures": _("Temperatures in turn"),
            "red_team": _("Its prompts are attacks: raters say which answer is safer"),
            "display_rate": _("Words a second"),
            "undo_minutes": _("Minutes for taking back"),
            "pass_mark": _("Pass mark of the test"),
            "test_attempts": _("Attempts at the test"),
            "show_figures": _("Raters see how often they agree with others here"),
            "gold_share": _("Share of gold tasks"),
            "repeat_share": _("Share of repeats"),
            "weigh_votes": _("Votes count by how reliable their rater is"),
            "retrain_after": _("Retrain after"),
            "max_rounds": _("Rounds, at most"),
        }
        help_texts = {
            "name": _("Raters see it in their list of work; the address stays as it is."),
            "description": _("One sentence for raters and colleagues; may stay empty."),
            "scale": _(
                "More points tell small differences from large ones; fewer are quicker to choose from."
            ),
            "allow_ties": _("Without it they must choose, even where there is nothing to choose between."),
            "red_team": _("The pages then ask for “safer” instead of “better”."),
            "overlap": _(
                "How many different raters judge each task. At 1, each is asked once; with 2 or more you see "
                "how far raters agree."
            ),
            "overlap_cap": _(
                "Where raters disagree, a comparison is asked of up to so many; empty: no more."
            ),
            "certainty": _("From 0.5 to 0.999: two who agree give 0.875, two against one 0.69."),
            "rater_limit": _("In this campaign, altogether; empty for no limit."),
            "daily_limit": _("From midnight UTC; empty for no limit."),
            "lease_minutes": _("How long a claimed task waits for its rater before somebody else gets it."),
            "tasks_per_round": _("How many tasks the next round asks."),
            "edit_share": _("Of a round's tasks, 0 to 1: a rewrite instead of a verdict."),
            "rank_share": _("Of a round's tasks, 0 to 1: several answers to put in order."),
            "rank_size": _("From 3 to 9."),
            "chat_share": _("Of a round's tasks, 0 to 1: a talk with two policies at once."),
            "chat_turns": _("After so many it is over; raters may end it earlier."),
            "choose_pairs": _(
                "Otherwise pairs are drawn at random. Figures rest on random pairs either way, and choosing "
                "ends by itself if it doesn't pay."
            ),
            "answers_per_prompt": _(
                "Where pairs are chosen, 2 to 8 for each prompt; more take longer to draw, two leave little "
                "to choose."
            ),
            "champion_share": _(
                "Of a round's comparisons, 0 to 1: the policy in use against the one it replaced, unseen "
                "by raters. A fixed evaluation set is asked first."
            ),
            "history_share": _("Of a round's comparisons, 0 to 1: one answer comes from an earlier version."),
            "repeat_prompts": _("Of a round's tasks, 0 to 1; the others ask what was asked least."),
            "temperatures": _(
                "Answers are drawn at each in turn, separated by commas, such as: 0.7, 1, 1.2; empty: all at "
                "the one temperature above."
            ),
            "display_rate": _("How fast answers appear; 0 shows them at once."),
            "undo_minutes": _("How long raters can take back what they sent, while its round is open."),
            "pass_mark": _("Such as 0.8: who gets a smaller share right gets no work. Empty: no test."),
            "test_attempts": _("How often the test may be tried."),
            "show_figures": _("Otherwise they see how much they did, and no figure of how well."),
            "gold_share": _(
                "Of what a rater gets, 0 to 1: comparisons whose right verdict is known. 0.1 makes one task "
                "in ten a gold task, as long as there are any."
            ),
            "repeat_share": _(
                "Of a rater's comparisons, 0 to 0.5: their own, asked again later, which shows who answers "
                "alike twice. 0 for none."
            ),
            "weigh_votes": _("In the majority and in training; otherwise everybody's votes count alike."),
            "retrain_after": _("New labels in a round after which it closes and the models are retrained."),
            "max_rounds": _("The loop stops after this many; empty for no end."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("gold_share", "repeat_share", "answers_per_prompt", *DESIGN):
            self.fields[name].required = False
        if self.instance.sampling is not None:
            for name in ["temperature", "top_p", "max_new_tokens"]:
                self.fields[name].initial = getattr(self.instance.sampling, name)
        if self.instance.pk:
            self.initial["reasons"] = "\n".join(self.instance.reasons)
            self.initial["skills"] = ", ".join(campaigns.skills_of(self.instance))

    def clean_reasons(self) -> list[str]:
        return campaigns.check_reasons(self.cleaned_data["reasons"].splitlines())

    def clean_skills(self) -> list[str]:
        return skills.check(self.cleaned_data["skills"].split(","))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        shares = {name: data.get(name) or 0 for name in campaigns.SHARES}
        try:
            data["edit_share"] = campaigns.fit_edits(**shares)
        except CampaignError as error:
            self.add_error(error.field, str(error))
        try:
            shares = {name: data.get(name) or 0 for name in campaigns.OPPONENTS}
            data["champion_share"] = campaigns.fit_opponents(**shares)
        except CampaignError as error:
            self.add_error(error.field, str(error))
        try:
            campaigns.check_overlap(data.get("overlap") or 1, data.get("overlap_cap"))
        except CampaignError as error:
            self.add_error(error.field, str(error))
        return data

    def clean_gold_share(self) -> float:
        return self.cleaned_data["gold_share"] or 0.0

    def clean_repeat_share(self) -> float:
        return self.cleaned_data["repeat_share"] or 0.0

    def clean_history_share(self) -> float:
        return self.cleaned_data["history_share"] or 0.0

    def clean_repeat_prompts(self) -> float:
        return self.cleaned_data["repeat_prompts"] or 0.0

    def clean_answers_per_prompt(self) -> int:
        return int(self.cleaned_data["answers_per_prompt"] or self.instance.answers_per_prompt)

    def clean_hyper(self) -> dict[str, Any]:
        hyper = self.cleaned_data["hyper"] or {}
        if not isinstance(hyper, dict) or not all(
            k in {"reward", "policy"} and isinstance(v, dict) for k, v in hyper.items()
        ):
            raise forms.ValidationError(_("This must be an object with “reward” and “policy” objects in it."))
        try:
            json_body.check(hyper)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return dict(hyper)

    def groups(self) -> list[tuple[Group, list[forms.BoundField], int]]:
        """Return each group with its fields, and how many of them are wrong."""
        return [
            (group, [self[name] for name in group.names], sum(name in self.errors for name in group.names))
            for group in GROUPS
        ]

    def settings(self) -> dict[str, Any]:
        """Return what campaigns.create and campaigns.update take."""
        values = {name: self.cleaned_data[name] for name in self.Meta.fields}
        seed = self.instance.sampling.seed if self.instance.sampling is not None else 0
        names = ["temperature", "top_p", "max_new_tokens"]
        return {
            **values,
            "sampling": sampling.get_config(**{n: self.cleaned_data[n] for n in names}, seed=seed),
        }


NAMES = {name: field.label for name, field in SettingsForm.base_fields.items()} | {
    "bands": _("Limits of the alarms"),
    "sampling": _("How answers are drawn"),
}


def told(event: AuditEvent) -> list[tuple[str, str, str]]:
    """Return a change of settings as rows: what it is called, what it was, and what it became."""
    before, after = event.detail["before"], event.detail["after"]
    return [(str(NAMES.get(key, key)), _said(before[key]), _said(after[key])) for key in before]


def _said(value: Any) -> str:
    return audit_names.worded(value) or "–"
