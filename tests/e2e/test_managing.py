"""A manager works in a real browser: a new campaign, an import, a round that moves by itself, a run."""

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Campaign, Prompt
from models_app.demo import corpus
from tests.cast import add_task, make_campaign, make_policy, make_round, make_user
from tests.e2e.desk import sign_in
from tests.training.cast import judge
from training import snapshots
from training.models import Run, RunMetric

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
DEMO_POLICY = corpus.__file__.replace("corpus.py", "policy")


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


def test_from_nothing_to_a_campaign_with_prompts(office: Page):
    office.get_by_role("link", name="New campaign").first.click()
    location = office.get_by_label("Folder, hub id or address")
    expect(location).to_be_hidden()
    office.get_by_label("Name", exact=False).first.fill("Kitchen talk")
    office.get_by_label("Guideline", exact=False).fill("Be kind.")
    office.get_by_label("A Transformers checkpoint").check()
    expect(location).to_be_visible()
    location.fill(DEMO_POLICY)
    office.get_by_role("button", name="Make the campaign").click()

    office.get_by_label("or paste it").fill('{"prompt": "How do I boil an egg?"}')
    office.get_by_role("button", name="Go").click()
    expect(office.get_by_role("heading", name="This would be imported")).to_be_visible()
    assert not Prompt.objects.exists()
    office.get_by_role("button", name="Import it").click()
    expect(office.get_by_role("heading", name="Imported", exact=True)).to_be_visible()
    assert Campaign.objects.get().prompts.count() == 1
    office.get_by_role("link", name="Overview").click()
    expect(office.get_by_text("The next round can begin.")).to_be_visible()


def test_a_campaigns_page_follows_what_happens_without_a_reload(office: Page, live_server, mara):
    campaign = make_campaign(by=mara)
    office.goto(f"{live_server.url}/campaigns/{campaign.slug}/")
    expect(office.get_by_text("No round yet.")).to_be_visible()
    round_ = make_round(campaign)
    add_task(round_)
    expect(office.get_by_role("cell", name="0 of 1 tasks")).to_be_visible(timeout=15_000)


def test_a_run_draws_its_curves_and_gives_them_as_tables(office: Page, live_server, mara):
    campaign = make_campaign(by=mara)
    judge(add_task(make_round(campaign)), make_user(), 1)
    run = Run.objects.create(
        campaign=campaign,
        kind="reward",
        snapshot=snapshots.cut(campaign),
        parent=make_policy(campaign.model_family),
    )
    RunMetric.objects.bulk_create(RunMetric(run=run, name="loss", step=n, value=1 - n / 10) for n in range(5))
    office.goto(f"{live_server.url}/runs/{run.pk}/")
    curve = office.locator(".curve", has_text="loss")
    expect(curve.locator("polyline")).to_have_count(1)
    curve.get_by_text("As a table").click()
    expect(curve.locator("tbody tr")).to_have_count(5)
    RunMetric.objects.create(run=run, name="loss", step=5, value=0.5)
    expect(curve.locator("tbody tr")).to_have_count(6)
    expect(curve.locator("details")).to_have_attribute("open", "")
    office.get_by_role("button", name="Stop").click()
    expect(office.get_by_text("Cancelled", exact=True)).to_be_visible()
