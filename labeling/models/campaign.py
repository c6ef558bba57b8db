"""A campaign, its guidelines, its criteria and who may rate in it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


def default_stages() -> list[str]:
    return ["sft", "best_of_n"]


class Campaign(models.Model):
    """One labeling effort: what is asked, of whom, how often, and when models are retrained."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    class Scale(models.IntegerChoices):
        TWO = 2, "2 points: A or B"
        FOUR = 4, "4 points: clearly or slightly better"
        SEVEN = 7, "7 points: much, clearly, slightly better, or about the same"

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
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(scale__in=[2, 4, 7]), name="campaign_scale_known"),
            models.CheckConstraint(condition=models.Q(overlap__gte=1), name="campaign_overlap_positive"),
            models.CheckConstraint(
                condition=models.Q(edit_share__gte=0, edit_share__lte=1), name="campaign_edit_share_is_share"
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
    """A person's right to rate in a campaign."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.campaign}"
