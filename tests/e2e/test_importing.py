"""A manager uploads a file, sees how it is read, follows it, gets back what failed; writes a guideline."""

import json

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling.models import Import, Prompt, Response, Round, Task
from tests.cast import make_campaign, make_example, make_user
from tests.e2e.access import axe
from tests.e2e.places import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
RECORDS = 20_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.jsonl"
    answers = [f"Answer {side} of a sentence or two, as answers are." for side in "AB"]
    with path.open("w") as out:
        for number in range(RECORDS):
            out.write(json.dumps({"prompt": f"Question {number}?", "responses": answers}) + "\n")
    return path


@pytest.mark.usefixtures("celery_workers")
def test_a_large_upload_is_watched_cancelled_and_brought_in(page: Page, live_server, file):
    mara = make_user("manager", username="mara")
    campaign = make_campaign(by=mara)
    sign_in(page.context, mara, live_server.url)
    for ending in ("Cancelled", "Imported"):
        page.goto(f"{live_server.url}/campaigns/{campaign.slug}/import/")
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Show the first rows").click()
        expect(page.get_by_role("table", name="So the first records come in")).to_contain_text("Question 2?")
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        if ending == "Cancelled":
            page.get_by_role("button", name="Cancel the import").click()
        report = page.get_by_role("heading", name=ending, exact=True)
        expect(report).to_be_visible(timeout=60_000)
        expect(page.get_by_role("progressbar")).to_have_count(0)
        if ending == "Cancelled":
            assert not any(model.objects.exists() for model in (Prompt, Response, Round, Task))
    expect(report).to_be_focused()
    assert Task.objects.count() == RECORDS
    assert [i.status for i in Import.objects.order_by("pk")] == ["cancelled", "done"]
    stored = {f"import-{pk}" for pk in Import.objects.values_list("pk", flat=True)}
    assert stored.isdisjoint(path.name for path in settings.UPLOADS_DIR.iterdir())


def test_columns_are_corrected_and_failed_lines_come_back(page: Page, live_server):
    mara = make_user("manager", username="mara")
    campaign = make_campaign(by=mara)
    sign_in(page.context, mara, live_server.url)
    page.emulate_media(reduced_motion="reduce")  # a colour on its way is of no contrast
    page.goto(f"{live_server.url}/campaigns/{campaign.slug}/import/")
    page.get_by_label("paste it").fill("frage,eins,zwei\nWarum?,Darum.,So.\n,x,y\nWie?,So.,Anders.\n")
    page.get_by_role("button", name="Show the first rows").click()
    columns = page.get_by_role("table", name="What each column is")
    page.get_by_label("Format").select_option("columns")
    expect(columns).to_be_visible()
    for column, field in (("frage", "Prompt"), ("eins", "Answer A"), ("zwei", "Answer B")):
        columns.get_by_label(column, exact=True).select_option(field)
    records = page.get_by_role("table", name="So the first records come in")
    expect(records).to_contain_text("Anders.")
    expect(records).to_contain_text("the prompt is empty")
    assert axe(page) == []
    page.get_by_role("button", name="Check every line").click()
    expect(page.get_by_role("heading", name="Nothing was imported")).to_be_visible()
    assert axe(page) == []
    with page.expect_download() as failed:
        page.get_by_role("link", name="The failed rows").click()
    assert failed.value.path().read_text() == "frage,eins,zwei\n,x,y\n"
    page.get_by_label("Import the good lines").check()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Imported", exact=True)).to_be_visible()
    assert Task.objects.count() == 2


def test_a_guideline_is_written_beside_its_preview_and_compared(page: Page, live_server):
    mara = make_user("manager", username="mara")
    campaign = make_campaign(by=mara)
    make_example(campaign, "edge_case")
    sign_in(page.context, mara, live_server.url)
    page.emulate_media(reduced_motion="reduce")
    address = f"{live_server.url}/campaigns/{campaign.slug}/guideline/"
    page.goto(address)
    page.get_by_label("Text").fill("Be **right** first.\n\n- then brief")
    expect(page.locator("#shown strong")).to_have_text("right")
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("button", name="Use as practice too").click()
    expect(page.get_by_text("Is a practice task too")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("link", name="What changed to 2").click()
    expect(page.locator("ins").first).to_be_visible()
    assert axe(page) == []
    page.goto(f"{address}readers/")
    assert axe(page) == []
