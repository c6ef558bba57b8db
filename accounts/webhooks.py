"""Webhooks: who is told of what. Events are written down here; `deliveries` sends them.

`emit` belongs into the transaction of what it tells: an event is there exactly when its cause is. Secrets are
encrypted under a key derived from SECRET_KEY, because signing needs them as they are; whoever holds both the
database and SECRET_KEY can read them.
"""

import base64
import secrets
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit, posting
from accounts.models import User
from accounts.webhook_models import Webhook, WebhookDelivery, WebhookEvent

KINDS = {
    "judgments.submitted": gettext_lazy("Judgments and edits came in, told together every half minute"),
    "tasks.done": gettext_lazy("Tasks have all their judgments, told together every half minute"),
    "round.opened": gettext_lazy("A round was opened to raters"),
    "round.closed": gettext_lazy("A round was closed"),
    "round.cancelled": gettext_lazy("A round was given up"),
    "run.succeeded": gettext_lazy("A run succeeded"),
    "run.failed": gettext_lazy("A run failed"),
    "model.promoted": gettext_lazy("A model became champion, or one was rolled back to"),
    "snapshot.cut": gettext_lazy("A snapshot was cut"),
    "alarm.raised": gettext_lazy("An alarm was raised"),
    "import.done": gettext_lazy("An import ended: done, refused or failed"),
    "data.withdrawn": gettext_lazy("A rater's or a prompt's data was withdrawn"),
}
TEST = "test"
MOST = 20  # of one campaign, or of all campaigns
OVERLAP = timedelta(days=1)  # for which the secret before the newest still signs
PREFIX = "whsec_"


class WebhookError(Exception):
    """A webhook can't be so; `field` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class DeliveryError(Exception):
    """A delivery is in another state than what was asked of it takes for granted."""


def emit(kind: str, campaign: str, /, **data: Any) -> None:
    """Tell the webhooks that want to know; call it in the transaction of the change.

    Where none does, that is one query and nothing is written.
    """
    wanting = Webhook.objects.filter(active=True, campaign__in={"", campaign}, events__contains=[kind])
    tell(wanting, kind, campaign, data)


def emit_within(kind: str, campaigns: Iterable[str], /, **data: Any) -> None:
    """Tell the webhooks of several campaigns, each for its own; not those of all, which `emit` tells once."""
    wanting = Webhook.objects.filter(active=True, campaign__in=set(campaigns), events__contains=[kind])
    for campaign, told in groupby(wanting.order_by("campaign"), attrgetter("campaign")):
        tell(told, kind, campaign, data)


def tell(webhooks: Iterable[Webhook], kind: str, campaign: str, data: dict[str, Any]) -> None:
    """Write down an event for each of these webhooks; nothing where there are none."""
    told = list(webhooks)
    if told:
        with transaction.atomic():
            event = WebhookEvent.objects.create(kind=kind, campaign=campaign, data=data)
            WebhookDelivery.objects.bulk_create(WebhookDelivery(webhook=each, event=event) for each in told)


def of(campaign: str) -> QuerySet[Webhook]:
    """Return the webhooks of a campaign, or with "" those of all campaigns, the newest first."""
    return Webhook.objects.filter(campaign=campaign).order_by("-pk")


def add(campaign: str, url: str, events: list[str], *, by: User) -> tuple[Webhook, str]:
    """Add a webhook and return it with its secret, which can't be shown again. Raises WebhookError."""
    url, events = check_url(url), check_events(events)
    if of(campaign).count() >= MOST:
        raise WebhookError(
            "url", _("There are %(most)s webhooks already; remove one first.") % {"most": MOST}
        )
    secret = _new_secret()
    with transaction.atomic():
        webhook = Webhook.objects.create(
            url=url, campaign=campaign, events=events, sealed_secret=seal(secret), created_by=by
        )
        audit.record(by, "add webhook", webhook, url=shown(url), campaign=campaign, events=events)
    return webhook, secret


def change(webhook: Webhook, *, by: User, **changes: Any) -> Webhook:
    """Change `url`, `events` or `active` of a webhook; made active, it begins anew. Raises WebhookError."""
    if "url" in changes:
        changes["url"] = check_url(changes["url"])
    if "events" in changes:
        changes["events"] = check_events(changes["events"])
    before = {name: getattr(webhook, name) for name in changes}
    if "active" in changes:
        paused = "" if changes["active"] else _("Paused by %(name)s.") % {"name": by.username}
        changes |= {"paused_why": paused, "given_up": 0}
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(**changes)
        after = {name: changes[name] for name in before}
        for told in (before, after):
            if "url" in told:
                told["url"] = shown(told["url"])
        audit.record(by, "change webhook", webhook, before=before, after=after)
    webhook.refresh_from_db()
    return webhook


