"""Events reach their receiver once, signed, whatever happens to it in between; and only public receivers."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import deliveries, posting, webhooks
from accounts.models import AuditEvent, Role
from accounts.posting import PostError
from accounts.webhook_models import Webhook, WebhookDelivery, WebhookEvent
from accounts.webhooks import DeliveryError, WebhookError
from tests.cast import make_user

pytestmark = pytest.mark.django_db
PUBLIC = "https://hooks.example.org/touchstone"


class Receiver:
    """A real HTTP server that keeps what it got; `status` is what it answers, and it can be down."""

    def __init__(self) -> None:
        self.status, self.location = 204, ""
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()
                if receiver.status not in {204, 302}:
                    self.wfile.write(b"x" * 5000)

            def log_message(self, *_: Any) -> None:
                pass

        self.handler = Handler
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.server: ThreadingHTTPServer | None = None

    def up(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def down(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?of=test"


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.WEBHOOK_PRIVATE = True
    made = Receiver()
    yield made
    made.down()


@pytest.fixture
def manager():
    return make_user(Role.MANAGER)


def later(hours: float) -> None:
    """Let so much time have passed for all that waits."""
    for row in WebhookDelivery.objects.filter(status="waiting"):
        row.next_attempt_at -= timedelta(hours=hours)
        row.claimed_until = row.claimed_until and row.claimed_until - timedelta(hours=hours)
        row.save()


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Verify as a receiver does that reads the published standard."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split(" ")


def test_a_receiver_that_was_down_for_an_hour_gets_each_event_once_and_can_verify_it(receiver, manager):
    hook, secret = webhooks.add("talk", receiver.url, ["round.opened", "run.failed"], by=manager)
    for number in range(12):
        webhooks.emit("round.opened", "talk", round=number)
    for minutes in (0, 1, 5, 14, 40):
        later(minutes / 60)
        while due():
            deliveries.deliver()
    assert not receiver.got
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"waiting"}
    assert "could not be reached" in WebhookDelivery.objects.earliest("pk").error
    receiver.up()
    later(24)
    while due():
        deliveries.deliver()
    later(24)
    assert deliveries.deliver() == 0
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert len(ids) == 12 == len(set(ids))
    assert set(ids) == {str(pk) for pk in WebhookEvent.objects.values_list("pk", flat=True)}
    assert all(verify(secret, *request) for request in receiver.got)
    said = [json.loads(body) for _, body in receiver.got]
    assert sorted(each["data"]["round"] for each in said) == list(range(12))
    assert {each["type"] for each in said} == {"round.opened"}
    assert not verify(webhooks._new_secret(), *receiver.got[0])
    hook.refresh_from_db()
    assert hook.active


def due() -> bool:
    return WebhookDelivery.objects.filter(
        status="waiting", next_attempt_at__lte=timezone.now(), claimed_until=None
    ).exists()


def test_a_worker_killed_after_sending_is_the_one_case_of_a_repeat_and_has_the_same_id(
    receiver, manager, monkeypatch
):
    receiver.up()
    webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    webhooks.emit("run.failed", "talk", id=1)

    class Killed(BaseException):
        pass

    def die(*_: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "settle", die)
        with pytest.raises(Killed):
            deliveries.deliver()
    assert deliveries.deliver() == 0  # somebody still holds it, as far as anybody knows
    later(1)
    assert deliveries.deliver() == 1
    first, again = receiver.got
    assert first[0]["webhook-id"] == again[0]["webhook-id"]
    assert first[1] == again[1]


def test_whoever_lost_the_claim_changes_nothing(receiver, manager):
    webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    webhooks.emit("run.failed", "talk", id=1)
    (slow,) = deliveries.claim()
    later(1)
    (quick,) = deliveries.claim()
    assert deliveries.settle(quick, posting.Answer(200, "")) is True
    assert deliveries.settle(slow, "broken off") is False
    row = WebhookDelivery.objects.get()
    assert (row.status, row.attempts) == ("delivered", 2)
    with pytest.raises(DeliveryError):
        webhooks.retry(row, by=manager)


def test_an_event_is_there_exactly_when_its_cause_is(manager):
    webhooks.add("talk", PUBLIC, ["run.failed"], by=manager)
    with transaction.atomic():
        webhooks.emit("run.failed", "talk", id=1)
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()


def test_nothing_is_written_where_nobody_wants_to_know(manager, django_assert_num_queries):
    everywhere, _ = webhooks.add("", PUBLIC, ["run.failed"], by=manager)
    webhooks.add("other", PUBLIC, ["run.succeeded"], by=manager)
    with django_assert_num_queries(1):
        webhooks.emit("run.succeeded", "talk", id=1)
    assert not WebhookEvent.objects.exists()
    webhooks.emit("run.failed", "talk", id=1)
    assert WebhookDelivery.objects.get().webhook == everywhere


def test_who_never_answers_is_given_up_and_paused_and_can_go_on(receiver, manager):
    receiver.status = 500
    receiver.up()
    hook, _ = webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    for number in range(deliveries.PAUSE_AFTER):
        webhooks.emit("run.failed", "talk", id=number)
    for _ in range(deliveries.MOST_ATTEMPTS):
        assert deliveries.deliver() == 0
        later(48)
    rows = WebhookDelivery.objects.order_by("pk")
    assert {row.status for row in rows} == {"failed"}
    assert rows[0].answer == "x" * posting.MOST_BYTES
    assert rows[0].error == "The receiver answered 500."
    hook.refresh_from_db()
    assert not hook.active
    assert "5 events in a row" in hook.paused_why
    assert AuditEvent.objects.filter(action="pause webhook", campaign="talk").count() == 1
    receiver.status = 200
    webhooks.change(hook, active=True, by=manager)
    webhooks.retry(rows[0], by=manager)
    assert deliveries.deliver() == 1


def test_who_says_gone_is_paused_at_once(receiver, manager):
    receiver.status = 410
    receiver.up()
    hook, _ = webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    webhooks.test(hook, by=manager)
    deliveries.deliver()
    hook.refresh_from_db()
    assert not hook.active
    with pytest.raises(DeliveryError):
        webhooks.test(hook, by=manager)


def test_a_redirect_is_not_followed(receiver, manager):
    receiver.status, receiver.location = 302, receiver.url
    receiver.up()
    hook, _ = webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    webhooks.test(hook, by=manager)
    assert deliveries.deliver() == 0
    assert len(receiver.got) == 1


def test_the_wait_grows_to_a_day(monkeypatch):
    monkeypatch.setattr(deliveries.random, "uniform", lambda low, high: 1.0)
    seconds = [deliveries.wait(attempts).total_seconds() for attempts in range(1, 11)]
    assert seconds == [5, 20, 80, 320, 1280, 5120, 20480, 81920, 86400, 86400]


def test_both_secrets_sign_for_a_day_and_neither_lies_open(receiver, manager):
    receiver.up()
    hook, old = webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    new = webhooks.rotate(hook, by=manager)
    assert old not in hook.sealed_before
    assert new not in hook.sealed_secret
    webhooks.test(hook, by=manager)
    deliveries.deliver()
    assert verify(old, *receiver.got[0])
    assert verify(new, *receiver.got[0])
    Webhook.objects.update(rotated_at=timezone.now() - timedelta(days=2))
    webhooks.test(hook, by=manager)
    deliveries.deliver()
    assert verify(new, *receiver.got[1])
    assert not verify(old, *receiver.got[1])


def test_a_new_secret_key_says_what_to_do(receiver, manager, settings):
    receiver.up()
    hook, _ = webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    settings.SECRET_KEY = "another"
    webhooks.test(hook, by=manager)
    assert deliveries.deliver() == 0
    assert "SECRET_KEY has changed" in WebhookDelivery.objects.get().error


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "example.org", "https://name:word@example.org/", "http://localhost/x",
        "http://127.0.0.1:6379/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/",
        "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::10.0.0.1]/", "http://0.0.0.0/",
        "https://example.org:99999/", "https://a/\0",
    ],
)  # fmt: skip
def test_only_whole_public_addresses_are_taken(url, manager):
    with pytest.raises(WebhookError):
        webhooks.add("talk", url, ["run.failed"], by=manager)
    assert not Webhook.objects.exists()


def test_a_name_that_leads_to_a_private_address_is_not_asked(monkeypatch):
    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", ("93.184.216.34", port)), (2, 1, 6, "", ("192.168.0.1", port))]

    monkeypatch.setattr(posting.socket, "getaddrinfo", lookup)
    with pytest.raises(PostError, match=r"192\.168\.0\.1 is a private address"):
        posting.post("http://sneaky.example.org/", b"{}", {})


def test_a_receiver_that_drips_is_broken_off(receiver, monkeypatch):
    monkeypatch.setattr(posting, "WHOLE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(PostError):
        posting.post(f"http://127.0.0.1:{silent.getsockname()[1]}/", b"{}", {})


def test_what_is_old_and_told_is_forgotten(receiver, manager):
    receiver.up()
    hook, _ = webhooks.add("talk", receiver.url, ["run.failed"], by=manager)
    webhooks.test(hook, by=manager)
    deliveries.deliver()
    webhooks.test(hook, by=manager)
    WebhookEvent.objects.update(created_at=timezone.now() - timedelta(days=31))
    deliveries.prune()
    assert [row.status for row in WebhookDelivery.objects.all()] == ["waiting"]
