"""The page of a reward model holds at every width, by day and by night, and at twice the text size."""

import pytest
from playwright.sync_api import Page, expect

from models_app import registry
from tests import cast
from tests.e2e.access import axe, large_text
from tests.training.conftest import folders
from tests.training.test_cards import make_version, measured

__all__ = ["folders", "make_version"]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def manager():
    return cast.make_user("manager", username="mara")


def test_axe_and_twice_the_text_size_find_nothing(page: Page, live_server, manager, make_version, troubles):
    version = make_version("reward-1", measured(400), refused=True)
    registry.promote(version, by=manager, reason="Raters like it")
    page.goto(f"{live_server.url}/login/?next=/models/{version.pk}/")
    page.locator("[name=username]").fill("mara")
    page.locator("[name=password]").fill("password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="By round")).to_be_visible()
    for summary in page.get_by_text("As a table").all():
        summary.click()
    page.emulate_media(reduced_motion="reduce")
    found = [*axe(page), *large_text(page)]
    assert found == [], "\n".join(found)
