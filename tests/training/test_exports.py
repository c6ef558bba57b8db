"""Exports, read by the programs that they are for."""

import hashlib
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from tests import cast
from tests.training import cast as labels
from training import archives, exports, forks, snapshot_files, snapshots
from training.export_formats import FORMATS
from training.exports import ExportError
from training.models import Download

pytestmark = pytest.mark.django_db


# of each split; the other formats have a row for each of three preferences and an edit
ROWS = {
    "canonical-parquet": 5,
    "canonical-jsonl": 5,
    "trl-kto": 8,
    "trl-sft": 1,
    "trl-completion": 1,
    "trl-prompt": 5,
    "verl-rl": 5,
    "llama-factory-kto": 8,
    "helpsteer3-edit": 1,
    "arena": 4,
}


@pytest.fixture
def campaign(folders):
    campaign = cast.make_campaign(slug="kitchen")
    round_, rater = cast.make_round(campaign), cast.make_user()
    for split in ("train", "test"):
        for verdict in (-2, -2, 0, 3):
            labels.judge(
                labels.make_task(round_, ("please tea gladly", "ugh no"), split=split), rater, verdict
            )
        labels.edit(labels.make_task(round_, ("ugh no",), split=split), rater, "gladly the tea")
    return campaign


@pytest.fixture
def snapshot(campaign):
    return snapshots.cut(campaign)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_a_folder_that_datasets_and_pandas_load(snapshot, tmp_path, monkeypatch, format):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets, pandas = pytest.importorskip("datasets"), pytest.importorskip("pandas")
    kind = FORMATS[format]
    for file in kind.files:
        folder = tmp_path / file
        exports.write(snapshot, format, folder, file)
        manifest = json.loads((folder / "manifest.json").read_text())
        assert (manifest["digest"], manifest["file"]) == (snapshot.digest, file)
        assert manifest["left_out"] == {"train": 0, "validation": 0, "test": 0}
        assert snapshot.digest in (folder / "README.md").read_text()
        assert manifest["rows"]["train"] == manifest["rows"]["test"] == ROWS.get(format, 4)
        if file == "jsonl.zst":  # for which datasets wants another package, and pandas too
            with pa.input_stream(str(folder / "data" / "train.jsonl.zst"), compression="zstd") as lines:
                assert len(lines.read().splitlines()) == manifest["rows"]["train"]
            continue
        loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache" / file))
        assert {split: len(loaded[split]) for split in loaded} == {
            split: rows for split, rows in manifest["rows"].items() if rows
        }
        if kind.columns is not None:
            assert loaded["train"].column_names == list(kind.columns)
        data = folder / "data" / f"train.{file}"
        if file == "parquet":
            assert pq.read_schema(data).names == loaded["train"].column_names
        reader = pandas.read_parquet if file == "parquet" else pandas.read_csv
        table = pandas.read_json(data, lines=True) if "jsonl" in file else reader(data)
        assert len(table) == manifest["rows"]["train"]


def test_the_canonical_export_is_the_snapshot(snapshot, tmp_path):
    exports.write(snapshot, "canonical-parquet", tmp_path / "out")
    read = pq.read_table(tmp_path / "out" / "data" / "train.parquet").to_pylist()
    assert read == list(snapshots.rows(snapshot, "train"))


def test_a_download_is_the_same_folder_zipped_and_has_the_same_bytes_each_time(snapshot, tmp_path):
    first = archives.make(snapshot, "trl-preference", "")
    first.path.unlink()
    second = archives.make(snapshot, "trl-preference", "jsonl")
    assert (second.sha256, second.bytes) == (first.sha256, first.bytes)
    assert hashlib.sha256(second.path.read_bytes()).hexdigest() == second.sha256
    assert archives.find(snapshot, "trl-preference", "jsonl") == second
    assert archives.find(snapshot, "trl-preference", "parquet") is None
    folder = tmp_path / "out"
    exports.write(snapshot, "trl-preference", folder)
    with zipfile.ZipFile(second.path) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(
            str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()
        )
        for name in archive.namelist():
            assert archive.read(name) == (folder / name).read_bytes()