def rotate(webhook: Webhook, *, by: User) -> str:
    """Give a webhook a new secret and return it; the one before signs beside it for a day."""
    secret = _new_secret()
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(
            sealed_before=webhook.sealed_secret, sealed_secret=seal(secret), rotated_at=timezone.now()
        )
        audit.record(by, "rotate webhook secret", webhook)
    webhook.refresh_from_db()
    return secret


def remove(webhook: Webhook, *, by: User) -> None:
    """Tell a webhook nothing any more; what waits for it goes with it."""
    with transaction.atomic():
        audit.record(by, "remove webhook", webhook, url=shown(webhook.url), campaign=webhook.campaign)
        webhook.delete()


def test(webhook: Webhook, *, by: User) -> WebhookDelivery:
    """Send a webhook an event of its own that says nothing else. Raises DeliveryError while it is paused."""
    _refuse_paused(webhook)
    with transaction.atomic():
        tell([webhook], TEST, webhook.campaign, {"by": by.username})
        audit.record(by, "test webhook", webhook)
    return webhook.deliveries.select_related("event").latest("pk")


def retry(delivery: WebhookDelivery, *, by: User) -> None:
    """Send a delivery now. Raises DeliveryError where it arrived, or its webhook is paused."""
    _refuse_paused(delivery.webhook)
    waiting, failed = WebhookDelivery.Status.WAITING, WebhookDelivery.Status.FAILED
    with transaction.atomic():
        rows = WebhookDelivery.objects.filter(pk=delivery.pk, status__in=[waiting, failed])
        if not rows.update(status=waiting, attempts=0, next_attempt_at=timezone.now()):
            raise DeliveryError(_("The receiver has acknowledged this event; it is never sent again."))
        audit.record(by, "retry delivery", delivery.webhook, event=str(delivery.event_id))
    delivery.refresh_from_db()


def check_url(url: str) -> str:
    """Return the address of a webhook as it is kept. Raises WebhookError."""
    url = url.strip()
    try:
        URLValidator(schemes=["http", "https"])(url)
        parts = urlsplit(url)
        _port = parts.port
    except (ValidationError, ValueError) as error:
        message = _("This is no address of the web: give it whole, such as https://example.org/touchstone.")
        raise WebhookError("url", message) from error
    if parts.username or parts.password:
        raise WebhookError(
            "url", _("Leave user name and password out of the address: it is shown and logged.")
        )
    if len(url) > 500:
        raise WebhookError("url", _("An address has at most 500 characters."))
    try:
        posting.refuse_literal(parts.hostname or "")
    except posting.PostError as error:
        raise WebhookError("url", str(error)) from error
    return url


def shown(url: str) -> str:
    """Return an address as pages and the audit log show it: what follows the host may be a secret."""
    parts = urlsplit(url)
    more = "…" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc}/{more}"


def check_events(events: Iterable[str]) -> list[str]:
    """Return kinds of events, each once, in the order of KINDS. Raises WebhookError."""
    wanted = set(events)
    if unknown := sorted(wanted - set(KINDS)):
        message = _("“%(kind)s” is no kind of event; choose of %(known)s.")
        raise WebhookError("events", message % {"kind": unknown[0], "known": ", ".join(KINDS)})
    if not wanted:
        raise WebhookError("events", _("Choose at least one kind of event."))
    return [kind for kind in KINDS if kind in wanted]


def signing_secrets(webhook: Webhook) -> list[str]:
    """Return the secrets that sign now, newest first. Raises WebhookError where SECRET_KEY has changed."""
    sealed = [webhook.sealed_secret]
    if webhook.sealed_before and webhook.rotated_at and timezone.now() - webhook.rotated_at < OVERLAP:
        sealed.append(webhook.sealed_before)
    try:
        return [_vault().decrypt(each.encode()).decode() for each in sealed]
    except InvalidToken as error:
        message = _("Its secret can't be read, because SECRET_KEY has changed: make a new secret.")
        raise WebhookError("secret", message) from error


def seal(secret: str) -> str:
    """Encrypt a secret for the database."""
    return _vault().encrypt(secret.encode()).decode()


def _refuse_paused(webhook: Webhook) -> None:
    if not webhook.active:
        raise DeliveryError(_("This webhook is paused; let it go on first."))


def _vault() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [salted_hmac("accounts.webhooks", "seal", key, algorithm="sha256").digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def _new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()
