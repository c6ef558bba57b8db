"""A model's page shows where it comes from; two policies' answers stand side by side."""

import csv
import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from labeling import quality
from labeling.models import Round
from models_app import samples, sampling
from tests import cast
from tests.training import cast as labels
from training import lineage
from training.models import Run, Snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return cast.make_campaign(name="Kitchen", slug="kitchen")


@pytest.fixture
def client():
    client = Client()
    client.force_login(cast.make_user(Role.MANAGER))
    return client


@pytest.fixture
def sent(monkeypatch):
    """Collect the keys that a worker would get."""
    keys: list[str] = []
    monkeypatch.setattr("models_app.tasks.draw_samples.delay_on_commit", keys.append)
    return keys


def trained(campaign, kind, name, parent, number, reward=None):
    """Make a model that a round's run produced."""
    version = labels.make_model(campaign.model_family, kind, name, parent=parent)
    round_, _new = Round.objects.get_or_create(
        campaign=campaign, number=number, defaults={"status": "closed"}
    )
    digest = f"{number:064x}"
    snapshot, _new = Snapshot.objects.get_or_create(
        campaign=campaign, digest=digest, defaults={"counts": {"judgments": 400}}
    )
    Run.objects.create(
        campaign=campaign, round=round_, kind=kind, status="succeeded", snapshot=snapshot,
        parent=parent, reward_model=reward, produced=version,
    )  # fmt: skip
    return version


def make_line(campaign, length):
    """Make a base policy, improved once a round, and the reward models that chose."""
    policy = base = labels.make_model(campaign.model_family, "policy", "base")
    line, rewards = [base], []
    for number in range(1, length + 1):
        rewards.append(trained(campaign, "reward", f"reward-{number}", base, number))
        policy = trained(campaign, "policy", f"policy-{number}", policy, number, rewards[-1])
        line.append(policy)
    return line, rewards


def test_the_line_says_which_labels_round_and_reward_model_made_each(campaign, client):
    line, rewards = make_line(campaign, 2)
    found = lineage.read(line[1])
    assert [(each.version.name, each.how) for each in found] == [
        ("base", "ancestor"), ("policy-1", "self"), ("policy-2", "child"),
    ]  # fmt: skip
    told = client.get(reverse("api_lineage", args=[line[1].pk])).json()
    assert told[1] | {"run": 0, "labels": 0} == {
        "id": line[1].pk, "name": "policy-1", "kind": "policy", "status": "candidate", "how": "self",
        "parent": line[0].pk, "run": 0, "round": 1, "labels": 0, "reward_model": rewards[0].pk,
    }  # fmt: skip
    assert told[1]["labels"]["judgments"] == 400
    assert told[0]["labels"] is None
    file = client.get(reverse("api_lineage", args=[line[1].pk]), {"format": "csv"})
    rows = list(csv.DictReader(file.text.splitlines()))
    assert [(row["name"], row["judgments"]) for row in rows] == [
        (each["name"], n) for each, n in zip(told, ["", "400", "400"], strict=True)
    ]
    assert rows[1]["labels"] == told[1]["labels"]["digest"]
    chosen = lineage.read(rewards[1])
    assert [(each.version.name, each.how) for each in chosen][-1] == ("policy-2", "chosen")


def test_the_picture_links_all_that_it_shows_and_fits_boxes_beside_each_other(campaign, client):
    line, _rewards = make_line(campaign, 12)
    page = client.get(reverse("model", args=[line[-1].pk])).text
    picture = page[page.index("<svg class=") : page.index("</svg>", page.index("<svg class="))]
    links = set(re.findall(r'href="([^"]+)"', picture))
    assert reverse("model", args=[line[-2].pk]) in links
    assert reverse("snapshot", args=[Snapshot.objects.latest("pk").pk]) in links
    assert reverse("model", args=[line[0].pk]) not in links  # among the earlier ones
    assert "before them" in picture
    assert page.count("<tr") >= 14  # the table has all
    drawn = lineage.draw(lineage.read(line[-1]))
    places = [(box.x, box.y) for box in drawn["boxes"]]
    assert len(places) == len(set(places))
    assert all(x + lineage.WIDTH <= drawn["width"] for x, _y in places)


def test_a_long_line_costs_no_more_queries(campaign, client, django_assert_max_num_queries):
    line, _rewards = make_line(campaign, 2)
    address = reverse("model", args=[line[1].pk])
    client.get(address)
    with django_assert_max_num_queries(30) as few:
        client.get(address)
    number = len(few)
    for count in range(3, 8):
        line.append(trained(campaign, "policy", f"policy-{count}", line[-1], count))
    with django_assert_max_num_queries(number):
        client.get(reverse("model", args=[line[-1].pk]))


