"""Comparing in a real browser: nothing is lost or sent twice, the next task is there at once."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from labeling import campaigns, guidelines, rounds
from labeling.models import Campaign, Criterion, Draft, Example, GuidelineRead, Judgment, Skip, Slot
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

LONG = "\n\n".join(f"Paragraph {number} says **a little**, and `more` than that." for number in range(60))


@pytest.fixture
def campaign():
    return make_campaign(raters=(make_user(username="rafi"),), name="Kitchen talk")


@pytest.fixture
def rater(campaign):
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
def work(page: Page, live_server, campaign, troubles) -> Callable[[], Page]:
    """Sign in and open the campaign's page."""

    def begin() -> Page:
        page.goto(f"{live_server.url}/login/?next=/rate/{campaign.slug}/")
        page.locator("[name=username]").fill("rafi")
        page.locator("[name=password]").fill("password")
        page.keyboard.press("Enter")
        ready(page)
        return page

    return begin


def ready(page: Page) -> None:
    page.wait_for_selector("#work[data-ready]")


def until(page: Page, done: Callable[[], object]) -> None:
    """Wait for the server: the page shows the next task before its answer has come."""
    for _ in range(120):
        if done():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came about")


def lease(page: Page) -> str:
    return page.locator("#work .task").get_attribute("data-lease") or ""


def answer(page: Page, key: str) -> None:
    """Press a verdict's key and Enter, and see another task."""
    before = lease(page)
    page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.locator(f'.task[data-lease="{before}"]')).to_have_count(0)


@contextmanager
def dead_server(page: Page, status: int | None = None) -> Iterator[None]:
    """Let every POST fail: no connection, or a status."""

    def fail(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
        elif status is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=status, body="")

    context = page.context
    context.route("**/rate/**", fail)
    yield
    context.unroute("**/rate/**")


# -- sending -----------------------------------------------------------------------------------------------


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


# -- keeping -----------------------------------------------------------------------------------------------


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
    expect(page.locator(".saved")).to_have_text("Draft saved", timeout=6000)
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
        expect(page.locator(".saved")).to_have_text("Saved here only: no connection", timeout=6000)
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
    expect(page.locator(".saved")).to_have_text("", timeout=8000)
    page.evaluate("document.querySelector('.task').dataset.leaseUntil = new Date(0).toISOString()")
    expect(page.locator(".saved")).to_have_text("Your time has run out, but you can still send it")


# -- reading -----------------------------------------------------------------------------------------------


def long_round(campaign: Campaign) -> None:
    round_ = make_round(campaign)
    for _ in range(2):
        add_task(round_, (LONG, LONG.replace("little", "lot") + "\n\nThe end."))
    rounds.open_(round_)


def test_raw_text_differences_and_scrolling_together(work, campaign):
    long_round(campaign)
    page = work()
    columns = page.locator(".answer")
    page.keyboard.press("r")
    expect(columns.first.locator(".source")).to_be_visible()
    expect(columns.first.locator(".source")).to_contain_text("says **a ")
    expect(columns.first.locator(".rendered")).to_be_hidden()
    page.keyboard.press("r")
    page.keyboard.press("d")
    expect(columns.first.locator("mark").first).to_be_visible()
    marks = {column.locator("mark").first.inner_text() for column in columns.all()}
    assert marks == {"little", "lot"}
    expect(page.get_by_role("button", name="Differences")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("d")
    expect(page.locator("mark")).to_have_count(0)
    expect(columns.first.locator(".rendered")).to_be_visible()

    page.keyboard.press("l")
    columns.first.hover()
    page.mouse.wheel(0, 500)
    until(page, lambda: scrolled(page, 1) > 400)
    answer(page, "3")
    columns.nth(1).hover()
    page.mouse.wheel(0, 500)
    until(page, lambda: scrolled(page, 0) > 400)  # remembered
    page.keyboard.press("l")
    page.mouse.wheel(0, -2000)
    page.wait_for_timeout(300)
    assert scrolled(page, 0) > 400


def scrolled(page: Page, column: int) -> float:
    return float(page.locator(".answer").nth(column).evaluate("column => column.scrollTop"))


def test_the_prompt_takes_a_quarter_of_the_window_at_most_and_folds(work, campaign):
    long_round(campaign)
    prompt = campaign.prompts.first()
    for prompt in campaign.prompts.all():
        turns = [{"role": role, "content": LONG} for role in ("user", "assistant", "user")]
        campaign.prompts.filter(pk=prompt.pk).update(messages=turns)
    page = work()
    for size in (
        {"width": 1440, "height": 900},
        {"width": 768, "height": 1024},
        {"width": 390, "height": 844},
    ):
        page.set_viewport_size(size)
        assert page.locator(".prompt").bounding_box()["height"] <= size["height"] / 4
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    expect(page.get_by_text("Conversation, 3 turns")).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator(".prompt .turns")).to_be_hidden()


