import json
import shutil
from uuid import uuid4

import pytest

from labeling.models import Campaign, Judgment, Response, Round, Task, TaskResponse
from tests import cast
from tests.training import cast as labels
from training import forks, snapshot_files, snapshots
from training.models import Snapshot
from training.snapshots import SnapshotError

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    return settings.SNAPSHOTS_DIR


@pytest.fixture
def campaign() -> Campaign:
    return cast.make_campaign(slug="kitchen", name="Kitchen")


@pytest.fixture
def round_(campaign: Campaign) -> Round:
    return cast.make_round(campaign)


def test_a_snapshot_without_labels_is_refused(campaign, own_folder):
    with pytest.raises(SnapshotError, match="no judgments or edits"):
        snapshots.cut(campaign)
    assert not Snapshot.objects.exists()
    assert list(own_folder.iterdir()) == []


def test_an_unknown_filter_is_refused(campaign):
    with pytest.raises(SnapshotError, match="“colour”"):
        snapshots.cut(campaign, filters={"colour": "red"})
    with pytest.raises(SnapshotError, match="rounds must be a list of numbers"):
        snapshots.cut(campaign, filters={"rounds": "all"})


def test_every_row_can_be_traced(campaign, round_):
    rater = cast.make_user(simulated=True)
    task = labels.make_task(round_, ("short", "long"))
    labels.judge(
        task,
        rater,
        2,
        order_shown=[1, 0],
        comment="Better.",
        reasons=[["kind"], []],
        criteria={"tone": [4, 2]},
    )
    (row,) = snapshots.rows(snapshots.cut(campaign))
    assert row["campaign"] == "kitchen"
    assert row["round"] == round_.number
    assert row["prompt_id"] == task.prompt.content_hash
    assert row["task"]["probability"] == 0.5
    assert [r["policy"] for r in row["responses"]] == ["writer", "writer"]
    assert row["responses"][0]["sampling"] == {"temperature": 1, "top_p": 1, "max_new_tokens": 96, "seed": 0}
    (judgment,) = row["judgments"]
    assert judgment["rater"] == rater.pseudonym
    assert judgment["source"] == "simulated"
    assert judgment["guideline"] == 1
    assert judgment["criteria"] == [{"key": "tone", "grades": [4.0, 2.0]}]
    # shown swapped, and the right side won: that is the task's first answer
    assert row["consensus"]["label"] == -1
    assert row["consensus"]["probability"] == 1.0


def test_labels_that_do_not_count_are_kept_and_marked(campaign, round_):
    task = labels.make_task(round_, ("short", "long"))
    first, late, sorry = (cast.make_user() for _ in range(3))
    labels.judge(task, first, -3)
    labels.judge(task, late, 3, extra=True)
    old = labels.judge(task, sorry, 3)
    Judgment.objects.create(
        task=task,
        rater=sorry,
        verdict=0,
        order_shown=[0, 1],
        withdrawn=True,
        supersedes=old,
        idempotency_key=uuid4(),
    )
    snapshot = snapshots.cut(campaign)
    (row,) = snapshots.rows(snapshot)
    assert sorted((j["counted"], j["extra"], j["withdrawn"], j["superseded"]) for j in row["judgments"]) == [
        (False, False, False, True),
        (False, False, True, False),
        (False, True, False, False),
        (True, False, False, False),
    ]
    assert row["consensus"]["votes"] == 1
    assert snapshot.counts["judgments"] == 1
    assert snapshot.counts["not_counted"] == 3


def test_the_same_labels_give_the_same_snapshot_and_new_ones_another(campaign, round_):
    task = labels.make_task(round_, ("short", "long"))
    labels.judge(task, cast.make_user(), 1)
    first = snapshots.cut(campaign)
    bytes_before = {f: f.read_bytes() for f in snapshots.path(first).rglob("*") if f.is_file()}
    assert snapshots.cut(campaign) == first
    labels.judge(task, cast.make_user(), 1)
    second = snapshots.cut(campaign)
    assert second.digest != first.digest
    assert {f: f.read_bytes() for f in snapshots.path(first).rglob("*") if f.is_file()} == bytes_before


def test_the_digest_does_not_depend_on_the_order_of_arrival(own_folder):
    ann, bob = cast.make_user(), cast.make_user()

    def build(backwards: bool) -> str:
        campaign = cast.make_campaign(slug="kitchen")
        round_ = cast.make_round(campaign)
        made = [
            (cast.make_prompt(campaign, text), text) for text in (["b?", "a?"] if backwards else ["a?", "b?"])
        ]
        for prompt, text in made:
            task = Task.objects.create(
                campaign=campaign, round=round_, prompt=prompt, kind="compare", overlap=2, probability=1.0
            )
            for position in (1, 0) if backwards else (0, 1):
                response = cast.make_response(prompt, f"{text} {position}", round_)
                Response.objects.filter(pk=response.pk).update(copy=position)
                TaskResponse.objects.create(task=task, response=response, position=position)
            for rater, verdict in ((bob, -1), (ann, 1)) if backwards else ((ann, 1), (bob, -1)):
                labels.judge(task, rater, verdict)
        digest = snapshots.cut(campaign).digest
        Campaign.objects.filter(pk=campaign.pk).update(slug=f"done-{campaign.pk}")
        return digest

    assert build(backwards=False) == build(backwards=True)


