"""The manager's pages about raters and gold tasks: every figure with its interval and n, in few queries."""

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from labeling import assignment, campaigns, golds, reliability, repeats
from labeling.models import Campaign, Gold, Reliability, Task
from tests.cast import make_campaign, make_open_round, make_user
from tests.labeling.crowd import make_crowd, vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def raters():
    return [*(make_user(username=f"honest{n}") for n in range(5)), make_user(username="left1")]


@pytest.fixture
def campaign(raters):
    campaign = make_campaign(raters=tuple(raters), by=make_user("manager", username="mara"))
    crowd = make_crowd(campaign, raters, tasks=50, votes=40)
    for task in crowd[:2]:
        Gold.objects.create(task=task, verdict=-1, created_at=timezone.now())
    (again,) = repeats.repeat([(raters[0].pk, crowd[5].pk)], crowd[5].round)
    vote(raters[0], again, -2, [0, 1])
    reliability.refresh(campaign)
    return campaign


@pytest.fixture
def mara(campaign):
    client = Client()
    client.force_login(campaign.created_by)
    return client


def test_each_rater_has_a_weight_and_figures_with_their_intervals(mara, campaign, raters):
    html = mara.get(f"/campaigns/{campaign.slug}/raters/").content.decode()
    for rater in raters:
        assert f'href="/campaigns/{campaign.slug}/raters/{rater.pk}/"' in html
    assert "n = 40" in html
    assert "One-sided" in html
    assert "no gold task answered yet" in html


def test_one_rater_is_shown_with_the_evidence(mara, campaign, raters):
    html = mara.get(f"/campaigns/{campaign.slug}/raters/{raters[5].pk}/").content.decode()
    assert "Weighted 0" in html
    assert "They pick the left side in 100 % of judgments (95 %: 91–100 %); n = 40." in html
    assert f"/campaigns/{campaign.slug}/raters/{raters[5].pk}/reopen/" in html
    assert f"/campaigns/{campaign.slug}/review/?rater=left1" in html
    stranger = make_user()
    assert mara.get(f"/campaigns/{campaign.slug}/raters/{stranger.pk}/").status_code == 404
    campaigns.add_rater(campaign, stranger, campaign.created_by)
    html = mara.get(f"/campaigns/{campaign.slug}/raters/{stranger.pk}/").content.decode()
    assert "Weighted 1: too little has been said here to tell." in html


def test_the_pages_ask_the_same_few_queries_however_many_raters(
    mara, campaign, raters, django_assert_max_num_queries
):
    with django_assert_max_num_queries(16):
        mara.get(f"/campaigns/{campaign.slug}/raters/")
    with django_assert_max_num_queries(16):
        mara.get(f"/campaigns/{campaign.slug}/raters/{raters[0].pk}/")
    with django_assert_max_num_queries(16):
        mara.get(f"/campaigns/{campaign.slug}/gold/")


def test_a_manager_makes_takes_and_retires_gold_tasks(mara, campaign, raters):
    Campaign.objects.filter(pk=campaign.pk).update(gold_share=1)
    campaign.refresh_from_db()
    task = make_open_round(campaign).tasks.get()
    where = f"/campaigns/{campaign.slug}/gold/"
    assert str(task.prompt.messages[0]["content"]) in mara.get(f"{where}?task={task.pk}").content.decode()
    refused = mara.post(where, {"task": task.pk, "verdict": "9"})
    assert refused.status_code == 400
    assert mara.post(where, {"task": 0, "verdict": "1"}).status_code == 400
    assert mara.post(where, {"task": task.pk, "verdict": "1", "tolerance": "1"}).status_code == 302
    gold = task.known
    assert (gold.verdict, gold.tolerance, gold.by) == (1, 1, campaign.created_by)
    assert assignment.claim(raters[0], campaign).task_id == task.pk
    assert mara.post(where, {"task": task.pk, "verdict": "1"}).status_code == 400  # already
    mara.post(f"{where}{gold.pk}/retire/", {"why": "Unclear."})
    gold.refresh_from_db()
    assert gold.retired_why == "Unclear."
    assert "Unclear." in mara.get(where).content.decode()
    assert mara.get(f"{where}?task=9999999999999999999999").status_code == 200


def test_the_api_does_what_the_pages_do(campaign, raters):
    api = APIClient()
    api.force_authenticate(campaign.created_by)
    rows = api.get(f"/api/v1/campaigns/{campaign.slug}/trust/").json()["results"]
    assert rows[0]["rater"] == "left1"
    assert rows[0]["weight"] < 0.4
    assert {"value", "interval", "n", "why"} == set(rows[0]["ability"])
    assert "one-sided" in [flag["flag"] for flag in rows[0]["flags"]]
    where = f"/api/v1/campaigns/{campaign.slug}/gold/"
    task = Task.objects.filter(campaign=campaign, gold=False, known=None).first()
    assert api.post(where, {"task": task.pk, "verdict": 5}, format="json").status_code == 400
    refused = api.post(where, {"task": task.pk}, format="json")
    assert (refused.status_code, list(refused.json())) == (400, ["task"])  # it isn't proposed
    made = api.post(where, {"task": task.pk, "verdict": 1}, format="json").json()
    assert (made["right"], made["asked"], made["source"]) == (0, 0, "manager")
    assert api.get(f"{where}proposals/").json() == []
    assert api.post(f"{where}{made['id']}/retire/", {"why": "Old."}, format="json").status_code == 204
    assert {row["retired_why"] for row in api.get(where).json()["results"]} == {"", "Old."}
    assert golds.in_use(campaign).count() == 0  # the first two are rows alone, their tasks aren't marked
    assert Reliability.objects.filter(campaign=campaign).count() == 6
