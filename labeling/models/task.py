"""Tasks, the answers they ask about, and the slots through which raters get them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now, NullIf
from django.utils.translation import gettext_lazy as _


class Task(models.Model):
    """One question to raters: a comparison of two answers, an edit of one, an order of several, or a talk.

    A talk (chat) has no answers of its own: each of its turns is a comparison whose `chat` it is.
    """

    class Kind(models.TextChoices):
        COMPARE = "compare", _("Comparison")
        EDIT = "edit", _("Edit")
        RANK = "rank", _("Ranking")
        CHAT = "chat", _("Live conversation")

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    class Selection(models.TextChoices):
        RANDOM = "random", _("Uniformly at random")
        ACTIVE = "active", _("Chosen for what it teaches")
        IMPORTED = "imported", _("Imported")
        WATCH = "watch", _("To watch over-optimisation")
        CHAMPION = "champion", _("The champion against the policy it replaced")
        HISTORY = "history", _("With an answer of an earlier policy")

    # without an index of its own: task_imported_once begins with it
    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="tasks", db_index=False
    )
    round = models.ForeignKey("labeling.Round", on_delete=models.CASCADE, related_name="tasks")
    prompt = models.ForeignKey("labeling.Prompt", on_delete=models.PROTECT, related_name="tasks")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    chat = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="picks", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    overlap = models.PositiveSmallIntegerField(default=1)
    # Counted judgments or edits so far; changes in the transaction that stores one.
    counted = models.PositiveSmallIntegerField(default=0)
    # Higher ones are asked first; copied to the slots.
    priority = models.SmallIntegerField(default=0, db_default=0)
    # Its right answer is known: given to raters by the campaign's share, looking like any other.
    gold = models.BooleanField(default=False, db_default=False)
    # The comparison that one rater, for whom its slot is reserved, judges here a second time. No fresh vote.
    repeats = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="repeated_by",
        db_index=False,
    )
    selection = models.CharField(max_length=8, choices=Selection.choices, default=Selection.RANDOM)
    # With which probability this pair was chosen among the round's possible pairs; null if imported.
    probability = models.FloatField(null=True, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    responses = models.ManyToManyField(
        "labeling.Response", through="labeling.TaskResponse", related_name="tasks"
    )
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    class Meta:
        constraints = [
            # of all tasks, so that a campaign's are found by it, too
            models.UniqueConstraint(
                "campaign", NullIf("external_id", models.Value("")), name="task_imported_once"
            ),
            models.CheckConstraint(
                condition=models.Q(counted__lte=models.F("overlap")), name="task_counted_within_overlap"
            ),
            models.CheckConstraint(
                condition=models.Q(probability__isnull=True)
                | models.Q(probability__gt=0, probability__lte=1),
                name="task_probability_is_probability",
            ),
        ]
        indexes = [
            # the picks of a conversation; most tasks belong to none
            models.Index(
                fields=["chat"], condition=models.Q(chat__isnull=False), name="task_of_conversation"
            ),
            # who was asked again, and what they said
            models.Index(
                fields=["campaign", "repeats"],
                condition=models.Q(repeats__isnull=False),
                name="task_asked_again",
            ),
            # the gold tasks of a campaign
            models.Index(fields=["campaign"], condition=models.Q(gold=True), name="task_gold"),
        ]

    def __str__(self) -> str:
        return f"task {self.pk}"


def fresh(path: str = "") -> models.Q:
    """Select the tasks that are asked for their own sake, neither gold nor repeats; `path` leads to the task.

    Only these are counted towards a round, agreed upon, and learnt from.
    """
    return models.Q(**{f"{path}gold": False, f"{path}repeats": None})


class TaskResponse(models.Model):
    """An answer at its place in a task; raters see places shuffled, this order is never shown."""

    # no number of its own: nothing refers to a place, and an import writes two for each task
    pk = models.CompositePrimaryKey("task", "position")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="task_responses", db_index=False)
    response = models.ForeignKey(
        "labeling.Response", on_delete=models.PROTECT, related_name="task_responses", db_index=False
    )
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            # in this order it replaces the foreign key's own index: an answer's tasks are found by it, too
            models.UniqueConstraint(fields=["response", "task"], name="task_response_once"),
        ]

    def __str__(self) -> str:
        return f"{self.task} [{self.position}]"


class Slot(models.Model):
    """One required judgment of a task; claimed by at most one rater under a lease.

    Slots come into being when their round opens. `campaign`, `priority` and `gold` are the task's, copied so
    that a claim reads one index.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLAIMED = "claimed", _("Claimed")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    # no index of its own, and no more of them than are named: each claim writes to every one
    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="slots", db_index=False
    )
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="slots")
    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.OPEN, db_default=Status.OPEN
    )
    order_key = models.FloatField()
    priority = models.SmallIntegerField(default=0, db_default=0)
    gold = models.BooleanField(default=False, db_default=False)
    # A manager's choice: nobody else gets it.
    reserved_for = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="slots",
        db_index=False,
    )
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # Which position of the task stands at each displayed side, e.g. [1, 0]; drawn at the claim.
    order_shown = ArrayField(models.PositiveSmallIntegerField(), default=list, db_default=[], blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "rater"],
                condition=models.Q(status__in=["claimed", "done"]),
                name="slot_one_per_rater_and_task",
            ),
            # a late submit finds its slot by its lease; most slots of a large campaign have none yet
            models.UniqueConstraint(
                fields=["lease"], condition=models.Q(lease__isnull=False), name="slot_lease_once"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="claimed")
                | models.Q(rater__isnull=False, lease__isnull=False, lease_until__isnull=False),
                name="slot_claimed_has_lease",
            ),
        ]
        indexes = [
            # assignment.claim: the next open slot of a campaign, by priority and then in random order
            models.Index(
                fields=["campaign", "gold", "-priority", "order_key"],
                condition=models.Q(status="open", reserved_for=None),
                name="slot_next_open",
            ),
            # assignment.claim: what a manager chose for a rater
            models.Index(
                fields=["reserved_for", "campaign"],
                condition=models.Q(reserved_for__isnull=False, status="open"),
                name="slot_next_reserved",
            ),
            # assignment.limit_reached: what a rater has had
            models.Index(
                fields=["rater", "campaign", "claimed_at"],
                condition=models.Q(rater__isnull=False),
                name="slot_of_rater",
            ),
            # assignment.expire_leases and the claim of an expired slot
            models.Index(
                fields=["lease_until"], condition=models.Q(status="claimed"), name="slot_lease_running_out"
            ),
            # assignment.claim: the slots a rater holds
            models.Index(
                fields=["rater", "campaign"], condition=models.Q(status="claimed"), name="slot_held_by_rater"
            ),
        ]

    def __str__(self) -> str:
        return f"slot {self.pk}"


class Turn(models.Model):
    """One turn of a rater's live conversation: their message, and the comparison of the two answers to it."""

    class Status(models.TextChoices):
        SAMPLING = "sampling", _("Being answered")
        READY = "ready", _("Waits for the pick")
        PICKED = "picked", _("Picked")
        FAILED = "failed", _("No answer came")

    chat = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="turns")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="turns")
    number = models.PositiveSmallIntegerField()
    prompt = models.ForeignKey("labeling.Prompt", on_delete=models.PROTECT, related_name="turns")
    # the comparison, once both answers are there
    task = models.OneToOneField(Task, null=True, blank=True, on_delete=models.PROTECT, related_name="turn")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.SAMPLING)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chat", "rater", "number"], name="turn_number_once"),
        ]

    def __str__(self) -> str:
        return f"turn {self.number} of {self.chat}"