def test_a_filter_takes_some_rounds_only(campaign, round_):
    other = cast.make_round(campaign)
    labels.judge(labels.make_task(round_, ("a", "b")), cast.make_user(), 1)
    labels.judge(labels.make_task(other, ("c", "d")), cast.make_user(), 1)
    snapshot = snapshots.cut(campaign, filters={"rounds": [other.number]})
    assert [row["round"] for row in snapshots.rows(snapshot)] == [other.number]
    assert snapshot.filters == {"rounds": [other.number]}


def test_counts_say_what_trains(campaign, round_):
    rater = cast.make_user()
    labels.judge(labels.make_task(round_, ("a", "b")), rater, 1)
    labels.judge(labels.make_task(round_, ("a", "b")), rater, 0)
    labels.judge(labels.make_task(round_, ("same", "same")), rater, 1)
    labels.judge(labels.make_task(round_, ("a", "b"), split="test"), rater, -1)
    labels.edit(labels.make_task(round_, ("rude",)), rater, "kind")
    labels.edit(labels.make_task(round_, ("fine",)), rater, None)
    cast.make_prompt(campaign)
    counts = snapshots.cut(campaign).counts
    assert counts == {
        "tasks": 6, "comparisons": 4, "adjudicated": 0, "identical_pairs": 1, "judgments": 4, "ties": 1,
        "edits": 2, "not_counted": 0, "pairs": 3, "training_pairs": 2, "demonstrations": 2,
        "training_demonstrations": 2, "prompts": 7, "raters": 1,
    }  # fmt: skip


def test_the_splits_share_no_prompt_and_the_manifest_holds_hashes(campaign, round_):
    rater = cast.make_user()
    for split in snapshots.SPLITS:
        labels.judge(labels.make_task(round_, ("a", "b"), split=split), rater, 1)
    snapshot = snapshots.cut(campaign)
    by_split = {
        split: {r["prompt_id"] for r in snapshots.rows(snapshot, split)} for split in snapshots.SPLITS
    }
    assert [len(prompts) for prompts in by_split.values()] == [1, 1, 1]
    assert len(set.union(*by_split.values())) == 3
    manifest = json.loads((snapshots.path(snapshot) / "manifest.json").read_text())
    assert set(manifest["files"]) == {
        "data/train.parquet",
        "data/validation.parquet",
        "data/test.parquet",
        "prompts.parquet",
    }


def test_missing_files_are_named(campaign, round_, settings, tmp_path):
    labels.judge(labels.make_task(round_, ("a", "b")), cast.make_user(), 1)
    snapshot = snapshots.cut(campaign)
    settings.SNAPSHOTS_DIR = tmp_path / "elsewhere"
    with pytest.raises(SnapshotError, match="missing"):
        list(snapshots.rows(snapshot))


@pytest.mark.django_db(transaction=True)
def test_a_cut_sees_one_moment(campaign, round_):
    labels.judge(labels.make_task(round_, ("a", "b")), cast.make_user(), 1)
    assert snapshots.cut(campaign).counts["judgments"] == 1


@pytest.mark.django_db(transaction=True)
def test_many_processes_cut_the_same_snapshot_as_one(campaign, round_, own_folder, monkeypatch):
    ann, bob = cast.make_user(), cast.make_user()
    for number in range(6):
        task = labels.make_task(round_, (f"a {number}", f'b\n"{number}",'))
        labels.judge(task, ann, 1 - number % 3, comment="" if number % 2 else "Ünlike, “b”.")
        labels.judge(task, bob, -1)
    alone = snapshots.cut(campaign)
    files = {file.name: file.read_bytes() for file in snapshots.path(alone).rglob("*") if file.is_file()}
    shutil.rmtree(snapshots.path(alone))
    alone.delete()
    forked = []
    fork = forks._fork
    monkeypatch.setattr(forks, "_fork", lambda *what: forked.append(fork(*what)) or forked[-1])
    monkeypatch.setattr(forks, "ENOUGH", 2)
    monkeypatch.setattr(forks.os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(forks.threading, "active_count", lambda: 1)
    monkeypatch.setattr(snapshot_files, "BATCH", 1)
    together = snapshots.cut(campaign)
    assert (len(forked), together.digest, together.counts) == (3, alone.digest, alone.counts)
    assert (snapshots.path(together) / "statistics.json").read_bytes() == files["statistics.json"]


@pytest.mark.django_db(transaction=True)
def test_a_process_that_fails_fails_the_cut(campaign, round_, own_folder, monkeypatch):
    for _number in range(3):
        labels.judge(labels.make_task(round_, ("a", "b")), cast.make_user(), 1)
    monkeypatch.setattr(forks, "ENOUGH", 2)
    monkeypatch.setattr(forks.os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(forks.threading, "active_count", lambda: 1)
    monkeypatch.setattr(snapshot_files, "BATCH", 1)
    monkeypatch.setattr(snapshot_files.canonical_columns, "PROMPT", {"no_such_column": None})
    with pytest.raises(RuntimeError, match="A process that made tables ended"):
        snapshots.cut(campaign)
    assert list(own_folder.iterdir()) == []
