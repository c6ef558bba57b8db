"""A manager uploads a large file: a bar follows it, it can be cancelled, and its report comes by itself."""

import json

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling.models import Import, Prompt, Response, Round, Task
from tests.cast import make_campaign, make_user
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
        page.get_by_label("Only check and count").uncheck()
        page.get_by_role("button", name="Go").click()
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
