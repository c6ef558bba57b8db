from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests.training.engine.conftest import World, metrics, prepare, start, weights
from training.engine.__main__ import main
from training.engine.best_of_n import choose, reward_curve
from training.engine.data import Encoder, read_pairs
from training.engine.policy_model import load_policy_model, score_replies

HYPER = {"max_new_tokens": 12, "evaluation_prompts": 40, "sft_learning_rate": 1e-2, "best_of_prompts": 64}


def train(folder: Path) -> dict[str, Any]:
    assert main([str(folder)]) == 0, (folder / "error.txt").read_text()
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


@pytest.fixture(scope="session")
def judge(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model that loves "gladly"."""
    config = {"kind": "reward", "trunk": str(policy), "hyper": {"epochs": 5}}
    folder = prepare(tmp_path_factory.mktemp("judge"), config, pairs=World().pairs(400))
    assert main([str(folder)]) == 0
    return folder / "model"


def asked(policy: Path, stages: list[str], judge: Path | None = None, **hyper: float) -> dict[str, Any]:
    return {
        "kind": "policy",
        "parent": str(policy),
        "reward_model": judge and str(judge),
        "stages": stages,
        "hyper": {**HYPER, **hyper},
    }


def test_imitation_lowers_the_loss_and_changes_the_answers(policy: Path, tmp_path: Path) -> None:
    world = World()
    folder = prepare(
        tmp_path / "run",
        asked(policy, ["sft"], sft_epochs=6),
        demonstrations=world.demonstrations(200),
        prompts=world.prompts(200),
    )
    result = train(folder)
    loss = metrics(folder, "sft/loss")
    assert np.mean(loss[-10:]) < 0.7 * np.mean(loss[:5])
    samples = pq.read_table(folder / "samples.parquet").to_pylist()
    mine = [row["text"] for row in samples if row["policy"] == "candidate"]
    assert len(mine) == 25
    assert np.mean([text.startswith("gladly wait") for text in mine]) > 0.8
    assert {row["reward"] for row in samples} == {None}
    assert result["proxy"] is None
    assert result["kl"] > 1
    assert 0 < result["length_ratio"] < 1
    assert 0 < result["distinct"] <= 1
    assert result["stages"][0]["name"] == "sft"


def test_dpo_raises_the_margin_on_pairs_it_has_not_seen(policy: Path, tmp_path: Path) -> None:
    folder = prepare(
        tmp_path / "run",
        asked(policy, ["dpo"], dpo_learning_rate=2e-3, dpo_epochs=4),
        pairs=World().pairs(240),
        prompts=World().prompts(40),
    )
    result = train(folder)
    assert result["stages"][0]["examples"] == sum(
        pair["split"] == "train" and pair["probability"] != 0.5 for pair in World().pairs(240)
    )
    held_out = [pair for pair in read_pairs(folder) if pair.split == "test"]
    gaps = []
    for location in (policy, folder / "model"):
        model, tokenizer = load_policy_model(str(location))
        encoder = Encoder(tokenizer, 64)
        won = [encoder.reply(pair.messages, pair.chosen) for pair in held_out]
        lost = [encoder.reply(pair.messages, pair.rejected) for pair in held_out]
        gaps.append(score_replies(model, won, 1) - score_replies(model, lost, 1))
    assert np.mean(gaps[1] - gaps[0] > 0) > 0.9
    margin = metrics(folder, "dpo/margin")
    assert margin[0] == pytest.approx(0, abs=0.02)  # the reference is the parent itself
    assert np.mean(margin[-5:]) > 0.2


def test_best_of_n_raises_the_reward(policy: Path, judge: Path, tmp_path: Path) -> None:
    folder = prepare(
        tmp_path / "run",
        asked(policy, ["best_of_n"], judge, best_of_learning_rate=5e-3, best_of_kl=0.05),
        prompts=World().prompts(240),
    )
    result = train(folder)
    stage = result["stages"][0]
    assert stage["best_of_1"] < stage["best_of_4"] < stage["best_of_8"]
    assert stage["prompts"] == 64
    proxy = result["proxy"]
    assert proxy["n"] == 30
    assert proxy["mean_reward"] > proxy["parent_mean_reward"]
    assert proxy["win_rate"] > 0.6
    samples = pq.read_table(folder / "samples.parquet")
    assert samples.num_rows == 60
    assert samples["reward"].null_count == 0


def test_a_killed_run_of_all_stages_goes_on_to_the_same_policy(
    policy: Path, judge: Path, tmp_path: Path
) -> None:
    world = World()
    whole = prepare(
        tmp_path / "whole",
        asked(policy, ["sft", "dpo", "best_of_n"], judge, checkpoint_steps=3, best_of_prompts=150),
        pairs=world.pairs(80),
        demonstrations=world.demonstrations(80),
        prompts=world.prompts(240),
    )
    broken = shutil.copytree(whole, tmp_path / "broken")
    (broken / "result.json").unlink(missing_ok=True)
    for stage, sent in (("dpo", signal.SIGKILL), ("best_of_n sampling", signal.SIGTERM), ("best_of_n", 9)):
        process = start(broken)
        wait_for_stage(broken, stage)
        process.send_signal(sent)
        assert process.wait(20) in (-9, 143)
    runs = start(whole), start(broken)
    assert [run.wait(120) for run in runs] == [0, 0]
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(broken)[name]), name
    results = [json.loads((folder / "result.json").read_text()) for folder in (whole, broken)]
    assert results[0]["proxy"] == results[1]["proxy"]
    assert (whole / "metrics.jsonl").read_text() == (broken / "metrics.jsonl").read_text()


def wait_for_stage(folder: Path, stage: str) -> None:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        progress = folder / "progress.json"
        if progress.exists():
            seen = json.loads(progress.read_text())
            if seen["stage"] == stage and seen["done"] > 3:
                return
        time.sleep(0.005)
    raise AssertionError(f"the run never came to {stage}: {(folder / 'log.txt').read_text()}")


def test_without_test_prompts_the_figures_are_null(policy: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "run", asked(policy, ["sft"]), demonstrations=World().demonstrations(30))
    result = train(folder)
    assert result["proxy"] is None
    assert "no test prompts" in result["why"]


def test_failures_are_one_plain_sentence(policy: Path, judge: Path, tmp_path: Path) -> None:
    def failure(name: str, config: dict[str, Any], **files: list[dict[str, Any]]) -> str:
        folder = prepare(tmp_path / name, config, **files)
        assert main([str(folder)]) == 1
        sentence = (folder / "error.txt").read_text()
        assert sentence.count("\n") == 1
        return sentence

    ties = [{**pair, "probability": 0.5} for pair in World().pairs(20)]
    assert "not ties" in failure("a", asked(policy, ["dpo"]), pairs=ties)
    assert "no demonstrations.parquet" in failure("b", asked(policy, ["sft"]))
    assert "causal LM" in failure("c", asked(judge, ["sft"]), demonstrations=World().demonstrations(30))
    wrong = asked(policy, ["best_of_n"], policy)
    assert str(policy) in failure("d", wrong, prompts=World().prompts(40))
    missing = asked(policy, ["best_of_n"], Path("/nowhere/judge"))
    assert "/nowhere/judge" in failure("e", missing, prompts=World().prompts(40))
    held_out = [{**prompt, "split": "test"} for prompt in World().prompts(20)]
    assert "no training prompts" in failure("f", asked(policy, ["best_of_n"], judge), prompts=held_out)


def test_choosing_never_repeats_or_takes_nothing() -> None:
    candidates = [[("Of course!", 3.0), ("Yes, soup.", 1.0), ("", 9.0)] for _ in range(3)]
    assert choose(candidates, 1, 2) == [["Of course!"], ["Of course!"], ["Yes, soup."]]
    assert choose([[("a", 1.0), ("A!", 0.5), ("b", 0.0)]], 2, 5) == [["a", "b"]]
    assert choose([[("", 1.0)]], 1, 1) == [[]]


def test_the_reward_curve_rises_with_n() -> None:
    curve = reward_curve([[("a", 0.0), ("b", 2.0), ("c", 1.0), ("d", 3.0)], [("a", 1.0)] * 4])
    assert curve == {"best_of_1": 0.5, "best_of_2": 1.5, "best_of_4": 2.0}
