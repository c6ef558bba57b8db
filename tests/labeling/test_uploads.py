"""Uploads come in in the background, are watched, cancelled without residue, and end with their worker."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.conf import settings
from django.db import connection
from django.urls import reverse

from accounts.models import Role
from labeling import tasks, uploads
from labeling.imports import import_records
from labeling.models import Import, Prompt, Response, Round, Slot, Task, TaskResponse
from labeling.rounds import StateError
from tests.cast import make_campaign, make_user

ROWS = [Prompt, Response, Round, Slot, Task, TaskResponse]


def _lines(n, start=0):
    rows = ({"prompt": f"Q {k}?", "responses": ["a", "b"]} for k in range(start, start + n))
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())


def _receive(campaign, source, **more):
    by = campaign.created_by
    usual = {"format": "touchstone", "by": by, "filename": "p.jsonl", "dry_run": False}
    return uploads.receive(campaign, source, **(usual | more))


def _stored():
    return sorted(settings.UPLOADS_DIR.glob("import-*"))


def _nothing_kept():
    return not any(model._default_manager.exists() for model in ROWS)


@pytest.fixture
def campaign(db, tmp_path, settings):
    settings.UPLOADS_DIR = tmp_path / "uploads"
    return make_campaign()


def test_an_upload_is_private_until_it_is_imported(campaign):
    received = _receive(campaign, _lines(3))
    assert (received.status, received.bytes) == ("queued", len(_lines(3).getvalue()))
    (path,) = _stored()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert uploads.run(received.pk)
    received.refresh_from_db()
    assert (received.status, received.report["tasks_added"], _stored()) == ("done", 3, [])
    assert received.finished_at is not None
    assert {prompt.source for prompt in Prompt.objects.all()} == {received}
    assert uploads.run(received.pk)  # a second message changes nothing
    assert Prompt.objects.count() == 3


def test_a_refused_upload_keeps_its_errors_and_nothing_else(campaign):
    received = _receive(campaign, io.BytesIO(b'{"prompt": 1}\n'))
    uploads.run(received.pk)
    received.refresh_from_db()
    assert (received.status, received.report["errors"][0]["line"]) == ("refused", 1)
    assert _nothing_kept()
    kept = {f"import-{received.pk}{what}" for what in ("", ".errors", ".failed")}  # for a day
    assert {path.name for path in _stored()} == kept


def test_a_checked_upload_waits_a_day_to_be_kept(campaign):
    first, second = (_receive(campaign, _lines(2, k), dry_run=True) for k in (0, 2))
    for received in (first, second):
        uploads.run(received.pk)
    assert _nothing_kept()
    uploads.keep(first)
    uploads.run(first.pk)
    assert Prompt.objects.count() == 2
    with pytest.raises(StateError, match="not here any more"):
        uploads.keep(first)
    (left,) = _stored()
    os.utime(left, (time.time() - 90_000,) * 2)
    assert uploads.tend() == []
    with pytest.raises(StateError, match="not here any more"):
        uploads.keep(second)


def test_cancelling_leaves_nothing(campaign, monkeypatch):
    monkeypatch.setattr("labeling.imports.BATCH", 10)
    monkeypatch.setattr("labeling.imports.ASK_SECONDS", 0)
    by = campaign.created_by
    waiting, running = _receive(campaign, _lines(5)), _receive(campaign, _lines(100))
    uploads.cancel(waiting, by)
    uploads.run(waiting.pk)

    seen = []

    def cancelled_at_the_third(*given, cancelled, **options):
        def asked():
            seen.append(Prompt.objects.count())
            if len(seen) == 3:
                uploads.cancel(running, by)
            return cancelled()

        return import_records(*given, cancelled=asked, **options)

    monkeypatch.setattr(uploads, "import_records", cancelled_at_the_third)
    uploads.run(running.pk)
    running.refresh_from_db()
    assert (waiting.status, running.status, seen) == ("cancelled", "cancelled", [0, 10, 20])
    assert _nothing_kept()
    assert _stored() == []
    with pytest.raises(StateError, match="can't be cancelled"):
        uploads.cancel(running, by)


def test_a_cancel_that_comes_at_the_very_end_still_holds(campaign, monkeypatch):
    received = _receive(campaign, _lines(5))
    opened = []

    def late(round_, **how):
        opened.append(Import.objects.filter(pk=received.pk).update(cancel_requested=True))

    monkeypatch.setattr("labeling.import_loading.rounds.open_", late)
    uploads.run(received.pk)
    received.refresh_from_db()
    assert (opened, received.status) == ([1], "cancelled")
    assert _nothing_kept()


def test_one_import_at_a_time_and_then_the_next(campaign, django_capture_on_commit_callbacks):
    first, second = _receive(campaign, _lines(2)), _receive(campaign, _lines(2, 2))
    taken, done = threading.Event(), threading.Event()

    def elsewhere():
        with uploads._turn(campaign.pk) as mine:
            assert mine
            taken.set()
            done.wait(20)
        connection.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    taken.wait(20)
    assert not uploads.run(first.pk)
    done.set()
    thread.join()
    assert uploads.run(first.pk)
    assert uploads.next_after(first.pk) == [second.pk]
    assert uploads.tend() == []
    Import.objects.filter(pk=second.pk).update(created_at="2020-01-01T00:00Z")
    assert uploads.tend() == [second.pk]


def test_a_failure_is_said_and_keeps_nothing(campaign):
    received = _receive(campaign, _lines(2))
    (path,) = _stored()
    path.unlink()
    uploads.run(received.pk)
    received.refresh_from_db()
    assert (received.status, received.error) == ("failed", uploads.BROKEN)


WORKER = """
from pathlib import Path
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = {database!r}
django.setup()
from labeling import uploads, imports
settings.UPLOADS_DIR = Path({folder!r})
imports.BATCH = 100
uploads.run({pk})
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_leaves_nothing_half_written(tmp_path, settings):
    settings.UPLOADS_DIR = tmp_path / "uploads"
    campaign = make_campaign()
    received = _receive(campaign, _lines(200_000))
    database = settings.DATABASES["default"]["NAME"]
    code = WORKER.format(folder=str(settings.UPLOADS_DIR), pk=received.pk, database=database)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 60
    while not uploads.percent(received) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert uploads.percent(received) > 0
    assert uploads.tend() == []
    received.refresh_from_db()
    assert received.status == "running"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    while received.status == "running" and time.monotonic() < deadline:
        uploads.tend()
        received.refresh_from_db()
    assert (received.status, received.error) == ("failed", uploads.LOST)
    assert _nothing_kept()
    assert _stored() == []


