"""The page of figures holds at every width, by day and by night, at twice the text size, and in Arabic."""

import random

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Role, Skill
from labeling import quality
from labeling.models import Prompt
from tests.cast import add_task, make_campaign, make_round, make_user
from tests.e2e.access import axe, large_text
from tests.training.cast import judge

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign():
    campaign = make_campaign(by=make_user(Role.MANAGER, "mara"), name="Kitchen talk")
    chance, raters = random.Random(0), [make_user() for _ in range(6)]
    raters[0].skills.add(Skill.objects.create(name="arabic"))
    for _ in range(2):
        round_ = make_round(campaign)
        for _ in range(15):
            task = add_task(round_, ("short", "- a longer\n- answer in **two** parts"), overlap=3)
            for rater in chance.sample(raters, 3):
                judge(task, rater, chance.choice([-2, -1, 0, 1, 2, 2]))
    Prompt.objects.filter(campaign=campaign).update(language="ar")
    quality.refresh(campaign)
    return campaign


def test_axe_and_twice_the_text_size_find_nothing(page: Page, live_server, campaign, troubles):
    page.goto(f"{live_server.url}/login/?next=/campaigns/{campaign.slug}/")
    page.locator("[name=username]").fill("mara")
    page.locator("[name=password]").fill("password")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Raters agree").click()
    expect(page.get_by_role("heading", name="Is it decided?")).to_be_visible()
    page.emulate_media(reduced_motion="reduce")
    found = [*axe(page), *large_text(page)]
    assert found == [], "\n".join(found)
