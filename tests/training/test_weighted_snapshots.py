"""Votes count by their rater's reliability in consensus and training; a reviewer's final word before all."""

import json

import pytest
from django.utils import timezone

from labeling import trust
from labeling.models import Adjudication, Campaign, Reliability
from tests import cast
from tests.training import cast as labels
from training import formats, projections, snapshots
from training.snapshots import SnapshotError

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"


@pytest.fixture
def raters():
    return [cast.make_user() for _ in range(3)]


@pytest.fixture
def task(raters):
    task = labels.make_task(cast.make_round(cast.make_campaign()), ("short", "long"))
    for rater, verdict in zip(raters, (-2, -1, 3), strict=True):
        labels.judge(task, rater, verdict)
    return task


def trust_raters(campaign, raters, weights):
    for rater, weight in zip(raters, weights, strict=True):
        Reliability.objects.update_or_create(
            campaign=campaign, rater=rater, defaults={"weight": weight, "computed_at": timezone.now()}
        )


def decide(task, verdict):
    return Adjudication.objects.create(
        campaign=task.campaign, task=task, reason="disagreement", verdict=verdict,
        reviewer=cast.make_user("manager"), decided_at=timezone.now(),
    )  # fmt: skip


def only_row(campaign):
    (row,) = snapshots.rows(snapshots.cut(campaign))
    return row


def test_two_who_weigh_little_do_not_outvote_one(task, raters):
    trust_raters(task.campaign, raters, [0.2, 0.3, 0.9])
    row = only_row(task.campaign)
    assert {j["rater"]: j["reliability"] for j in row["judgments"]} == {
        rater.pseudonym: weight for rater, weight in zip(raters, [0.2, 0.3, 0.9], strict=True)
    }
    consensus = row["consensus"]
    assert (consensus["label"], consensus["majority"], consensus["votes"]) == (1, -1, 3)
    assert consensus["probability"] == pytest.approx(0.5 / 1.4)
    assert consensus["weight"] == pytest.approx(1.4)
    assert {p["rater"]: p["weight"] for p in formats.engine_pairs(row)} == {
        j["rater"]: j["reliability"] for j in row["judgments"]
    }
    (pair,) = projections.trl_preference(row)
    assert pair["chosen"][0]["content"] == "long"


def test_where_all_votes_count_alike_nothing_is_weighed(task, raters):
    trust_raters(task.campaign, raters, [0.2, 0.3, 0.9])
    Campaign.objects.filter(pk=task.campaign_id).update(weigh_votes=False)
    task.campaign.refresh_from_db()
    assert trust.weights(task.campaign) == {}
    row = only_row(task.campaign)
    assert [j["reliability"] for j in row["judgments"]] == [None] * 3
    assert row["consensus"]["label"] == -1
    assert {p["weight"] for p in formats.engine_pairs(row)} == {1.0}


def test_a_snapshot_keeps_the_weights_that_it_was_cut_with(task, raters):
    trust_raters(task.campaign, raters, [0.2, 0.3, 0.9])
    first = snapshots.cut(task.campaign)
    assert snapshots.cut(task.campaign) == first
    trust_raters(task.campaign, raters, [1.0, 1.0, 0.1])
    second = snapshots.cut(task.campaign)
    assert second.digest != first.digest
    assert [row["consensus"]["label"] for s in (first, second) for row in snapshots.rows(s)] == [1, -1]
    manifest = json.loads((snapshots.path(first) / "manifest.json").read_text())
    assert manifest["schema_version"] == 4


def test_a_reviewers_final_word_stands_for_all_votes(task, raters):
    decide(task, -1)
    last = decide(task, 2)
    snapshot = snapshots.cut(task.campaign)
    (row,) = snapshots.rows(snapshot)
    consensus = row["consensus"]
    assert (consensus["label"], consensus["probability"], consensus["margin"]) == (1, 0.0, -2.0)
    assert (consensus["majority"], consensus["votes"]) == (-1, 3)
    assert consensus["adjudicated"] == last.reviewer.pseudonym
    (pair,) = formats.engine_pairs(row)
    assert (pair["chosen"], pair["probability"], pair["weight"]) == ("long", 0.8, 3.0)
    assert pair["rater"] == last.reviewer.pseudonym
    assert snapshot.counts["adjudicated"] == 1


def test_an_open_adjudication_changes_nothing(task):
    Adjudication.objects.create(campaign=task.campaign, task=task, reason="flag")
    assert only_row(task.campaign)["consensus"]["adjudicated"] is None


def test_rows_of_earlier_snapshots_are_read_as_unweighed():
    row = {
        "prompt_id": "p", "prompt": [], "split": "train", "round": 1, "edits": [],
        "responses": [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}], "consensus": {"label": -1},
        "judgments": [{"counted": True, "verdict": -3, "order_shown": [0, 1], "rater": "r"}],
    }  # fmt: skip
    (pair,) = formats.engine_pairs(row)
    assert pair["weight"] == 1.0


def test_nothing_said_is_still_refused(raters):
    with pytest.raises(SnapshotError):
        snapshots.cut(cast.make_campaign())
