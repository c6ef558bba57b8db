"""Rankings from the rater to what the trainers read."""

from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from labeling import assignment, rankings, rounds
from labeling.models import Prompt
from tests import cast
from training import exports, formats, parquet, projections, snapshots

pytestmark = pytest.mark.django_db
TEXTS = ("one", "two", "three", "four")


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"


@pytest.fixture
def raters():
    return tuple(cast.make_user() for _ in range(3))


@pytest.fixture
def snapshot(raters):
    """Cut a campaign in which three raters ranked four answers to one prompt of each split."""
    campaign = cast.make_campaign(raters=raters, overlap=3)
    round_ = cast.make_round(campaign)
    for split in Prompt.Split.values:
        task = cast.add_task(round_, TEXTS)
        Prompt.objects.filter(pk=task.prompt_id).update(split=split)
    rounds.open_(round_)
    said = ([[2], [0, 1], [3]], [[2], [0], [1], [3]], [[0], [2], [1], [3]])
    for rater, ranking in zip(raters, said, strict=True):
        for _ in range(3):
            slot = assignment.claim(rater, campaign)
            sides = [[slot.order_shown.index(position) for position in equals] for equals in ranking]
            rankings.submit(rater, slot.lease, idempotency_key=uuid4(), ranking=sides)
    return snapshots.cut(campaign)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_ranking_is_kept_as_it_was_said_and_trains_as_its_pairs(snapshot, raters, split):
    (row,) = snapshots.rows(snapshot, split)
    said = {judgment["rater"]: judgment for judgment in row["judgments"]}
    assert said[raters[0].pseudonym]["ranking"] == [[2], [0, 1], [3]]
    assert said[raters[0].pseudonym]["verdict"] is None
    assert [answer["text"] for answer in row["responses"]] == list(TEXTS)
    assert (row["task"]["kind"], row["consensus"]) == ("rank", None)

    first = [pair for pair in formats.engine_pairs(row) if pair["rater"] == raters[0].pseudonym]
    assert {pair["weight"] for pair in first} == {1 / 3}
    assert [pair["probability"] for pair in first].count(0.8) == 5
    assert [pair["probability"] for pair in first].count(0.5) == 1
    assert {pair["split"] for pair in first} == {split}

    preferred = {
        (pair["chosen"][0]["content"], pair["rejected"][0]["content"])
        for pair in projections.trl_preference(row)
    }
    assert preferred == {
        ("three", "one"), ("three", "two"), ("three", "four"),
        ("one", "two"), ("one", "four"), ("two", "four"),
    }  # fmt: skip


def test_the_counts_say_what_trains_and_files_hold_it(snapshot, tmp_path):
    # 3 rankings of 6 pairs, one of them a tie
    assert (snapshot.counts["judgments"], snapshot.counts["pairs"]) == (9, 3 * 17)
    assert (snapshot.counts["training_pairs"], snapshot.counts["ties"]) == (17, 0)
    assert snapshot.counts["comparisons"] == 0
    rows = [pair for row in snapshots.rows(snapshot) for pair in formats.engine_pairs(row)]
    parquet.write(tmp_path / "pairs.parquet", parquet.ENGINE_PAIRS, rows)
    assert pq.read_table(tmp_path / "pairs.parquet").to_pylist() == rows


def test_canonical_rows_come_back_from_an_export_as_they_were(snapshot, tmp_path):
    exports.write(snapshot, "canonical-parquet", tmp_path / "out")
    (back,) = pq.read_table(tmp_path / "out" / "data" / "test.parquet").to_pylist()
    assert [back] == list(snapshots.rows(snapshot, "test"))
