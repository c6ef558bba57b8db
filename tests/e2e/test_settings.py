"""A person sets their pages and keys in a real browser, and finds them so after signing in again."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.cast import make_campaign, make_open_round, make_user
from tests.e2e.desk import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rater():
    return make_user(username="rafi")


def sign_out(page: Page) -> None:
    page.locator(".topbar form button").click()
    expect(page.locator("[name=username]")).to_be_visible()


def press(page: Page, action: str, key: str) -> None:
    """Choose a key for an action by pressing it."""
    page.locator(f"#change-{action}").click()
    page.keyboard.press(key)


def style(page: Page) -> Any:
    """Return the page's ground colour and one of its spaces."""
    of = "getComputedStyle(document.body)"
    return page.evaluate(f"[{of}.backgroundColor, {of}.getPropertyValue('--s5')]")


def font_size(page: Page) -> float:
    return float(page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)"))


def test_the_look_shows_at_once_and_holds_after_a_new_sign_in(page: Page, live_server, rater):
    page.emulate_media(color_scheme="light")
    sign_in(page, live_server.url)
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Look and language")).to_be_visible()
    before = style(page)
    page.get_by_role("radio", name="Dark").check()
    page.get_by_role("radio", name="Compact").check()
    page.get_by_role("radio", name="Very large").check()
    assert all(now != was for now, was in zip(style(page), before, strict=True))
    assert font_size(page) == 21
    page.get_by_label("Language", exact=True).select_option("ar")
    page.locator("button[value=look]").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    sign_out(page)
    sign_in(page, live_server.url)
    html = page.locator("html")
    for name, value in {"lang": "ar", "data-theme": "dark", "data-density": "compact"}.items():
        expect(html).to_have_attribute(name, value)
    assert font_size(page) == 21


def test_the_button_for_light_or_dark_is_remembered_by_the_server(page: Page, live_server, rater):
    page.emulate_media(color_scheme="light")
    sign_in(page, live_server.url)
    with page.expect_response(lambda response: response.request.method == "PATCH") as answer:
        page.locator("#theme").click()
    assert answer.value.status == 200
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_visitor_keeps_the_theme_in_the_browser(page: Page, live_server):
    page.emulate_media(color_scheme="dark")
    page.goto(live_server.url)
    page.locator("#theme").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_keys_are_chosen_by_pressing_them_and_the_rating_page_obeys(page: Page, live_server, rater):
    campaign = make_campaign(raters=(rater,), name="Kitchen talk")
    make_open_round(campaign, comparisons=2)
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/settings/")
    press(page, "undo", "s")
    page.keyboard.press("Tab")
    press(page, "skip", "u")
    press(page, "comment", "F2")  # refused at once
    expect(page.locator("#keys-said")).to_contain_text("belongs to the browser")
    page.keyboard.press("Escape")
    press(page, "guideline", "Shift+H")
    expect(page.locator("#keys-said")).to_have_text("Changed, but not saved yet.")
    page.get_by_role("button", name="Save the keys").click()
    expect(page.locator(".message.success")).to_have_text("Saved.")
    assert User.objects.get(pk=rater.pk).keys == {"undo": "s", "skip": "u", "guideline": "h"}

    sign_out(page)
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/rate/{campaign.slug}/")
    keys = page.evaluate("JSON.parse(document.querySelector('[data-keys]').dataset.keys)")
    assert (keys["undo"], keys["skip"], keys["guideline"], keys["send"]) == ("s", "u", "h", "Enter")
    page.keyboard.press("?")
    sheet = page.locator("dialog#keys")
    expect(sheet).to_be_visible()
    expect(sheet.locator("[data-row=undo] kbd")).to_have_text("s")
    expect(sheet.locator("[data-row=skip] kbd")).to_have_text("u")


def test_a_key_taken_twice_is_said_beside_its_row(page: Page, live_server, rater):
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/settings/")
    press(page, "undo", "c")
    page.get_by_role("button", name="Save the keys").click()
    expect(page.locator("tr[data-action=undo] .errorlist")).to_contain_text(
        "This key is taken by “Write a comment"
    )
    page.get_by_role("button", name="Reset all keys").click()
    expect(page.locator("tr[data-action=undo] input")).to_have_value("u")


def test_keys_can_be_typed_where_no_script_runs(browser, live_server, rater):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, live_server.url)
        page.goto(f"{live_server.url}/settings/")
        page.locator("[name=key-send]").fill("m")
        page.get_by_role("button", name="Save the keys").click()
        expect(page.locator(".message.success")).to_be_visible()
    assert User.objects.get(pk=rater.pk).keys == {"send": "m"}
