"""Somebody rewrites an answer: three views of it, ways back, and what is told about how it was written."""

import pytest
from playwright.sync_api import Page, expect

from labeling import rounds, words
from labeling.models import Draft, Edit
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user
from tests.e2e.desk import follow, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

ORIGINAL = "Boil the egg for six minutes. Cool it under water. Peel it from the wide end."
BETTER = "Boil the egg for seven minutes. Cool it under cold water. Peel it from the wide end."
SCRIPTS = [
    "Go home, don't wait… naïve café—yes!",
    "我爱你，因为今天是星期三。",
    "日本語カタカナ・テスト ｱ",
    "คุณชอบกินข้าวไหม",
    "ខ្ញុំស្រឡាញ់ភាសា",
    "हिन्दी में लिखा है।",
    "مرحبا، كيف حالك؟",
    "שלום־עולם",
    "x\u200by\ufeffz\u2028\x85\u3000w a\x1cb",
    "😀👍🏽 𠀀𠀁 x² ½ 𝔸",
]


@pytest.fixture
def campaign():
    return make_campaign(raters=(make_user(username="rafi"),), name="Kitchen talk")


def open_edits(campaign, *texts: str) -> None:
    round_ = make_round(campaign)
    for text in texts:
        add_task(round_, (text,))
    rounds.open_(round_)


