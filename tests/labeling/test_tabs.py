"""The pages of a campaign lie in groups, and each person sees those that would open."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from labeling.templatetags.tabs import GROUPS, address
from tests.cast import make_campaign, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign(by=make_user("manager", username="mara"))


def open_as(role, url):
    client = Client()
    client.force_login(make_user(role))
    text = client.get(url).text
    nav = text[text.index('<nav class="grouped"') :]
    return client, nav[: nav.index("</nav>")]


def test_a_page_says_which_group_and_which_page_is_open(campaign):
    _client, nav = open_as("manager", reverse("golds", args=[campaign.slug]))
    assert re.findall(r'aria-current="(\w+)">([^<]+)<', nav) == [("true", "Quality"), ("page", "Gold tasks")]
    _client, nav = open_as("manager", reverse("campaign", args=[campaign.slug]))
    assert re.findall(r'aria-current="(\w+)">([^<]+)<', nav) == [("page", "Overview")]


def test_every_page_of_every_group_opens_and_is_marked_in_it(campaign):
    client, _nav = open_as("manager", reverse("campaign", args=[campaign.slug]))
    for _group, pages in GROUPS:
        for _tab, url, label, _action in pages:
            page = client.get(address(url, campaign))
            assert page.status_code == 200, url
            if url != "snapshots":  # which is of all campaigns
                assert f'aria-current="page">{label}<' in page.text, url


def test_a_researcher_is_shown_no_page_that_would_refuse(campaign):
    client, nav = open_as("researcher", reverse("figures", args=[campaign.slug]))
    assert re.findall(r">([^<\s][^<]*)<", nav) == [
        "Overview", "Work", "People", "Quality", "Models", "Datasets",
    ]  # fmt: skip
    for url in re.findall(r'href="([^"]+)"', nav):
        assert client.get(url).status_code == 200, url