def test_on_a_phone_the_answers_are_cards_to_swipe(browser, live_server, campaign, rater):
    long_round(campaign)
    with browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as context:
        page = context.new_page()
        page.goto(f"{live_server.url}/login/?next=/rate/{campaign.slug}/")
        page.locator("[name=username]").fill("rafi")
        page.locator("[name=password]").fill("password")
        page.keyboard.press("Enter")
        ready(page)
        cards = page.get_by_role("navigation", name="Answers")
        expect(cards.get_by_role("link", name="Answer A")).to_have_attribute("aria-current", "true")
        expect(page.locator("#answer-1")).not_to_be_in_viewport(ratio=0.5)
        cards.get_by_role("link", name="Answer B").click()
        expect(page.locator("#answer-1")).to_be_in_viewport(ratio=0.9)
        expect(cards.get_by_role("link", name="Answer B")).to_have_attribute("aria-current", "true")
        # the bar leaves most of the window to the text
        assert page.locator(".bar").bounding_box()["height"] < 844 / 4
        expect(page.get_by_placeholder("Comment")).to_be_hidden()
        page.get_by_role("button", name="More").click()
        expect(page.get_by_placeholder("Comment")).to_be_visible()
        page.get_by_text("slightly").first.click()
        page.get_by_role("button", name="Send").click()
        until(page, Judgment.objects.exists)


def test_the_guideline_opens_beside_the_work_and_is_read_then(work, campaign, rater):
    guidelines.mark_read(rater, guidelines.newest(campaign))
    campaigns.add_guideline(campaign, "Prefer the **plainer** answer.", campaign.created_by)
    Example.objects.create(
        campaign=campaign,
        use=Example.Use.EDGE_CASE,
        messages=[{"role": "user", "content": "How long for rice?"}],
        answers=["18 minutes.", "Ah, rice!"],
        verdict=-2,
        explanation="The first answers.",
    )
    make_open_round(campaign, comparisons=3)
    page = work()
    expect(page.locator(".badge.new")).to_be_visible()
    page.keyboard.press("g")
    drawer = page.get_by_role("complementary", name="Guideline")
    expect(drawer.get_by_text("Changed since you read version 1")).to_be_visible()
    expect(drawer.locator("ins")).to_contain_text("plainer")
    expect(drawer.get_by_text("A is clearly better")).to_be_visible()
    expect(page.locator(".badge.new")).to_have_count(0)
    assert GuidelineRead.objects.filter(user=rater).count() == 2
    answer(page, "3")  # the work goes on beside it
    expect(drawer).to_be_visible()
    expect(page.locator(".badge.new")).to_have_count(0)
    work_box, drawer_box = page.locator("#work").bounding_box(), drawer.bounding_box()
    assert work_box["x"] + work_box["width"] <= drawer_box["x"]
    page.keyboard.press("g")
    expect(drawer).to_be_hidden()
    page.keyboard.press("y")
    expect(page.get_by_role("dialog", name="Why this task?")).to_contain_text("drawn at random for round 1")


