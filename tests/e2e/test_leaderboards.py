"""The page of leaderboards holds at every width, by day and by night, and at twice the text size."""

import pytest
from playwright.sync_api import Page, expect

from labeling import quality
from tests import cast
from tests.e2e.access import axe, large_text
from tests.training.test_leaderboards import make_loop

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_axe_and_twice_the_text_size_find_nothing(page: Page, live_server, troubles):
    campaign = cast.make_campaign(by=cast.make_user("manager", username="mara"), name="Kitchen talk")
    make_loop(campaign)
    quality.refresh(campaign)
    page.goto(f"{live_server.url}/login/?next=/campaigns/{campaign.slug}/")
    page.locator("[name=username]").fill("mara")
    page.locator("[name=password]").fill("password")
    page.keyboard.press("Enter")
    tabs = page.get_by_role("navigation", name="Campaign")
    tabs.get_by_role("link", name="Models").click()
    expect(tabs.locator("[aria-current=page]")).to_have_text("Leaderboards")
    expect(page.get_by_role("heading", name="What each round gained")).to_be_visible()
    page.get_by_text("As a table").first.click()
    page.emulate_media(reduced_motion="reduce")
    found = [*axe(page), *large_text(page)]
    assert found == [], "\n".join(found)
