"""How far people and models are trusted: known answers, what follows from them, and decided conflicts."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class Gold(models.Model):
    """A comparison whose right verdict is known; to raters it looks like any other.

    Its task has `gold` from then on, and is in no snapshot, consensus or count, even once it is retired.
    """

    class Source(models.TextChoices):
        MANAGER = "manager", _("Named by a manager")
        PROPOSED = "proposed", _("Proposed by what raters and the model say")

    task = models.OneToOneField("labeling.Task", on_delete=models.CASCADE, related_name="known")
    # between the task's positions: below 0 the first is better
    verdict = models.SmallIntegerField(validators=[MinValueValidator(-3), MaxValueValidator(3)])
    # How far from it a verdict may be and still be right; empty: the better side alone counts.
    tolerance = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(3)])
    explanation = models.TextField(blank=True)
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.MANAGER)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_why = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(verdict__gte=-3, verdict__lte=3), name="gold_verdict_in_range"
            ),
        ]

    def __str__(self) -> str:
        return f"gold {self.task_id}: {self.verdict:+d}"


class Score(models.Model):
    """What a reward model gives an answer, and its trunk's `features` of it (float16; may be none).

    Of a checkpoint that gives no scores there are features alone.
    """

    response = models.ForeignKey(
        "labeling.Response", on_delete=models.CASCADE, related_name="scores", db_index=False
    )
    model = models.ForeignKey("models_app.ModelVersion", on_delete=models.CASCADE, related_name="scores")
    value = models.FloatField(null=True, blank=True)
    features = models.BinaryField(default=b"", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["response", "model"], name="score_once_per_model"),
        ]

    def __str__(self) -> str:
        return "features" if self.value is None else f"{self.value:+.2f}"


class Reliability(models.Model):
    """How far to trust one rater in a campaign, by the last fit; what it means is in preferences.ordinal.

    `weight` is what their votes count for, and `why` the pieces of the sentence that says why:
    [{"piece": …, values…}], written by labeling.reliability. `flags` is [{"flag": …, "evidence": {…}}], and
    `drift` how they went on: [{"until": time, "n", "value", "low", "high"}].
    """

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="reliabilities", db_index=False
    )
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reliabilities"
    )
    # What the fit read (comparisons, gold tasks among them), and judgments of every kind that counted then.
    judgments = models.PositiveIntegerField(default=0)
    said = models.PositiveIntegerField(default=0)
    # 1 is the usual rater, 0 one whose verdicts say nothing; empty: too little was said for a fit
    ability = models.FloatField(null=True, blank=True)
    ability_se = models.FloatField(null=True, blank=True)
    side = models.FloatField(null=True, blank=True)  # pull to the left, in logits
    side_se = models.FloatField(null=True, blank=True)
    length_taste = models.FloatField(null=True, blank=True)
    length_taste_se = models.FloatField(null=True, blank=True)
    spread = models.FloatField(null=True, blank=True)
    weight = models.FloatField(default=1.0)
    why = models.JSONField(default=list, blank=True)
    flags = models.JSONField(default=list, blank=True)
    drift = models.JSONField(default=list, blank=True)
    gold_right = models.PositiveIntegerField(default=0)
    gold_asked = models.PositiveIntegerField(default=0)
    repeats_same = models.PositiveIntegerField(default=0)
    repeats_asked = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "rater"], name="reliability_once_in_campaign"),
            models.CheckConstraint(
                condition=models.Q(weight__gte=0, weight__lte=1), name="reliability_weight_is_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rater} weighs {self.weight:.2f}"


class QualityReport(models.Model):
    """A campaign's figures as last computed, and how much was said since."""

    campaign = models.OneToOneField("labeling.Campaign", on_delete=models.CASCADE, related_name="quality")
    figures = models.JSONField(default=dict, blank=True)
    judgments = models.PositiveIntegerField(default=0)  # that counted when the figures were computed
    computed_at = models.DateTimeField(null=True, blank=True)
    # The last judgment that was looked at, and how many of the campaign came since the last computation.
    seen_to = models.BigIntegerField(default=0)
    fresh = models.PositiveIntegerField(default=0)
    # The same for the fit of raters, which comes less often.
    fit_seen_to = models.BigIntegerField(default=0)
    fit_fresh = models.PositiveIntegerField(default=0)
    # Comparisons that could become gold tasks: [{"task", "verdict", "votes", "margin" of the model's scores}]
    proposals = models.JSONField(default=list, blank=True)

    def __str__(self) -> str:
        return f"figures of {self.campaign}"


