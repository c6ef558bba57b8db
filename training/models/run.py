"""Runs of the engine on snapshots, and what was measured."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Run(models.Model):
    """One execution of the engine on one snapshot, producing one model version.

    Status changes only through training.runs. The files are under settings.RUNS_DIR / str(pk).
    """

    class Kind(models.TextChoices):
        REWARD = "reward", _("Reward model")
        POLICY = "policy", _("Policy")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.PROTECT, related_name="runs")
    # The round whose labels called for it; null when a person started it.
    round = models.ForeignKey(
        "labeling.Round", null=True, blank=True, on_delete=models.PROTECT, related_name="runs"
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    snapshot = models.ForeignKey("training.Snapshot", on_delete=models.PROTECT, related_name="runs")
    parent = models.ForeignKey("models_app.ModelVersion", on_delete=models.PROTECT, related_name="runs_from")
    reward_model = models.ForeignKey(
        "models_app.ModelVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="runs_against",
    )
    produced = models.OneToOneField(
        "models_app.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="run"
    )
    config = models.JSONField(default=dict)
    result = models.JSONField(default=dict, blank=True)
    progress = models.JSONField(default=dict, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # two conductors that start a round's run at once make one
            models.UniqueConstraint(
                fields=["round", "kind"],
                condition=Q(status__in=["queued", "running", "succeeded"]),
                name="one_live_run_per_round_and_kind",
            ),
            models.CheckConstraint(
                condition=~Q(status="succeeded") | Q(produced__isnull=False), name="run_succeeded_has_model"
            ),
        ]
        indexes = [
            # loop.facts: the runs of a campaign, newest first
            models.Index(fields=["campaign", "-created_at"], name="run_of_campaign_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} run {self.pk}"


class RunEvent(models.Model):
    """A change of a run's status, written in the transaction that made it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    before = models.CharField(max_length=10)
    after = models.CharField(max_length=10)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"


class RunMetric(models.Model):
    """One point of one curve of a run."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metrics")
    step = models.PositiveIntegerField()
    name = models.CharField(max_length=60)
    value = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "name", "step"], name="run_metric_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name}[{self.step}] = {self.value:g}"


class Evaluation(models.Model):
    """The gate's report on the model that a run produced: each check in words, and whether it passed."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="evaluation")
    champion = models.ForeignKey(
        "models_app.ModelVersion", null=True, on_delete=models.PROTECT, related_name="+"
    )
    passed = models.BooleanField()
    checks = models.JSONField(default=list)  # [{"name", "passed", "figure", "interval", "n", "says"}]
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.run}: {'passed' if self.passed else 'blocked'}"
