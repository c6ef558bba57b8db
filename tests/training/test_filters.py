"""Snapshots of some of what was said: each filter alone, in words when it is wrong."""

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Skill
from labeling import campaigns
from labeling.models import Adjudication, Judgment, Prompt, Reliability
from tests import cast
from tests.training import cast as labels
from training import filters, snapshots
from training.filters import FilterError
from training.forms import SnapshotForm
from training.models import Snapshot
from training.snapshots import SnapshotError

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"


@pytest.fixture
def campaign():
    return cast.make_campaign(slug="kitchen")


@pytest.fixture
def raters():
    return [cast.make_user(username=name) for name in ("ann", "bob", "cleo")]


def task_of(campaign, *verdicts, raters, policy="writer", **prompt):
    task = labels.make_task(cast.make_round(campaign), ("tea", "coffee"), policy=policy)
    Prompt.objects.filter(pk=task.prompt_id).update(**prompt)
    for rater, verdict in zip(raters, verdicts, strict=False):
        labels.judge(task, rater, verdict)
    return task


def taken(campaign, **given):
    return list(snapshots.rows(snapshots.cut(campaign, filters=given)))


def test_tasks_by_language_tag_kind_and_policy(campaign, raters):
    task_of(campaign, 1, raters=raters, language="en", tags=["tea", "milk"])
    task_of(campaign, 1, raters=raters, language="ar", tags=["milk"], policy="poet")
    labels.edit(labels.make_task(cast.make_round(campaign), ("rude",), policy="poet"), raters[0], "kind")
    assert [row["language"] for row in taken(campaign, languages=["ar", "de"])] == ["ar"]
    assert [row["tags"] for row in taken(campaign, tags=["tea", "none"])] == [["milk", "tea"]]
    assert [row["task"]["kind"] for row in taken(campaign, kinds=["edit"])] == ["edit"]
    found = taken(campaign, policies=["poet"])
    assert {answer["policy"] for row in found for answer in row["responses"]} == {"poet"}
    assert len(found) == 2
    with pytest.raises(SnapshotError, match="no judgments or edits"):
        snapshots.cut(campaign, filters={"policies": ["nobody"]})


def test_words_by_time_guideline_and_skill(campaign, raters):
    task = task_of(campaign, raters=())
    day = datetime(2026, 1, 10, tzinfo=UTC)
    for rater, verdict, on in zip(raters, (-3, 2, 1), (9, 10, 11), strict=True):
        with patch("django.utils.timezone.now", return_value=day.replace(day=on)):
            labels.judge(task, rater, verdict)
    (row,) = taken(campaign, since="2026-01-10", until="2026-01-11")
    assert [j["rater"] for j in row["judgments"]] == [raters[1].pseudonym]
    assert row["consensus"]["votes"] == 1
    for name in ("law", "medicine"):
        skill = Skill.objects.create(name=name)
        raters[2].skills.add(skill)
    (row,) = taken(campaign, skills=["law", "medicine"])
    assert [j["rater"] for j in row["judgments"]] == [raters[2].pseudonym]
    newer = campaigns.add_guideline(campaign, "Be kind.", campaign.created_by)
    other = task_of(campaign, raters=())
    labels.judge(other, raters[0], 1, guideline=newer)
    (row,) = taken(campaign, guidelines=[newer.number])
    assert [j["guideline"] for j in row["judgments"]] == [newer.number]


def test_judgments_by_the_criteria_that_they_grade(campaign, raters):
    task = task_of(campaign, 1, raters=raters)
    labels.judge(task, raters[1], 2, criteria={"tone": [4, 2]})
    labels.judge(task, raters[2], 2, criteria={"truth": [4, 2]})
    labels.edit(labels.make_task(cast.make_round(campaign), ("rude",)), raters[0], "kind")
    for wanted, whose in (["tone"], raters[1:2]), (["tone", "truth"], raters[1:]):
        (row,) = taken(campaign, criteria=wanted)
        assert sorted(j["rater"] for j in row["judgments"]) == sorted(r.pseudonym for r in whose)
        assert snapshots.count(campaign, {"criteria": wanted})["judgments"] == len(whose)
    form = SnapshotForm([campaign])
    assert "criteria" not in [field.name for field in form.offered()]
    campaigns.set_criterion(campaign, "tone", campaign.created_by, name="Tone")
    assert "criteria" in [field.name for field in SnapshotForm([campaign]).offered()]


