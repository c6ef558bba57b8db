"""Real judgments: imported, learnt from, exported, and read by the trainers that they are for."""

import os
from pathlib import Path

import pytest

from labeling.imports import import_records
from models_app import registry
from tests import cast
from training import execution, exports, runs, snapshots

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.real_data]

DATA = os.environ.get("TOUCHSTONE_REAL_DATA", "")


@pytest.fixture
def pandalm(folders):
    if not DATA:
        pytest.skip("TOUCHSTONE_REAL_DATA names no folder")
    small = {"epochs": 1, "max_length": 64, "learning_rate": 1e-3}
    campaign = cast.make_campaign(slug="pandalm", hyper={"reward": small})
    with (Path(DATA) / "pandalm_testset.jsonl.gz").open("rb") as file:
        report = import_records(campaign, file, format="touchstone", by=None)
    assert (report.tasks_added, report.judgments_added, report.empty_responses) == (999, 2997, 54)
    return campaign


def test_a_reward_model_trains_on_imported_judgments_and_trl_reads_their_export(
    pandalm, tmp_path, monkeypatch, tiny_policy
):
    snapshot = snapshots.cut(pandalm)
    assert snapshot.counts["judgments"] == 2997
    base = registry.register("pandalm", "policy", "base", "transformers", str(tiny_policy))
    run = execution.execute(runs.queue_reward(pandalm, snapshot, trunk=base).pk)
    assert run is not None
    assert (run.status, run.error) == ("succeeded", "")
    test = run.result["test"]
    assert test["n"] > 200
    low, high = test["interval"]
    assert 0 < low < test["accuracy"] < high < 1

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets, trl = pytest.importorskip("datasets"), pytest.importorskip("trl")
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    exports.write(snapshot, "trl-preference", tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in loaded.values()) > 600
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    steps = {"output_dir": str(tmp_path / "trainer"), "max_steps": 1, "per_device_train_batch_size": 2}
    steps |= {"report_to": [], "use_cpu": True, "bf16": False, "save_strategy": "no"}
    reward = AutoModelForSequenceClassification.from_pretrained(tiny_policy, num_labels=1)
    reward.config.pad_token_id = tokenizer.pad_token_id
    train = loaded["train"].select(range(16))
    trl.RewardTrainer(
        model=reward, args=trl.RewardConfig(**steps), train_dataset=train, processing_class=tokenizer
    ).train()
    policy = AutoModelForCausalLM.from_pretrained(tiny_policy)
    trl.DPOTrainer(
        model=policy, args=trl.DPOConfig(**steps), train_dataset=train, processing_class=tokenizer
    ).train()
