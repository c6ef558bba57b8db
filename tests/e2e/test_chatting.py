"""A live conversation in a real browser: the queue, a worker, the demo policy, and a keyboard."""

from datetime import timedelta
from typing import Literal

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from labeling.models import Campaign, Judgment, Prompt, Slot, Task, Turn
from labeling.turns import order_shown
from tests.cast import make_campaign, make_open_chats, make_open_round, make_user
from tests.e2e.desk import follow, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign():
    cache.clear()
    return make_campaign(raters=(make_user(username="rafi"),), name="Kitchen talk", chat_turns=3)


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


def start(page: Page, campaign: Campaign, until: Literal["load", "domcontentloaded"] = "load") -> None:
    page.goto("/".join(page.url.split("/", 3)[:3]) + f"/rate/{campaign.slug}/", wait_until=until)
    expect(page.locator("#work[data-ready]")).to_be_attached()


def both_answers(page: Page) -> list[str]:
    """Wait for both answers and return their texts."""
    expect(page.locator(".pick .answer")).to_have_count(2, timeout=60_000)
    return [answer.inner_text() for answer in page.locator(".pick .answer .rendered").all()]


@pytest.mark.usefixtures("celery_workers")
def test_a_conversation_by_keyboard_with_reload_undo_and_end(at_work, campaign):
    make_open_chats(campaign, max_new_tokens=60)
    make_open_round(campaign, comparisons=1)
    Slot.objects.filter(task__kind="compare").update(order_key=2)  # the conversation comes first
    start(at_work, campaign)

    # the question that opens it is answered at once
    expect(at_work.locator(".waits .pulse")).to_be_visible()
    first = both_answers(at_work)
    assert first[0] != first[1]

    at_work.keyboard.press("6")
    at_work.keyboard.press("Enter")
    message = at_work.get_by_label("Your message")
    expect(message).to_be_focused()
    expect(at_work.locator(".prompt")).to_contain_text(first[1].split("\n")[0])
    judgment = Judgment.objects.get()
    assert (judgment.verdict, judgment.active_ms is not None) == (2, True)

    # a reload finds the conversation and the draft where they were
    at_work.keyboard.type("And how long")
    expect(at_work.get_by_text("Draft saved")).to_be_visible()
    at_work.reload()
    message = at_work.get_by_label("Your message")
    expect(message).to_have_value("And how long")
    at_work.keyboard.press("e")
    expect(message).to_be_focused()
    at_work.keyboard.press("End")
    at_work.keyboard.type(" for pasta?")
    at_work.keyboard.press("Enter")
    second = both_answers(at_work)
    expect(at_work.locator(".prompt")).to_contain_text("And how long for pasta?")
    prompt = Prompt.objects.get(opening__isnull=False)
    assert [m["role"] for m in prompt.messages] == ["user", "assistant", "user"]

    # neither is better: then with which does it go on?
    at_work.keyboard.press("0")
    at_work.keyboard.press("Enter")
    expect(at_work.get_by_text("Say with which answer")).to_be_visible()
    at_work.keyboard.press("Space")
    at_work.keyboard.press("ArrowRight")
    at_work.keyboard.press("Enter")
    expect(message).to_be_focused()
    expect(at_work.locator(".prompt")).to_contain_text(second[1].split("\n")[0])

    # taken back, it stands as it was
    at_work.keyboard.press("Escape")
    at_work.keyboard.press("u")
    assert both_answers(at_work) == second
    expect(at_work.get_by_label("Both are bad")).to_be_checked()
    at_work.keyboard.press("2")
    at_work.keyboard.press("Enter")
    expect(message).to_be_focused()

    at_work.keyboard.press("Tab")
    at_work.keyboard.press("Tab")
    at_work.keyboard.press("Enter")
    expect(at_work.locator(".task.compare")).to_be_visible()
    expect(at_work.get_by_text("The conversation is over")).to_be_visible()
    chat = Task.objects.get(kind="chat")
    assert (chat.counted, chat.status) == (1, "done")
    standing = Judgment.objects.filter(withdrawn=False, superseded_by=None).order_by("pk")
    assert list(standing.values_list("verdict", flat=True)) == [2, -2]


