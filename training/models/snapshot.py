"""Snapshots of labels, who took them away, and what workers prepare of them."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Snapshot(models.Model):
    """An immutable dataset cut from judgments and edits; `digest` covers every byte of its rows.

    The rows lie in Parquet under settings.SNAPSHOTS_DIR / digest. The same filters on the same labels give
    the same digest, and so the same row here.
    """

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.PROTECT, related_name="snapshots")
    # the campaigns that it takes from as well
    beside = models.ManyToManyField("labeling.Campaign", blank=True, related_name="+")
    digest = models.CharField(max_length=64)
    filters = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "digest"], name="snapshot_once_in_campaign"),
        ]

    def __str__(self) -> str:
        return self.digest[:12]

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves out some of what was said, but for rounds and other campaigns."""
        return bool(self.filters.keys() - {"campaigns", "rounds"})


class DownloadLink(models.Model):
    """A signed address under which one export of a snapshot can be had without signing in, until it ends."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="links")
    format = models.CharField(max_length=40)
    file = models.CharField(max_length=20)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"link to {self.format} of {self.snapshot}"


class Download(models.Model):
    """One export of a snapshot that somebody began to take; its later ranges are the same download."""

    class Via(models.TextChoices):
        PAGE = "page", _("Page")
        API = "api", _("API")
        LINK = "link", _("Signed link")
        COMMAND = "command", _("Command")

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="downloads")
    # unknown on the command line, and behind a link: that names who made it
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    link = models.ForeignKey(
        DownloadLink, null=True, blank=True, on_delete=models.PROTECT, related_name="downloads"
    )
    format = models.CharField(max_length=40)
    file = models.CharField(max_length=20)
    bytes = models.BigIntegerField(null=True, blank=True)  # of the whole file; unknown for folders
    via = models.CharField(max_length=8, choices=Via.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.format} of {self.snapshot} by {self.via}"


class Preparation(models.Model):
    """A large snapshot that a worker cuts, or a large export that it writes, while its page says how far.

    A cut has no format, and its snapshot once it is done.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.PROTECT, related_name="preparations")
    snapshot = models.ForeignKey(
        Snapshot, null=True, blank=True, on_delete=models.PROTECT, related_name="preparations"
    )
    filters = models.JSONField(default=dict, blank=True)
    format = models.CharField(max_length=40, blank=True)
    file = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    # Rows of an export, prompts of a cut: done when it ended, and how many there are.
    rows = models.PositiveBigIntegerField(default=0)
    expected = models.PositiveBigIntegerField(default=0)
    error = models.TextField(blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    heartbeat_at = models.DateTimeField(default=timezone.now)  # when it was last sent, or taken
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # two who ask for the same at once wait for one
            models.UniqueConstraint(
                fields=["snapshot", "format", "file"],
                condition=Q(status__in=["queued", "running"], snapshot__isnull=False),
                name="one_live_preparation_of_export",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.format or 'snapshot'} {self.status}"
