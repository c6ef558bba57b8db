"""A person puts answers in order in a browser: by keyboard, by dragging, by finger, and without scripts."""

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import rounds
from labeling.models import Judgment
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user
from tests.e2e.desk import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign():
    return make_campaign(raters=(make_user(username="rafi"),), name="Kitchen talk")


@pytest.fixture
def at_work(page: Page, live_server, campaign):
    """Open a round of rankings, and collect what the page's scripts or the content policy complain about."""
    make_open_round(campaign, comparisons=0, rankings=2)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    sign_in(page, live_server.url + f"/rate/{campaign.slug}/")
    expect(page.locator(".order")).to_be_visible()
    yield page
    assert troubles == []


def order(page: Page) -> list[str]:
    """Read the row of places, for example ["B", "AC", "D"]."""
    return ["".join(seat.locator(".letter").all_inner_texts()) for seat in page.locator(".seat").all()]


def drag(page: Page, letter: str, target: str) -> None:
    """Drag a letter into the middle of what a selector finds."""
    box = page.locator(".order").get_by_role("button", name=f"{letter}:").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 12, box["y"] + box["height"] / 2, steps=3)
    to = page.locator(target).bounding_box()
    assert to
    page.mouse.move(to["x"] + to["width"] / 2, to["y"] + to["height"] / 2, steps=5)
    expect(page.locator(".over")).to_have_count(1)
    page.mouse.up()


def sent(page: Page, count: int) -> Judgment:
    """Wait until so many judgments are stored and return the last."""
    for _ in range(300):
        if Judgment.objects.count() == count:
            break
        page.wait_for_timeout(50)
    return Judgment.objects.latest("pk")


def by_side(judgment: Judgment) -> list[str]:
    """Write a stored ranking in the letters of the sides that were shown."""
    names = {position: "ABCDEFGHI"[side] for side, position in enumerate(judgment.order_shown)}
    return ["".join(sorted(names[position] for position in equals)) for equals in judgment.ranking or []]


def test_by_keyboard_alone(at_work: Page):
    keys = at_work.keyboard
    said = at_work.locator(".said")
    assert order(at_work) == ["A", "B", "C", "D"]
    keys.press("Enter")
    expect(at_work.get_by_text("Put the answers in order first, or say")).to_be_visible()
    assert not Judgment.objects.exists()

    keys.press("3")
    expect(at_work.get_by_role("button", name="C: place 3 of 4")).to_be_focused()
    keys.press("k")
    expect(said).to_have_text("C moved to place 2 of 4")
    keys.press("ArrowUp")
    assert order(at_work) == ["C", "A", "B", "D"]
    keys.press("2")
    keys.press("t")
    expect(said).to_have_text("B moved to place 2 of 3, equal with A")
    assert order(at_work) == ["C", "AB", "D"]
    expect(at_work.get_by_role("button", name="B: place 2 of 3, equal with A")).to_be_focused()
    keys.press("j")
    assert order(at_work) == ["C", "A", "B", "D"]
    keys.press("ArrowLeft")
    keys.press("4")
    keys.press("j")
    expect(said).to_have_text("D can’t move further")
    keys.press("t")
    assert order(at_work) == ["C", "B", "AD"]

    keys.press("c")
    keys.type("C says when.")
    keys.press("Control+Enter")
    judgment = sent(at_work, 1)
    assert by_side(judgment) == ["C", "B", "AD"]
    assert judgment.comment == "C says when."
    assert judgment.active_ms

    # taking it back brings the order back
    expect(at_work.locator(".ordering.untouched")).to_be_visible()
    keys.press("u")
    expect(at_work.get_by_text("Taken back")).to_be_visible()
    expect(at_work.locator(".ordering.untouched")).to_have_count(0)
    assert order(at_work) == ["C", "B", "AD"]
    keys.press("1")
    keys.press("Enter")
    again = sent(at_work, 3)
    assert again.supersedes is not None
    assert (by_side(again), again.supersedes.withdrawn) == (["C", "B", "AD"], True)


