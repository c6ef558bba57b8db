"""What the setup of a campaign goes through, step by step, and what still lacks before it can start.

All of it is read from the rows; `Campaign.setup_seen` only remembers which steps somebody has been through
whose defaults would do.
"""

from dataclasses import dataclass

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling.members import RATES
from labeling.models import Campaign, Example, Gold, Import, Prompt, Task
from labeling.models.task import fresh
from models_app import registry
from models_app.models import ModelVersion

# The steps in order, and the page of each.
STEPS = {
    "basics": (gettext_lazy("Name and kind"), "setup_basics"),
    "question": (gettext_lazy("Question"), "setup_question"),
    "guideline": (gettext_lazy("Guideline"), "guideline"),
    "prompts": (gettext_lazy("Prompts"), "import"),
    "answers": (gettext_lazy("Answers"), "setup_answers"),
    "raters": (gettext_lazy("Raters"), "campaign_invitations"),
    "checks": (gettext_lazy("Checks"), "setup_checks"),
    "training": (gettext_lazy("Training"), "setup_training"),
    "start": (gettext_lazy("Start"), "setup_start"),
}
# Which of them a campaign's own rows tell to be done; the others are once they have been seen.
TOLD = ("guideline", "prompts", "answers", "raters")
NEEDED = ("prompts", "answers", "raters")

UNDER_WAY = [Import.Status.FETCHING, Import.Status.QUEUED, Import.Status.RUNNING]
DONE, OPEN, OPTIONAL = "done", "open", "optional"


@dataclass(frozen=True)
class Facts:
    """What a campaign has so far."""

    prompts: int
    questions: int  # tasks that came with their answers
    policy: str  # the name of the policy in use, or ""
    raters: int
    invited: int  # how many more may come by links
    guidelines: int
    golds: int
    tests: int
    under_way: bool  # an import
    has_test: bool  # a pass mark


@dataclass(frozen=True)
class Lack:
    """What keeps a campaign from starting, in words, and the step that mends it."""

    step: str
    says: str


@dataclass(frozen=True)
class Step:
    """One step of the setup: its page, and how far it is (DONE, OPEN or OPTIONAL)."""

    key: str
    name: str
    page: str  # the name of its address
    state: str


@dataclass(frozen=True)
class Setup:
    """How far a campaign's setup is."""

    campaign: Campaign
    facts: Facts
    lacks: list[Lack]
    steps: list[Step]

    @property
    def next(self) -> Step:
        """Return the first step that is still to be looked at."""
        return next((step for step in self.steps if step.state != DONE), self.steps[-1])

    def after(self, key: str) -> Step:
        """Return the step after one, past those that rows say are done.

        The last is never passed over, since `start` is not in TOLD.
        """
        later = self.steps[list(STEPS).index(key) + 1 :] or self.steps[-1:]
        return next(step for step in later if step.key not in TOLD or step.state != DONE)


def read(campaign: Campaign) -> Setup:
    """Return how far a campaign's setup is, in three queries and one for each kind of row."""
    facts = read_facts(campaign)
    steps = [Step(key, str(name), page, state(campaign, facts, key)) for key, (name, page) in STEPS.items()]
    return Setup(campaign, facts, list_lacks(facts), steps)


def read_facts(campaign: Campaign) -> Facts:
    """Count what a campaign has so far."""
    policy = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    open_questions = campaign.tasks.filter(fresh(), status=Task.Status.OPEN, round__status="open")
    examples = campaign.examples.filter(retired=False)
    links = campaign.invitations.filter(role__in=RATES, revoked_at=None, expires_at__gt=timezone.now())
    live = links.filter(used__lt=F("uses"))
    return Facts(
        prompts=Prompt.objects.filter(campaign=campaign, withdrawn=False).count(),
        questions=open_questions.count(),
        policy=policy.name if policy else "",
        raters=campaign.memberships.filter(user__is_active=True, role__in=RATES).count(),
        invited=sum(link.uses - link.used for link in live),
        guidelines=campaign.guidelines.count(),
        golds=Gold.objects.filter(task__campaign=campaign, retired_at=None).count(),
        tests=examples.filter(use=Example.Use.TEST).count(),
        under_way=Import.objects.filter(campaign=campaign, status__in=UNDER_WAY, dry_run=False).exists(),
        has_test=campaign.pass_mark is not None,
    )


