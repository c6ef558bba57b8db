"""A rater at home, by keyboard alone: what comes next, what was said, and taking something back."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from labeling import assignment, judgments, reviews
from labeling.models import Feedback, Judgment
from tests.cast import make_campaign, make_open_round, make_user
from tests.e2e.places import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rater():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rater):
    return make_campaign(raters=(rater,), name="Kitchen talk")


@pytest.fixture
def at_home(page: Page, live_server, rater):
    """Sign in, and collect whatever the page's scripts or the content policy complain about."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    sign_in(page.context, rater, live_server.url)
    page.goto(live_server.url)
    yield page
    assert troubles == []


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of that name has the focus, and Enter on it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.innerText ?? ''"):
            page.keyboard.press("Enter")
            return
    pytest.fail(f"Tab does not come to {name}")


def test_a_look_back_an_undo_and_a_reviewers_word(at_home, rater, campaign):
    make_open_round(campaign, comparisons=2)
    for verdict, comment in ((-2, "Plainer."), (1, "")):
        slot = assignment.claim(rater, campaign)
        judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict, comment=comment)
    first = Judgment.objects.earliest("pk")
    reviews.give(campaign.created_by, campaign, first, "Read the question again, please.")

    at_home.reload()
    expect(at_home.get_by_text("Read the question again, please.")).to_be_visible()
    tab_to(at_home, "Read it with what it is about")
    expect(at_home.get_by_role("heading", name="What reviewers say to you")).to_be_visible()
    expect(at_home.get_by_text("You said: A is clearly better")).to_be_visible()
    assert Feedback.objects.get().read_at is not None

    tab_to(at_home, "See it in your history")
    entry = at_home.locator(f"#judgment-{first.pk}")
    expect(entry).to_be_in_viewport()
    expect(entry.get_by_text("Plainer.")).to_be_visible()
    entry.get_by_role("button", name="Undo").focus()
    at_home.keyboard.press("Enter")

    # the task is in front again, filled in as it was left
    expect(at_home.get_by_text("Taken back. Here it is again.")).to_be_visible()
    expect(at_home.get_by_label("A is clearly better")).to_be_checked()
    expect(at_home.get_by_placeholder("Comment")).to_have_value("Plainer.")
    at_home.keyboard.press("7")
    at_home.keyboard.press("Enter")
    expect(at_home.locator(".waiting")).to_be_visible()
    at_home.wait_for_load_state("networkidle")  # the page goes on while the verdict is under way
    now = Judgment.objects.get(superseded_by=None, withdrawn=False, task=first.task)
    assert now.verdict == 3


def test_home_leads_on_and_counts_what_was_done(at_home, campaign):
    make_open_round(campaign, comparisons=2)
    at_home.reload()
    tab_to(at_home, "Start rating")
    expect(at_home.locator("#work[data-ready]")).to_be_attached()
    at_home.keyboard.press("2")
    at_home.keyboard.press("Enter")
    expect(at_home.locator(".verdict :checked")).to_have_count(0)
    at_home.wait_for_load_state("networkidle")
    at_home.goto(at_home.url.split("/rate/")[0])
    expect(at_home.get_by_text("1 of 2 labels in the open rounds")).to_be_visible()
    expect(at_home.get_by_role("link", name="Go on")).to_be_visible()
    tab_to(at_home, "What you said")
    expect(at_home.get_by_role("heading", name="clearly better")).to_be_visible()
