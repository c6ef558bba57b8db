"""Models as judges: what each is asked in, when it was asked, and what it said. No person, in no count."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class JudgeTemplate(models.Model):
    """A version of what judges are asked in, known by its hash; never changed."""

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.PROTECT, related_name="judge_templates", db_index=False
    )
    digest = models.CharField(max_length=64)
    text = models.TextField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "digest"], name="judge_template_once_in_campaign"),
        ]

    def __str__(self) -> str:
        return self.digest[:12]


class Judging(models.Model):
    """One time that a model was asked to judge a campaign's comparisons.

    `figures` are what training.judging.measure says of all its verdicts, beside `votes` of people. A reward
    model has no template: its scores decide.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.PROTECT, related_name="judgings")
    judge = models.ForeignKey("models_app.ModelVersion", on_delete=models.PROTECT, related_name="judgings")
    template = models.ForeignKey(
        JudgeTemplate, null=True, blank=True, on_delete=models.PROTECT, related_name="judgings"
    )
    tasks = models.PositiveIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    progress = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    figures = models.JSONField(default=dict, blank=True)
    votes = models.PositiveIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(status__in=["queued", "running"]),
                name="one_live_judging_of_campaign",
            ),
        ]

    def __str__(self) -> str:
        return f"judging {self.pk}"


class JudgeVerdict(models.Model):
    """What a judge said of a comparison, asked with its answers in both orders.

    `first` and `second` are the verdicts in the task's own order, −1 the first answer, 1 the second, 0 a tie,
    None for an answer that can't be read; `answers` are the two as given.
    """

    task = models.ForeignKey("labeling.Task", on_delete=models.CASCADE, related_name="judge_verdicts")
    judge = models.ForeignKey("models_app.ModelVersion", on_delete=models.PROTECT, related_name="+")
    template = models.ForeignKey(
        JudgeTemplate, null=True, blank=True, on_delete=models.PROTECT, related_name="verdicts"
    )
    answers = models.JSONField()
    first = models.SmallIntegerField(null=True)
    second = models.SmallIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "judge", "template"], nulls_distinct=False, name="judge_verdict_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.judge_id} of task {self.task_id}"