def test_votes_by_reliability_and_tasks_by_agreement(campaign, raters):
    split = task_of(campaign, -1, 1, 1, raters=raters)
    task_of(campaign, 2, 2, 2, raters=raters)
    task_of(campaign, 2, raters=raters[2:])
    agreeing = taken(campaign, min_agreement=0.6)
    assert sorted(row["consensus"]["votes"] for row in agreeing) == [1, 3]
    campaign.weigh_votes = True
    campaign.save(update_fields=["weigh_votes"])
    Reliability.objects.create(campaign=campaign, rater=raters[0], weight=0.2, computed_at=timezone.now())
    reliable = taken(campaign, min_reliability=0.5)
    assert all(raters[0].pseudonym not in [j["rater"] for j in row["judgments"]] for row in reliable)
    weighed, alike = (
        next(
            row
            for row in taken(campaign, consensus=kind)
            if len(row["judgments"]) == 3 and row["round"] == split.round.number
        )
        for kind in ("reliability", "majority")
    )
    assert weighed["consensus"]["weight"] == pytest.approx(2.2)
    assert alike["consensus"]["weight"] == 3


def test_ties_and_what_does_not_count(campaign, raters):
    task = task_of(campaign, 0, 2, raters=raters)
    late = cast.make_user()
    labels.judge(task, late, -3, extra=True, slot=None)
    (row,) = taken(campaign)
    assert len(row["judgments"]) == 3
    (row,) = taken(campaign, uncounted="drop")
    assert {j["rater"] for j in row["judgments"]} == {raters[0].pseudonym, raters[1].pseudonym}
    (row,) = taken(campaign, ties="drop", uncounted="drop")
    assert [j["verdict"] for j in row["judgments"]] == [2]
    task_of(campaign, 0, raters=raters)
    assert len(taken(campaign, ties="drop")) == 1


def test_one_row_for_each_judgment(campaign, raters):
    task = task_of(campaign, -3, 1, 1, raters=raters)
    Adjudication.objects.create(
        campaign=campaign, task=task, reason="disagreement", verdict=3, reviewer=cast.make_user("manager"),
        decided_at=timezone.now(),
    )  # fmt: skip
    rows = taken(campaign, consensus="each")
    assert {row["task"]["id"] for row in rows} == {rows[0]["task"]["id"]}
    assert [(len(row["judgments"]), row["consensus"]["votes"]) for row in rows] == [(1, 1)] * 3
    # a final word stands over votes together, not over each
    assert {row["consensus"]["adjudicated"] for row in rows} == {None}
    assert sorted(row["consensus"]["label"] for row in rows) == [-1, 1, 1]


def test_the_same_rows_for_another_reason_are_another_dataset(campaign, raters):
    task_of(campaign, -3, raters=raters)
    whole, same, filtered = (
        snapshots.cut(campaign, filters=given) for given in ({}, {"ties": "keep"}, {"ties": "drop"})
    )
    assert whole == same
    assert filtered.digest != whole.digest
    assert (whole.filters, filtered.filters) == ({}, {"ties": "drop"})
    again = snapshots.cut(campaign, filters={"ties": "drop", "rounds": []})
    assert again == filtered


def test_edits_are_filtered_too(campaign, raters):
    task = labels.make_task(cast.make_round(campaign), ("rude",))
    edit = labels.edit(task, raters[0], "kind")
    assert len(taken(campaign, uncounted="drop")) == 1
    assert Judgment.objects.count() == 0
    with pytest.raises(SnapshotError):
        snapshots.cut(campaign, filters={"until": edit.created_at.isoformat()})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"moon": 1}, "“moon”"),
        ({"rounds": "all"}, "rounds must be a list of numbers"),
        ({"guidelines": [True]}, "guidelines must be a list of numbers"),
        ({"tags": "tea"}, "tags must be a list of texts"),
        ({"kinds": ["dance"]}, "kinds are any of compare"),
        ({"since": "yesterday"}, "since must be a day"),
        ({"until": 3}, "until must be a day"),
        ({"since": "2026-02-31"}, "since must be a day"),
        ({"min_agreement": 2}, "min_agreement must be a number from 0 to 1"),
        ({"min_reliability": "high"}, "min_reliability must be a number"),
        ({"min_reliability": float("nan")}, "min_reliability must be a number"),
        ({"ties": "soft"}, "ties must be one of keep, drop"),
        ({"consensus": "loudest"}, "consensus must be one of reliability, majority, each"),
    ],
)
def test_a_wrong_filter_is_named(given, said):
    with pytest.raises(FilterError, match=said):
        filters.read(given)


