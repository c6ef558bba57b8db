"""What workers count of what raters send, so that pages need not: labeling.counting writes it."""

from django.conf import settings
from django.db import models


class HourCount(models.Model):
    """How many labels came to a campaign's fresh tasks in one hour (UTC), also those taken back since."""

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="hours", db_index=False
    )
    hour = models.DateTimeField()
    judgments = models.PositiveIntegerField(default=0)
    edits = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()

    class Meta:
        constraints = [
            # pace.by_hour and pace.by_day: those of a campaign from some hour on
            models.UniqueConstraint(fields=["campaign", "hour"], name="hour_once_in_campaign"),
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.judgments} + {self.edits}"


class RaterCount(models.Model):
    """What one rater sent to a campaign, checks and what was taken back since included.

    `active_ms` is of the `timed` ones; `pasted` and `typed` are the characters of edits
    (labeling.typing_signals).
    """

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="rater_counts", db_index=False
    )
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rater_counts")
    judgments = models.PositiveIntegerField(default=0)
    edits = models.PositiveIntegerField(default=0)
    timed = models.PositiveIntegerField(default=0)
    active_ms = models.BigIntegerField(default=0)
    pasted = models.BigIntegerField(default=0)
    typed = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "rater"], name="rater_count_once_in_campaign"),
        ]

    def __str__(self) -> str:
        return f"{self.rater}: {self.judgments} + {self.edits}"


class RoundCount(models.Model):
    """How far a round is: fresh tasks that aren't cancelled, done ones, labels had and labels wanted.

    Labels on best-of-n picks are left out of both, as the conductor leaves them out, and conversations, whose
    picks are comparisons of their own.
    """

    round = models.OneToOneField("labeling.Round", on_delete=models.CASCADE, related_name="count")
    tasks = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    labels = models.PositiveIntegerField(default=0)
    wanted = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.round}: {self.done} of {self.tasks}"


class CountedTo(models.Model):
    """The last judgment, or edit, that the counts hold."""

    what = models.CharField(max_length=8, primary_key=True)  # judgment or edit
    seen_to = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.what} {self.seen_to}"
