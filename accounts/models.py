"""People, what they are good at, their pools, sessions and API tokens, and the audit log."""

import secrets
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts import webhook_models  # noqa: F401  Django looks for models here

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase


def new_pseudonym() -> str:
    """Make the name under which a person appears in datasets: it says nothing about them."""
    return "rater-" + secrets.token_hex(6)


class Role(models.TextChoices):
    RATER = "rater", _("Rater")
    MANAGER = "manager", _("Manager")
    RESEARCHER = "researcher", _("Researcher")


def languages() -> list[tuple[str, str]]:
    """List the languages that pages come in, each under its own name."""
    return [*settings.LANGUAGES]


class Theme(models.TextChoices):
    AUTO = "auto", _("As the device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class Density(models.TextChoices):
    COMFORTABLE = "comfortable", _("Comfortable")
    COMPACT = "compact", _("Compact")


class TextSize(models.TextChoices):
    SMALL = "small", _("Small")
    MEDIUM = "medium", _("Medium")
    LARGE = "large", _("Large")
    X_LARGE = "x-large", _("Very large")


class Skill(models.Model):
    """Something a task may ask of its rater, such as a language or a field."""

    name = models.SlugField(unique=True)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person who rates, manages or researches; `pseudonym` stands for them in every export."""

    role = models.CharField(max_length=12, choices=Role.choices, default=Role.RATER)
    pseudonym = models.CharField(max_length=32, unique=True, default=new_pseudonym)
    # Came with an import of past judgments: cannot sign in, and is not invited.
    imported = models.BooleanField(default=False)
    # Rates by program in a rehearsal; never mixed up with people.
    simulated = models.BooleanField(default=False)
    skills = models.ManyToManyField(Skill, blank=True)

    # How the pages look and speak; blank language: what the browser asks for.
    language = models.CharField(_("Language"), max_length=12, blank=True, default="", choices=languages)
    theme = models.CharField(_("Colours"), max_length=5, choices=Theme.choices, default=Theme.AUTO)
    density = models.CharField(
        _("Spacing"), max_length=11, choices=Density.choices, default=Density.COMFORTABLE
    )
    text_size = models.CharField(
        _("Text size"), max_length=7, choices=TextSize.choices, default=TextSize.MEDIUM
    )
    # Single keys can be turned off for who speaks to the computer (WCAG 2.1.4); Ctrl+Enter always sends.
    shortcuts = models.BooleanField(_("Work with single keys"), default=True)
    # action → key, only what differs from accounts.keys.ACTIONS
    keys = models.JSONField(default=dict, blank=True)

    # campaign's slug → manager or researcher: what memberships say, kept by a trigger beside them, so that
    # who may do what is known with the row that every request reads
    campaign_roles = models.JSONField(default=dict, blank=True, editable=False)

    # of this request: the token that it came with, and the campaign whose pages it is about
    acts_by: "ApiToken | None" = None
    focus = ""

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
        ]


class Pool(models.Model):
    """A named group of people; campaigns that take it have its members as their raters."""

    name = models.CharField(_("Name"), max_length=80, unique=True)
    members = models.ManyToManyField(User, blank=True, related_name="pools")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Session(AbstractBaseSession):
    """Somebody signed in with a browser; `accounts.sessions` writes the row, and knows when it was seen."""

    # What pages and the API call it: its key would let whoever reads it in.
    name = models.CharField(max_length=32, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="sessions"
    )
    device = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)
    since = models.DateTimeField(null=True)

    @classmethod
    def get_session_store_class(cls) -> "type[SessionBase]":
        """Return what reads and writes the rows."""
        from accounts.sessions import SessionStore

        return SessionStore


class ApiToken(models.Model):
    """A revocable key to the API; only its SHA-256 is kept.

    No scopes: all that its user may do; else the actions of accounts.roles.ACTIONS that it is for.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    campaign = models.SlugField(max_length=60, blank=True, default="", db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class AuditEvent(models.Model):
    """Who changed what, when and from where; rows are only ever added."""

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="audit_events"
    )
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=120)
    # where settings change: "before" and "after"
    detail = models.JSONField(default=dict)
    # the slug of the campaign that it was about; empty for what concerns the whole installation
    campaign = models.SlugField(max_length=60, blank=True, default="", db_index=False)
    # where the request came from; none where a worker or a command acted
    address = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # the audit page: newest first, of one target
            models.Index(fields=["target", "-created_at"], name="audit_of_target_newest"),
            models.Index(fields=["campaign", "-id"], name="audit_of_campaign_newest"),
            models.Index(fields=["action", "-id"], name="audit_of_action_newest"),
            models.Index(fields=["created_at"], name="audit_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