def test_times_without_a_zone_are_utc_and_spelt_one_way():
    told = filters.read({"since": "2026-01-10", "until": "2026-01-11T01:00:00+01:00", "rounds": [2, 1, 2]})
    assert told.as_json() == {
        "rounds": [1, 2],
        "since": "2026-01-10T00:00:00+00:00",
        "until": "2026-01-11T00:00:00+00:00",
    }
    assert filters.read(told.as_json()) == told


def test_the_page_counts_and_cuts_what_it_offers(campaign, raters, client):
    task_of(campaign, -3, 0, 1, raters=raters, language="en", tags=["tea"])
    task_of(campaign, 2, raters=raters, language="ar")
    labels.edit(labels.make_task(cast.make_round(campaign), ("rude",)), raters[0], "kind")
    client.force_login(cast.make_user("researcher"))
    page = client.get(reverse("snapshots"), {"campaign": "kitchen"}).text
    assert 'name="languages" value="ar"' in page
    assert 'name="guidelines"' not in page  # one version is no choice
    counted = reverse("count_snapshot", args=["kitchen"])
    whole = client.get(counted).text
    assert (
        "<strong>4</strong> judgments and <strong>1</strong> edits of 3 raters, on 3 tasks from 3 prompts"
        in whole
    )
    assert "<strong>2</strong> judgments" in client.get(counted, {"languages": "en", "ties": "drop"}).text
    assert "until: Enter a valid date" in client.get(counted, {"until": "soon"}).text.replace(
        "Before this day", "until"
    )
    sent = {"languages": ["en"], "ties": "drop", "uncounted": "keep", "since": "2020-01-01"}
    snapshot = Snapshot.objects.get(
        pk=client.post(reverse("cut_snapshot", args=["kitchen"]), sent).url.split("/")[2]
    )
    assert snapshot.filters == {"languages": ["en"], "since": "2020-01-01T00:00:00+00:00", "ties": "drop"}
    assert snapshot.counts["judgments"] == 2
    assert "2020-01-01" in client.get(reverse("snapshot", args=[snapshot.pk])).text
    refused = client.post(reverse("cut_snapshot", args=["kitchen"]), {"kinds": "dance"}, follow=True)
    assert "Kinds of task: Select a valid choice" in refused.text


def test_some_of_many_prompts_tell_how_much_is_taken(campaign, raters, client, monkeypatch):
    for number in range(30):
        task = task_of(campaign, -3, 1, raters=raters)
        name = f"{number:061x}{'000' if number % 5 == 0 else 'fff'}"
        Prompt.objects.filter(pk=task.prompt_id).update(content_hash=name)
    monkeypatch.setattr(snapshots, "MANY_PROMPTS", 29)
    monkeypatch.setattr(snapshots, "LOOKED_AT", 6)
    assert snapshots.count(campaign, {})["about"] is False  # too few to tell
    monkeypatch.setattr(snapshots, "ENOUGH", 11)
    about = {"judgments": 60, "edits": 0, "tasks": 30, "prompts": 30, "raters": 2, "about": True}
    assert snapshots.count(campaign, {}) == about
    assert snapshots.count(campaign, {"ties": "drop", "kinds": ["edit"]})["judgments"] == 0
    client.force_login(cast.make_user("researcher"))
    shown = client.get(reverse("count_snapshot", args=["kitchen"])).text
    assert "take about <strong>60</strong> judgments" in shown
    assert "of at least 2 raters" in shown
    assert "as 6 of the prompts tell" in shown


def test_what_is_counted_is_what_is_cut(campaign, raters, client):
    campaign.weigh_votes = True
    campaign.save(update_fields=["weigh_votes"])
    Reliability.objects.create(campaign=campaign, rater=raters[0], weight=0.2, computed_at=timezone.now())
    task_of(campaign, -3, 0, 1, raters=raters)
    labels.edit(labels.make_task(cast.make_round(campaign), ("rude",)), raters[1], "kind")
    client.force_login(cast.make_user("researcher"))
    for given in ({}, {"min_reliability": 0.5}, {"ties": "drop"}, {"kinds": ["edit"]}, {"uncounted": "drop"}):
        url = reverse("api_snapshot_count", args=["kitchen"])
        told = client.post(url, {"filters": given}, "application/json").json()
        cut = snapshots.cut(campaign, filters=given).counts
        assert {name: told[name] for name in ("judgments", "edits", "tasks", "raters")} == {
            name: cut[name] for name in ("judgments", "edits", "tasks", "raters")
        }, given
    wrong = client.post(url, {"filters": {"moon": 1}}, "application/json")
    assert (wrong.status_code, "moon" in wrong.text) == (400, True)
