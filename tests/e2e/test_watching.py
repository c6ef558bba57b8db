"""The page of the over-optimisation watch holds at every width, day and night, and at twice the text size."""

import pytest
from playwright.sync_api import Page, expect

from tests import cast
from tests.e2e.access import axe, large_text
from tests.training.test_watch_page import PAYS, STOPPED, make_watch

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_axe_and_twice_the_text_size_find_nothing(page: Page, live_server, troubles):
    manager = cast.make_user("manager", username="mara")
    campaign = cast.make_campaign(by=manager)
    make_watch(campaign, PAYS)
    make_watch(campaign, STOPPED, created_by=manager)
    page.goto(f"{live_server.url}/login/?next=/campaigns/{campaign.slug}/watch/")
    page.locator("[name=username]").fill("mara")
    page.locator("[name=password]").fill("password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="Chance of the best of n to win")).to_be_visible()
    expect(page.get_by_text("People no longer see a gain beyond n = 4")).to_be_visible()
    page.get_by_text("As a table").click()
    page.emulate_media(reduced_motion="reduce")
    found = [*axe(page), *large_text(page)]
    assert found == [], "\n".join(found)
