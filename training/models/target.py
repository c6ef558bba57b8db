"""Targets: a described failure, the small campaign that gathers what mends it, and how often it is seen."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class Target(models.Model):
    """A failure that a campaign's policy is to lose: edits of a small campaign, mixed into its next runs.

    The prompts of `source` that fall into the training split are edited; the others are held out, and the
    policy's answers to them show by `pattern` how often it fails. `base` is the policy that failed first.
    """

    class Fails(models.TextChoices):
        FOUND = "found", _("where the pattern is found")
        MISSING = "missing", _("where the pattern is missing")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.PROTECT, related_name="targets")
    source = models.OneToOneField("labeling.Campaign", on_delete=models.PROTECT, related_name="target")
    description = models.TextField()
    pattern = models.CharField(max_length=500)
    fails = models.CharField(max_length=7, choices=Fails.choices, default=Fails.FOUND)
    weight = models.FloatField(default=1.0, validators=[MinValueValidator(0), MaxValueValidator(100)])
    active = models.BooleanField(default=True)  # its edits are mixed into runs
    base = models.ForeignKey("models_app.ModelVersion", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(null=True, blank=True)  # when raters were asked for edits
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.source)


class TargetCheck(models.Model):
    """How often a policy fails on a target's held-out prompts: `answers` are [content hash, text, failed]."""

    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="checks", db_index=False)
    version = models.ForeignKey("models_app.ModelVersion", on_delete=models.PROTECT, related_name="+")
    answers = models.JSONField(default=list)
    rate = models.JSONField(default=dict)  # an estimate: value, interval, n, why
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["target", "version"], name="target_check_once"),
        ]

    def __str__(self) -> str:
        return f"{self.target} by {self.version}"
