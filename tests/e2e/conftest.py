"""A rater at the rating page. Models are imported late: pytest loads this before Django is set up."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong


@pytest.fixture
def campaign() -> Any:
    from tests.cast import make_campaign, make_user

    return make_campaign(raters=(make_user(username="rafi"),), name="Kitchen talk")


@pytest.fixture
def rater(campaign: Any) -> Any:
    from accounts.models import User

    return User.objects.get(username="rafi")


@pytest.fixture
def troubles(page: Page) -> Iterator[list[str]]:
    """Collect whatever the page's scripts or the content policy complain about."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda m: found.append(m.text) if "Content Sec" in m.text else None)
    yield found
    assert found == []


@pytest.fixture
def work(page: Page, live_server: Any, campaign: Any, troubles: list[str]) -> Callable[[], Page]:
    """Sign in and open the campaign's page."""

    def begin() -> Page:
        page.goto(f"{live_server.url}/login/?next=/rate/{campaign.slug}/")
        page.locator("[name=username]").fill("rafi")
        page.locator("[name=password]").fill("password")
        page.keyboard.press("Enter")
        page.wait_for_selector("#work[data-ready]")
        return page

    return begin
