"""A manager looks at how far raters are trusted, and makes a gold task that a rater then gets unawares."""

import time

import pytest
from playwright.sync_api import Page, expect

from labeling import golds, reliability, repeats
from labeling.models import Campaign, Gold, Task
from tests.cast import make_campaign, make_open_round, make_user
from tests.e2e.access import axe, large_text
from tests.e2e.desk import sign_in
from tests.labeling.crowd import make_crowd, vote

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def raters():
    names = ("amina", "björn", "chen", "somebody-with-a-rather-long-name", "left-fingered")
    return [make_user(username=name) for name in names]


@pytest.fixture
def campaign(raters):
    return make_campaign(raters=tuple(raters), by=make_user("manager", username="mara"), name="Kitchen talk")


def test_a_comparison_becomes_gold_and_its_rater_is_scored(
    page: Page, live_server, campaign, raters, troubles
):
    Campaign.objects.filter(pk=campaign.pk).update(gold_share=1)
    task = make_open_round(campaign, comparisons=5).tasks.order_by("pk")[3]
    sign_in(page, f"{live_server.url}/login/?next=/campaigns/{campaign.slug}/gold/", "mara")
    page.get_by_role("link", name=f"Task {task.pk}").click()
    expect(page.get_by_text("Answer one, 3.")).to_be_visible()
    page.get_by_label("The right verdict").select_option(label="A is clearly better")
    page.get_by_role("button", name="Make it gold").click()
    expect(page.get_by_text("It is a gold task now.")).to_be_visible()
    page.context.clear_cookies()
    sign_in(page, f"{live_server.url}/login/?next=/rate/{campaign.slug}/", "amina")
    page.wait_for_selector("#work[data-ready]")
    expect(page.get_by_text("Answer one, 3.").first).to_be_visible()
    assert "gold" not in page.content().lower()
    first_is_left = page.locator("article.answer").first.inner_text().find("Answer one") >= 0
    page.keyboard.press("1" if first_is_left else "7")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Answer one, 3.")).to_have_count(0)
    until = time.monotonic() + 60
    while not golds.scores(campaign) and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert golds.scores(campaign) == {raters[0].pk: (1, 1)}


def test_axe_and_twice_the_text_size_find_nothing(page: Page, live_server, campaign, raters, troubles):
    crowd = make_crowd(campaign, raters, tasks=90, votes=80)
    for task in crowd[:3]:
        golds.make(task, campaign.created_by, -1, explanation="The first names its source.")
    Gold.objects.update(created_at="2020-01-01T00:00:00Z")
    for again in repeats.repeat([(raters[0].pk, task.pk) for task in crowd[5:8]], crowd[5].round):
        vote(raters[0], again, -2, [0, 1])
    golds.retire(Gold.objects.order_by("pk")[0], None, golds.LEAKED)
    Task.objects.filter(campaign=campaign).update(counted=4, overlap=9)
    reliability.refresh(campaign)
    golds.propose(campaign)
    sign_in(page, f"{live_server.url}/login/?next=/campaigns/{campaign.slug}/raters/", "mara")
    expect(page.get_by_role("link", name="left-fingered")).to_be_visible()
    places = ["raters/", f"raters/{raters[0].pk}/", f"raters/{raters[4].pk}/", f"gold/?task={crowd[20].pk}"]
    found = []
    page.emulate_media(reduced_motion="reduce")
    for place in places:
        page.set_viewport_size({"width": 1440, "height": 900})
        answer = page.goto(f"{live_server.url}/campaigns/{campaign.slug}/{place}")
        assert answer is not None
        assert answer.ok
        page.evaluate("for (const e of document.querySelectorAll('details')) e.open = true")
        found += [f"{place}: {trouble}" for trouble in [*axe(page), *large_text(page)]]
    assert found == [], "\n".join(found)