@pytest.mark.usefixtures("celery_workers")
def test_the_last_pick_brings_the_next_task_at_once(at_work, campaign):
    Campaign.objects.filter(pk=campaign.pk).update(chat_turns=1)
    make_open_chats(campaign, max_new_tokens=12)
    make_open_round(campaign, comparisons=1)
    Slot.objects.filter(task__kind="compare").update(order_key=2)
    start(at_work, campaign)
    both_answers(at_work)
    at_work.keyboard.press("4")
    at_work.keyboard.press("Enter")
    expect(at_work.locator(".task.compare")).to_be_visible()
    at_work.wait_for_timeout(500)
    assert Judgment.objects.get().verdict == 0
    assert Task.objects.get(kind="chat").status == "done"


def test_who_types_faster_than_the_conversation_loads_is_heard(at_work, campaign):
    make_open_chats(campaign, [{"role": "system", "content": "You sell rice."}])
    held: list[Route] = []
    at_work.route("**/chat*.js", lambda route: held.append(route))
    start(at_work, campaign, until="domcontentloaded")
    at_work.keyboard.press("e")
    at_work.keyboard.type("How long does it take?")
    at_work.keyboard.press("Enter")
    expect(at_work.get_by_text("Draft saved")).to_be_visible()
    assert Turn.objects.count() == 0
    for script in held:
        script.continue_()
    expect(at_work.locator(".waits .pulse")).to_be_visible()
    assert Turn.objects.get().prompt.messages[-1]["content"] == "How long does it take?"


def test_answers_that_do_not_come_can_be_sent_for_again(at_work, campaign):
    make_open_chats(campaign)
    start(at_work, campaign)
    expect(at_work.locator(".waits .pulse")).to_be_visible()
    # both grow before one's eyes
    turn = Turn.objects.get()
    _left, right = order_shown(turn)
    for text in ("Rice <b>takes", "Rice <b>takes ten minutes"):
        cache.set(f"chat-answer:{turn.pk}:{right}", text)
        expect(at_work.get_by_label("Answer B").locator(".growing-text")).to_have_text(text)
    expect(at_work.get_by_label("Answer A").locator(".growing-text")).to_have_text("")
    # a page that has given up sees what comes all the same
    cache.set(f"chat-answer:{turn.pk}:at", timezone.now() - timedelta(minutes=5))
    expect(at_work.locator(".trouble")).to_have_text("Nothing has come for a while.")
    cache.set(f"chat-answer:{turn.pk}:at", timezone.now())
    expect(at_work.locator(".waits .pulse")).to_be_visible()
    Turn.objects.update(status=Turn.Status.FAILED, error="http://secret.example is down")
    expect(at_work.locator(".trouble")).to_be_visible()
    expect(at_work.get_by_text("secret.example")).to_have_count(0)
    at_work.get_by_role("button", name="Try again").click()
    expect(at_work.locator(".waits .pulse")).to_be_visible()
    assert Turn.objects.get().status == Turn.Status.SAMPLING


@pytest.mark.usefixtures("celery_workers")
def test_a_conversation_without_scripts(browser, live_server, campaign):
    make_open_chats(campaign, [{"role": "system", "content": "You sell rice."}], max_new_tokens=12)
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, live_server.url + f"/rate/{campaign.slug}/")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Write a message first")).to_be_visible()
        page.get_by_label("Your message").fill("How long does it take?")
        follow(page, page.get_by_role("button", name="Send"))
        picks = page.locator(".pick")
        again = page.get_by_role("link", name="See whether they are there")
        again = again.or_(page.get_by_role("button", name="Try again"))  # shown once nothing came for a while
        for _ in range(60):
            expect(picks.or_(again).first).to_be_visible()
            if picks.count():
                break
            page.wait_for_timeout(500)
            follow(page, again)
        page.get_by_text("slightly").first.click()
        follow(page, page.get_by_role("button", name="Send"))
        page.get_by_role("button", name="End the conversation").click()
        expect(page.get_by_text("The conversation is over")).to_be_visible()
    assert Judgment.objects.get().verdict == -1
