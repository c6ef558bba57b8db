"""Withdrawals and datasheets, by page and by program."""

import pytest
from django.test import Client
from django.urls import reverse

from tests import cast
from tests.training import cast as labels
from training import snapshots
from training.models import Download, Statement, Withdrawal

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return cast.make_user("manager", username="mara")


@pytest.fixture
def researcher():
    return cast.make_user("researcher", username="ruth")


@pytest.fixture
def rater():
    return cast.make_user(username="rafi")


@pytest.fixture
def snapshot(folders, manager, rater):
    campaign = cast.make_campaign(by=manager, slug="kitchen")
    labels.judge(labels.make_task(cast.make_round(campaign), ("tea", "coffee")), rater, 2)
    return snapshots.cut(campaign)


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_a_manager_withdraws_a_rater_and_the_researcher_who_has_the_data_is_told(
    snapshot, manager, researcher, rater
):
    Download.objects.create(snapshot=snapshot, by=researcher, format="trl-sft", file="jsonl", via="page")
    boss, reader = client_of(manager), client_of(researcher)
    asked = {"what": "rater", "name": rater.pseudonym, "reason": "They asked for it."}
    assert reader.post(reverse("withdrawals"), asked).status_code == 403
    refused = boss.post(reverse("withdrawals"), {**asked, "name": "nobody-known"})
    assert refused.status_code == 400
    assert "Nobody has the name or pseudonym “nobody-known”." in refused.text
    assert "They asked for it." in refused.text  # nothing typed is lost
    assert boss.post(reverse("withdrawals"), {**asked, "reason": " "}).status_code == 400
    assert boss.post(reverse("withdrawals"), asked).status_code == 302
    assert boss.post(reverse("withdrawals"), asked).status_code == 400  # once
    page = reader.get(reverse("snapshots")).text
    assert f"Delete the rows of rater {rater.pseudonym} from what you downloaded." in page
    assert "withdrawn data</span>" in page
    assert "They asked for it." in reader.get(reverse("snapshot", args=[snapshot.pk])).text
    assert reader.post(reverse("withdrawals_seen")).status_code == 302
    assert "from what you downloaded" not in reader.get(reverse("snapshots")).text
    assert "has seen it" in boss.get(reverse("withdrawals")).text
    told = reader.get(reverse("api_snapshot", args=[snapshot.pk])).json()["withdrawn"]
    assert told[0].endswith("The reason: They asked for it.")


def test_a_prompt_is_withdrawn_over_the_api_by_its_id(snapshot, manager):
    boss, address = client_of(manager), reverse("api_withdrawals")
    (row,) = snapshots.rows(snapshot)
    asked = {"what": "prompt", "name": row["prompt_id"][:5], "reason": "It names a person."}
    answer = boss.post(address, asked, content_type="application/json")
    assert answer.status_code == 400
    assert "name" in answer.json()
    asked["name"] = row["prompt_id"][:12]
    done = boss.post(address, asked, content_type="application/json").json()
    assert (done["prompt"], done["rater"], done["snapshots"]) == (row["prompt_id"], None, [snapshot.digest])
    assert boss.get(address).json()["results"][0]["reason"] == "It names a person."


def test_the_list_asks_as_many_queries_for_many_withdrawals_as_for_few(
    snapshot, manager, django_assert_max_num_queries
):
    for number in range(12):
        Withdrawal.objects.create(prompt=f"{number:064}", reason="Old.", by=manager).snapshots.add(snapshot)
    boss = client_of(manager)
    with django_assert_max_num_queries(11):
        assert boss.get(reverse("withdrawals")).text.count('<h2 id="withdrawal-') == 12


def test_the_datasheet_says_what_managers_state(snapshot, manager, researcher):
    boss, reader = client_of(manager), client_of(researcher)
    assert "not stated" in reader.get(reverse("datasheet", args=[snapshot.pk])).text
    stated = {"licence": "cc-by-4.0", "payment": "15 € an hour", "contact": "data@example.org"}
    assert boss.post(reverse("statement", args=["kitchen"]), stated).status_code == 302
    assert Statement.objects.get().payment == "15 € an hour"
    page = reader.get(reverse("datasheet", args=[snapshot.pk])).text
    for said in ("15 € an hour", "cc-by-4.0", "data@example.org", "Verdicts as displayed", "<rect"):
        assert said in page
    sheet = reader.get(reverse("datasheet_md", args=[snapshot.pk]))
    assert sheet["Content-Type"].startswith("text/markdown")
    assert "15 € an hour" in sheet.text
    found = reader.get(reverse("api_datasheet", args=[snapshot.pk])).json()
    assert found["statistics"]["verdicts"]["2"] == 1