def test_own_keys_work_and_the_sheet_lists_them(work, campaign, rater):
    rater.keys = {"verdict_2": "m", "undo": "z"}
    rater.save()
    make_open_round(campaign, comparisons=3)
    page = work()
    page.keyboard.press("2")
    expect(page.get_by_label("A is clearly better")).not_to_be_checked()
    page.keyboard.press("m")
    expect(page.get_by_label("A is clearly better")).to_be_checked()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    expect(sheet.get_by_role("row", name="z Take back what you sent last")).to_be_visible()
    expect(sheet.get_by_role("row", name="Move the answer up")).to_be_hidden()
    page.keyboard.press("Escape")
    # the radio buttons are a group like any other
    page.get_by_label("A is clearly better").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("A is slightly better")).to_be_checked()


def test_answers_appear_at_the_campaigns_speed_and_the_judgment_says_so(work, campaign):
    Campaign.objects.update(display_rate=20)
    round_ = make_round(campaign)
    words = " ".join(f"word{number}" for number in range(30))
    for _ in range(3):
        add_task(round_, (f"{words}\n\nThe last of A.", f"- {words}\n- The last of B."))
    rounds.open_(round_)
    page = work()
    last = page.locator(".answer .rendered").first.locator("p, li").last
    height = page.locator(".answer .rendered").first.bounding_box()["height"]
    expect(last).to_be_hidden()
    expect(last).to_be_visible(timeout=4000)
    assert page.locator(".answer .rendered").first.bounding_box()["height"] == height
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()
    answer(page, "3")
    expect(page.locator(".answer .rendered").first.locator("p, li").last).to_be_hidden()
    page.keyboard.press("a")
    expect(page.locator(".answer .rendered").first.locator("p, li").last).to_be_visible(timeout=300)
    answer(page, "3")
    answer(page, "3")  # in the middle of it
    until(page, lambda: Judgment.objects.count() == 3)
    assert list(Judgment.objects.order_by("pk").values_list("display_rate", flat=True)) == [20, 0, 20]


def test_who_wants_no_motion_sees_answers_at_once_and_the_judgment_says_so(work, campaign, page):
    Campaign.objects.update(display_rate=5)
    long_round(campaign)
    page.emulate_media(reduced_motion="reduce")
    work()
    expect(page.locator(".answer .rendered").first.locator("p").last).to_be_visible()
    expect(page.locator(".unseen")).to_have_count(0)
    answer(page, "3")
    until(page, Judgment.objects.exists)
    assert Judgment.objects.get().display_rate == 0


def test_a_newer_draft_from_another_browser_wins_over_an_older_one_here(work, campaign, rater):
    make_open_round(campaign, comparisons=1)
    page = work()
    with dead_server(page):
        page.keyboard.press("c")
        page.keyboard.type("Older")
        expect(page.locator(".saved")).to_have_text("Saved here")
        page.wait_for_timeout(50)
        held = Slot.objects.get(lease=lease(page))
        Draft.objects.create(task_id=held.task_id, rater=rater, data={"comment": "Newer", "verdict": "1"})
        page.reload()
    ready(page)
    expect(page.get_by_placeholder("Comment")).to_have_value("Newer")
    expect(page.get_by_label("B is slightly better")).to_be_checked()


# -- weight and speed --------------------------------------------------------------------------------------


def test_the_page_is_light_and_the_next_task_paints_at_once(browser, live_server, campaign, rater):
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
        page.evaluate(PAINTS)
        for _ in range(10):
            page.wait_for_timeout(400)
            page.keyboard.press("3")
            page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        times = sorted(page.evaluate("paints"))
        assert len(times) == 10
        assert times[3] < 100, times  # the machine may be busy with other tests


PAINTS = """
window.paints = [];
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const start = event.timeStamp;
  requestAnimationFrame(() => setTimeout(() => paints.push(Math.round(performance.now() - start))));
}, { capture: true });
"""
