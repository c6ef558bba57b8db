"""Send the events of webhooks, each until its receiver says yes, and never again then.

A delivery is claimed by a guarded update, sent outside of any transaction, and settled by an update that only
the claim may make. A receiver sees an event twice in one case alone: when the process dies between the
receiver's yes and the settling. The event's id is the same then, by which a receiver drops what it knows.

Headers and signature are those of https://www.standardwebhooks.com.
"""

import base64
import hashlib
import hmac
import json
import random
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, posting
from accounts.posting import Answer, PostError
from accounts.webhook_models import Webhook, WebhookDelivery, WebhookEvent
from accounts.webhooks import PREFIX, WebhookError, signing_secrets

WAITING, DELIVERED, FAILED = (
    WebhookDelivery.Status.WAITING,
    WebhookDelivery.Status.DELIVERED,
    WebhookDelivery.Status.FAILED,
)
AT_ONCE = 8  # webhooks, deliveries of one, and requests side by side
# After which a claim is somebody else's: longer than AT_ONCE times the whole of a request (posting) may take.
HOLD = timedelta(minutes=5)
FIRST_WAIT, LONGEST_WAIT = 5.0, 86_400.0
MOST_ATTEMPTS = 10  # in about two days and a half
PAUSE_AFTER = 5  # deliveries given up in a row
KEEP = timedelta(days=30)
GONE = 410  # by which a receiver says that it is there no more


def deliver() -> int:
    """Send what is due, at most AT_ONCE each of AT_ONCE webhooks; return how many arrived."""
    claimed = claim()
    if not claimed:
        return 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = {pool.submit(_send, _request(delivery)): delivery for delivery in claimed}
        # settled as they come, so that a death loses as little as can be
        return sum(settle(sent[answer], answer.result()) for answer in as_completed(sent))


def claim() -> list[WebhookDelivery]:
    """Take what is due and nobody else sends, oldest first, and count the attempt."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(
        Q(claimed_until=None) | Q(claimed_until__lt=now), status=WAITING, next_attempt_at__lte=now
    )
    waiting = Webhook.objects.filter(Exists(due.filter(webhook=OuterRef("pk"))), active=True)
    taken: list[int] = []
    for webhook in waiting.order_by("?")[:AT_ONCE]:
        with transaction.atomic():
            rows = due.filter(webhook=webhook).select_for_update(skip_locked=True).order_by("pk")
            pks = list(rows.values_list("pk", flat=True)[:AT_ONCE])
            WebhookDelivery.objects.filter(pk__in=pks).update(
                claimed_until=now + HOLD, attempts=F("attempts") + 1, tried_at=now
            )
        taken += pks
    return list(
        WebhookDelivery.objects.filter(pk__in=taken).select_related("webhook", "event").order_by("pk")
    )


def settle(delivery: WebhookDelivery, answer: Answer | str) -> bool:
    """Note what came of a claimed delivery, and tell whether it arrived."""
    arrived = isinstance(answer, Answer) and 200 <= answer.status < 300
    told = {"answer_status": answer.status, "answer": answer.text} if isinstance(answer, Answer) else {}
    error = answer if isinstance(answer, str) else ""
    if isinstance(answer, Answer) and not arrived:
        error = _("The receiver answered %(status)s.") % {"status": answer.status}
    gone = isinstance(answer, Answer) and answer.status == GONE
    given_up = not arrived and (gone or delivery.attempts >= MOST_ATTEMPTS)
    now = timezone.now()
    changes = {
        "status": DELIVERED if arrived else FAILED if given_up else WAITING,
        "claimed_until": None,
        "delivered_at": now if arrived else None,
        "next_attempt_at": now + wait(delivery.attempts),
        "error": error[:300],
        **({"answer_status": None, "answer": ""} | told),
    }
    with transaction.atomic():
        mine = WebhookDelivery.objects.filter(
            pk=delivery.pk, status=WAITING, claimed_until=delivery.claimed_until
        )
        if not mine.update(**changes):
            return False
        if arrived:
            Webhook.objects.filter(pk=delivery.webhook_id, given_up__gt=0).update(given_up=0)
        elif given_up:
            _give_up(delivery.webhook, gone=gone)
    return arrived


def wait(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: four times longer each, at most a day, ±20 %."""
    seconds = min(FIRST_WAIT * 4 ** (attempts - 1), LONGEST_WAIT)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))


def body_of(event: WebhookEvent) -> bytes:
    """Return what is sent of an event: the same bytes at each attempt."""
    said = {
        "type": event.kind,
        "timestamp": event.created_at.isoformat(),
        "campaign": event.campaign,
        "data": event.data,
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return a signature: HMAC-SHA256 of id, time and body under a secret's bytes."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers_of(delivery: WebhookDelivery, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers of an attempt; each secret that is good now signs. Raises WebhookError."""
    timestamp, event_id = int(now.timestamp()), str(delivery.event_id)
    signatures = [sign(secret, event_id, timestamp, body) for secret in signing_secrets(delivery.webhook)]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Touchstone-Webhooks/1",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def prune() -> int:
    """Forget events that are KEEP old and wait for nobody; return how many."""
    waiting = WebhookDelivery.objects.filter(event=OuterRef("pk"), status=WAITING)
    old = WebhookEvent.objects.filter(~Exists(waiting), created_at__lt=timezone.now() - KEEP)
    return old.delete()[0]


def _request(delivery: WebhookDelivery) -> tuple[str, bytes, dict[str, str]] | str:
    """Return address, body and headers of an attempt, or why there can be none."""
    body = body_of(delivery.event)
    try:
        return delivery.webhook.url, body, headers_of(delivery, body, timezone.now())
    except WebhookError as error:
        return str(error)


def _send(request: tuple[str, bytes, dict[str, str]] | str) -> Answer | str:
    """Send one request, in a thread that asks the database nothing."""
    if isinstance(request, str):
        return request
    try:
        return posting.post(*request)
    except PostError as error:
        return str(error)


def _give_up(webhook: Webhook, *, gone: bool) -> None:
    """Count what a webhook didn't take, and pause it where that goes on or its receiver is gone."""
    Webhook.objects.filter(pk=webhook.pk).update(given_up=F("given_up") + 1)
    webhook.refresh_from_db()
    if webhook.active and (gone or webhook.given_up >= PAUSE_AFTER):
        why = _("The receiver said that it is gone (410).") if gone else _(
            "%(n)s events in a row could not be delivered."
        ) % {"n": webhook.given_up}  # fmt: skip
        Webhook.objects.filter(pk=webhook.pk).update(active=False, paused_why=why)
        audit.record(None, "pause webhook", webhook, why=why)
