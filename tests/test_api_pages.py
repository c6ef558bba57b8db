"""Lists of the API go on after a row: whatever comes in, each row comes once, and nothing is counted."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from labeling import campaigns
from tests.cast import make_campaign, make_prompt, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return make_user(Role.MANAGER)


@pytest.fixture
def api(client, manager):
    client.force_login(manager)
    return client


def test_each_row_comes_once_though_others_come_in(api, manager):
    campaign = make_campaign(by=manager)
    wanted = [make_prompt(campaign, f"Question {number}").pk for number in range(7)]
    page = api.get(reverse("api_prompts", args=[campaign.slug]), {"limit": 3}).json()
    assert set(page) == {"next", "previous", "results"}
    assert page["previous"] is None
    found = [row["id"] for row in page["results"]]
    while page["next"]:
        page = api.get(page["next"]).json()
        found += [row["id"] for row in page["results"]]
        if len(found) == 6:
            wanted.append(make_prompt(campaign, "One that came late").pk)
    assert found == wanted
    back = api.get(page["previous"]).json()
    assert [row["id"] for row in back["results"]] == wanted[3:6]


def test_the_newest_first_doesnt_shift(api):
    made = [make_campaign().pk for _ in range(4)]
    first = api.get(reverse("api_campaigns"), {"limit": 2}).json()
    newest = make_campaign()
    second = api.get(first["next"]).json()
    slugs = [row["slug"] for row in first["results"] + second["results"]]
    assert newest.slug not in slugs
    assert len(set(slugs)) == len(made)


def test_people_are_listed_by_a_field_of_a_row_beside(api, manager):
    campaign = make_campaign(by=manager)
    for name in ["una", "ula", "uma"]:
        campaigns.add_rater(campaign, make_user(username=name), manager)
    page = api.get(reverse("api_raters", args=[campaign.slug]), {"limit": 2}).json()
    rest = api.get(page["next"]).json()
    assert [row["username"] for row in page["results"] + rest["results"]] == ["ula", "uma", "una"]


def test_nothing_is_counted(api, manager):
    campaign = make_campaign(by=manager)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        api.get(reverse("api_judgments", args=[campaign.slug]))
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"].upper()]


@pytest.mark.parametrize("cursor", ["%00", "nonsense", "cD1hYmM=", "cD0yMDI2", "bz05OTk5OTk5OTk5OTk5"])
def test_a_false_cursor_is_said_to_be_one(api, manager, cursor):
    campaign = make_campaign(by=manager)
    for name in ["api_prompts", "api_raters", "api_trust", "api_disputes", "api_feedback"]:
        answer = api.get(f"{reverse(name, args=[campaign.slug])}?cursor={cursor}")
        assert answer.status_code in {200, 404}, (name, answer.content)