def test_dragging_between_places_and_onto_equals(at_work: Page):
    drag(at_work, "D", "[data-gap='0']")
    assert order(at_work) == ["D", "A", "B", "C"]
    drag(at_work, "C", "[data-place='0']")
    assert order(at_work) == ["CD", "A", "B"]
    drag(at_work, "C", "[data-gap='3']")
    assert order(at_work) == ["D", "A", "B", "C"]
    # let go beside the row, it stays where it was
    box = at_work.get_by_role("button", name="B:").bounding_box()
    assert box
    at_work.mouse.move(box["x"] + 5, box["y"] + 5)
    at_work.mouse.down()
    at_work.mouse.move(box["x"] + 5, box["y"] - 300, steps=4)
    at_work.mouse.up()
    assert order(at_work) == ["D", "A", "B", "C"]
    at_work.get_by_role("button", name="Send").click()
    assert by_side(sent(at_work, 1)) == ["D", "A", "B", "C"]


def test_buttons_do_what_dragging_does_and_an_order_as_shown_wants_a_word(at_work: Page):
    at_work.get_by_role("button", name="B:").click()
    at_work.get_by_role("button", name="Better").click()
    assert order(at_work) == ["B", "A", "C", "D"]
    expect(at_work.get_by_role("button", name="They are in order as shown")).to_be_hidden()
    before = at_work.locator(".task").get_attribute("data-lease")
    at_work.get_by_role("button", name="Send").click()
    expect(at_work.locator(f'.task[data-lease="{before}"]')).to_have_count(0)
    at_work.wait_for_timeout(350)  # a click sooner would be the second half of a double click
    at_work.get_by_role("button", name="Send").click()
    expect(at_work.get_by_text("Put the answers in order first, or say")).to_be_visible()
    at_work.get_by_role("button", name="They are in order as shown").click()
    at_work.get_by_role("button", name="Send").click()
    assert by_side(sent(at_work, 2)) == ["A", "B", "C", "D"]


def test_an_order_survives_a_reload(at_work: Page):
    at_work.keyboard.press("4")
    at_work.keyboard.press("t")
    at_work.reload()
    expect(at_work.locator(".ordering.untouched")).to_have_count(0)
    expect(at_work.get_by_role("button", name="D: place 3 of 3, equal with C")).to_be_visible()


def test_by_finger_on_a_phone(browser: Browser, live_server, campaign):
    round_ = make_round(campaign)
    add_task(round_, tuple(f"Answer number {n}." for n in range(9)))
    rounds.open_(round_)
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as phone:
        page = phone.new_page()
        sign_in(page, live_server.url + f"/rate/{campaign.slug}/")
        expect(page.locator(".letter")).to_have_count(9)
        touch = phone.new_cdp_session(page)

        def at(selector: str) -> dict[str, float]:
            box = page.locator(selector).bounding_box()
            assert box
            return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}

        def send(kind: str, *points: dict[str, float]) -> None:
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

        start = at(".letter[data-side='8']")
        send("touchStart", start)
        send("touchMove", {"x": start["x"] - 10, "y": start["y"]})
        send("touchMove", at("[data-place='0']"))
        send("touchEnd")
        expect(page.locator("[data-place='0'] .letter")).to_have_text(["A", "I"])
        page.get_by_role("button", name="Send").click()  # a tap on a slow machine is a long press
        assert by_side(sent(page, 1)) == ["AI", *"BCDEFGH"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_scripts_the_places_are_a_plain_form(browser: Browser, live_server, campaign):
    make_open_round(campaign, comparisons=0, rankings=1)
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, live_server.url + f"/rate/{campaign.slug}/")
        page.get_by_label("Place of answer A").select_option("2")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("each needs a place")).to_be_visible()
        expect(page.get_by_label("Place of answer A")).to_have_value("2")
        for letter, place in {"B": "1", "C": "2", "D": "4"}.items():
            page.get_by_label(f"Place of answer {letter}").select_option(place)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    assert by_side(Judgment.objects.get()) == ["B", "AC", "D"]
