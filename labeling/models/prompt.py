"""Prompts, the answers to them, and the imports they came in by."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


def _where_there_is_one(model: str, field: str) -> models.Index:
    """Index a reference that most rows lack: those rows cost nothing then."""
    return models.Index(
        fields=[field], condition=models.Q(**{f"{field}__isnull": False}), name=f"{model}_with_{field}"
    )


class Import(models.Model):
    """One upload of prompts, answers or past judgments, with its report."""

    class Status(models.TextChoices):
        FETCHING = "fetching", _("Being fetched")  # a dataset of the hub, by a worker
        RECEIVED = "received", _("Waits for you")  # stored; its columns may still be told
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")  # something in the upload is wrong; the report lists it
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")  # its worker was killed, or the database was lost

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.CASCADE, related_name="imports")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    filename = models.CharField(max_length=255, blank=True)
    format = models.CharField(max_length=40)
    # What stands where, {field of ours: column of theirs}; empty: as the format says (import_mapping).
    mapping = models.JSONField(default=dict, blank=True)
    # Lines with errors are handed back, and the others come in.
    keep_good = models.BooleanField(default=False)
    dataset = models.CharField(max_length=200, blank=True)  # its id on the hub, where it comes from there
    split = models.CharField(max_length=60, blank=True)
    report = models.JSONField(default=dict)
    # An import made at one go, by a command, is seen only once it is done.
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DONE)
    dry_run = models.BooleanField(default=False)
    cancel_requested = models.BooleanField(default=False)
    bytes = models.BigIntegerField(default=0)  # of the upload
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # imports.tend: what is under way
            models.Index(
                fields=["campaign"],
                condition=models.Q(status__in=["queued", "running"]),
                name="import_under_way",
            ),
        ]

    def __str__(self) -> str:
        return self.filename or f"import {self.pk}"


class Prompt(models.Model):
    """A conversation awaiting an answer; its split is fixed by its content hash (or its opening's)."""

    class Split(models.TextChoices):
        TRAIN = "train", _("Train")
        VALIDATION = "validation", _("Validation")
        TEST = "test", _("Test")

    class Purpose(models.TextChoices):
        NONE = "", _("Asked and learnt from")
        EVALUATION = "evaluation", _("Fixed evaluation set")
        SAFETY = "safety", _("Safety set")
        CAPABILITY = "capability", _("Capability set")

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="prompts", db_index=False
    )
    messages = models.JSONField()  # [{"role": …, "content": …}, …]
    content_hash = models.CharField(max_length=64)  # labeling.prompts.content_hash
    split = models.CharField(max_length=10, choices=Split.choices)
    # What it is kept for: a prompt with a purpose is never trained on (labeling.prompts.split_of).
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.NONE, blank=True)
    language = models.CharField(max_length=16, blank=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    meta = models.JSONField(default=dict, blank=True)
    # The prompt that opened the live conversation which led here. A continuation is asked in no round of its
    # own, and has its opening's split: they share text.
    opening = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="continuations", db_index=False
    )
    # Without an index: nothing looks prompts up by it, and an import would write to it for each.
    source = models.ForeignKey(
        Import, null=True, blank=True, on_delete=models.SET_NULL, related_name="prompts", db_index=False
    )
    # Taken back: asked in no round any more (training.withdrawal).
    withdrawn = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "content_hash"], name="prompt_once_in_campaign"),
            models.CheckConstraint(
                condition=models.Q(split__in=["train", "validation", "test"]), name="prompt_split_known"
            ),
            models.CheckConstraint(
                condition=models.Q(purpose="")
                | models.Q(purpose__in=["evaluation", "safety", "capability"], split="test"),
                name="prompt_with_purpose_is_held_out",
            ),
        ]
        indexes = [
            _where_there_is_one("prompt", "opening"),
            # labeling.design and the task evaluations: the fixed sets of a campaign
            models.Index(
                fields=["campaign", "purpose"],
                condition=~models.Q(purpose=""),
                name="prompt_with_purpose",
            ),
        ]

    def __str__(self) -> str:
        return str(self.messages[-1]["content"])[:80]


class Response(models.Model):
    """One answer to a prompt: sampled from a policy, imported, written, or edited from its `parent`."""

    class Origin(models.TextChoices):
        SAMPLED = "sampled", _("Sampled from a policy")
        IMPORTED = "imported", _("Imported")
        EDITED = "edited", _("Edited by a person")
        WRITTEN = "written", _("Written by a person")

    # without an index of its own: response_imported_once begins with it
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="responses", db_index=False)
    text = models.TextField(blank=True)
    # A whole conversation after the prompt, [{"role", "content"}, …], ending with an answer; `text` is then
    # that last answer. Empty for a plain answer.
    turns = models.JSONField(default=list, blank=True)
    text_hash = models.CharField(max_length=32)  # labeling.prompts.text_hash, over text and turns
    origin = models.CharField(max_length=8, choices=Origin.choices)
    policy = models.ForeignKey(
        "models_app.ModelVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="responses",
        db_index=False,
    )
    sampling = models.ForeignKey(
        "models_app.SamplingConfig",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="responses",
        db_index=False,
    )
    # The round it was sampled for; empty for imports, edits and evaluation samples.
    round = models.ForeignKey(
        "labeling.Round",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="responses",
        db_index=False,
    )
    # Sampled: the draw's number for that prompt, policy, config and round. Imported: tells apart equal
    # texts of the same (or no) model within one record.
    copy = models.PositiveSmallIntegerField(default=0)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="edits_of", db_index=False
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="responses",
        db_index=False,
    )
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "policy", "sampling", "round", "copy"],
                condition=models.Q(origin="sampled"),
                nulls_distinct=False,
                name="response_draw_once",
            ),
            # of all answers, so that a prompt's are found by it, too: those not imported differ by their ids
            models.UniqueConstraint(
                "prompt",
                "policy",
                "text_hash",
                "copy",
                models.Case(models.When(origin="imported", then=None), default=models.F("id")),
                nulls_distinct=False,
                name="response_imported_once",
            ),
            models.CheckConstraint(
                condition=~models.Q(origin="sampled")
                | models.Q(policy__isnull=False, sampling__isnull=False),
                name="response_sampled_names_policy",
            ),
            models.CheckConstraint(
                condition=~models.Q(origin="edited") | models.Q(parent__isnull=False, author__isnull=False),
                name="response_edited_names_parent",
            ),
        ]
        indexes = [
            *(_where_there_is_one("response", name) for name in ("sampling", "round", "parent", "author")),
            # what a rare policy said, where two are shown side by side; by blocks, since a tree would cost an
            # import as much again as the index of its answers' prompts
            BrinIndex(fields=["policy"], name="response_by_policy"),
        ]

    def __str__(self) -> str:
        return self.text[:80]
