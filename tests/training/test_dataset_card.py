"""What lies beside an export's data: the hub's card, the datasheet, the plots, and what they count."""

import json
import xml.etree.ElementTree as ET

import pytest

from accounts.models import Skill
from labeling import campaigns
from tests import cast
from tests.training import cast as labels
from training import dataset_card, dataset_statistics, datasheet, exports, snapshots, withdrawal
from training.export_formats import FORMATS
from training.models import Statement

pytestmark = pytest.mark.django_db


@pytest.fixture
def raters():
    found = [
        cast.make_user(username=name, language=language) for name, language in (("ann", "ar"), ("bob", ""))
    ]
    found[0].skills.add(Skill.objects.create(name="medicine"))
    return found


@pytest.fixture
def campaign(folders, raters):
    """Make two rounds: the longer right answer wins twice and a tie, shown swapped to Bob, and an edit."""
    campaign = cast.make_campaign(slug="kitchen", name="Kitchen", description="How people like their tea.")
    newer = campaigns.add_guideline(campaign, "# Be kind\n\n---\nto everybody", campaign.created_by)
    for verdicts in ((2, -3), (0, 1)):
        task = labels.make_task(cast.make_round(campaign), ("no", "tea with much milk, please"))
        for rater, verdict, order in zip(raters, verdicts, ([0, 1], [1, 0]), strict=True):
            labels.judge(task, rater, verdict, order_shown=order, guideline=newer, active_ms=4000)
    late = labels.make_task(cast.make_round(campaign), ("a", "b"), split="test")
    labels.judge(late, raters[0], 3, extra=True)
    labels.edit(labels.make_task(late.round, ("rude",)), raters[0], "kind")
    return campaign


@pytest.fixture
def snapshot(campaign):
    return snapshots.cut(campaign)


def test_the_statistics_are_those_of_the_rows(snapshot, raters):
    found = dataset_statistics.read(snapshot)
    assert found["kinds"] == {"compare": 3, "edit": 1}
    assert found["verdicts"] == {"-3": 1, "-2": 0, "-1": 0, "0": 1, "1": 1, "2": 1, "3": 0}
    assert found["judgments_by_round"] == {"1": 2, "2": 2}
    assert found["guidelines"] == {"2": 4}
    assert found["raters"][raters[0].pseudonym] == {"judgments": 2, "edits": 1, "reliability": None}
    assert (found["people"]["skills"], found["people"]["languages"]) == ({"medicine": 1}, {"ar": 1})
    # both prefer the second answer in the first round; in the second, Ann ties and Bob prefers the first
    assert found["agreement"]["pairs"]["value"] == 0.5
    assert found["agreement_by_round"]["1"]["pairs"]["value"] == 1
    assert found["left"]["value"] == pytest.approx((0 + 1 + 0.5 + 0) / 4)
    assert found["longer"]["value"] == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert found["seconds"] == [4, 4, 4]
    assert (snapshots.path(snapshot) / dataset_statistics.FILE).exists()


def test_a_row_for_each_judgment_has_the_same_statistics(campaign, snapshot):
    each = snapshots.cut(campaign, filters={"consensus": "each"})
    assert dataset_statistics.read(each) == dataset_statistics.read(snapshot)


def test_the_card_is_one_that_the_hub_reads(snapshot, tmp_path):
    from huggingface_hub import DatasetCard

    Statement.objects.create(
        campaign=snapshot.campaign, licence="CC-BY-4.0", payment="20 € an hour", contact="data@example.org"
    )
    exports.write(snapshot, "trl-margin", tmp_path / "out")
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    data = card.data.to_dict()
    assert (data["license"], data["size_categories"], data["pretty_name"]) == (
        "cc-by-4.0", ["n<1K"], "Kitchen (TRL preference with margins)",
    )  # fmt: skip
    assert data["configs"][0]["data_files"] == [{"split": "train", "path": "data/train.jsonl"}]
    info = data["dataset_info"]
    assert info["splits"] == [{"name": "train", "num_examples": 2}]
    assert [feature["name"] for feature in info["features"]] == list(FORMATS["trl-margin"].columns or {})
    text = card.text
    for said in (snapshot.digest, "20 € an hour", "data@example.org", "How people like their tea.",
                 "> # Be kind", "Krippendorff", "95 %", "Guideline, version 2"):  # fmt: skip
        assert said in text
    assert "Guideline, version 1" not in text  # no judgment was made under it


def test_every_plot_of_the_card_is_a_picture_that_says_what_it_shows(snapshot, tmp_path):
    exports.write(snapshot, "trl-sft", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    files = sorted((tmp_path / "out" / "plots").iterdir())
    assert [file.stem for file in files] == ["agreement", "length", "verdicts", "votes"]
    for file in files:
        assert f"(plots/{file.name})" in text
        picture = ET.fromstring(file.read_text())
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert picture.get("aria-label")


def test_the_features_of_the_canonical_rows_are_those_that_datasets_reads(snapshot, tmp_path):
    datasets = pytest.importorskip("datasets")
    from training import parquet

    exports.write(snapshot, "canonical-jsonl", tmp_path / "out")
    infos = datasets.load_dataset_builder(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")).info
    assert infos.features.arrow_schema.names == parquet.ROWS.names
    assert infos.features == datasets.Features.from_arrow_schema(parquet.ROWS)


def test_licences_that_the_hub_does_not_know_keep_their_name(snapshot):
    sheet = datasheet.read(snapshot)
    manifest = {
        **sheet.manifest,
        "format": "trl-sft",
        "file": "jsonl",
        "rows": dict.fromkeys(snapshots.SPLITS, 5),
    }
    assert dataset_card.metadata(sheet, manifest)["license"] == "unknown"
    sheet.statement.licence = "Our own terms"
    found = dataset_card.metadata(sheet, manifest)
    assert (found["license"], found["license_name"]) == ("other", "our own terms")


def test_a_withdrawal_is_told_in_what_managers_still_download(snapshot, campaign, raters, tmp_path):
    before = dataset_card.edition(snapshot)
    assert dataset_card.edition(snapshot) == before
    withdrawal.withdraw_rater(raters[1], campaign.created_by, "Asked for it.")
    assert dataset_card.edition(snapshot) != before
    exports.write(snapshot, "trl-margin", tmp_path / "out")
    for name in ("README.md", "DATASHEET.md"):
        assert "The reason: Asked for it." in (tmp_path / "out" / name).read_text()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert raters[1].pseudonym in manifest["withdrawn"][0]
    after = snapshots.cut(campaign)
    assert dataset_card.edition(after) == before
    assert raters[1].pseudonym not in datasheet.as_markdown(datasheet.read(after))
