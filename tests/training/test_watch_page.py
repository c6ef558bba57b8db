"""The watch's page, CSV and API show the same curves, and say what they come to."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Round
from models_app import sampling
from tests import cast
from tests.training import cast as labels
from training.models import Watch

pytestmark = pytest.mark.django_db


def estimate(value: float, n: int = 40) -> dict[str, object]:
    return {"value": value, "interval": [value - 0.05, value + 0.05], "n": n, "why": ""}


PROXY = {
    "sizes": [1, 4, 16, 64],
    "divergence": [0.0, 0.636, 1.835, 3.174],
    "reward": [estimate(value) for value in (0.0, 1.0, 1.7, 2.3)],
    "promised": [estimate(value) for value in (0.5, 0.68, 0.77, 0.83)],
    "each": [],
    "prompts": 40,
    "draws": 64,
    "same": 3,
    "check": {
        "win": [estimate(value) for value in (0.5, 0.6, 0.64, 0.66)],
        "agreement": 0.61, "halves": 0.72, "own": 0.3, "cross": 0.2, "raters": [6, 6], "votes": [90, 90],
    },
}  # fmt: skip
STOPPED = {
    "rates": [estimate(value, 60) for value in (0.62, 0.6, 0.48)],
    "steps": [],
    "standing": "stopped",
    "beyond": 4,
}
PAYS = {
    **STOPPED,
    "rates": [estimate(value, 60) for value in (0.6, 0.66, 0.7)],
    "standing": "pays",
    "beyond": None,
}


def make_watch(campaign, people=None, **fields) -> Watch:
    number = campaign.watches.count()
    policy, judge = (
        labels.make_model(campaign.model_family, kind, f"{kind}-{number}") for kind in ("policy", "reward")
    )
    round_ = campaign.rounds.first() or Round.objects.create(campaign=campaign, number=1, status="open")
    fields = {"status": "done", "proxy": PROXY, "people": people or {}, "votes": 98, **fields}
    return Watch.objects.create(
        campaign=campaign, round=round_, policy=policy, reward_model=judge,
        sampling_id=sampling.get_config().pk, prompts=40, **fields,
    )  # fmt: skip


@pytest.fixture
def campaign():
    return cast.make_campaign()


@pytest.fixture
def client(campaign):
    client = Client()
    client.force_login(campaign.created_by)
    return client


def test_an_alarm_is_said_first_in_the_page_and_the_api(campaign, client):
    make_watch(campaign, STOPPED)
    page = client.get(reverse("watch", args=[campaign.slug])).text
    assert "People no longer see a gain beyond n = 4" in page
    assert (
        "The reward model promises more than people see: \u206683 %\u2069 against \u206648 %\u2069." in page
    )
    assert "the other&#x27;s sees \u206667 %\u2069." in page
    assert page.count('class="mark"') >= 8
    overview = client.get(reverse("campaign", args=[campaign.slug])).text
    assert "People no longer see a gain beyond n = 4" in overview
    (said,) = client.get(reverse("api_watches", args=[campaign.slug])).json()["results"]
    assert (said["alarm"], said["standing"]) == (True, "stopped")
    assert said["curves"][3]["people"] == estimate(0.48, 60)
    assert said["curves"][0]["people"] == {"value": 0.5, "interval": None, "n": 0, "why": ""}
    assert said["says"][0].startswith("People no longer see a gain beyond n = 4")


def test_the_csv_holds_the_curves(campaign, client):
    looked = make_watch(campaign, PAYS)
    text = client.get(reverse("watch_csv", args=[campaign.slug, looked.pk])).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["n"] for row in rows] == ["1", "4", "16", "64"]
    assert (rows[3]["people"], rows[3]["people_n"], rows[3]["promised_low"]) == ("0.7", "60", "0.78")
    assert rows[0]["people_low"] == ""
    other = cast.make_campaign()
    assert client.get(reverse("watch_csv", args=[other.slug, looked.pk])).status_code == 404


@pytest.mark.parametrize("status", ["queued", "running", "failed"])
def test_a_watch_under_way_or_failed_says_so(campaign, client, status):
    stage = {"stage": "drawing", "done": 65, "total": 2600}
    make_watch(campaign, status=status, proxy={}, progress=stage, error="There is no folder.")
    page = client.get(reverse("watch", args=[campaign.slug])).text
    assert ("data-live" in page) == (status != "failed")
    assert ("There is no folder." in page) == (status == "failed")
    live = client.get(reverse("watch_live", args=[campaign.slug])).text
    assert ("Answers are being drawn." in live) == (status != "failed")


def test_earlier_looks_can_be_opened_and_the_list_costs_no_more_queries(
    campaign, client, django_assert_max_num_queries
):
    first = make_watch(campaign, PAYS)
    for _ in range(6):
        make_watch(campaign, STOPPED)
    with django_assert_max_num_queries(6):
        page = client.get(reverse("watch", args=[campaign.slug])).text
    assert "beyond n = 4" in page
    earlier = client.get(reverse("watch", args=[campaign.slug]), {"watch": first.pk}).text
    assert "The proxy still pays: people prefer the best of 64 to a random answer." in earlier


def test_it_cannot_be_started_without_champions_and_says_why(campaign, client):
    answer = client.post(reverse("watch", args=[campaign.slug]), {"prompts": "many"}, follow=True)
    assert "It takes a champion policy that can answer" in answer.text
    refused = client.post(
        reverse("api_watches", args=[campaign.slug]), {"prompts": 8}, content_type="application/json"
    )
    assert refused.status_code == 409
