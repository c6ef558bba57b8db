"""Reading in a real browser: guideline, differences, raw text, streamed answers, phones."""

import pytest
from playwright.sync_api import Page, expect

from labeling import campaigns, guidelines, rounds
from labeling.models import Campaign, Draft, Example, GuidelineRead, Judgment, Slot
from tests.cast import add_task, make_open_round, make_round
from tests.e2e.desk import LONG, answer, dead_server, lease, long_round, ready, until

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


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
    Campaign.objects.update(display_rate=8)
    round_ = make_round(campaign)
    words = " ".join(f"word{number}" for number in range(30))
    for _ in range(3):
        add_task(round_, (f"{words}\n\nThe last of A.", f"- {words}\n- The last of B."))
    rounds.open_(round_)
    page = work()
    last = page.locator(".answer .rendered").first.locator("p, li").last
    height = page.locator(".answer .rendered").first.bounding_box()["height"]
    expect(last).to_be_hidden()
    expect(last).to_be_visible()
    assert page.locator(".answer .rendered").first.bounding_box()["height"] == height
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()
    answer(page, "3")
    expect(page.locator(".answer .rendered").first.locator("p, li").last).to_be_hidden()
    page.keyboard.press("a")
    expect(page.locator(".answer .rendered").first.locator("p, li").last).to_be_visible()
    answer(page, "3")
    answer(page, "3")  # in the middle of it
    until(page, lambda: Judgment.objects.count() == 3)
    assert list(Judgment.objects.order_by("pk").values_list("display_rate", flat=True)) == [8, 0, 8]


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
