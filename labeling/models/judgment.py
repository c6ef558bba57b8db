"""What raters said: judgments, edits, skips, and drafts of either.

Judgments and edits are append-only, and the database refuses to change one. A correction is a new row whose
`supersedes` names the old one; an undo is such a row with `withdrawn`. A row counts when it is neither extra
nor withdrawn and nothing supersedes it.
"""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Flag(models.TextChoices):
    """What a rater may report about a task, whatever the verdict."""

    UNSAFE = "unsafe", _("Unsafe")
    PERSONAL_DATA = "personal_data", _("Personal data")
    BROKEN = "broken", _("Broken")
    WRONG_LANGUAGE = "wrong_language", _("Wrong language")


def effective() -> Q:
    """Select judgments or edits that stand: neither withdrawn nor replaced."""
    return Q(withdrawn=False, superseded_by=None)


def counting() -> Q:
    """Select judgments or edits that count: those that stand and are not extra."""
    return effective() & Q(extra=False)


class Submission(models.Model):
    """What a judgment and an edit have in common."""

    task = models.ForeignKey("labeling.Task", on_delete=models.PROTECT, related_name="%(class)ss")
    # The slot it fills; null when extra or withdrawn.
    slot = models.ForeignKey(
        "labeling.Slot", null=True, blank=True, on_delete=models.PROTECT, related_name="%(class)ss"
    )
    # its index is the constraint "submitted once"
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="%(class)ss", db_index=False
    )
    guideline = models.ForeignKey(
        "labeling.Guideline",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    idempotency_key = models.UUIDField()
    active_ms = models.PositiveIntegerField(null=True, blank=True)
    # Of these, how many went to what: {"prompt": ms, "answers": [ms of the answer at position 0, …]}
    attention = models.JSONField(default=dict, blank=True)
    flags = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    # Came after its lease was gone and its slot refilled: kept, never counted.
    extra = models.BooleanField(default=False)
    withdrawn = models.BooleanField(default=False)
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )
    imported = models.BooleanField(default=False)
    meta = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["rater", "idempotency_key"], name="%(class)s_submitted_once"),
            models.UniqueConstraint(
                fields=["slot"], condition=Q(extra=False, withdrawn=False), name="%(class)s_one_per_slot"
            ),
            models.UniqueConstraint(
                fields=["task", "rater"],
                condition=Q(supersedes__isnull=True),
                name="%(class)s_one_chain_per_rater_and_task",
            ),
            models.CheckConstraint(
                condition=Q(extra=True) | Q(withdrawn=True) | Q(slot__isnull=False),
                name="%(class)s_counted_has_slot",
            ),
        ]


class Judgment(Submission):
    """One rater's verdict on a comparison, −3 (left much better) … +3 (right much better), 0 a tie.

    Left and right are the sides as displayed: `order_shown[0]` is the task position that stood left.
    Of several answers it is a ranking instead: positions of the task from best to worst, equals together,
    for example [[2], [0, 1], [3]].
    """

    verdict = models.SmallIntegerField(null=True, blank=True)
    ranking = models.JSONField(null=True, blank=True)
    both_bad = models.BooleanField(default=False)
    criteria = models.JSONField(default=dict, blank=True)  # {key: [grade of position 0, of position 1]}
    reasons = models.JSONField(default=list, blank=True)  # [[reasons about position 0], [about 1], …]
    comment = models.TextField(blank=True)
    order_shown = ArrayField(models.PositiveSmallIntegerField())
    # The speed at which the answers appeared, in words a second; 0: at once.
    display_rate = models.PositiveSmallIntegerField(default=0)

    class Meta(Submission.Meta):
        abstract = False
        constraints = [
            *Submission.Meta.constraints,
            models.CheckConstraint(
                condition=Q(verdict__gte=-3, verdict__lte=3), name="judgment_verdict_in_range"
            ),
            models.CheckConstraint(
                condition=Q(both_bad=False) | Q(verdict=0), name="judgment_both_bad_prefers_neither"
            ),
            models.CheckConstraint(
                condition=Q(verdict__isnull=False, ranking__isnull=True)
                | Q(verdict__isnull=True, ranking__isnull=False),
                name="judgment_is_verdict_or_ranking",
            ),
        ]
        indexes = [
            # progress.last_said and the rater's history: newest first
            models.Index(fields=["rater", "-created_at"], name="judgment_of_rater_newest"),
        ]

    def __str__(self) -> str:
        said = "a ranking" if self.verdict is None else f"{self.verdict:+d}"
        return f"{said} on {self.task}"


class Edit(Submission):
    """One rater's rewrite of a response: a demonstration, and the preference edited > original."""

    original = models.ForeignKey("labeling.Response", on_delete=models.PROTECT, related_name="edits")
    # null when the rater says that the original is already good
    edited = models.OneToOneField(
        "labeling.Response", null=True, blank=True, on_delete=models.PROTECT, related_name="edit"
    )
    instruction = models.TextField(blank=True)  # what was wrong with the original
    distance = models.PositiveIntegerField(default=0)  # words inserted, deleted or replaced
    # How the text came about, a hint and never a verdict: labeling.typing_signals
    signals = models.JSONField(default=dict, blank=True)

    class Meta(Submission.Meta):
        abstract = False
        indexes = [
            # progress.last_said and the rater's history: newest first
            models.Index(fields=["rater", "-created_at"], name="edit_of_rater_newest"),
        ]

    def __str__(self) -> str:
        return f"edit of {self.task}"


class Likeness(models.Model):
    """The model's answer to the same prompt that an edit is closest to; measured after the submit."""

    edit = models.OneToOneField(Edit, on_delete=models.CASCADE, related_name="likeness")
    response = models.ForeignKey("labeling.Response", on_delete=models.CASCADE, related_name="+")
    share = models.FloatField()  # of their words that are the same in the same order, 0…1
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.edit}: {self.share:.0%}"


class Feedback(models.Model):
    """A word to a rater: about something that they said, or a message about no one thing."""

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.CASCADE, related_name="feedback")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="feedback")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    judgment = models.ForeignKey(
        Judgment, null=True, blank=True, on_delete=models.CASCADE, related_name="feedback"
    )
    edit = models.ForeignKey(Edit, null=True, blank=True, on_delete=models.CASCADE, related_name="feedback")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # the rater's home: newest first
            models.Index(fields=["rater", "-created_at"], name="feedback_to_rater_newest"),
            # what a rating page shows until it is read (statements.MEMBERS_CAMPAIGN)
            models.Index(
                fields=["rater", "created_at"], condition=Q(read_at=None), name="feedback_to_rater_unread"
            ),
        ]

    def __str__(self) -> str:
        return f"feedback to {self.rater}"


class Skip(models.Model):
    """A rater passed a task over, or cannot judge it; it never comes back to them."""

    class Kind(models.TextChoices):
        SKIP = "skip", _("Skipped")
        CANNOT_JUDGE = "cannot_judge", _("Cannot judge")

    task = models.ForeignKey("labeling.Task", on_delete=models.CASCADE, related_name="skips")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="skips")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.SKIP)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "rater"], name="skip_once")]

    def __str__(self) -> str:
        return f"{self.task} skipped"


class Draft(models.Model):
    """What a rater has typed so far on a task; gone with the submit."""

    task = models.ForeignKey("labeling.Task", on_delete=models.CASCADE, related_name="drafts")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    data = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "rater"], name="draft_once")]

    def __str__(self) -> str:
        return f"draft of {self.task}"
