"""A newcomer's way into a campaign in a real browser: by keyboard, without scripts, and on a phone."""

import pytest
from playwright.sync_api import Page, expect

from labeling import onboarding
from labeling.models import Example, Membership, Trial
from tests.cast import make_campaign, make_example, make_open_round, make_user
from tests.e2e.desk import follow, press, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rater():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rater):
    campaign = make_campaign(
        raters=(rater,),
        name="Kitchen talk",
        guideline="# What counts\n\nPrefer **plain** words.",
        pass_mark=0.5,
    )
    for use in ["edge_case", "practice", "practice", "test", "test"]:
        make_example(campaign, use)
    make_open_round(campaign)
    return campaign


def key_for(rater, campaign, page: Page, rightly: bool = True) -> str:
    """Return the key of the right verdict on what the page shows, or of a wrong one."""
    example = Example.objects.get(pk=page.locator("[name=example]").get_attribute("value") or 0)
    attempt = int(page.locator("[name=attempt]").get_attribute("value") or 0)
    shown = onboarding.as_shown(example, onboarding.order_for(rater, example, attempt))
    return "6" if (shown > 0) == rightly else "2"


def test_by_keyboard_from_the_guideline_to_the_first_task(page, live_server, rater, campaign):
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if "Content Sec" in m.text else None)
    sign_in(page, f"{live_server.url}/rate/{campaign.slug}/")
    expect(page.get_by_text("Worked edge cases")).to_be_visible()
    page.get_by_role("button", name="I have read it").press("Enter")
    page.get_by_role("link", name="Start practising").press("Enter")

    expect(page.get_by_role("heading", name="Practice 1 of 2")).to_be_visible()
    press(page, key_for(rater, campaign, page, rightly=False))
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Not quite")).to_be_visible()
    expect(page.get_by_text("The right verdict")).to_be_visible()
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Practice 2 of 2")).to_be_visible()
    press(page, key_for(rater, campaign, page))
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Right", exact=True)).to_be_visible()
    press(page, "Enter")

    page.get_by_role("link", name="Start the test").press("Enter")
    for number in (1, 2):
        expect(page.get_by_role("heading", name=f"Question {number} of 2")).to_be_visible()
        press(page, key_for(rater, campaign, page))
        press(page, "Enter")
    expect(page.get_by_role("heading", name="Passed")).to_be_visible()
    expect(page.get_by_text("100.0 %")).to_be_visible()
    assert Membership.objects.get(user=rater).qualified_at is not None
    page.get_by_role("link", name="Start rating").press("Enter")
    expect(page.locator(".task[data-lease]")).to_be_visible()
    assert troubles == []


def test_failing_without_scripts_says_so_and_lets_try_again(browser, live_server, rater, campaign):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, f"{live_server.url}/rate/{campaign.slug}/")
        send = page.get_by_role("button", name="Send")
        follow(page, page.get_by_role("button", name="I have read it"))
        follow(page, page.get_by_role("link", name="Start practising"))
        for _ in range(2):
            page.get_by_text("slightly").first.click()
            follow(page, send)
            follow(page, page.get_by_role("link", name="Next").or_(page.get_by_role("link", name="Go on")))
        for attempt in (1, 2):
            follow(page, page.get_by_role("link", name="Start the test" if attempt == 1 else "Try again"))
            follow(page, send)
            expect(page.get_by_text("Choose which answer is better first.")).to_be_visible()
            for _ in range(2):
                number = key_for(rater, campaign, page, rightly=False)
                page.locator(f"label.verdict:has([data-key='{number}'])").click()
                follow(page, send)
        expect(page.get_by_role("heading", name="Not passed")).to_be_visible()
        expect(page.get_by_text("rafi").last).to_be_visible()
    assert Trial.objects.filter(attempt__gt=0, right=False).count() == 4


def test_a_double_click_and_a_second_window_make_one_answer(page, live_server, rater, campaign):
    Membership.objects.filter(user=rater).update(qualified_at=None)
    sign_in(page, f"{live_server.url}/rate/{campaign.slug}/")
    page.get_by_role("button", name="I have read it").click()
    address = f"{live_server.url}/rate/{campaign.slug}/start/practice/1/"
    page.goto(address)
    second = page.context.new_page()
    second.goto(address)
    for window in (page, second):
        window.keyboard.press("1")
        window.get_by_role("button", name="Send").dblclick()
        expect(window.get_by_text("The right verdict")).to_be_visible()
    assert Trial.objects.count() == 1


def test_on_a_phone_nothing_sticks_out(page, live_server, rater, campaign):
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, f"{live_server.url}/rate/{campaign.slug}/")
    addresses = ["", "practice/1/", "practice/2/?answered", "test/"]
    page.get_by_role("button", name="I have read it").click()
    page.goto(f"{live_server.url}/rate/{campaign.slug}/start/practice/2/")
    page.get_by_text("same").click()
    page.get_by_role("button", name="Send").click()
    for address in addresses:
        page.goto(f"{live_server.url}/rate/{campaign.slug}/start/{address}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, address
