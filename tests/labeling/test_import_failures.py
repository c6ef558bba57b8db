"""What fails of an import is handed back, and the good lines come in alone where somebody says so."""

import csv
import io
import json

import pytest
from django.urls import reverse

from accounts.models import Role
from labeling import uploads
from labeling.import_failures import Failures
from labeling.import_rows import read_rows
from labeling.imports import import_records
from labeling.models import Import, Prompt, Response, Round, Task
from tests.cast import make_campaign, make_user
from tests.labeling.test_import_mapping import lines_of, parquet_of

pytestmark = pytest.mark.django_db
PAIR = {"responses": ["a", "b"]}
GOOD, BAD = {"prompt": "Why?"} | PAIR, {"prompt": ""} | PAIR


@pytest.fixture
def campaign(tmp_path, settings):
    settings.UPLOADS_DIR = tmp_path / "uploads"
    return make_campaign()


def fail(campaign, source, format, tmp_path, **options):
    with Failures() as failures:
        report = import_records(campaign, source, format=format, by=None, failures=failures, **options)
        table, rows = tmp_path / "errors.csv", tmp_path / "failed"
        failures.write(source, table, rows)
    with table.open(encoding="utf-8-sig", newline="") as file:
        return report, list(csv.DictReader(file)), rows


def test_bad_rows_come_back_as_a_file_of_their_own_kind(campaign, tmp_path):
    rows = [GOOD | {"prompt": f"Q {n}?"} for n in range(5)]
    rows[1] = rows[3] = BAD
    table = 'prompt,response_a,response_b\n"Q,\n1?",a,b\n"",a,"b\nc"\nQ 2?,a,b\n'
    for name, source, format, lines, bad in (
        ("jsonl", lines_of(*rows), "touchstone", [2, 4], [BAD, BAD]),
        ("json", io.BytesIO(json.dumps(rows).encode()), "touchstone", [2, 4], [BAD, BAD]),
        ("parquet", parquet_of(rows), "touchstone", [2, 4], [BAD, BAD]),
        (
            "csv",
            io.BytesIO(table.encode()),
            "csv",
            [4],
            [{"prompt": "", "response_a": "a", "response_b": "b\nc"}],
        ),
    ):
        folder = tmp_path / name
        folder.mkdir()
        report, errors, failed = fail(campaign, source, format, folder)
        assert (report.refused, report.errors_total, Prompt.objects.count()) == (True, len(lines), 0)
        assert [(int(row["line"]), row["error"]) for row in errors] == [
            (n, "the prompt is empty") for n in lines
        ]
        assert all('"a"' in row["text"] or "a," in row["text"] for row in errors)
        with failed.open("rb") as file:
            assert [row for _number, row in read_rows(file)] == bad


def test_every_error_is_in_the_table_in_the_order_of_the_lines(campaign, tmp_path, monkeypatch):
    monkeypatch.setattr("labeling.imports.BATCH", 7)
    import_records(campaign, lines_of(GOOD | {"id": "x"}), format="touchstone", by=None)
    rows = [BAD if n % 2 else GOOD | {"id": "x", "prompt": f"Another {n}?"} for n in range(250)]
    report, errors, _failed = fail(campaign, lines_of(*rows), "touchstone", tmp_path, keep_good=True)
    assert (len(report.errors), report.errors_total) == (100, 250)
    assert [int(row["line"]) for row in errors] == list(range(1, 251))


def test_a_cell_is_no_formula(campaign, tmp_path):
    source = io.BytesIO(b'{"prompt": "Why?"}\n=cmd()\n')
    _report, errors, _rows = fail(campaign, source, "prompts", tmp_path)
    assert [error["text"] for error in errors] == ["'=cmd()"]


def test_good_lines_come_in_alone_where_somebody_says_so(campaign, monkeypatch):
    monkeypatch.setattr("labeling.imports.BATCH", 3)
    first = [
        GOOD | {"id": "one"},
        BAD,
        GOOD | {"id": "two", "prompt": "How?"},
        {"id": "one", "prompt": "Other?"} | PAIR,
    ]
    source = lines_of(*first, GOOD | {"id": "three", "prompt": "When?"})
    report = import_records(campaign, source, format="touchstone", by=None, keep_good=True)
    assert (report.refused, report.tasks_added, [e.line for e in report.errors]) == (False, 3, [2, 4])
    assert set(Task.objects.values_list("external_id", flat=True)) == {"one", "two", "three"}
    assert not Prompt.objects.filter(messages__0__content="Other?").exists()
    assert (Prompt.objects.count(), Response.objects.count(), Round.objects.count()) == (3, 6, 1)
    again = import_records(campaign, source, format="touchstone", by=None, keep_good=True)
    assert (again.tasks_added, again.prompts_added, again.errors_total, Round.objects.count()) == (0, 0, 2, 1)
    assert Import.objects.latest("pk").report["errors_total"] == 2


@pytest.mark.parametrize("lines", [b'{"prompt": ""}\n', b'{"prompt": "Good?"}\n\xff\xfe\n'])
def test_nothing_comes_in_of_a_file_that_breaks_off_or_has_no_good_line(campaign, lines):
    report = import_records(campaign, io.BytesIO(lines), format="prompts", by=None, keep_good=True)
    assert (report.refused, report.errors_total, Prompt.objects.count()) == (True, 1, 0)


