"""Downloads that go on where they stopped, what workers prepare, and signed links."""

import hashlib
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AuditEvent, Role
from tests import cast
from tests.training import cast as labels
from training import archives, links, preparations, snapshots
from training.models import Download, DownloadLink, Preparation, Snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    return settings.SNAPSHOTS_DIR


@pytest.fixture
def researcher(client):
    user = cast.make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def campaign():
    return labels.make_split_campaign()


@pytest.fixture
def snapshot(campaign) -> Snapshot:
    return snapshots.cut(campaign)


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_a_download_comes_whole_or_in_ranges_of_the_same_bytes(client, researcher, snapshot):
    address = reverse("download", args=[snapshot.pk, "trl-preference"])
    answer = client.get(address)
    whole, tag = body(answer), answer["ETag"]
    assert answer.status_code == 200
    assert int(answer["Content-Length"]) == len(whole)
    assert answer["Accept-Ranges"] == "bytes"
    assert tag == f'"{hashlib.sha256(whole).hexdigest()}"'
    assert zipfile.ZipFile(BytesIO(whole)).testzip() is None
    size = len(whole)
    for asked, part in {
        "bytes=0-9": whole[:10],
        "bytes=10-": whole[10:],
        "bytes=-7": whole[-7:],
        f"bytes=5-{10 * size}": whole[5:],
        f"bytes=-{10 * size}": whole,
    }.items():
        answer = client.get(address, headers={"Range": asked, "If-Range": tag})
        assert answer.status_code == 206, asked
        assert body(answer) == part
        assert int(answer["Content-Length"]) == len(part)
        first = int(answer["Content-Range"].removeprefix("bytes ").partition("-")[0])
        assert answer["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{size}"


def test_ranges_that_make_no_sense_are_refused_or_passed_over(client, researcher, snapshot):
    address = reverse("download", args=[snapshot.pk, "trl-preference"])
    whole = body(client.get(address))
    for asked in (f"bytes={len(whole)}-", "bytes=-0"):
        answer = client.get(address, headers={"Range": asked})
        assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{len(whole)}")
    for asked in ("bytes=7-3", "bytes=-", "bytes=0-1,5-6", "lines=1-2"):
        answer = client.get(address, headers={"Range": asked})
        assert (answer.status_code, body(answer)) == (200, whole), asked
    # the file has become another: from the beginning
    answer = client.get(address, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert (answer.status_code, body(answer)) == (200, whole)
    tag = answer["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    head = client.head(address)
    assert (head.status_code, head["Content-Length"]) == (200, str(len(whole)))


def test_a_download_is_kept_once_however_many_ranges_it_takes(client, researcher, snapshot):
    address = reverse("download", args=[snapshot.pk, "trl-preference"])
    client.head(address)
    body(client.get(address, headers={"Range": "bytes=0-99"}))
    body(client.get(address, headers={"Range": "bytes=100-"}))
    taken = Download.objects.get()
    assert (taken.snapshot, taken.by, taken.format, taken.file, taken.via) == (
        snapshot, researcher, "trl-preference", "jsonl", "page"
    )  # fmt: skip
    assert taken.bytes == archives.find(snapshot, "trl-preference", "jsonl").bytes


def test_what_is_large_is_prepared_by_a_worker_and_then_sent(client, researcher, snapshot, settings):
    settings.PREPARE_ABOVE = 2
    api = APIClient()
    api.force_authenticate(researcher)
    address = reverse("api_download", args=[snapshot.pk])
    answer = api.get(address, {"format": "trl-preference"})
    assert answer.status_code == 202
    assert answer["Retry-After"]
    assert (answer.data["status"], answer.data["done"], answer.data["expected"]) == ("queued", 0, 3)
    assert api.get(address, {"format": "trl-preference"}).data["id"] == answer.data["id"]
    assert not Download.objects.exists()
    page = client.get(reverse("download", args=[snapshot.pk, "trl-preference"]), follow=True).text
    assert "is being prepared" in page
    assert '<progress max="3" value="0"' in page
    preparations.work(answer.data["id"])
    preparations.work(answer.data["id"])  # told twice
    state = api.get(reverse("api_preparation", args=[answer.data["id"]])).data
    assert (state["status"], state["done"]) == ("done", 3)
    assert api.get(address, {"format": "trl-preference"}).status_code == 200
    assert Download.objects.get().via == "api"
    assert "<progress" not in client.get(reverse("snapshot", args=[snapshot.pk])).text


def test_a_large_campaign_is_cut_by_a_worker(client, researcher, campaign, settings):
    settings.PREPARE_ABOVE = 2
    client.post(
        reverse("cut_snapshot", args=["kitchen"]), {"ties": "keep", "uncounted": "keep", "consensus": "each"}
    )
    preparation = Preparation.objects.get()
    assert (preparation.status, preparation.format, preparation.expected) == ("queued", "", 3)
    listed = reverse("snapshots") + "?campaign=kitchen"
    assert '<progress max="3" value="0"' in client.get(listed).text
    preparations.work(preparation.pk)
    preparation.refresh_from_db()
    assert preparation.status == "done"
    assert preparation.snapshot == snapshots.cut(campaign, filters={"consensus": "each"})
    assert preparation.snapshot.created_by == researcher
    assert str(preparation.snapshot) in client.get(reverse("snapshot_cuts", args=["kitchen"])).text


def test_what_cannot_be_prepared_says_why(campaign, researcher, settings):
    settings.PREPARE_ABOVE = 2
    preparation = preparations.cut(campaign, researcher, {"rounds": [99]})
    assert isinstance(preparation, Preparation)
    preparations.work(preparation.pk)
    preparation.refresh_from_db()
    assert (preparation.status, preparation.error) == (
        "failed",
        "There are no judgments or edits to take yet.",
    )


def test_a_preparation_whose_worker_died_is_sent_again(
    snapshot, researcher, settings, django_capture_on_commit_callbacks
):
    settings.PREPARE_ABOVE = 2
    preparation = preparations.export(snapshot, "trl-preference", "", researcher)
    assert isinstance(preparation, Preparation)
    with django_capture_on_commit_callbacks() as sent:
        assert preparations.done(preparation) == 0
    assert not sent  # it may be waiting for a worker
    long_ago = timezone.now() - timedelta(seconds=preparations.SILENCE + 1)
    Preparation.objects.filter(pk=preparation.pk).update(status="running", heartbeat_at=long_ago)
    preparation.refresh_from_db()
    with django_capture_on_commit_callbacks() as sent:
        preparations.done(preparation)
    assert len(sent) == 1
    cache.set(f"preparation:{preparation.pk}", 2, preparations.SILENCE)
    with django_capture_on_commit_callbacks() as sent:
        assert preparations.done(preparation) == 2  # somebody is at it
    assert not sent
    cache.delete(f"preparation:{preparation.pk}")


def test_exports_that_nobody_wants_any_more_are_thrown_away(snapshot, settings):
    first = archives.make(snapshot, "trl-preference", "")
    settings.EXPORTS_KEEP_GB = 0
    second = archives.make(snapshot, "trl-margin", "")
    assert second.path.exists()  # the newest stays, whatever its size
    assert not first.path.exists()


def test_a_signed_link_gives_one_export_without_signing_in_until_it_ends(client, snapshot, researcher):
    client.post(reverse("make_link", args=[snapshot.pk]), {"export": "trl-margin parquet", "days": "7"})
    link = DownloadLink.objects.get()
    assert links.address(link) in client.get(reverse("snapshot", args=[snapshot.pk])).text
    assert AuditEvent.objects.filter(action="link.made", actor=researcher).exists()
    client.logout()
    answer = client.get(links.address(link))
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    taken = Download.objects.get()
    assert (taken.by, taken.link, taken.via, taken.file) == (None, link, "link", "parquet")
    forged = links.address(link).replace(f"/{link.pk}.", f"/{link.pk + 1}.")
    assert client.get(forged).status_code == 404
    DownloadLink.objects.update(expires_at=timezone.now())
    assert client.get(links.address(link)).status_code == 404


def test_a_link_ends_when_it_is_revoked_or_its_maker_may_not_export_any_more(client, snapshot, researcher):
    api = APIClient()
    api.force_authenticate(researcher)
    made = api.post(reverse("api_links", args=[snapshot.pk]), {"format": "trl-margin", "days": 1}, "json")
    assert made.status_code == 201
    client.logout()
    assert client.get(made.data["url"]).status_code == 200
    other = cast.make_user(Role.RESEARCHER)
    api.force_authenticate(other)
    refused = api.delete(reverse("api_link", args=[made.data["id"]]))
    assert (refused.status_code, str(refused.data["detail"])) == (
        403, "Only who made a link, or a manager, can end it.",
    )  # fmt: skip
    researcher.is_active = False
    researcher.save()
    assert client.get(made.data["url"]).status_code == 404
    researcher.is_active = True
    researcher.save()
    api.force_authenticate(researcher)
    assert api.delete(reverse("api_link", args=[made.data["id"]])).status_code == 204
    assert client.get(made.data["url"]).status_code == 404
    for wrong, field in (
        ({"format": "parchment", "days": 1}, "format"),
        ({"format": "trl-sft", "days": 91}, "days"),
    ):
        answer = api.post(reverse("api_links", args=[snapshot.pk]), wrong, "json")
        assert answer.status_code == 400
        assert field in answer.data