@pytest.fixture
def at_work(page: Page, live_server, campaign):
    """Sign in to the campaign's page, and collect what its scripts or the content policy complain about."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if "Content Sec" in m.text else None)

    def go() -> Page:
        page.goto(f"{live_server.url}/rate/{campaign.slug}/")
        if page.get_by_label("Username").count():
            page.get_by_label("Username").fill("rafi")
            page.get_by_label("Password").fill("password")
            follow(page, page.get_by_role("button", name="Sign in"))
        expect(page.get_by_role("tab", name="Write")).to_be_visible()
        return page

    yield go
    assert troubles == []


def text_of(page: Page):
    return page.get_by_label("Your version")


def test_the_three_views_are_reached_by_keyboard(at_work, campaign):
    open_edits(campaign, ORIGINAL)
    page = at_work()
    page.keyboard.press("e")
    expect(text_of(page)).to_be_focused()
    text_of(page).fill("# A title\n\n**Seven** minutes <img src=x>.")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    preview = page.get_by_role("tabpanel", name="Preview")
    expect(preview.get_by_text("Seven", exact=True)).to_be_visible()
    assert preview.locator("img").count() == 0
    page.get_by_role("tab", name="Preview").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Diff")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Diff").locator("ins").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Write")).to_have_attribute("aria-selected", "true")


def test_each_changed_part_has_its_own_way_back_and_all_of_them_together(at_work, campaign):
    open_edits(campaign, ORIGINAL)
    page = at_work()
    text_of(page).fill(BETTER)
    expect(page.get_by_text("changed: 2")).to_be_visible()
    page.get_by_role("tab", name="Diff").click()
    restores = page.get_by_role("button", name="Restore this part")
    expect(restores).to_have_count(2)
    restores.first.focus()
    page.keyboard.press("Enter")
    expect(restores).to_have_count(1)
    expect(restores.first).to_be_focused()
    expect(text_of(page)).to_have_value(BETTER.replace("seven", "six"))
    expect(page.get_by_text("changed: 1")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(text_of(page)).to_have_value(BETTER)

    page.get_by_role("button", name="Start over").click()
    expect(text_of(page)).to_have_value(ORIGINAL)
    expect(page.get_by_text("Nothing is changed yet")).to_be_visible()
    page.get_by_role("button", name="Bring my version back").click()
    expect(text_of(page)).to_have_value(BETTER)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    edit = Edit.objects.get()
    assert (edit.edited.text, edit.distance) == (BETTER, 2)


def test_white_space_alone_is_refused_before_it_is_sent_and_already_good_keeps_what_was_written(
    at_work, campaign
):
    open_edits(campaign, ORIGINAL, "Another answer.")
    page = at_work()
    kept = page.locator("#original").input_value()
    posts: list[str] = []
    page.on("request", lambda r: posts.append(r.url) if r.url.endswith("/edit/") else None)
    text_of(page).fill(f"  {kept}\n")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Nothing but white space has changed")).to_be_visible()
    text_of(page).fill(" ")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The text is empty")).to_be_visible()
    assert posts == []
    text_of(page).fill("Half of a better answer")
    page.get_by_label("It is already good").check()
    expect(text_of(page)).not_to_be_editable()
    expect(text_of(page)).to_have_value("Half of a better answer")
    lease = page.locator(".task").get_attribute("data-lease")
    page.keyboard.press("Control+Enter")
    expect(page.locator(f'.task[data-lease="{lease}"]')).to_have_count(0)
    expect(page.get_by_label("It is already good")).not_to_be_checked()
    page.wait_for_timeout(300)
    assert Edit.objects.get().edited is None


def test_pastes_and_typing_are_counted_and_what_moves_within_the_task_is_not(at_work, campaign):
    open_edits(campaign, ORIGINAL)
    page = at_work()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('Written elsewhere, at length. ')")
    text_of(page).focus()
    page.keyboard.press("Control+Home")
    page.keyboard.press("Control+v")
    page.keyboard.press("Control+v")
    page.keyboard.type("Typed here", delay=20)
    page.keyboard.press("Shift+Control+ArrowLeft")
    page.keyboard.press("Control+x")
    page.keyboard.press("Control+v")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    assert Draft.objects.get().data["signals"]
    page.reload()
    text_of(page).focus()
    page.keyboard.type("!")
    page.get_by_placeholder("What was wrong").fill("Too\nvague.")
    page.get_by_label("Your version").press("Control+Enter")
    expect(page.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    edit = Edit.objects.get()
    signals = edit.signals
    assert (signals["pastes"], signals["bursts"], signals["pasted"]) == (2, 1, 60)
    assert signals["typed"] == len("Typed here!")
    assert 100 < signals["typing_ms"] < 10_000
    assert edit.instruction == "Too\nvague."


def test_the_page_counts_words_as_the_server_does(at_work, campaign):
    open_edits(campaign, ORIGINAL)
    page = at_work()
    page.wait_for_function("() => typeof wordDiff === 'function'")
    for text in SCRIPTS:
        assert page.evaluate("text => wordDiff.words(text)", text) == words.split(text)
    for one in SCRIPTS:
        for other in SCRIPTS:
            pair = [f"{one} {other} {one}", f"{other} and {one}"]
            counted = page.evaluate("([a, b]) => wordDiff.distance(a, b)", pair)
            assert counted == words.distance(*pair)
            parts = page.evaluate("([a, b]) => wordDiff(a, b)", pair)
            assert "".join(piece for kind, piece in parts if kind != "+") == pair[0]
            assert "".join(piece for kind, piece in parts if kind != "-") == pair[1]


def test_a_very_long_answer_can_be_edited_and_its_diff_gives_up_in_words(at_work, campaign):
    long = "\n" + " ".join(f"word{n * n % 977}" for n in range(9_000))
    open_edits(campaign, long)
    page = at_work()
    assert text_of(page).input_value() == long
    page.get_by_role("tab", name="Write").click()
    text_of(page).evaluate("text => text.setSelectionRange(40000, 40000)")
    page.keyboard.press("e")
    page.keyboard.type("a few more words ")
    page.get_by_role("tab", name="Diff").click()
    expect(page.get_by_role("button", name="Restore this part")).to_have_count(1)
    text_of(page).evaluate(
        "text => { text.value = text.value.split(' ').reverse().map((word) => word + 'x').join(' ');"
        " text.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    page.get_by_role("tab", name="Write").click()
    page.get_by_role("tab", name="Diff").click()
    expect(page.get_by_text("differs in too much")).to_be_visible()


def test_an_edit_needs_no_scripts(browser, live_server, campaign):
    make_open_round(campaign, comparisons=0, edits=1)
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, f"{live_server.url}/rate/{campaign.slug}/")
        text_of(page).fill("A better answer.")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    edit = Edit.objects.get()
    assert (edit.edited.text, edit.signals) == ("A better answer.", {})
