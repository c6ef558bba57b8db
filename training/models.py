"""Snapshots of labels, runs of the engine on them, and what was measured."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Snapshot(models.Model):
    """An immutable dataset cut from judgments and edits; `digest` covers every byte of its rows.

    The rows lie in Parquet under settings.SNAPSHOTS_DIR / digest. The same filters on the same labels give
    the same digest, and so the same row here.
    """

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.PROTECT, related_name="snapshots")
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
    rows = models.PositiveBigIntegerField(default=0)  # written so far …
    expected = models.PositiveBigIntegerField(default=0)  # … of so many
    error = models.TextField(blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    heartbeat_at = models.DateTimeField(auto_now_add=True)
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
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="runs")
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


class Board(models.Model):
    """A campaign's leaderboards as last computed, in the shapes of training.leaderboards."""

    campaign = models.OneToOneField("labeling.Campaign", on_delete=models.CASCADE, related_name="board")
    found = models.JSONField(default=dict)
    judgments = models.PositiveIntegerField(default=0)  # that it was computed from
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"board of {self.campaign}"


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
    snapshots = models.ManyToManyField(Snapshot, blank=True, related_name="withdrawals")
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
