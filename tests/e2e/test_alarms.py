"""The page of alarms holds at every width, day and night, and at twice the text size."""

from dataclasses import asdict
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling import campaigns
from labeling.models import Campaign, Round
from models_app import registry
from preferences.types import Estimate, Interval
from tests import cast
from tests.e2e.access import axe, large_text
from training.models import Alarm, AlarmFigure

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def make_history(campaign: Campaign) -> None:
    """Give a campaign three rounds of figures, of which one has left its band in the last."""
    courses: dict[str, list[float]] = {
        "length": [1.05, 1.22, 1.61],
        "longer": [0.61, 0.66, 0.71],
        "kl": [4.2, 9.8, 17.3],
        "proxy_gap": [0.02, 0.05, 0.08],
        "safety": [0.82, 0.86, 0.91],
        "safety_change": [0.0, 0.04, 0.09],
    }
    for at in range(3):
        round_ = Round.objects.create(campaign=campaign, number=at + 1, status="closed")
        for name, values in courses.items():
            value = values[at]
            found = Estimate(value, Interval(value - 0.04, value + 0.04), 180)
            AlarmFigure.objects.create(campaign=campaign, round=round_, name=name, estimate=asdict(found))
        unknown = asdict(Estimate(None, None, 0, "no item has two ratings yet"))
        AlarmFigure.objects.create(campaign=campaign, round=round_, name="agreement", estimate=unknown)
    said = {"side": "high", "value": "1.61", "limit": "1.50"}
    Alarm.objects.create(campaign=campaign, round=round_, name="length", values=said)


def make_policies(campaign: Campaign, by: Any) -> None:
    """Make a champion that replaced another."""
    for name in ("base", "policy-round-2"):
        made = registry.register(campaign.model_family, "policy", name, "imported")
        registry.promote(made, by=by, reason="It is better")


def test_axe_and_twice_the_text_size_find_nothing(page: Page, live_server, troubles):
    manager = cast.make_user("manager", username="mara")
    campaign = cast.make_campaign(by=manager)
    make_history(campaign)
    make_policies(campaign, manager)
    campaigns.pause_loop(campaign, "The newest policy's answers are 1.61 times as long as the base's.")
    page.goto(f"{live_server.url}/login/?next=/campaigns/{campaign.slug}/alarms/")
    page.locator("[name=username]").fill("mara")
    page.locator("[name=password]").fill("password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The loop is paused")).to_be_visible()
    expect(page.get_by_role("img", name="Length")).to_be_visible()
    page.emulate_media(reduced_motion="reduce")
    found = [*axe(page), *large_text(page)]
    assert found == [], "\n".join(found)
    page.get_by_label("Why may the loop go on?").fill("We want long answers.")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Nothing holds the loop")).to_be_visible()
    expect(page.get_by_text("We want long answers.")).to_be_visible()
    page.get_by_label("Upper limit of Length", exact=True).fill("2")
    page.get_by_role("button", name="Change the bands").click()
    expect(page.get_by_text("The bands are changed.")).to_be_visible()
    expect(page.get_by_label("Upper limit of Length", exact=True)).to_have_value("2")
