"""What managers state of a campaign's data, and what of it was withdrawn."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Statement(models.Model):
    """What a campaign's managers state about its data, which no row tells: cards and datasheets quote it."""

    campaign = models.OneToOneField(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="statement", primary_key=True
    )
    licence = models.CharField(max_length=60, blank=True)  # an identifier as the hub spells them, cc-by-4.0
    collected = models.TextField(blank=True)
    payment = models.TextField(blank=True)
    uses = models.TextField(blank=True)
    limits = models.TextField(blank=True)
    contact = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"statement of {self.campaign_id}"


class Withdrawal(models.Model):
    """A rater's or a prompt's data taken out of everything to come; `snapshots` are those that hold it.

    Exactly one of `rater` and `prompt` is set; `prompt` is a content hash, of whatever campaign.
    """

    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="withdrawals"
    )
    prompt = models.CharField(max_length=64, blank=True)
    reason = models.TextField()
    counts = models.JSONField(default=dict)  # what it took out of the count, and of the queue
    snapshots = models.ManyToManyField("training.Snapshot", blank=True, related_name="withdrawals")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rater"], condition=Q(rater__isnull=False), name="rater_withdrawn_once"
            ),
            models.UniqueConstraint(fields=["prompt"], condition=~Q(prompt=""), name="prompt_withdrawn_once"),
            models.CheckConstraint(
                condition=Q(rater__isnull=False, prompt="") | Q(Q(rater__isnull=True) & ~Q(prompt="")),
                name="withdrawal_of_rater_or_prompt",
            ),
        ]

    def __str__(self) -> str:
        return f"withdrawal {self.pk}"


class WithdrawalNotice(models.Model):
    """Tell somebody that what they downloaded holds withdrawn data, until they say that they have seen it."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.CASCADE, related_name="notices")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="withdrawal_notices"
    )
    seen_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["withdrawal", "user"], name="withdrawal_notice_once"),
        ]

    def __str__(self) -> str:
        return f"notice of {self.withdrawal_id}"
