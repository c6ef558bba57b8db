"""A manager works in a real browser: a round that moves by itself, a run."""

import pytest
from playwright.sync_api import Page, expect

from tests.cast import add_task, make_campaign, make_policy, make_round, make_user
from tests.e2e.desk import sign_in
from tests.training.cast import judge
from training import snapshots
from training.models import Run

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def mara():
    return make_user("manager", username="mara")


@pytest.fixture
def office(page: Page, live_server, mara):
    """Sign in, and collect whatever the page's scripts or the content policy complain about."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    sign_in(page, live_server.url, "mara")
    expect(page.get_by_role("heading", name="Campaigns")).to_be_visible()
    yield page
    assert troubles == []


def test_a_campaigns_page_follows_what_happens_without_a_reload(office: Page, live_server, mara):
    campaign = make_campaign(by=mara)
    office.goto(f"{live_server.url}/campaigns/{campaign.slug}/")
    expect(office.get_by_text("No round yet.", exact=True)).to_be_visible()
    round_ = make_round(campaign)
    add_task(round_)
    expect(office.get_by_role("cell", name="0 of 1 tasks")).to_be_visible(timeout=15_000)


def test_a_run_is_stopped_on_its_page(office: Page, live_server, mara):
    campaign = make_campaign(by=mara)
    judge(add_task(make_round(campaign)), make_user(), 1)
    run = Run.objects.create(
        campaign=campaign,
        kind="reward",
        snapshot=snapshots.cut(campaign),
        parent=make_policy(campaign.model_family),
    )
    office.goto(f"{live_server.url}/runs/{run.pk}/")
    office.get_by_role("button", name="Stop").click()
    expect(office.get_by_text("Cancelled", exact=True)).to_be_visible()