class Adjudication(models.Model):
    """A task that a reviewer decides: raters disagree, or the reward model and they do, or it was flagged."""

    class Reason(models.TextChoices):
        DISAGREEMENT = "disagreement", _("Raters disagree")
        CONFLICT = "conflict", _("The reward model and raters disagree")
        SAMPLED = "sampled", _("Drawn at random")
        FLAG = "flag", _("Somebody flagged it")

    class Cause(models.TextChoices):
        RATER_ERROR = "rater_error", _("Rater error")
        MODEL_ERROR = "model_error", _("Model error")
        GUIDELINE_GAP = "guideline_gap", _("Gap in the guideline")

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="adjudications", db_index=False
    )
    task = models.ForeignKey("labeling.Task", on_delete=models.PROTECT, related_name="adjudications")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    # why it is open, in figures; not shown before the decision
    evidence = models.JSONField(default=dict, blank=True)
    urgency = models.FloatField(default=0.0)  # higher ones are decided first
    opened_at = models.DateTimeField(auto_now_add=True)
    # Who has it before them until `held_until`, or decided it.
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    held_until = models.DateTimeField(null=True, blank=True)
    # between the task's positions: below 0 the first is better; empty: open, or closed without a verdict
    verdict = models.SmallIntegerField(null=True, blank=True)
    both_bad = models.BooleanField(default=False)
    cause = models.CharField(max_length=14, choices=Cause.choices, blank=True)
    note = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task"], condition=models.Q(decided_at=None), name="adjudication_one_open_per_task"
            ),
            models.CheckConstraint(
                condition=models.Q(verdict=None) | models.Q(verdict__gte=-3, verdict__lte=3),
                name="adjudication_verdict_in_range",
            ),
            models.CheckConstraint(
                condition=models.Q(decided_at=None) | models.Q(reviewer__isnull=False),
                name="adjudication_decided_by_somebody",
            ),
        ]
        indexes = [
            # the reviewer's next one
            models.Index(
                fields=["campaign", "-urgency", "id"],
                condition=models.Q(decided_at=None),
                name="adjudication_next_open",
            ),
            # what was decided, newest first
            models.Index(
                fields=["campaign", "-decided_at"],
                condition=models.Q(decided_at__isnull=False),
                name="adjudication_decided_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"adjudication of {self.task}"


class GuidelineGap(models.Model):
    """A case that the guideline doesn't settle, kept for its next version."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        TAKEN_UP = "taken_up", _("Taken up")
        DISMISSED = "dismissed", _("Dismissed")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.CASCADE, related_name="guideline_gaps")
    adjudication = models.OneToOneField(
        Adjudication, null=True, blank=True, on_delete=models.PROTECT, related_name="gap"
    )
    text = models.TextField()  # what the guideline doesn't say
    verdict = models.SmallIntegerField(null=True, blank=True)  # between the task's positions
    why = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    # What came of it: the worked example, and the version that settles it.
    example = models.ForeignKey(
        "labeling.Example", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    guideline = models.ForeignKey(
        "labeling.Guideline", null=True, blank=True, on_delete=models.PROTECT, related_name="gaps"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_why = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(verdict=None) | models.Q(verdict__gte=-3, verdict__lte=3),
                name="guideline_gap_verdict_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]
