"""Recipes of a policy: adapters, reinforcement, mixes, newest rounds, margins and kept references."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.engine.conftest import World, metrics, prepare, start, weights
from tests.training.engine.test_policy_trainer import asked, train, wait_for_stage
from training.engine import reference, reinforcement
from training.engine.__main__ import main
from training.engine.config import EngineError, read_config
from training.engine.data import Demonstration, Encoder, newest_first, read_demonstrations, read_pairs
from training.engine.policy_model import (
    halved_log_probs,
    load_policy_model,
    reply_log_probs,
    score_replies,
)
from training.engine.policy_trainer import dpo_labels
from training.engine.reference import reference_log_probs

RL = {"rl_steps": 8, "rl_samples": 4, "rl_learning_rate": 3e-3, "rl_kl": 0.01, "checkpoint_steps": 3}


@pytest.fixture(scope="module")
def judge(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model that loves "gladly"."""
    config = {"kind": "reward", "trunk": str(policy), "hyper": {"epochs": 2}}
    folder = prepare(tmp_path_factory.mktemp("judge"), config, pairs=World().pairs(200))
    assert main([str(folder)]) == 0
    return folder / "model"


def test_adapters_are_merged_into_an_ordinary_checkpoint(policy: Path, tmp_path: Path) -> None:
    folder = prepare(
        tmp_path / "run",
        {**asked(policy, ["sft", "dpo"], sft_epochs=4, lora_rank=8), "tuning": "lora"},
        demonstrations=World().demonstrations(120),
        pairs=World().pairs(40),
        prompts=World().prompts(80),
    )
    result = train(folder)
    loss = metrics(folder, "sft/loss")
    assert np.mean(loss[-5:]) < 0.95 * np.mean(loss[:5])
    before, after = weights_of(policy), weights(folder)
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.endswith("proj.weight")}
    assert result["kl"] > 0


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    found: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return found


@pytest.mark.parametrize(("method", "tuning"), [("rloo", "full"), ("grpo", "lora")])
def test_reinforcement_takes_its_steps_and_leaves_an_ordinary_checkpoint(
    policy: Path, judge: Path, tmp_path: Path, method: str, tuning: str
) -> None:
    config = {**asked(policy, ["rl"], judge, **RL), "rl": method, "tuning": tuning}
    folder = prepare(tmp_path / "run", config, prompts=World().prompts(40))
    result = train(folder)
    stage = result["stages"][0]
    assert (stage["name"], stage["method"], stage["steps"], stage["prompts"]) == ("rl", method, 8, 30)
    rewards = metrics(folder, "rl/reward")
    assert len(rewards) == 8
    assert [stage["first_reward"], stage["last_reward"]] == pytest.approx([rewards[0], rewards[-1]], abs=1e-5)
    assert result["steps"] == 8
    before, after = weights_of(policy), weights(folder)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert not (folder / "checkpoint").exists()


def test_a_killed_reinforcement_goes_on_to_the_same_policy(policy: Path, judge: Path, tmp_path: Path) -> None:
    whole = prepare(tmp_path / "whole", asked(policy, ["rl"], judge, **RL), prompts=World().prompts(40))
    broken = shutil.copytree(whole, tmp_path / "broken")
    process = start(broken)
    wait_for_stage(broken, "rl")
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -9
    for folder in (whole, broken):
        assert main([str(folder)]) == 0
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(broken)[name]), name
    assert metrics(whole, "rl/reward") == metrics(broken, "rl/reward")


def test_without_trl_the_stage_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "trl", None)
    for method in ("rloo", "grpo"):
        with pytest.raises(EngineError, match="needs TRL: pip install"):
            reinforcement._trl(method)


def test_the_newest_rounds_count_most() -> None:
    rows = [Demonstration("p", [], "yes", weight, "train", n) for weight, n in ((1.0, 4), (2.0, 2), (1.0, 0))]
    assert newest_first(rows, 2.0).tolist() == [1.0, 1.0, 0.25]
    assert newest_first(rows, 0.0).tolist() == [1.0, 2.0, 1.0]


def test_a_mix_is_learnt_from_with_its_weight(policy: Path, tmp_path: Path) -> None:
    world = World()
    config = {
        **asked(policy, ["sft"]),
        "mix": [
            {"path": "mix-0-demonstrations.parquet", "weight": 3},
            {"path": "mix-0-pairs.parquet", "weight": 0.5},
        ],
    }
    folder = prepare(
        tmp_path / "run",
        config,
        pairs=world.pairs(3),
        **{"mix-0-demonstrations": world.demonstrations(5), "mix-0-pairs": world.pairs(2)},
    )
    mix = read_config(folder).mix  # type: ignore[union-attr]
    assert [row.weight for row in read_demonstrations(folder, mix)] == [3.0] * 5
    assert [row.weight for row in read_pairs(folder, mix)] == [1.0] * 3 + [0.5] * 2
    assert train(folder)["stages"][0]["examples"] == 3  # of five, one tests and one validates