def test_what_cannot_be_exported_is_said_and_leaves_nothing(campaign, snapshot, tmp_path):
    with pytest.raises(ExportError, match="no format 'csv'"):
        archives.make(snapshot, "csv", "")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    with pytest.raises(ExportError, match="not empty"):
        exports.write(snapshot, "trl-sft", tmp_path / "full")
    other = cast.make_campaign()
    labels.judge(labels.make_task(cast.make_round(other), ("a", "b")), cast.make_user(), 0)
    with pytest.raises(ExportError, match="nothing to say"):
        archives.make(snapshots.cut(other), "trl-preference", "")


def test_the_command_cuts_and_writes(campaign, tmp_path, capsys):
    call_command("export_snapshot", "kitchen", tmp_path / "out", "--format", "trl-sft")
    said = capsys.readouterr().out
    digest = said.split()[1].rstrip(":")
    assert (tmp_path / "out" / "data" / "train.jsonl").exists()
    call_command("export_snapshot", "kitchen", tmp_path / "again", "--digest", digest[:10])
    assert list(Download.objects.order_by("pk").values_list("format", "file", "via", "by")) == [
        ("trl-sft", "jsonl", "command", None),
        ("canonical-parquet", "parquet", "command", None),
    ]
    for arguments, sentence in {
        ("nowhere", "x"): "no campaign “nowhere”",
        ("kitchen", "x", "--digest", "zzz"): "No snapshot",
        ("kitchen", "x", "--rounds", "99"): "no judgments or edits",
    }.items():
        with pytest.raises(CommandError, match=sentence):
            call_command("export_snapshot", *arguments)
    assert not Path("x").exists()


def test_trl_trains_on_the_exports_for_reward_dpo_sft_and_kto(snapshot, tmp_path, tiny_policy, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets, trl = pytest.importorskip("datasets"), pytest.importorskip("trl")
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    exports.write(snapshot, "trl-preference", tmp_path / "preference")
    train = datasets.load_dataset(
        str(tmp_path / "preference"), split="train", cache_dir=str(tmp_path / "cache")
    )
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    common = {
        "output_dir": str(tmp_path / "trainer"),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
    }
    reward = AutoModelForSequenceClassification.from_pretrained(tiny_policy, num_labels=1)
    reward.config.pad_token_id = tokenizer.pad_token_id
    trl.RewardTrainer(
        model=reward, args=trl.RewardConfig(**common), train_dataset=train, processing_class=tokenizer
    ).train()
    policy = AutoModelForCausalLM.from_pretrained(tiny_policy)
    trl.DPOTrainer(
        model=policy, args=trl.DPOConfig(**common), train_dataset=train, processing_class=tokenizer
    ).train()
    for format, trainer, config in (
        ("trl-sft", trl.SFTTrainer, trl.SFTConfig),
        ("trl-kto", trl.KTOTrainer, trl.KTOConfig),
    ):
        exports.write(snapshot, format, tmp_path / format)
        rows = datasets.load_dataset(str(tmp_path / format), split="train", cache_dir=str(tmp_path / "cache"))
        policy = AutoModelForCausalLM.from_pretrained(tiny_policy)
        trainer(model=policy, args=config(**common), train_dataset=rows, processing_class=tokenizer).train()


def test_many_processes_write_the_same_lines_as_one(campaign, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot_files, "BATCH", 1)  # a row group for each prompt
    snapshot = snapshots.cut(campaign)
    for file in ("jsonl", "jsonl.gz", "jsonl.zst"):
        exports.write(snapshot, "canonical-jsonl", tmp_path / f"one-{file}", file)
    forked = []
    fork = forks._fork
    monkeypatch.setattr(forks, "_fork", lambda *what: forked.append(fork(*what)) or forked[-1])
    monkeypatch.setattr(forks, "ENOUGH", 2)
    monkeypatch.setattr(forks.os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(forks.threading, "active_count", lambda: 1)
    for file in ("jsonl", "jsonl.gz", "jsonl.zst"):
        told = []
        written = exports.write(snapshot, "canonical-jsonl", tmp_path / f"many-{file}", file, told.append)
        for path in written:
            one = tmp_path / f"one-{file}" / path.relative_to(tmp_path / f"many-{file}")
            assert path.read_bytes() == one.read_bytes()
        assert told[-1] == snapshot.counts["tasks"]
    assert len(forked) == 3 * 2 * 3  # kinds of file, splits with rows, processes
