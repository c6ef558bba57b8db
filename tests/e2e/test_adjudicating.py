"""A reviewer decides a dispute by keyboard, sorts it as a gap, and takes that into the guideline."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Role, User
from labeling import adjudication, assignment, disputes, judgments
from labeling.models import Adjudication, Feedback, GuidelineGap, Judgment
from tests.cast import make_campaign, make_open_round, make_user
from tests.e2e.access import axe, large_text
from tests.e2e.desk import press
from tests.e2e.test_reviewing import sign_in
from tests.labeling.test_adjudication import ask, crown, score

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def raters():
    return tuple(make_user(username=name) for name in ("rafi", "rosa", "rita"))


@pytest.fixture
def campaign(raters):
    campaign = make_campaign(by=make_user(Role.MANAGER, "mara"), raters=raters, name="Kitchen talk")
    task = ask(campaign, raters, 0, 0, 1)
    score(crown(campaign), task, -2.0, 2.0)
    ask(campaign, raters, 1, 0)
    disputes.refresh(campaign)
    return campaign


def tab_to(page: Page, name: str) -> None:
    """Walk with the Tab key to what is called so."""
    for _ in range(60):
        press(page, "Tab")
        if page.evaluate("document.activeElement.textContent").strip().startswith(name):
            return
    raise AssertionError(f"{name} is not to be reached by Tab")


def test_the_path_by_keyboard(page, live_server, campaign, troubles):
    sign_in(page, f"{live_server.url}/campaigns/{campaign.slug}/disputes/", "mara")
    expect(page.get_by_role("heading", name="2 comparisons in dispute")).to_be_visible()
    tab_to(page, "Decide the next one")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Answer A")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("rafi")
    press(page, "2")
    expect(page.get_by_label("A is clearly better", exact=True)).to_be_checked()
    press(page, "Enter")
    expect(page.get_by_text("A is clearly better").first).to_be_visible()
    expect(page.get_by_role("link", name="rafi")).to_be_visible()
    row = Adjudication.objects.get(decided_at__isnull=False)
    page.get_by_label("Gap in the guideline").focus()
    press(page, "Space")
    press(page, "Tab")
    page.keyboard.type("Say what counts as long.")
    tab_to(page, "Keep, and decide the next one")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Answer A")).to_be_visible()  # the second dispute
    row.refresh_from_db()
    assert row.cause == "guideline_gap"
    tab_to(page, "Leave it to somebody else")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="1 comparison in dispute")).to_be_visible()

    page.goto(f"{live_server.url}/campaigns/{campaign.slug}/gaps/")
    page.get_by_role("link", name="Write it into the guideline").click()
    text = page.get_by_label("Text")
    expect(text).to_have_value("Prefer the better answer.\n\nSay what counts as long.")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 2 is in use.")).to_be_visible()
    assert GuidelineGap.objects.get().guideline.number == 2


def test_from_the_evidence_to_a_word_and_to_taking_the_work_out(page, live_server, campaign, raters):
    mara = User.objects.get(username="mara")
    row = adjudication.decide(adjudication.claim(mara, campaign), mara, -2)
    sign_in(page, f"{live_server.url}/campaigns/{campaign.slug}/disputes/{row.pk}/", "mara")
    page.get_by_text("Write to rafi").click()
    page.get_by_label("What the rater should know").first.fill("Please read both to the end.")
    page.locator("tr").filter(has=page.get_by_role("link", name="rafi")).get_by_role(
        "button", name="Send"
    ).click()
    expect(page.get_by_text("The rater sees it at home")).to_be_visible()
    assert Feedback.objects.get().rater.username == "rafi"
    page.goto(f"{live_server.url}/campaigns/{campaign.slug}/disputes/{row.pk}/")
    line = page.locator("tr").filter(has=page.get_by_role("link", name="rafi"))
    line.get_by_role("link", name="Take their work out of the count").click()
    page.get_by_label("Why? The rater reads it.").fill("You always took the first.")
    page.get_by_role("button", name="Take 2 answers out of the count").click()
    expect(page.get_by_text("2 answers count no more; 2 of them are asked of others.")).to_be_visible()
    assert Judgment.objects.filter(withdrawn=True, rater__username="rafi").count() == 2


def test_axe_and_twice_the_text_size_find_nothing_on_the_reviewers_pages(
    page, live_server, campaign, raters, troubles
):
    mara = User.objects.get(username="mara")
    row = adjudication.decide(adjudication.claim(mara, campaign), mara, -2)
    adjudication.sort(row, mara, "guideline_gap", "Both can be defended.", "Say what counts as long.")
    task = ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    decided = adjudication.decide(adjudication.claim(mara, campaign), mara, 2)
    held = adjudication.claim(mara, campaign)
    slot = make_open_round(campaign, overlap=1).tasks.get().slots.get()
    said = assignment.claim(raters[0], campaign)
    assert (said.pk, task.status) == (slot.pk, "done")
    comment = "It names the pan, the heat and the time, which the other one leaves out."
    judgments.submit(
        raters[0], said.lease, idempotency_key=uuid4(), verdict=1, comment=comment, active_ms=900
    )
    sign_in(page, f"{live_server.url}/campaigns/{campaign.slug}/disputes/", "mara")
    places = [
        "disputes/", f"disputes/{held.pk}/", f"disputes/{decided.pk}/", f"disputes/{row.pk}/", "gaps/",
        "review/", f"raters/{raters[0].pk}/reopen/",
    ]  # fmt: skip
    found = []
    page.emulate_media(reduced_motion="reduce")
    for place in places:
        page.set_viewport_size({"width": 1440, "height": 900})
        answer = page.goto(f"{live_server.url}/campaigns/{campaign.slug}/{place}")
        assert answer.ok
        assert page.url.endswith(place)
        page.evaluate("for (const e of document.querySelectorAll('details')) e.open = true")
        found += [f"{place}: {trouble}" for trouble in [*axe(page), *large_text(page)]]
    assert found == [], "\n".join(found)
