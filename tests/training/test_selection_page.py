"""The page and the API of how comparisons are chosen, and the settings behind it."""

import pytest
from django.urls import reverse

from labeling.models import Campaign, Task
from tests import cast
from tests.training import choices
from training import payoff, selection, selection_report
from training.tasks import choose_pairs

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return cast.make_user("manager")


@pytest.fixture
def campaign(manager):
    return cast.make_campaign(
        by=manager,
        raters=(cast.make_user(),),
        tasks_per_round=120,
        retrain_after=1000,
        choose_pairs=True,
        weigh_votes=False,
    )


@pytest.fixture
def chosen(campaign, monkeypatch):
    """Play a round to its end."""
    monkeypatch.setattr(payoff, "SMALLEST", 5)
    round_ = choices.make_choosing_round(campaign)
    choices.read_all(round_, choices.make_trunk(campaign))
    rater = campaign.memberships.get().user
    for _turn in range(9):
        choices.judge(rater, campaign, 12)
        choose_pairs(round_.pk)
    round_.refresh_from_db()
    return round_


def test_a_campaign_that_chooses_nothing_says_so(client, manager):
    client.force_login(manager)
    page = client.get(reverse("selection", args=[cast.make_campaign(by=manager).slug])).content.decode()
    assert "choosing is switched off" in page
    assert "Nothing yet: no round has chosen its comparisons." in page
    assert "Not shown to pay yet" in page


def test_the_page_shows_what_was_asked_what_was_picked_and_whether_it_pays(
    client, manager, campaign, chosen, django_assert_max_num_queries
):
    client.force_login(manager)
    client.get(reverse("campaigns"))
    with django_assert_max_num_queries(20):
        page = client.get(reverse("selection", args=[campaign.slug])).content.decode()
    assert "Comparisons are chosen by a fit to all" in page
    assert "Not shown to pay yet: there are" in page
    assert '<polyline class="line"' in page
    report = selection_report.read(campaign)
    assert report.choosing
    assert sum(share.tasks for share in report.shares) == report.asked
    assert report.asked + report.waiting == 120
    assert {share.name: share.tasks for share in report.shares}["Chosen for what it teaches"] == (
        Task.objects.filter(selection="active").count()
    )
    assert report.examples
    for example in report.examples:
        assert f"Task {example.task.pk}" in page
        assert 0 < example.likely < 1
        assert example.gain > 0


def test_the_api_says_the_same(client, manager, campaign, chosen):
    client.force_login(manager)
    said = client.get(reverse("api_selection", args=[campaign.slug])).json()
    report = selection_report.read(campaign)
    assert (said["says"], said["verdict"], said["round"]) == (report.says, report.verdict, 1)
    assert said["refit"]["labels"] == report.refit["labels"]
    assert [point["labels"] for point in said["points"]] == [n for n, _active, _random in report.points]
    assert said["points"][-1]["active"]["n"] == report.everything.n
    assert [row["task"] for row in said["examples"]] == [row.task.pk for row in report.examples]


def test_what_was_given_up_is_named_and_begun_again_by_a_manager(client, manager, campaign):
    selection.stop(campaign, {"labels": 1020, "value": -0.021, "low": -0.05, "high": 0.01, "n": 300})
    client.force_login(manager)
    page = client.get(reverse("selection", args=[campaign.slug])).content.decode()
    assert "given up at 1020 labels" in page
    assert "(−0.021 in the mean log likelihood of a held-out vote)" in page
    client.post(reverse("resume_selection", args=[campaign.slug]))
    assert "stopped" not in Campaign.objects.get(pk=campaign.pk).selection
    selection.stop(campaign, {"labels": 1020, "value": None})
    assert client.post(reverse("api_selection", args=[campaign.slug])).json()["stopped"] is False


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({}, "that takes labels of both kinds"),
        (
            {"verdict": "early", "evidence": {"value": 0.05, "low": -0.01, "high": 0.1, "n": 9}},
            "there are 900",
        ),
        (
            {"verdict": "early", "evidence": {"value": 0.05, "low": 0.01, "high": 0.1, "n": 9}},
            "there are 900",
        ),
        ({"verdict": "pays", "evidence": {"value": 0.05, "low": 0.01, "high": 0.1, "n": 9}}, "It pays"),
        ({"verdict": "pays", "evidence": {"value": 0.05, "low": -0.01, "high": 0.1, "n": 9}}, "chance"),
    ],
)
def test_it_pays_only_where_chance_is_excluded(campaign, found, says):
    round_ = choices.make_choosing_round(campaign, training=3, held_out=1)
    selection.note(round_, payoff={"labels": 900, **found})
    assert says in selection_report.read(campaign).verdict


def test_the_settings_are_checked_and_kept(client, manager, campaign):
    client.force_login(manager)
    address = reverse("campaign_settings", args=[campaign.slug])
    values = client.get(address).context["form"].initial
    sent = {key: value for key, value in values.items() if value is not None and value is not False}
    sent |= {"temperature": 1, "top_p": 1, "max_new_tokens": 96, "hyper": "{}", "skills": ""}
    page = client.post(address, {**sent, "answers_per_prompt": 9})
    assert page.context["form"].errors == {
        "answers_per_prompt": ["Ensure this value is less than or equal to 8."]
    }
    assert client.post(address, {**sent, "answers_per_prompt": 6}).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.choose_pairs, campaign.answers_per_prompt) == (True, 6)
    api = reverse("api_campaign", args=[campaign.slug])
    assert client.patch(api, {"answers_per_prompt": 1}, "application/json").status_code == 400
    assert client.patch(api, {"choose_pairs": False}, "application/json").json()["choose_pairs"] is False