def test_how_strong_a_verdict_was_counts_once(tmp_path: Path) -> None:
    rows = [
        {**World().pair(0), "probability": sure, "verdict": verdict, "points": 7}
        for sure, verdict in ((0.6, 1), (1.0, 3))
    ]
    pairs = read_pairs(prepare(tmp_path, {}, pairs=rows))
    assert [found.tolist() for found in dpo_labels(pairs, 0.0)] == [[0.6, 1.0], [0.0, 0.0]]
    assert [found.tolist() for found in dpo_labels(pairs, 0.5)] == [[1.0, 1.0], [0.5, 1.5]]


def test_kept_references_are_the_same_to_the_last_bit(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = load_policy_model(str(policy))
    encoder = Encoder(tokenizer, 64)
    talk = [{"role": "user", "content": "how long do i boil rain"}]
    replies = [encoder.reply(talk, World(n).sentence()) for n in range(30)]

    def ask(rows: Any, cache: str) -> Any:
        return reference_log_probs(str(policy), rows, 1, tmp_path / cache, lambda done, total: None)

    at_once = ask(replies, "a")
    assert at_once == pytest.approx(score_replies(model, replies, 1), abs=0.05)
    ask(replies[::3], "b")
    scored: list[int] = []

    def counted(*given: Any) -> torch.Tensor:
        scored.append(len(given[1]))
        return reply_log_probs(*given)

    monkeypatch.setattr(reference, "reply_log_probs", counted)
    assert np.array_equal(ask(replies, "b"), at_once)
    assert sum(scored) == 20
    assert np.array_equal(ask(replies[::-1], "b"), at_once[::-1])
    assert sum(scored) == 20


def test_a_run_done_again_gives_the_same_policy_bit_for_bit(
    policy: Path, judge: Path, tmp_path: Path
) -> None:
    files = {
        "pairs": World().pairs(24),
        "demonstrations": World().demonstrations(24),
        "prompts": World().prompts(32),
    }
    config = asked(policy, ["sft", "dpo", "best_of_n"], judge, best_of_prompts=16, evaluation_prompts=4)
    folders = [prepare(tmp_path / place / "run", config, **files) for place in ("first", "second")]
    results = [train(folder) for folder in folders]
    for name, tensor in weights(folders[0]).items():
        assert torch.equal(tensor, weights(folders[1])[name]), name
    assert [(folder / "metrics.jsonl").read_text() for folder in folders[1:]] == [
        (folders[0] / "metrics.jsonl").read_text()
    ]
    assert results[0]["proxy"] == results[1]["proxy"]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"tuning": "top"}, "tuning must be one of full, lora"),
        ({"rl": "ppo"}, "rl must be one of rloo, grpo"),
        ({"stages": ["rl"], "reward_model": None}, "the stage rl needs a reward_model"),
        ({"stages": ["rl"], "hyper": {"rl_samples": 3}}, "batch_size must be a multiple of rl_samples"),
        ({"mix": [{"path": "edits.parquet", "weight": 1}]}, "mix must list files"),
        ({"mix": [{"path": "a-pairs.parquet", "weight": -1}]}, "weight of a-pairs.parquet"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(tmp_path: Path, config: dict[str, Any], says: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    whole = {"kind": "policy", "parent": "p", "reward_model": "r", "stages": ["sft"], **config}
    (folder / "config.json").write_text(json.dumps(whole))
    with pytest.raises(EngineError, match=says):
        read_config(folder)


def test_rows_read_in_halves_by_length_keep_their_places(policy: Path) -> None:
    model, tokenizer = load_policy_model(str(policy))
    model.eval()
    encoder = Encoder(tokenizer, 64)
    talk = [{"role": "user", "content": "how long do i boil rain"}]
    replies = [encoder.reply(talk, " ".join(["rain"] * n)) for n in (9, 1, 5, 30, 2)]
    with torch.no_grad():
        together = reply_log_probs(model, replies, 1)
        for count in (1, 2, 5):
            halved = halved_log_probs(model, replies[:count], 1)
            assert halved.tolist() == pytest.approx(together[:count].tolist(), abs=0.05)
