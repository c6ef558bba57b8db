"""A campaign, its guidelines, its criteria and who may rate in it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.models import Role


def default_stages() -> list[str]:
    return ["sft", "best_of_n"]


def default_reasons() -> list[str]:
    # stored in English, shown in the reader's language
    return [
        gettext_noop("Right"),
        gettext_noop("Wrong"),
        gettext_noop("Complete"),
        gettext_noop("Leaves things out"),
        gettext_noop("Clear"),
        gettext_noop("Too long"),
        gettext_noop("Unkind"),
    ]


class Campaign(models.Model):
    """One labeling effort: what is asked, of whom, how often, and when models are retrained."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        CLOSED = "closed", _("Closed")

    class Scale(models.IntegerChoices):
        TWO = 2, _("2 points: A or B")
        FOUR = 4, _("4 points: clearly or slightly better")
        SEVEN = 7, _("7 points: much, clearly, slightly better, or about the same")

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    scale = models.PositiveSmallIntegerField(choices=Scale.choices, default=Scale.SEVEN)
    allow_ties = models.BooleanField(default=True)
    overlap = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text="How many different raters judge each task.",
    )
    overlap_cap = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text="Where raters disagree, comparisons are asked of up to this many; empty asks no more.",
    )
    certainty = models.FloatField(
        default=0.9,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.999)],
        help_text="How certain a comparison's majority must be before it is asked of no more raters.",
    )
    rater_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The most tasks that one rater gets in this campaign; empty for no limit.",
    )
    daily_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The most tasks that one rater gets in a day (UTC); empty for no limit.",
    )
    gold_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="How often a rater gets a gold task, one whose right answer is known, if there is one.",
    )
    repeat_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(0.5)],
        help_text="How many of a rater's comparisons are their own asked again, unannounced.",
    )
    weigh_votes = models.BooleanField(
        default=True,
        help_text="A vote counts in consensus and training by its rater's reliability; otherwise all alike.",
    )
    lease_minutes = models.PositiveSmallIntegerField(
        default=15,
        validators=[MinValueValidator(1)],
        help_text="How long a claimed task waits for its rater.",
    )
    tasks_per_round = models.PositiveIntegerField(
        default=400, validators=[MinValueValidator(1)], help_text="How many tasks the next round asks."
    )
    edit_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of a round's tasks that ask for a rewrite instead of a verdict.",
    )
    rank_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of a round's tasks that ask to put several answers in order.",
    )
    rank_size = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(3), MaxValueValidator(9)],
        help_text="How many answers a ranking has.",
    )
    chat_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of a round's tasks in which raters talk with two policies "
        "and pick at each turn.",
    )
    chat_turns = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="After this many turns a conversation is over; raters may end it earlier.",
    )
    choose_pairs = models.BooleanField(
        default=False, help_text="Comparisons are chosen by what they teach, batch by batch."
    )
    answers_per_prompt = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(2), MaxValueValidator(8)],
        help_text="How many answers each prompt gets where comparisons are chosen.",
    )
    # How a round is designed; labeling.design draws it.
    champion_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of a round's comparisons that set the champion against the policy it replaced.",
    )
    history_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of a round's comparisons one of whose answers comes from an earlier policy.",
    )
    repeat_prompts = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of a round's tasks whose prompts were asked in an earlier round.",
    )
    temperatures = ArrayField(
        models.FloatField(validators=[MinValueValidator(0.01), MaxValueValidator(10)]),
        default=list,
        blank=True,
        size=8,
        help_text="Temperatures at which the answers to a prompt are drawn in turn; "
        "empty for the sampling config's.",
    )
    red_team = models.BooleanField(
        default=False, help_text="Its prompts are attacks: raters say which answer is safer."
    )
    # Limits of the alarms that pause the loop, {name of the figure: …}; training.alarms reads it.
    bands = models.JSONField(default=dict, blank=True)
    # Where choosing stands: {"stopped": what was measured when it was given up, "since": the first task that
    # counts for measuring whether it pays}. Written by training.selection.
    selection = models.JSONField(default=dict, blank=True)
    reasons = ArrayField(
        models.CharField(max_length=40),
        default=default_reasons,
        blank=True,
        help_text="What raters may tick about each answer after the verdict.",
    )
    display_rate = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(500)],
        help_text="Answers appear at this many words a second; 0 shows them at once.",
    )
    undo_minutes = models.PositiveIntegerField(
        default=60,
        help_text="How long raters can take back what they sent, while its round is open.",
    )
    # What a rater must have, all of them; a language is a skill too.
    skills = models.ManyToManyField("accounts.Skill", blank=True, related_name="campaigns")
    # whose members are its raters, those who join later too (labeling.pools)
    pools = models.ManyToManyField("accounts.Pool", blank=True, related_name="campaigns")
    pass_mark = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of the qualification test that a rater must get right; empty for no test.",
    )
    test_attempts = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1)], help_text="How often the test may be tried."
    )
    show_figures = models.BooleanField(
        default=True, help_text="Raters see how often they agree with others here."
    )
    retrain_after = models.PositiveIntegerField(
        default=400,
        validators=[MinValueValidator(1)],
        help_text="New labels in a round after which it closes and the models are retrained.",
    )
    max_rounds = models.PositiveIntegerField(
        null=True, blank=True, help_text="The loop stops after this many rounds; empty for no end."
    )
    # What this campaign improves: models_app.ModelVersion.family
    model_family = models.SlugField(max_length=80)
    sampling = models.ForeignKey("models_app.SamplingConfig", null=True, blank=True, on_delete=models.PROTECT)
    stages = ArrayField(models.CharField(max_length=12), default=default_stages)
    # Overrides of the engine's defaults: {"reward": {…}, "policy": {…}}
    hyper = models.JSONField(default=dict, blank=True)
    # The conductor leaves a campaign alone while this says why, in words.
    loop_paused = models.CharField(max_length=500, blank=True)
    # Out of the lists and read-only since then; labeling.states writes it.
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The steps of its setup that somebody has been through; labeling.setup names them.
    setup_seen = ArrayField(models.CharField(max_length=12), default=list, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(scale__in=[2, 4, 7]), name="campaign_scale_known"),
            models.CheckConstraint(condition=models.Q(overlap__gte=1), name="campaign_overlap_positive"),
            models.CheckConstraint(
                condition=models.Q(overlap_cap__isnull=True) | models.Q(overlap_cap__gte=models.F("overlap")),
                name="campaign_overlap_within_cap",
            ),
            models.CheckConstraint(
                condition=models.Q(gold_share__gte=0, gold_share__lte=1), name="campaign_gold_share_is_share"
            ),
            models.CheckConstraint(
                condition=models.Q(repeat_share__gte=0, repeat_share__lte=0.5),
                name="campaign_repeat_share_is_share",
            ),
            models.CheckConstraint(
                condition=models.Q(edit_share__gte=0, edit_share__lte=1), name="campaign_edit_share_is_share"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    rank_share__gte=0,
                    chat_share__gte=0,
                    edit_share__lte=1 - models.F("rank_share") - models.F("chat_share"),
                ),
                name="campaign_shares_add_up",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    champion_share__gte=0,
                    history_share__gte=0,
                    champion_share__lte=1 - models.F("history_share"),
                ),
                name="campaign_opponents_add_up",
            ),
            models.CheckConstraint(
                condition=models.Q(repeat_prompts__gte=0, repeat_prompts__lte=1),
                name="campaign_repeat_prompts_is_share",
            ),
            models.CheckConstraint(
                condition=models.Q(rank_size__gte=3, rank_size__lte=9), name="campaign_rank_size_in_range"
            ),
            models.CheckConstraint(
                condition=models.Q(answers_per_prompt__gte=2, answers_per_prompt__lte=8),
                name="campaign_answers_per_prompt_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Guideline(models.Model):
    """A numbered version of a campaign's instructions in Markdown; the database refuses to change one."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="guidelines")
    number = models.PositiveIntegerField()
    text = models.TextField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="guideline_number_once"),
        ]

    def __str__(self) -> str:
        return f"guideline {self.number}"


class Criterion(models.Model):
    """One quality that a judgment also grades per answer, on 1…points."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="criteria")
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    points = models.PositiveSmallIntegerField(
        default=5, validators=[MinValueValidator(2), MaxValueValidator(10)]
    )
    required = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "key"], name="criterion_key_once")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Who may do what in a campaign: rate, or also manage or look at it, whatever their role elsewhere.

    Raters and managers rate, once they passed its qualification test. A trigger keeps the other roles beside
    their person (`User.campaign_roles`).
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.RATER)
    qualified_at = models.DateTimeField(null=True, blank=True)
    # since when they get no new tasks here, and keep all else
    paused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.campaign}"


