"""What is computed now and then of a campaign: looks at over-optimisation."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Watch(models.Model):
    """One look at over-optimisation: many answers of a policy, and what a reward model and people choose.

    `proxy` is what models say of best-of-n, `people` what votes say, computed from `votes` of them; their
    shapes are in training.watching. People are asked in `round`.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.PROTECT, related_name="watches")
    round = models.ForeignKey(
        "labeling.Round", null=True, on_delete=models.PROTECT, related_name="watches", db_index=False
    )
    policy = models.ForeignKey(
        "models_app.ModelVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reward_model = models.ForeignKey(
        "models_app.ModelVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    sampling = models.ForeignKey(
        "models_app.SamplingConfig", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    prompts = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    progress = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    proxy = models.JSONField(default=dict, blank=True)
    people = models.JSONField(default=dict, blank=True)
    votes = models.PositiveIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # two conductors that look at once make one
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(status__in=["queued", "running"]),
                name="one_live_watch_of_campaign",
            ),
        ]

    def __str__(self) -> str:
        return f"watch {self.pk}"


class WatchPick(models.Model):
    """The best of n answers to a prompt, for some n, beside a random answer: asked of people as `task`.

    Without a task both say the same, which is a tie that nobody need be asked about, or nobody could be.
    """

    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, related_name="picks", db_index=False)
    prompt = models.ForeignKey("labeling.Prompt", on_delete=models.PROTECT, related_name="+", db_index=False)
    sizes = models.JSONField()  # the n of which it is the best
    pick = models.ForeignKey("labeling.Response", on_delete=models.PROTECT, related_name="+", db_index=False)
    rival = models.ForeignKey("labeling.Response", on_delete=models.PROTECT, related_name="+", db_index=False)
    same = models.BooleanField(default=False)
    task = models.OneToOneField(
        "labeling.Task", null=True, on_delete=models.PROTECT, related_name="watch_pick"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["watch", "prompt", "pick"], name="watch_pick_once"),
        ]

    def __str__(self) -> str:
        return f"best of {self.sizes}"
