"""A manager sees how comparisons are chosen, and begins again what was given up."""

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Campaign
from tests.cast import make_campaign, make_user
from tests.e2e.access import axe, large_text
from tests.e2e.places import sign_in
from tests.training import choices
from training import payoff, selection
from training.tasks import choose_pairs

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign(monkeypatch):
    """Make a campaign in which a round was chosen to its end."""
    monkeypatch.setattr(payoff, "SMALLEST", 4)
    rater = make_user()
    campaign = make_campaign(
        raters=(rater,),
        by=make_user("manager", username="mara"),
        name="Kitchen talk",
        choose_pairs=True,
        tasks_per_round=110,
        retrain_after=1000,
    )
    round_ = choices.make_choosing_round(campaign)
    choices.read_all(round_, choices.make_trunk(campaign))
    for _turn in range(8):
        choices.judge(rater, campaign, 12)
        choose_pairs(round_.pk)
    return campaign


def test_the_page_is_for_everybody_and_choosing_begins_again_at_a_click(
    page: Page, live_server, campaign, troubles
):
    sign_in(page.context, campaign.created_by, live_server.url)
    page.emulate_media(reduced_motion="reduce")
    address = f"{live_server.url}/campaigns/{campaign.slug}/selection/"
    page.goto(address)
    expect(page.get_by_text("Comparisons are chosen by a fit to all")).to_be_visible()
    expect(page.get_by_role("img", name="Held-out votes foretold")).to_be_visible()
    page.evaluate("for (const e of document.querySelectorAll('details')) e.open = true")
    assert [*axe(page), *large_text(page)] == []
    selection.stop(campaign, {"labels": 1000, "value": -0.02})
    page.goto(address)
    page.get_by_role("button", name="Choose again").click()
    expect(page.get_by_text("Comparisons are chosen again from the next round on.")).to_be_visible()
    assert "stopped" not in Campaign.objects.get(pk=campaign.pk).selection
