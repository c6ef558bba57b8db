"""What a rater has typed outlives reloads, undos, closed tabs and dead servers."""

import re

import pytest
from playwright.sync_api import expect

from labeling.models import Criterion, Draft, Judgment, Skip
from tests.cast import make_open_round
from tests.e2e.desk import answer, dead_server, lease, ready, until

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_everything_that_was_said_survives_a_reload_and_an_undo(work, campaign):
    Criterion.objects.create(campaign=campaign, key="kind", name="Kind", points=3)
    make_open_round(campaign, comparisons=3)
    page = work()

    def check() -> None:
        expect(page.get_by_label("B is clearly better")).to_be_checked()
        expect(page.get_by_role("group", name="About answer B").get_by_label("Clear")).to_be_checked()
        expect(page.locator("[name=grade-kind-1][value='3']")).to_be_checked()
        expect(page.locator("[name=flag][value=broken]")).to_be_checked()
        expect(page.get_by_placeholder("Comment")).to_have_value("Half a thought")

    expect(page.locator(".reasons").first).to_be_hidden()  # only after the verdict
    page.keyboard.press("6")
    page.get_by_role("group", name="About answer B").get_by_text("Clear").click()
    page.locator("[name=grade-kind-1][value='3']").check(force=True)
    page.keyboard.press("f")
    page.get_by_label("Broken").check()
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.keyboard.type("Half a thought")
    expect(page.locator(".saved")).to_have_text("Saved here")
    assert not Draft.objects.exists()
    page.reload()  # before the server has it, or just as the page goes
    ready(page)
    check()
    expect(page.locator(".saved")).to_have_text("Draft saved")
    page.evaluate("localStorage.clear()")
    page.reload()
    ready(page)
    check()  # from the server now
    before = lease(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator(f'.task[data-lease="{before}"]')).to_have_count(0)
    until(page, Judgment.objects.exists)
    second = lease(page)
    page.keyboard.press("1")
    page.keyboard.press("u")
    expect(page.locator("#said")).to_contain_text("Taken back")
    check()
    answer(page, "5")
    assert lease(page) == second  # and the one that it pushed aside is back, with what was said
    expect(page.get_by_label("A is much better")).to_be_checked()
    until(page, lambda: Judgment.objects.filter(verdict=1).exists())
    kept = Judgment.objects.get(verdict=1)
    assert kept.flags == ["broken"]
    assert kept.reasons[kept.order_shown[1]] == ["Clear"]
    assert "draft:" + before not in page.evaluate("Object.keys(localStorage).join()")


def test_a_draft_outlives_sixty_seconds_without_a_server_and_a_closed_tab(work, campaign, live_server):
    make_open_round(campaign, comparisons=1)
    page = work()
    with dead_server(page):
        page.keyboard.press("6")
        page.keyboard.press("c")
        page.keyboard.type("Far from home")
        expect(page.locator(".saved")).to_have_text("Saved here only: no connection")
        second = page.context.new_page()
        page.close()
    second.goto(f"{live_server.url}/rate/{campaign.slug}/")
    ready(second)
    expect(second.get_by_placeholder("Comment")).to_have_value("Far from home")
    expect(second.get_by_label("B is clearly better")).to_be_checked()
    until(second, lambda: Draft.objects.filter(data__comment="Far from home").exists())
    second.close()


def test_skipping_needs_its_reason_only_when_it_cannot_be_judged(work, campaign):
    make_open_round(campaign, comparisons=3)
    page = work()
    page.keyboard.press("x")
    expect(page.get_by_label("It can't be judged")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("Say why this can't be judged")
    page.keyboard.type("In Welsh")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("It won't come back to you")
    assert Skip.objects.get().reason == "In Welsh"


def test_active_time_goes_to_what_was_looked_at(work, campaign):
    make_open_round(campaign, comparisons=1)
    page = work()
    page.locator(".answer").nth(1).hover()
    page.wait_for_timeout(900)
    page.locator(".prompt .turns").hover()
    page.wait_for_timeout(400)
    answer(page, "3")
    until(page, Judgment.objects.exists)
    judgment = Judgment.objects.get()
    first, second = (judgment.attention["answers"][position] for position in judgment.order_shown)
    assert second >= 800
    assert first == 0
    assert judgment.attention["prompt"] >= 300
    assert judgment.active_ms >= second + judgment.attention["prompt"]


def test_a_lease_counts_down_only_when_it_is_about_to_end_and_grows_by_working(work, campaign):
    make_open_round(campaign, comparisons=2)
    page = work()
    page.wait_for_timeout(1200)
    expect(page.locator(".saved")).to_have_text("")
    page.evaluate(
        "document.querySelector('.task').dataset.leaseUntil = new Date(Date.now() + 90_000).toISOString()"
    )
    expect(page.locator(".saved")).to_contain_text(re.compile(r"Time left for this one: 1:\d\d"))
    page.wait_for_timeout(5000)
    page.mouse.move(300, 300)
    page.mouse.move(320, 300)
    expect(page.locator(".saved")).to_have_text("")
    page.evaluate("document.querySelector('.task').dataset.leaseUntil = new Date(0).toISOString()")
    expect(page.locator(".saved")).to_have_text("Your time has run out, but you can still send it")