def test_a_large_upload_is_followed_on_its_page(campaign, client, settings, monkeypatch):
    monkeypatch.setattr(uploads, "AT_ONCE", 10)
    sent = []
    monkeypatch.setattr(tasks.import_upload, "delay", sent.append)
    manager = make_user(Role.MANAGER)
    client.force_login(manager)
    text = _lines(3).getvalue().decode()
    page = client.post(reverse("import", args=[campaign.slug]), {"text": text}, follow=True)
    received = Import.objects.get()
    assert (received.status, sent) == ("received", [])
    assert "Q 0?" in page.text
    chosen = {"how": "import", "format": "touchstone"}
    page = client.post(reverse("start_import", args=[campaign.slug, received.pk]), chosen, follow=True)
    assert "Waiting to be imported" in page.text
    at = [campaign.slug, received.pk]
    assert client.get(reverse("import_progress", args=at)).json() == {"status": "queued", "percent": 0}
    page = client.post(reverse("cancel_import", args=at), follow=True)
    assert "Nothing of it was kept" in page.text
    page = client.post(reverse("cancel_import", args=at), follow=True)
    assert "This import is cancelled; it can&#x27;t be cancelled." in page.text


def test_no_key_is_left_dangling_and_a_plain_database_user_can_import_too(campaign):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE plain")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain")
        cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO plain")
        for role, start in (("NONE", 0), ("plain", 20)):
            cursor.execute(f"SET LOCAL ROLE {role}")
            report = import_records(campaign, _lines(20, start), format="touchstone", by=None)
            assert (report.tasks_added, report.errors) == (20, [])
        cursor.execute("SET LOCAL ROLE NONE")
        connection.check_constraints()
        for model in ROWS:
            for field in model._meta.concrete_fields:
                if field.related_model:
                    missing = {field.name + "__isnull": False, f"{field.name}__pk": None}
                    assert not model._default_manager.filter(**missing).exists()


def test_numbers_that_others_drew_between_are_nobodys(campaign, monkeypatch):
    monkeypatch.setattr("labeling.imports.BATCH", 10)
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE labeling_response_id_seq INCREMENT 2")  # as if each second were taken
    report = import_records(campaign, _lines(95), format="touchstone", by=None)
    assert (report.tasks_added, report.responses_added, report.errors) == (95, 190, [])
    numbers = set(Response.objects.values_list("pk", flat=True))
    assert len(numbers) == 190
    assert len({number % 2 for number in numbers}) == 1
