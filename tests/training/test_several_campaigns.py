"""Snapshots of several campaigns: one dataset wherever it is cut, for whoever may export all of them."""

import json

import pytest
from django.urls import reverse

from accounts.models import Role
from labeling.models import Prompt, Reliability, Task, TaskResponse
from models_app import registry
from tests import cast
from tests.training import cast as labels
from training import difference, exports, forks, preparations, runs, snapshot_files, snapshots
from training.runs import RunError
from training.snapshots import SnapshotError

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"


@pytest.fixture
def campaigns():
    """Make two campaigns that ask one prompt both, and each another, in opposite order of their names."""
    found = [cast.make_campaign(slug=slug, name=slug.title()) for slug in ("tea", "coffee")]
    ann = cast.make_user(username="ann")
    for campaign in found:
        round_ = cast.make_round(campaign)
        for text in ("Which is warmer?", f"Is {campaign.slug} bitter?"):
            judged(round_, text, ann)
    return found


def judged(round_, text, rater):
    prompt = cast.make_prompt(round_.campaign, text)
    task = Task.objects.create(
        campaign=round_.campaign, round=round_, prompt=prompt, kind="compare", overlap=1, probability=1.0
    )
    for position, word in enumerate(("yes", "no")):
        answer = cast.make_response(prompt, f"{text} {word}", round_)
        TaskResponse.objects.create(task=task, response=answer, position=position)
    labels.judge(task, rater, 2)
    return task


def test_it_is_the_same_dataset_whichever_campaign_it_is_cut_in(campaigns):
    tea, coffee = campaigns
    first = snapshots.cut(tea, filters={"campaigns": ["coffee"]})
    second = snapshots.cut(coffee, filters={"campaigns": ["tea", "coffee"]})
    assert first.digest == second.digest
    assert first.filters == second.filters == {"campaigns": ["coffee", "tea"]}
    assert [c.slug for c in snapshots.sources(second)] == ["coffee", "tea"]
    assert (first.counts["tasks"], first.counts["prompts"], first.counts["raters"]) == (4, 3, 1)
    rows = list(snapshots.rows(first))
    for split in snapshots.SPLITS:
        inside = [(row["prompt_id"], row["campaign"]) for row in rows if row["split"] == split]
        assert inside == sorted(inside)
    assert len({row["prompt_id"] for row in snapshots.prompts(first)}) == 3
    assert len({row["task"]["id"] for row in rows}) == 4
    alone = snapshots.cut(tea, filters={"campaigns": ["tea"]})
    assert (alone.digest, alone.filters) == (snapshots.cut(tea).digest, {})
    assert snapshots.count(tea, {"campaigns": ["coffee"]}) == {
        "judgments": 4, "edits": 0, "tasks": 4, "prompts": 4, "raters": 1, "about": False,
    }  # fmt: skip
    found = difference.compare(alone, first)
    assert (found.added["tasks"], found.removed["tasks"], found.same["tasks"]) == (2, 0, 2)


def test_a_prompt_that_one_campaign_keeps_out_is_kept_out_of_all(campaigns):
    shared = Prompt.objects.filter(messages__0__content="Which is warmer?")
    Prompt.objects.update(split="train")
    shared.filter(campaign=campaigns[0]).update(split="test", purpose="evaluation")
    snapshot = snapshots.cut(campaigns[0], filters={"campaigns": ["coffee"]})
    splits = {row["prompt_id"]: row["split"] for row in snapshots.prompts(snapshot)}
    assert sorted(splits.values()) == ["test", "train", "train"]
    held_out = list(snapshots.rows(snapshot, "test"))
    assert [(row["campaign"], row["split"]) for row in held_out] == [("coffee", "test"), ("tea", "test")]
    assert {row["prompt_id"] for row in held_out} == {name for name, at in splits.items() if at == "test"}


