"""The pages of a campaign's setup hold for everybody, and its preview sends nothing."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Role
from labeling import campaigns
from labeling.models import Campaign, Judgment
from tests.cast import add_task, make_campaign, make_round, make_user
from tests.e2e.access import axe, large_text
from tests.e2e.places import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
PAGES = ["basics", "question", "answers", "checks", "training", "start"]


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign(by=make_user(Role.MANAGER, "mara"), name="Kitchen talk", status="draft")
    add_task(make_round(campaign))
    return campaign


def test_axe_finds_nothing_and_nothing_is_cut_off(page: Page, live_server, campaign):
    page.emulate_media(reduced_motion="reduce")
    sign_in(page.context, campaign.created_by, live_server.url)
    here = f"{live_server.url}/campaigns/{campaign.slug}"
    paths = [f"{here}/setup/{name}/" for name in PAGES]
    paths += [f"{live_server.url}/campaigns/new/", f"{here}/clone/", f"{here}/preview/page/?kind=rank"]
    found = []
    for path in paths:
        page.goto(path)
        found += [f"{trouble} on {path}" for trouble in axe(page) + large_text(page)]
    assert not found, "\n".join(found)


def test_the_preview_looks_like_the_raters_page_and_sends_nothing(page: Page, live_server, campaign):
    campaigns.update(campaign, campaign.created_by, name="Kitchen talks")
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("request", lambda r: troubles.append(r.url) if r.method == "POST" else None)
    sign_in(page.context, campaign.created_by, live_server.url)
    page.goto(f"{live_server.url}/campaigns/{campaign.slug}/preview/")
    page.get_by_role("link", name="Phone").click()
    expect(page.locator("iframe.phone")).to_be_visible()
    frame = page.frame_locator("iframe")
    longer = frame.get_by_text("a longer answer").first
    expect(longer).to_be_visible()
    frame.get_by_text("Flag", exact=True).click()
    expect(frame.get_by_text("It is sent with your answer.")).to_be_visible()
    frame.get_by_text("Flag", exact=True).click()
    frame.get_by_role("button", name="Send").click()
    expect(longer).to_be_visible()
    page.get_by_role("link", name="Ranking").click()
    expect(frame.get_by_text("Here stands a short answer.").first).to_be_attached()
    assert troubles == []
    assert not Judgment.objects.exists()
