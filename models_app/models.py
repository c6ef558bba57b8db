"""Versions of policies and reward models, and how answers are sampled from them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ModelVersion(models.Model):
    """One policy or reward model of a family; a family is what one campaign improves.

    `location` is a folder or hub id (transformers), a base URL (openai_compatible) or empty (imported,
    a name under which somebody else's answers came in). The champion is the version in use.
    """

    class Kind(models.TextChoices):
        POLICY = "policy", _("Policy")
        REWARD = "reward", _("Reward model")

    class Backend(models.TextChoices):
        TRANSFORMERS = "transformers", _("Transformers checkpoint")
        OPENAI = "openai_compatible", _("Chat-completions server")
        IMPORTED = "imported", _("Imported answers")

    class Status(models.TextChoices):
        CANDIDATE = "candidate", _("Candidate")
        CHAMPION = "champion", _("Champion")
        RETIRED = "retired", _("Retired")

    family = models.SlugField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=200)
    backend = models.CharField(max_length=20, choices=Backend.choices)
    location = models.CharField(max_length=500, blank=True)
    # openai_compatible: {"model": …, "api_key_env": name of the variable that holds the key,
    # "concurrency": requests at once, 8 if not given, "stream": whether rounds ask for answers in pieces}
    options = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CANDIDATE)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["family", "kind", "name"], name="model_name_once_in_family"),
            models.UniqueConstraint(
                fields=["family", "kind"],
                condition=models.Q(status="champion"),
                name="one_champion_of_a_kind_in_family",
            ),
            models.CheckConstraint(
                condition=models.Q(backend="imported") | ~models.Q(location=""), name="model_has_location"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Promotion(models.Model):
    """A change of champion: decided by a gate's report or by a named person with a reason."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    previous = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    gate = models.JSONField(null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(gate__isnull=False) | (models.Q(by__isnull=False) & ~models.Q(reason="")),
                name="promotion_by_gate_or_named_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} promoted"


class SamplingConfig(models.Model):
    """How answers are drawn; rows are shared and never change, so that a response can name its own."""

    temperature = models.FloatField(default=1.0)
    top_p = models.FloatField(default=1.0)
    max_new_tokens = models.PositiveIntegerField(default=96)
    seed = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["temperature", "top_p", "max_new_tokens", "seed"], name="sampling_config_once"
            ),
            models.CheckConstraint(
                condition=models.Q(temperature__gt=0, top_p__gt=0, top_p__lte=1, max_new_tokens__gt=0),
                name="sampling_config_in_range",
            ),
        ]

    def __str__(self) -> str:
        return f"T={self.temperature:g} top-p={self.top_p:g} ≤{self.max_new_tokens} tokens, seed {self.seed}"