@pytest.mark.django_db(transaction=True)
def test_many_processes_cut_the_same_snapshot_as_one(campaigns, monkeypatch):
    alone = snapshots.cut(campaigns[0], filters={"campaigns": ["coffee"]})
    monkeypatch.setattr(forks, "ENOUGH", 2)
    monkeypatch.setattr(forks.os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(forks.threading, "active_count", lambda: 1)
    monkeypatch.setattr(snapshot_files, "BATCH", 1)
    assert snapshots.cut(campaigns[0], filters={"campaigns": ["coffee"]}) == alone


def test_votes_weigh_what_they_do_in_their_own_campaign(campaigns):
    tea, coffee = campaigns
    ann = tea.tasks.first().judgments.get().rater
    for campaign, weight in ((tea, 0.2), (coffee, 0.9)):
        campaign.weigh_votes = True
        campaign.save(update_fields=["weigh_votes"])
        Reliability.objects.create(
            campaign=campaign, rater=ann, weight=weight, computed_at=campaign.created_at
        )
    wanted = {"campaigns": ["coffee"]}
    rows = list(snapshots.rows(snapshots.cut(tea, filters=wanted)))
    assert {(row["campaign"], row["judgments"][0]["reliability"]) for row in rows} == {
        ("tea", 0.2), ("coffee", 0.9),
    }  # fmt: skip
    wanted |= {"min_reliability": 0.5}
    assert {r["campaign"] for r in snapshots.rows(snapshots.cut(tea, filters=wanted))} == {"coffee"}
    assert snapshots.count(tea, wanted)["judgments"] == 2


def test_the_export_names_every_campaign(campaigns, tmp_path):
    tea, coffee = campaigns
    for home, folder in ((tea, "a"), (coffee, "b")):
        other = ({"tea", "coffee"} - {home.slug}).pop()
        snapshot = snapshots.cut(home, filters={"campaigns": [other]})
        exports.write(snapshot, "trl-preference", tmp_path / folder)
    names = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert [told["campaign"] for told in manifest["campaigns"]] == ["coffee", "tea"]
    card = (tmp_path / "a" / "README.md").read_text()
    assert "Coffee + Tea" in card
    assert "coffee: 2, tea: 2" in card
    assert "coffee 1: 2, tea 1: 2" in card
    assert "## Guideline of Coffee, version 1" in card


def test_runs_learn_from_one_campaign_only(campaigns, tiny_policy):
    base = registry.register(campaigns[0].model_family, "policy", "base", "transformers", str(tiny_policy))
    Prompt.objects.update(split="train")
    snapshot = snapshots.cut(campaigns[0], filters={"campaigns": ["coffee"]})
    with pytest.raises(RunError, match="is of several"):
        runs.queue_reward(campaigns[0], snapshot, trunk=base)


def test_a_campaign_that_is_not_there_is_named(campaigns):
    with pytest.raises(SnapshotError, match="“cocoa”"):
        snapshots.cut(campaigns[0], filters={"campaigns": ["cocoa"]})
    with pytest.raises(SnapshotError, match="campaigns must be a list of texts"):
        snapshots.cut(campaigns[0], filters={"campaigns": "coffee"})
    rater = cast.make_user(username="raya")
    with pytest.raises(SnapshotError, match="“coffee”"):
        preparations.cut(campaigns[0], rater, {"campaigns": ["coffee"]})
    snapshot = snapshots.cut(campaigns[0], filters={"campaigns": ["coffee"]})
    assert snapshot not in snapshots.visible_to(rater)


def test_the_page_counts_and_cuts_several_campaigns(client, campaigns):
    client.force_login(cast.make_user(Role.RESEARCHER))
    page = client.get(reverse("snapshots"), {"campaign": "tea", "with": ["coffee"]})
    assert b'name="campaigns" value="coffee"' in page.content
    address = reverse("count_snapshot", args=["tea"])
    assert b"<strong>4</strong>" in client.get(address, {"campaigns": ["coffee"]}).content
    assert b"<strong>2</strong>" in client.get(address).content
    done = client.post(reverse("cut_snapshot", args=["tea"]), {"campaigns": ["coffee"]}, follow=True)
    assert b"Coffee + Tea" in done.content
    listed = client.get(reverse("snapshots"), {"campaign": "coffee"})
    assert b"Coffee + Tea" in listed.content
    refused = client.post(reverse("cut_snapshot", args=["tea"]), {"campaigns": ["cocoa"]}, follow=True)
    assert "cocoa" in refused.content.decode()


def test_the_api_cuts_several_campaigns(client, campaigns):
    client.force_login(cast.make_user(Role.RESEARCHER))
    address = "/api/v1/campaigns/tea/snapshots/"
    wanted = {"filters": {"campaigns": ["coffee"]}}
    made = client.post(address, wanted, content_type="application/json")
    assert (made.status_code, made.json()["campaigns"]) == (201, ["coffee", "tea"])
    (listed,) = client.get("/api/v1/campaigns/coffee/snapshots/").json()["results"]
    assert listed["digest"] == made.json()["digest"]
    wrong = client.post(address, {"filters": {"campaigns": ["cocoa"]}}, content_type="application/json")
    assert (wrong.status_code, "“cocoa”" in str(wrong.json())) == (400, True)