@pytest.fixture
def duel(campaign):
    """Make two policies that both answered two prompts, the newer one judged by three people."""
    round_ = cast.make_round(campaign)
    first, second = cast.make_policy("kitchen", "writer-0"), cast.make_policy("kitchen", "writer-1")
    for text in ("older", "newer"):
        task = cast.add_task(
            round_, (f"The {text} one, by itself.", f"The {text} other, by itself."), overlap=3
        )
    cast.rounds.open_(round_)
    labels.judge(task, cast.make_user(), -2)
    labels.judge(task, cast.make_user(), 1, order_shown=[1, 0])
    labels.judge(task, cast.make_user(), 0)
    quality.refresh(campaign)
    return first, second


def test_stored_answers_stand_side_by_side_with_what_people_said(campaign, client, duel):
    first, second = duel
    told = client.get(reverse("api_compare_models", args=[first.pk]), {"with": second.pk}).json()
    assert [pair["first"] for pair in told["pairs"]] == [
        "The newer one, by itself.",
        "The older one, by itself.",
    ]
    assert told["pairs"][0]["votes"] == {"first": 2, "neither": 1, "second": 0}
    turned = client.get(reverse("api_compare_models", args=[second.pk]), {"with": first.pk}).json()
    assert turned["pairs"][0]["votes"] == {"first": 0, "neither": 1, "second": 2}
    [people] = told["people"]
    assert people["overall"]["value"] == pytest.approx(1 - turned["people"][0]["overall"]["value"])
    older = client.get(
        reverse("api_compare_models", args=[first.pk]),
        {"with": second.pk, "before": told["pairs"][0]["prompt"]},
    ).json()
    assert len(older["pairs"]) == 1
    file = client.get(reverse("api_compare_models", args=[first.pk]), {"with": second.pk, "format": "csv"})
    rows = [dict(row) for row in csv.DictReader(file.text.splitlines())]
    assert [row["first"] for row in rows] == [pair["first"] for pair in told["pairs"]]
    assert rows[0]["question"] == told["pairs"][0]["messages"][-1]["content"]
    assert [rows[0][f"votes_{side}"] for side in ("first", "neither", "second")] == ["2", "1", "0"]
    page = client.get(reverse("compare_models", args=[first.pk]), {"with": second.pk, "diff": 1}).text
    assert "<del>one</del>" in page
    assert "<ins>other</ins>" in page
    assert "Votes: 2 for writer-0, 0 for writer-1, 1 for neither" in page
    wrong = client.get(reverse("api_compare_models", args=[first.pk]), {"with": "x"})
    assert (wrong.status_code, list(wrong.json())) == (400, ["with"])


def test_both_are_asked_now_by_a_worker(campaign, client, sent):
    for name in ("one", "two"):
        labels.make_model("kitchen", "policy", name, cast.POLICY)
    one, two = campaign_policies = list(cast.ModelVersion.objects.filter(kind="policy").order_by("pk"))
    campaign.sampling = sampling.get_config(max_new_tokens=6)
    campaign.save()
    assert len(campaign_policies) == 2
    page = client.post(
        reverse("compare_models", args=[one.pk]), {"with": two.pk, "question": "Rice?"}, follow=True
    )
    assert "Waiting for a worker" in page.text
    samples.answer(sent[0])
    shown = client.get(reverse("compared_models", args=[sent[0]]))
    assert shown.status_code == 200
    assert "2 of 2 answers" in shown.text
    asked = client.post(
        f"{reverse('api_compare_models', args=[one.pk])}?with={two.pk}", {"question": "Rice?"},
        content_type="application/json",
    )  # fmt: skip
    assert (asked.status_code, asked.json()["status"]) == (200, "done")  # the same again is the same
    none = client.post(
        reverse("compare_models", args=[one.pk]), {"with": two.pk, "prompts": "5"}, follow=True
    )
    assert "write a question of your own" in none.text
    bare = client.post(
        reverse("compare_models", args=[one.pk]), {"with": two.pk, "prompts": "x"}, follow=True
    )
    assert "at most 20" in bare.text


def test_policies_that_exist_in_name_only_are_not_asked(client, duel, sent):
    first, second = duel
    page = client.get(reverse("compare_models", args=[first.pk]))
    assert "Ask both now" not in page.text.split("Stored answers")[0]
    refused = client.post(
        f"{reverse('api_compare_models', args=[first.pk])}?with={second.pk}", {"prompts": 1},
        content_type="application/json",
    )  # fmt: skip
    assert refused.status_code == 400
    assert "only a name for imported answers" in str(refused.json())
    assert not sent