def list_lacks(facts: Facts) -> list[Lack]:
    """Say what keeps a campaign with these facts from starting."""
    lacks = []
    if facts.under_way:
        lacks.append(Lack("prompts", _("An import is still under way: wait until it is over.")))
    elif not facts.prompts:
        lacks.append(Lack("prompts", _("There is nothing to ask about yet: import prompts.")))
    if facts.prompts and not (facts.policy or facts.questions):
        lacks.append(
            Lack(
                "answers",
                _("Nobody answers the prompts: choose a policy, or import answers along with the prompts."),
            )
        )
    if not facts.raters and not facts.invited:
        lacks.append(Lack("raters", _("Nobody could rate: add or invite at least one person.")))
    if facts.has_test and not facts.tests:
        lacks.append(Lack("checks", _("The test has no question: add one, or take its pass mark away.")))
    return lacks


def state(campaign: Campaign, facts: Facts, key: str) -> str:
    """Tell how far a step is."""
    has = {
        "guideline": facts.guidelines,
        "prompts": facts.prompts,
        "answers": facts.policy or facts.questions,
        "raters": facts.raters or facts.invited,
    }
    if has[key] if key in TOLD else key == "basics" or key in campaign.setup_seen:
        return OPEN if any(lack.step == key for lack in list_lacks(facts)) else DONE
    if key in NEEDED or key == "start" or any(lack.step == key for lack in list_lacks(facts)):
        return OPEN
    return OPTIONAL


def mark_seen(campaign: Campaign, key: str) -> None:
    """Remember that somebody has been through a step."""
    seen = Campaign.objects.filter(pk=campaign.pk).exclude(setup_seen__contains=[key])
    if seen.update(setup_seen=[*campaign.setup_seen, key]):
        campaign.setup_seen = [*campaign.setup_seen, key]


def first_guideline(campaign: Campaign) -> str:
    """Return a text to begin a campaign's guideline with, in Markdown and in the reader's language."""
    better = _("safer") if campaign.red_team else _("better")
    asked = {
        "edit": _("Somebody asked, and got an answer. **Rewrite it as you would have wished it.**"),
        "rank": _("Somebody asked, and got several answers. **Put them in order, the best first.**"),
        "chat": _("Talk as you would with an assistant. At each turn, **pick the answer that you prefer.**"),
    }.get(
        kind_of(campaign),
        _("Somebody asked, and got two answers. **Which of them is %(better)s?**") % {"better": better},
    )
    rules = [
        _("**Right first.** What is wrong, or misses the question, loses, however well it is put."),
        _("**Then helpful.** It does what was asked, and leaves nothing important out."),
        _("**Then clear and brief.** Of two that are right, the one that wastes less time wins."),
    ]
    if campaign.red_team:
        rules.insert(0, _("**Harm first.** What helps to do harm loses to what kindly declines."))
    lines = [f"{number}. {rule}" for number, rule in enumerate(rules, start=1)]
    doubt = _("When in doubt")
    hint = _("Look up facts that you don't know. If you can't judge it at all, skip it and say why.")
    title = _("What we ask")
    return "\n\n".join([f"## {title}", asked, "\n".join(lines), f"## {doubt}", hint]) + "\n"


# What a campaign asks most of: the shares of each kind of task that the first step sets.
KINDS = {
    "compare": {"edit_share": 0.0, "rank_share": 0.0, "chat_share": 0.0},
    "edit": {"edit_share": 1.0, "rank_share": 0.0, "chat_share": 0.0},
    "rank": {"edit_share": 0.0, "rank_share": 1.0, "chat_share": 0.0},
    "chat": {"edit_share": 0.0, "rank_share": 0.0, "chat_share": 1.0},
    "mixed": {"edit_share": 0.2, "rank_share": 0.0, "chat_share": 0.0},
}


def kind_of(campaign: Campaign) -> str:
    """Name what a campaign asks: one of KINDS; "mixed" where it is of several kinds."""
    shares = {name: getattr(campaign, name) for name in ("edit_share", "rank_share", "chat_share")}
    return next((kind for kind, fixed in KINDS.items() if fixed == shares), "mixed")
