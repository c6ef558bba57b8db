"""The page of figures: each with its interval and n or with why not, as last computed, in a few queries."""

import pytest
from django.urls import reverse

from accounts.models import Role
from labeling import quality
from tests.cast import add_task, make_campaign, make_round, make_user
from tests.training.cast import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client):
    user = make_user(Role.MANAGER)
    client.force_login(user)
    return user


@pytest.fixture
def campaign(manager):
    campaign = make_campaign(by=manager)
    for _ in range(2):
        round_, raters = make_round(campaign), [make_user() for _ in range(10)]
        for number in range(20):
            task = add_task(round_, ("short", "a longer answer of many words"), overlap=2)
            for rater in (raters[number % 10], raters[(number + 1) % 10]):
                judge(task, rater, -1 if number % 5 == 0 else 1)
    return campaign


def test_before_anything_is_computed_the_page_says_so(client, campaign):
    page = client.get(reverse("figures", args=[campaign.slug])).content.decode()
    assert "Nothing has been computed yet" in page
    assert "it is computed within a minute of the first judgments" in page


def test_every_figure_has_its_interval_and_n_or_says_why(client, campaign):
    quality.refresh(campaign)
    judge(add_task(campaign.rounds.first()), make_user(), 1)
    quality.tend()
    page = client.get(reverse("figures", args=[campaign.slug])).content.decode()
    assert "From 80 judgments, computed" in page
    assert "One came since." in page
    assert "n = 40 tasks" in page
    assert "By round" in page
    assert 'id="round-2"' in page
    assert "the answers never differ in it" in page
    assert "Longer" in page
    assert "decided: raters prefer" in page
    assert "Fleiss" in page
    model = campaign.rounds.first().tasks.first().responses.get(policy__name="writer-1").policy_id
    assert reverse("model", args=[model]) in page


def test_the_page_takes_no_more_queries_for_more_judgments(client, campaign, django_assert_max_num_queries):
    quality.refresh(campaign)
    with django_assert_max_num_queries(4):
        client.get(reverse("figures", args=[campaign.slug]))


def test_the_campaign_leads_to_each_figure_in_one_click(client, campaign):
    page = client.get(reverse("campaign", args=[campaign.slug])).content.decode()
    figures = reverse("figures", args=[campaign.slug])
    assert f'href="{figures}"' in page
    assert f'href="{figures}#round-1"' in page


def test_a_manager_has_them_computed_at_once(client, campaign, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        response = client.post(reverse("measure_figures", args=[campaign.slug]), follow=True)
    assert "are being computed" in response.content.decode()
    assert len(callbacks) == 1


def test_the_api_gives_what_the_page_shows(client, campaign):
    quality.refresh(campaign)
    found = client.get(reverse("api_figures", args=[campaign.slug])).json()
    assert (found["judgments"], found["fresh"]) == (80, 0)
    assert found["computed_at"]
    assert {group["by"] for group in found["groups"]} == {"kind", "language", "round"}
    assert found["duels"][0]["outcome"] == "first"
    assert found["ceiling"]["n"] == 40
    assert found["policies"][0]["fair"]["interval"]