class GuidelineRead(models.Model):
    """Somebody opened a version of the guideline."""

    guideline = models.ForeignKey(Guideline, on_delete=models.CASCADE, related_name="reads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["guideline", "user"], name="guideline_read_once")]

    def __str__(self) -> str:
        return f"{self.user} read {self.guideline}"


class Example(models.Model):
    """A comparison with its right verdict and why: an edge case, a practice task or a test question."""

    class Use(models.TextChoices):
        EDGE_CASE = "edge_case", _("Shown in the guideline")
        PRACTICE = "practice", _("Practice")
        TEST = "test", _("Qualification test")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="examples")
    use = models.CharField(max_length=10, choices=Use.choices)
    messages = models.JSONField()  # as Prompt.messages
    answers = ArrayField(models.TextField(), size=2)
    verdict = models.SmallIntegerField()  # between the answers as stored: below 0 the first is better
    explanation = models.TextField()
    # Answered trials name their example, so one that is no longer used stays.
    retired = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(verdict__gte=-3, verdict__lte=3), name="example_verdict_in_range"
            ),
        ]

    def __str__(self) -> str:
        return str(self.messages[-1]["content"])[:80]


class Trial(models.Model):
    """Somebody's verdict on a practice task (attempt 0) or on a test question (attempt 1, 2, …)."""

    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="trials")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="trials")
    attempt = models.PositiveSmallIntegerField(default=0)
    verdict = models.SmallIntegerField()  # between the sides as displayed
    both_bad = models.BooleanField(default=False)
    order_shown = ArrayField(models.PositiveSmallIntegerField())
    right = models.BooleanField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["example", "rater", "attempt"], name="trial_once_in_attempt"),
        ]

    def __str__(self) -> str:
        return f"{self.rater} on {self.example}"
