"""A rater pastes an answer, the queue finds whose it is like, the manager writes, and the rater reads it."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Role
from labeling import rounds
from labeling.models import Edit, Feedback, Likeness
from tests.cast import add_task, make_campaign, make_open_round, make_response, make_round, make_user
from tests.labeling.test_reviews import work

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

ELSEWHERE = "Put the egg into cold water, bring it to the boil, and let it stand for ten minutes."


@pytest.fixture
def campaign():
    raters = (make_user(username="rafi"), make_user(username="rosa"))
    return make_campaign(by=make_user(Role.MANAGER, "mara"), raters=raters, name="Kitchen talk")


def sign_in(page: Page, url: str, username: str) -> None:
    page.goto(url)
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Username")).to_have_count(0)


def test_from_a_paste_to_a_word_that_is_read(browser, live_server, celery_workers, campaign):
    round_ = make_round(campaign)
    task = add_task(round_, ("Boil it.",))
    make_response(task.prompt, ELSEWHERE, round_, policy="another")
    rounds.open_(round_)
    with browser.new_context() as context:
        page = context.new_page()
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
        sign_in(page, f"{live_server.url}/rate/{campaign.slug}/", "rafi")
        text = page.get_by_label("Your version")
        expect(page.get_by_role("tab", name="Write")).to_be_visible()
        page.evaluate("text => navigator.clipboard.writeText(text)", ELSEWHERE)
        text.focus()
        page.keyboard.press("Control+a")
        page.keyboard.press("Control+v")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
        for _ in range(100):
            if Likeness.objects.exists():
                break
            page.wait_for_timeout(200)
    assert Likeness.objects.get().edit == Edit.objects.get()

    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, f"{live_server.url}/campaigns/{campaign.slug}/review/", "mara")
        page.get_by_role("combobox", name="Rater").select_option("rafi")
        page.get_by_label("Only what was pasted").check()
        page.get_by_role("button", name="Show").click()
        card = page.locator(".submission")
        expect(card).to_have_count(1)
        expect(card.get_by_text("100 % of the new text came by paste, in one burst")).to_be_visible()
        card.get_by_text("stand in the answer of another").click()
        expect(card.get_by_text(ELSEWHERE, exact=True).last).to_be_visible()
        card.get_by_text("Write to rafi").click()
        card.get_by_label("What the rater should know").fill("Please use your own words.")
        card.get_by_role("button", name="Send").click()
        expect(page.get_by_text("The rater sees it at home")).to_be_visible()
        expect(card.get_by_text("not read yet")).to_be_visible()

    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, f"{live_server.url}/feedback/", "rafi")
        expect(page.get_by_text("Please use your own words.")).to_be_visible()
    assert Feedback.objects.get().read_at is not None


def test_older_pages_are_reached_and_left_again(browser, live_server, campaign):
    make_open_round(campaign, comparisons=20, edits=5, overlap=1)
    work(campaign.memberships.first().user, campaign, 25)
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, f"{live_server.url}/campaigns/{campaign.slug}/review/", "mara")
        expect(page.locator(".submission")).to_have_count(20)
        page.get_by_role("link", name="Older").click()
        expect(page.locator(".submission")).to_have_count(5)
        page.get_by_role("link", name="Newest").click()
        expect(page.locator(".submission")).to_have_count(20)
