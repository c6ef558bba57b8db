"""A person rates in a real browser: by keyboard, by mouse, through reloads and double clicks."""

import pytest
from playwright.sync_api import Page, expect

from labeling import campaigns
from labeling.models import Draft, Edit, Judgment, Skip
from tests.cast import make_campaign, make_open_round, make_user
from tests.e2e.desk import sign_in, until

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign():
    return make_campaign(raters=(make_user(username="rafi"),), name="Kitchen talk")


@pytest.fixture
def at_work(page: Page, live_server, campaign):
    """Sign in, and collect whatever the page's scripts or the content policy complain about."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda m: troubles.append(m.text) if m.type == "error" and "Content Sec" in m.text else None,
    )
    sign_in(page, live_server.url)
    expect(page.get_by_role("heading", name="Your campaigns")).to_be_visible()
    yield page
    assert troubles == []


def start(page: Page) -> None:
    page.get_by_role("link", name="Start rating").click()
    expect(page.locator("#work[data-ready] .answer").first).to_be_visible()


def lease(page: Page) -> str:
    return page.locator(".task").get_attribute("data-lease") or ""


def wait_for_next(page: Page, before: str) -> None:
    expect(page.locator(f'.task[data-lease="{before}"]')).to_have_count(0)


def test_comparing_by_keyboard_then_by_mouse_then_editing_then_the_end(at_work, campaign):
    make_open_round(campaign, comparisons=2, edits=0)
    at_work.reload()
    start(at_work)

    before = lease(at_work)
    at_work.keyboard.press("2")
    at_work.keyboard.press("Enter")
    wait_for_next(at_work, before)
    until(at_work, Judgment.objects.exists)
    assert Judgment.objects.get().verdict == -2

    before = lease(at_work)
    at_work.get_by_text("both bad").click()
    at_work.get_by_placeholder("Comment").fill("Neither says when.")
    at_work.get_by_role("button", name="Send").click()
    wait_for_next(at_work, before)
    until(at_work, lambda: Judgment.objects.count() == 2)
    last = Judgment.objects.latest("pk")
    assert (last.both_bad, last.comment) == (True, "Neither says when.")
    assert last.active_ms is not None
    expect(at_work.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()

    # the page finds the next round by itself
    make_open_round(campaign, comparisons=0, edits=1)
    text = at_work.get_by_label("Your version")
    expect(text).to_be_visible(timeout=15_000)
    text.fill("A mended answer.")
    at_work.get_by_placeholder("What was wrong").fill("Too vague.")
    at_work.get_by_role("button", name="Send").click()
    expect(at_work.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    edit = Edit.objects.get()
    assert (edit.edited.text, edit.instruction) == ("A mended answer.", "Too vague.")


def test_an_unchanged_edit_is_refused_and_already_good_taken(at_work, campaign):
    make_open_round(campaign, comparisons=0, edits=2)
    at_work.reload()
    start(at_work)
    expect(at_work.get_by_role("tab", name="Write")).to_be_visible()
    before = lease(at_work)
    at_work.keyboard.press("e")
    at_work.keyboard.press("Control+Enter")
    expect(at_work.get_by_text("Nothing but white space has changed")).to_be_visible()
    assert lease(at_work) == before
    at_work.get_by_label("It is already good").check()
    at_work.get_by_role("button", name="Send").click()
    wait_for_next(at_work, before)
    until(at_work, Edit.objects.exists)
    assert Edit.objects.get().edited is None


def test_a_draft_survives_a_reload(at_work, campaign):
    make_open_round(campaign, comparisons=1)
    at_work.reload()
    start(at_work)
    at_work.keyboard.press("6")
    at_work.keyboard.press("c")
    at_work.keyboard.type("Half a thought")
    expect(at_work.get_by_text("Draft saved")).to_be_visible()
    at_work.reload()
    expect(at_work.get_by_placeholder("Comment")).to_have_value("Half a thought")
    expect(at_work.get_by_label("B is clearly better")).to_be_checked()
    # what is typed just before leaving is kept as well
    at_work.get_by_placeholder("Comment").fill("A whole thought")
    at_work.goto("about:blank")
    at_work.go_back()
    expect(at_work.get_by_placeholder("Comment")).to_have_value("A whole thought")
    at_work.keyboard.press("Control+Enter")
    expect(at_work.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    assert Judgment.objects.get().comment == "A whole thought"
    assert not Draft.objects.exists()


def test_a_double_click_makes_one_judgment(at_work, campaign):
    make_open_round(campaign, comparisons=3)
    at_work.reload()
    start(at_work)
    before = lease(at_work)
    at_work.keyboard.press("1")
    at_work.get_by_role("button", name="Send").dblclick()
    wait_for_next(at_work, before)
    at_work.wait_for_timeout(300)
    assert Judgment.objects.count() == 1


def test_a_submit_twice_without_scripts_makes_one_judgment(browser, live_server, campaign):
    make_open_round(campaign, comparisons=2)
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, live_server.url + f"/rate/{campaign.slug}/")
        page.get_by_text("slightly").first.click()
        page.get_by_role("button", name="Send").dblclick()
        page.wait_for_load_state()
        expect(page.locator(".answer").first).to_be_visible()
    assert Judgment.objects.count() == 1


def test_undo_skip_guideline_and_keys_work_from_the_keyboard(at_work, campaign):
    campaigns.add_guideline(campaign, "Prefer **plain** words.", campaign.created_by)
    make_open_round(campaign, comparisons=2)
    at_work.reload()
    start(at_work)

    at_work.keyboard.press("?")
    expect(at_work.get_by_role("dialog", name="Keys")).to_be_visible()
    at_work.keyboard.press("Escape")
    expect(at_work.get_by_role("dialog")).to_have_count(0)
    at_work.keyboard.press("g")
    drawer = at_work.get_by_role("complementary", name="Guideline")
    expect(drawer.get_by_text("plain", exact=True).last).to_be_visible()
    at_work.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    first = at_work.locator(".answer").all_inner_texts()
    before = lease(at_work)
    at_work.keyboard.press("3")
    at_work.keyboard.press("Enter")
    wait_for_next(at_work, before)
    before = lease(at_work)
    at_work.keyboard.press("u")
    wait_for_next(at_work, before)
    expect(at_work.get_by_text("Taken back")).to_be_visible()
    assert at_work.locator(".answer").all_inner_texts() == first
    expect(at_work.get_by_label("A is slightly better")).to_be_checked()

    before = lease(at_work)
    at_work.keyboard.press("s")
    at_work.get_by_label("It can't be judged").check()
    at_work.get_by_label("Why?").fill("Both cut off")
    at_work.keyboard.press("Enter")
    wait_for_next(at_work, before)
    until(at_work, Skip.objects.exists)
    assert Skip.objects.get().reason == "Both cut off"


def test_a_lost_connection_keeps_the_answer_and_sends_it_once(at_work, campaign):
    make_open_round(campaign, comparisons=1)
    at_work.reload()
    start(at_work)
    at_work.context.set_offline(True)
    at_work.keyboard.press("7")
    at_work.keyboard.press("Enter")
    expect(at_work.get_by_text("No connection")).to_be_visible()
    assert not Judgment.objects.exists()
    at_work.context.set_offline(False)
    expect(at_work.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    assert Judgment.objects.get().verdict == 3
