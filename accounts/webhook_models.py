"""Webhooks: where events are told, what happened, and how telling it went."""

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Webhook(models.Model):
    """An address that is told of events, of one campaign or, where `campaign` is empty, of all."""

    url = models.URLField(max_length=500)
    # A campaign's slug, which never changes: campaigns are known two floors up.
    campaign = models.SlugField(max_length=60, blank=True, db_index=False)
    events = ArrayField(models.CharField(max_length=40))
    # Secrets are needed to sign, so they are encrypted rather than hashed. The one before holds for a day.
    sealed_secret = models.TextField()
    sealed_before = models.TextField(blank=True)
    rotated_at = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    paused_why = models.CharField(max_length=300, blank=True)
    # deliveries given up in a row since one arrived
    given_up = models.PositiveIntegerField(default=0)
    # The last judgment and the last edit that it was told of: those are told in batches.
    judgments_told = models.BigIntegerField(default=0)
    edits_told = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["campaign"], name="webhook_of_campaign")]

    def __str__(self) -> str:
        return self.url


class WebhookEvent(models.Model):
    """Something that happened, kept in the transaction in which it did; its id never changes."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=40)
    campaign = models.SlugField(max_length=60, blank=True, db_index=False)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="webhook_event_age")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class WebhookDelivery(models.Model):
    """One event on its way to one webhook."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Given up")

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    # Who sends it now holds it until then; nobody else sends it meanwhile.
    claimed_until = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    answer_status = models.PositiveIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True)  # the beginning of what the receiver said
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "delivered", "failed"]), name="webhook_delivery_known"
            ),
        ]
        indexes = [
            # what is due, and what a webhook's page lists
            models.Index(fields=["next_attempt_at"], condition=Q(status="waiting"), name="webhook_due"),
            models.Index(fields=["webhook", "-id"], name="webhook_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"
