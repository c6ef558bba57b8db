"""Prompts, the answers to them, and the imports they came in by."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class Import(models.Model):
    """One upload of prompts, answers or past judgments, with its report."""

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.CASCADE, related_name="imports")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    filename = models.CharField(max_length=255, blank=True)
    format = models.CharField(max_length=40)
    report = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.filename or f"import {self.pk}"


class Prompt(models.Model):
    """A conversation awaiting an answer; its split is fixed by its content hash (or its opening's)."""

    class Split(models.TextChoices):
        TRAIN = "train", _("Train")
        VALIDATION = "validation", _("Validation")
        TEST = "test", _("Test")

    campaign = models.ForeignKey("labeling.Campaign", on_delete=models.CASCADE, related_name="prompts")
    messages = models.JSONField()  # [{"role": …, "content": …}, …]
    content_hash = models.CharField(max_length=64)  # labeling.prompts.content_hash
    split = models.CharField(max_length=10, choices=Split.choices)
    language = models.CharField(max_length=16, blank=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    meta = models.JSONField(default=dict, blank=True)
    # The prompt that opened the live conversation which led here. A continuation is asked in no round of its
    # own, and has its opening's split: they share text.
    opening = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="continuations"
    )
    source = models.ForeignKey(
        Import, null=True, blank=True, on_delete=models.SET_NULL, related_name="prompts"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "content_hash"], name="prompt_once_in_campaign"),
            models.CheckConstraint(
                condition=models.Q(split__in=["train", "validation", "test"]), name="prompt_split_known"
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

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="responses")
    text = models.TextField(blank=True)
    # A whole conversation after the prompt, [{"role", "content"}, …], ending with an answer; `text` is then
    # that last answer. Empty for a plain answer.
    turns = models.JSONField(default=list, blank=True)
    text_hash = models.CharField(max_length=64)  # labeling.prompts.text_hash, over text and turns
    origin = models.CharField(max_length=8, choices=Origin.choices)
    policy = models.ForeignKey(
        "models_app.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="responses"
    )
    sampling = models.ForeignKey(
        "models_app.SamplingConfig", null=True, blank=True, on_delete=models.PROTECT, related_name="responses"
    )
    # The round it was sampled for; empty for imports, edits and evaluation samples.
    round = models.ForeignKey(
        "labeling.Round", null=True, blank=True, on_delete=models.PROTECT, related_name="responses"
    )
    # Sampled: the draw's number for that prompt, policy, config and round. Imported: tells apart equal
    # texts of the same (or no) model within one record.
    copy = models.PositiveSmallIntegerField(default=0)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="edits_of"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="responses"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "policy", "sampling", "round", "copy"],
                condition=models.Q(origin="sampled"),
                nulls_distinct=False,
                name="response_draw_once",
            ),
            models.UniqueConstraint(
                fields=["prompt", "policy", "text_hash", "copy"],
                condition=models.Q(origin="imported"),
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

    def __str__(self) -> str:
        return self.text[:80]
