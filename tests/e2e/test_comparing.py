"""Comparing in a real browser: nothing is lost or sent twice, the next task is there at once."""

import pytest
from playwright.sync_api import Route, expect

from labeling import rounds
from labeling.models import Criterion, Judgment, Slot
from tests.cast import add_task, make_open_round, make_round
from tests.e2e.desk import LONG, answer, dead_server, lease, long_round, ready, until

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_the_next_task_is_there_before_the_server_has_answered_and_one_request_does_it(work, campaign):
    make_open_round(campaign, comparisons=6)
    page = work()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(f"{request.method} {request.url}"))
    held: list[Route] = []
    page.route("**/judge/", lambda route: held.append(route))
    answer(page, "2")
    expect(page.locator("#work .task")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Next: Two answers to compare")
    assert not Judgment.objects.exists()
    held[0].continue_()
    until(page, Judgment.objects.exists)
    page.unroute("**/judge/")
    for key in "345":
        page.wait_for_timeout(150)
        answer(page, key)
    until(page, lambda: Judgment.objects.count() == 4)
    page.wait_for_timeout(300)
    assert len(requests) == 4, requests
    assert sorted(Judgment.objects.values_list("verdict", flat=True)) == [-2, -1, 0, 1]


def test_answers_wait_out_a_dead_server_and_a_reload_and_go_once(work, campaign):
    make_open_round(campaign, comparisons=4)
    page = work()
    with dead_server(page, 502):
        answer(page, "1")
        expect(page.locator("#outbox")).to_contain_text("Answers kept here until it is back: 1")
        answer(page, "7")
        expect(page.get_by_role("heading", name="The next task is on its way")).to_be_visible()
        expect(page.locator("#outbox")).to_contain_text("2")
        assert not Judgment.objects.exists()
        page.reload()
        ready(page)
        # what was answered is not asked again
        expect(page.get_by_role("heading", name="The next task is on its way")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('online'))")
    until(page, lambda: Judgment.objects.count() == 2)
    expect(page.locator("#work .answer").first).to_be_visible()
    expect(page.locator("#outbox")).to_be_hidden()
    assert sorted(Judgment.objects.values_list("verdict", flat=True)) == [-3, 3]
    assert not Judgment.objects.filter(extra=True).exists()
    answer(page, "4")
    answer(page, "4")
    until(page, lambda: Judgment.objects.count() == 4)


def test_an_answer_whose_receipt_was_lost_is_sent_again_and_counted_once(work, campaign):
    make_open_round(campaign, comparisons=2)
    page = work()

    tries: list[int] = []

    def swallow(route: Route) -> None:
        tries.append(1)
        if len(tries) > 1:
            route.continue_()
        else:
            route.fetch()
            route.abort("connectionreset")

    page.route("**/judge/", swallow)
    answer(page, "2")
    until(page, Judgment.objects.exists)
    expect(page.locator("#outbox")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#outbox")).to_be_hidden()
    answer(page, "3")
    until(page, lambda: Judgment.objects.count() == 2)
    page.wait_for_timeout(300)
    assert (Judgment.objects.count(), len(tries)) == (2, 3)


def test_a_closed_tab_keeps_its_answer_for_the_next(work, campaign, live_server):
    make_open_round(campaign, comparisons=3)
    page = work()
    with dead_server(page):
        answer(page, "6")
        expect(page.locator("#outbox")).to_be_visible()
    second = page.context.new_page()
    page.close()
    second.goto(f"{live_server.url}/rate/{campaign.slug}/")
    until(second, Judgment.objects.exists)
    assert Judgment.objects.get().verdict == 2
    second.close()


def test_who_was_signed_out_signs_in_and_the_answer_goes(work, campaign):
    make_open_round(campaign, comparisons=3)
    page = work()
    page.context.clear_cookies(name="sessionid")
    answer(page, "5")
    expect(page.locator("#outbox")).to_contain_text("You are signed out")
    page.locator("#outbox").get_by_role("link", name="Sign in").click()
    page.locator("[name=username]").fill("rafi")
    page.locator("[name=password]").fill("password")
    page.keyboard.press("Enter")
    until(page, Judgment.objects.exists)
    assert Judgment.objects.get().verdict == 1


def test_a_refused_answer_comes_back_as_it_was(work, campaign):
    make_open_round(campaign, comparisons=3)
    page = work()
    first = lease(page)
    page.keyboard.press("2")
    page.get_by_placeholder("Comment").fill("Because.")
    page.evaluate("document.querySelector('[name=guideline]').value = '99'")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert").or_(page.locator("#said"))).to_contain_text("no guideline 99")
    expect(page.locator("#work .task")).to_have_attribute("data-lease", first)
    expect(page.get_by_placeholder("Comment")).to_have_value("Because.")
    page.evaluate("document.querySelector('[name=guideline]').value = '1'")
    page.keyboard.press("Control+Enter")
    until(page, Judgment.objects.exists)
    assert Judgment.objects.get().comment == "Because."
    expect(page.locator("#work .answer").first).to_be_visible()
    assert lease(page) != first


def test_an_answer_that_is_not_wanted_any_more_says_so_and_work_goes_on(work, campaign):
    make_open_round(campaign, comparisons=4)
    page = work()
    Slot.objects.filter(lease=lease(page)).update(lease="00000000-0000-4000-8000-000000000000")
    answer(page, "2")
    expect(page.locator("#said")).to_contain_text("isn't yours")
    for key in "34":
        answer(page, key)
    until(page, lambda: Judgment.objects.count() == 2)


def test_a_missing_grade_is_named_before_anything_is_sent(work, campaign):
    Criterion.objects.create(campaign=campaign, key="kind", name="Kind", points=3, required=True)
    make_open_round(campaign, comparisons=2)
    page = work()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("Choose which answer is better first")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("Grade “Kind” for each answer first")
    page.locator("[name=grade-kind-0]").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    until(page, Judgment.objects.exists)
    judgment = Judgment.objects.get()
    shown = [judgment.criteria["kind"][position] for position in judgment.order_shown]
    assert shown == [2, 1]


def test_the_page_is_light_and_the_next_frame_shows_the_next_task(browser, live_server, campaign, rater):
    long_round(campaign)
    round_ = make_round(campaign)
    for _ in range(12):
        add_task(round_, (LONG, LONG + "\n\nMore."))
    rounds.open_(round_)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{live_server.url}/login/?next=/rate/{campaign.slug}/")
        page.locator("[name=username]").fill("rafi")
        page.locator("[name=password]").fill("password")
        page.keyboard.press("Enter")
        ready(page)
        page.wait_for_load_state("networkidle")
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{live_server.url}/rate/{campaign.slug}/")
        ready(page)
        page.wait_for_load_state("networkidle")
        assert len(requests) <= 8, requests
        assert all(url.startswith(live_server.url) for url in requests)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.evaluate(FRAMES)
        for number in range(10):
            with page.expect_response("**/judge/"):
                page.keyboard.press("3")
                page.keyboard.press("Enter")
                page.wait_for_function("n => frames.length === n", arg=number + 1)
            page.wait_for_timeout(400)  # the task that came with the response is put aside
        leases = page.evaluate("frames")
        assert len(set(leases)) == 10, leases


# What the frame after Enter shows. How long that takes is bench.rater_page's to say.
FRAMES = """
window.frames = [];
addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  requestAnimationFrame(() => frames.push(document.querySelector("#work .task")?.dataset.lease));
}, { capture: true });
"""