def test_what_failed_of_an_upload_is_downloaded_for_a_day(campaign, client):
    client.force_login(make_user(Role.MANAGER))
    received = uploads.receive(
        campaign, lines_of(GOOD, BAD), format="touchstone", by=None, filename="pairs.jsonl.gz",
        dry_run=False, keep_good=True,
    )  # fmt: skip
    uploads.run(received.pk)
    received.refresh_from_db()
    assert (received.status, received.report["tasks_added"]) == ("done", 1)
    page = client.get(reverse("one_import", args=[campaign.slug, received.pk]))
    assert "One line failed and is left out." in page.text
    for name, filename, says in (
        ("import_errors", "pairs-errors.csv", b"the prompt is empty"),
        ("import_failed", "pairs-failed.jsonl", json.dumps(BAD).encode()),
    ):
        for prefix in ("", "api_"):
            answer = client.get(reverse(prefix + name, args=[campaign.slug, received.pk]))
            assert filename in answer["Content-Disposition"]
            assert says in b"".join(answer.streaming_content)
    other = make_campaign()
    assert client.get(reverse("import_errors", args=[other.slug, received.pk])).status_code == 404
    uploads.failed_table(received.pk).unlink()
    assert client.get(reverse("import_errors", args=[campaign.slug, received.pk])).status_code == 404


def test_an_upload_waits_for_its_columns_to_be_named(campaign, client):
    client.force_login(make_user(Role.MANAGER))
    text = "frage,eins,zwei\nWarum?,Darum.,So.\n"
    page = client.post(reverse("import", args=[campaign.slug]), {"text": text}, follow=True)
    received = Import.objects.get()
    at = reverse("start_import", args=[campaign.slug, received.pk])
    chosen = {"format": "columns", "columns": "columns", "column:frage": "prompt"} | {
        "column:eins": "response_a"
    }
    twice = client.post(at, chosen | {"column:zwei": "response_a", "how": "check"})
    assert (twice.status_code, "can&#x27;t both be" in twice.text) == (400, True)
    shown = client.get(page.request["PATH_INFO"], chosen | {"column:zwei": "response_b"})
    assert "So." in shown.text
    page = client.post(at, chosen | {"column:zwei": "response_b", "how": "check"}, follow=True)
    assert "This would be imported" in page.text
    page = client.post(at, chosen | {"column:zwei": "response_b", "how": "import"}, follow=True)
    assert "Imported" in page.text
    assert list(Response.objects.order_by("pk").values_list("text", flat=True)) == ["Darum.", "So."]
    assert "not here any more" in client.post(at, chosen, follow=True).text


def test_the_api_shows_starts_and_maps_as_the_page_does(campaign, client):
    client.force_login(make_user(Role.MANAGER))
    imports = reverse("api_imports", args=[campaign.slug])
    body = {"text": "frage,eins,zwei\nWarum?,Darum.,So.\n", "wait": True}
    waiting = client.post(imports, body, content_type="application/json")
    assert (waiting.status_code, waiting.json()["status"]) == (202, "received")
    at = [campaign.slug, waiting.json()["id"]]
    mapping = {"prompt": "frage", "response_a": "eins", "response_b": "zwei"}
    query = {"format": "columns", "mapping": json.dumps(mapping)}
    seen = client.get(reverse("api_preview_import", args=at), query).json()
    assert seen["records"][0]["answers"] == ["Darum.", "So."]
    wrong = client.get(reverse("api_preview_import", args=at), {"mapping": '{"ask": "x"}'})
    assert (wrong.status_code, list(wrong.json())) == (400, ["mapping"])
    started = client.post(
        reverse("api_start_import", args=at),
        {"format": "columns", "mapping": mapping},
        content_type="application/json",
    )
    assert (started.status_code, started.json()["tasks_added"]) == (201, 1)
    assert client.post(reverse("api_start_import", args=at), {}, "application/json").status_code == 409
    assert client.get(imports).json()["results"][0]["mapping"] == mapping
    direct = {"text": "frage\nWie?\n", "format": "columns", "mapping": {"prompt": "frage"}}
    assert client.post(imports, direct, content_type="application/json").json()["prompts_added"] == 1


def test_a_dataset_of_the_hub_is_fetched_by_a_worker_and_then_waits(campaign, client, monkeypatch):
    def fetched(dataset, split, out):
        assert (dataset, split) == ("owner/name", "test")
        out.write(lines_of(GOOD).getvalue())

    monkeypatch.setattr("labeling.hub.fetch", fetched)
    by = make_user(Role.MANAGER)
    client.force_login(by)
    sent = uploads.send_for(campaign, "owner/name", "test", by)
    assert sent.status == "fetching"
    uploads.fetch(sent.pk)
    sent.refresh_from_db()
    assert (sent.status, sent.format, sent.bytes > 0) == ("received", "touchstone", True)
    assert sent.mapping == {}  # a guess by looks is for the page to show, not to import by
    uploads.start(sent, format=sent.format, mapping={}, dry_run=False, keep_good=False, by=by)
    uploads.run(sent.pk)
    assert Task.objects.count() == 1
    page = client.post(reverse("import", args=[campaign.slug]), {"dataset": "../x"})
    assert "no dataset&#x27;s id" in page.text
