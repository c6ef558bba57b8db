"""One turn of the loop, and each change of its status."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Round(models.Model):
    """One turn of the loop in a campaign: its policies, its sampling config, its tasks.

    Status changes only through labeling.rounds. A round of origin "import" holds the tasks that came with
    answers of their own; it samples nothing, goes draft → generating → open, and closes when they are judged.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        GENERATING = "generating", _("Generating answers")
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")
        CANCELLED = "cancelled", _("Cancelled")

    class Origin(models.TextChoices):
        LOOP = "loop", _("Sampled from policies")
        IMPORT = "import", _("Imported")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.LOOP)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    policies = models.ManyToManyField("models_app.ModelVersion", related_name="rounds", blank=True)
    sampling = models.ForeignKey(
        "models_app.SamplingConfig", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds"
    )
    seed = models.BigIntegerField(default=0)
    task_target = models.PositiveIntegerField(default=0)
    # Empty unless its comparisons get their pairs batch by batch (labeling.batches): {"answers": how many a
    # prompt has}, and what training.selection last found.
    selection = models.JSONField(default=dict, blank=True)
    # What was planned, with its seeds, so that the round can be replayed (labeling.design).
    plan = models.JSONField(default=dict, blank=True)
    # Generation: how many answers are there of how many, and until when its worker is believed alive.
    responses_done = models.PositiveIntegerField(default=0)
    responses_total = models.PositiveIntegerField(default=0)
    generation_lease_until = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="round_number_once"),
            # two conductors that start the next round at once make one
            models.UniqueConstraint(
                fields=["campaign"],
                condition=models.Q(origin="loop", status__in=["draft", "generating", "open"]),
                name="one_live_loop_round",
            ),
        ]

    def __str__(self) -> str:
        return f"round {self.number}"


class RoundEvent(models.Model):
    """A change of a round's status, written in the transaction that made it."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="events")
    before = models.CharField(max_length=10)
    after = models.CharField(max_length=10)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"
