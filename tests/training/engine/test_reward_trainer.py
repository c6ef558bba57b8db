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
from transformers import LlamaConfig, LlamaForSequenceClassification

from models_app.backends.transformers import load_reward_model
from tests.training.engine.conftest import World, metrics, prepare, start, weights
from training.engine.__main__ import main
from training.engine.batching import encode
from training.engine.config import RewardConfig, RewardHyper, read_config
from training.engine.data import Encoder, read_pairs
from training.engine.optimisation import Resume, fit
from training.engine.preference import terms
from training.engine.reward_model import grow_reward_model, score
from training.engine.reward_trainer import _read, optimisation, preference_loss
from training.engine.run_dir import RunDir


def train(folder: Path) -> dict[str, Any]:
    assert main([str(folder)]) == 0, (folder / "error.txt").read_text()
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def failure(folder: Path) -> str:
    assert main([str(folder)]) == 1
    assert not (folder / "result.json").exists()
    return (folder / "error.txt").read_text()


def test_a_planted_preference_is_learnt(policy: Path, tmp_path: Path) -> None:
    pairs = World().pairs(400)
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=pairs)
    result = train(folder)
    test = [pair for pair in pairs if pair["split"] == "test"]
    assert result["test"]["n"] == sum(pair["probability"] != 0.5 for pair in test)
    assert result["test"]["accuracy"] > 0.9
    assert result["test"]["interval"][0] > 0.8
    assert result["test"]["accuracy"] > result["length_baseline"]["accuracy"]
    assert abs(result["reward_mean"]) < 1
    loss = metrics(folder, "reward/loss")
    assert np.mean(loss[-10:]) < np.mean(loss[:10])
    votes = pq.read_table(folder / result["test_votes"])
    assert votes.num_rows == len(test)
    assert {"prompt_id", "rater", "round", "probability", "verdict", "margin"} <= set(votes.column_names)
    assert (folder / "heartbeat").exists()
    assert json.loads((folder / "progress.json").read_text())["stage"] == "testing"
    assert not (folder / "checkpoint").exists()


def test_the_saved_model_scores_as_it_was_tested(policy: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=World().pairs(80))
    train(folder)
    judge = load_reward_model(str(folder / "model"))
    test = [pair for pair in read_pairs(folder) if pair.split == "test"]
    scores = [
        judge.score([[*p.messages, {"role": "assistant", "content": getattr(p, side)}] for p in test])
        for side in ("chosen", "rejected")
    ]
    margin = np.array(scores[0]) - np.array(scores[1])
    tested = np.array(pq.read_table(folder / "test_votes.parquet")["margin"])
    assert margin == pytest.approx(tested, abs=1e-5)


def test_conversations_are_scored_with_all_their_turns(policy: Path, tmp_path: Path) -> None:
    """What tells the sides apart stands before the last answer, which is the same on both."""
    world, pairs = World(), []
    for pair in world.pairs(320):
        last = world.sentence()
        sides = {side: [pair[side], "soup", last] for side in ("chosen", "rejected")}
        pairs.append(
            pair
            | dict.fromkeys(sides, last)
            | {
                f"{side}_turns": json.dumps(
                    [
                        {"role": r, "content": t}
                        for r, t in zip(("assistant", "user", "assistant"), talk, strict=True)
                    ]
                )
                for side, talk in sides.items()
            }
        )
    config = {"kind": "reward", "trunk": str(policy), "hyper": {"learning_rate": 1e-3}}
    folder = prepare(tmp_path / "run", config, pairs=pairs)
    assert train(folder)["test"]["accuracy"] > 0.8


def test_an_encoder_without_chat_template_becomes_a_reward_model(encoder_trunk: Path, tmp_path: Path) -> None:
    config = {"kind": "reward", "trunk": str(encoder_trunk), "hyper": {"learning_rate": 1e-3}}
    folder = prepare(tmp_path / "run", config, pairs=World().pairs(400))
    assert train(folder)["test"]["accuracy"] > 0.8


def test_a_reward_model_goes_on_from_another(policy: Path, tmp_path: Path) -> None:
    pairs = World().pairs(120)
    train(prepare(tmp_path / "first", {"kind": "reward", "trunk": str(policy)}, pairs=pairs))
    first = str(tmp_path / "first" / "model")
    config = {"kind": "reward", "trunk": first, "champion": first, "hyper": {"epochs": 1}}
    train(prepare(tmp_path / "second", config, pairs=pairs))
    old = pq.read_table(tmp_path / "first" / "test_votes.parquet")
    new = pq.read_table(tmp_path / "second" / "test_votes.parquet")
    assert new["champion_margin"].to_pylist() == pytest.approx(old["margin"].to_pylist(), abs=1e-5)
    losses = [metrics(tmp_path / name, "reward/loss") for name in ("first", "second")]
    assert losses[1][0] < losses[0][0]


def test_accumulating_changes_nothing(policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    pairs = World().pairs(64)
    trained = []
    for name, size in (("whole", 8), ("single", 1)):
        config = {
            "kind": "reward",
            "trunk": str(policy),
            "hyper": {"epochs": 2, "batch_size": 8, "micro_batch_size": size},
        }
        train(prepare(tmp_path / name, config, pairs=pairs))
        trained.append(weights(tmp_path / name))
    for name, tensor in trained[0].items():
        assert torch.allclose(tensor, trained[1][name], atol=2e-4), name


def test_padding_and_order_change_no_score(policy: Path) -> None:
    model, tokenizer, _ = grow_reward_model(str(policy), 0)
    encoder = Encoder(tokenizer, 64)
    world = World(3)
    rows = [
        encoder.conversation([{"role": "user", "content": "tea"}], world.sentence(1, 30)) for _ in range(40)
    ]
    together = score(model, rows)
    alone = np.array([score(model, [row])[0] for row in rows])
    assert together == pytest.approx(alone, abs=5e-3)
    assert score(model, rows[::-1])[::-1] == pytest.approx(together, abs=1e-6)


def test_weights_count_votes(policy: Path, tmp_path: Path) -> None:
    """A vote of weight 0 teaches nothing, however wrong it is."""
    pairs = World().pairs(64)
    wrong = [{**pair, "probability": 0.0, "weight": 0.0, "prompt_id": "x"} for pair in World(1).pairs(64)]
    folder = prepare(tmp_path, {"kind": "reward", "trunk": str(policy)}, pairs=pairs + wrong)
    rows = read_pairs(folder)
    model, tokenizer, _ = grow_reward_model(str(policy), 0)
    encoder = Encoder(tokenizer, 64)
    loss = preference_loss(model, encode(encoder, rows), terms(rows, None), 0.01)
    with torch.no_grad():
        assert float(loss(np.arange(64, 128))[0]) == 0.0
        assert float(loss(np.arange(64))[0]) > 0.0


def wait_for_steps(folder: Path, steps: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (folder / "metrics.jsonl").exists() and len(metrics(folder, "reward/loss")) >= steps:
            return
        time.sleep(0.02)
    raise AssertionError("the run took no steps")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_stopped_run_goes_on_to_the_same_model(
    policy: Path, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    # 45 validation votes: the choice between epochs is part of what must survive
    hyper = {"epochs": 5, "checkpoint_steps": 7, "min_validation_votes": 20}
    config = {"kind": "reward", "trunk": str(policy), "hyper": hyper}
    pairs = World().pairs(400)
    whole = prepare(tmp_path / "whole", config, pairs=pairs)
    broken = shutil.copytree(whole, tmp_path / "broken")
    process = start(broken)
    wait_for_steps(broken, 20)
    process.send_signal(sent)
    assert process.wait(60) == code, (broken / "log.txt").read_text()
    assert (broken / "checkpoint" / "state.pt").exists()
    taken = len(metrics(broken, "reward/loss"))
    with (broken / "metrics.jsonl").open("a") as file:
        file.write('{"step": 99')  # a line that the kill cut short
    first, second = start(whole), start(broken)
    assert first.wait(120) == 0
    assert second.wait(120) == 0
    assert taken < len(metrics(whole, "reward/loss"))
    assert (whole / "metrics.jsonl").read_text() == (broken / "metrics.jsonl").read_text()
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(broken)[name]), name


def test_a_finished_run_is_left_alone(policy: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=World().pairs(40))
    train(folder)
    before = (folder / "result.json").read_bytes()
    assert main([str(folder)]) == 0
    assert (folder / "result.json").read_bytes() == before


def test_without_held_out_votes_the_figures_are_null(policy: Path, tmp_path: Path) -> None:
    pairs = [{**pair, "split": "train"} for pair in World().pairs(40)]
    result = train(prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=pairs))
    assert result["test"]["accuracy"] is None
    assert "no votes" in result["test"]["why"]
    assert result["ece"] is None


def test_long_pairs_are_cut_and_counted(policy: Path, tmp_path: Path) -> None:
    pairs = World().pairs(40)
    pairs[2]["chosen"] = "gladly " * 300
    result = train(prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=pairs))
    assert result["truncated"] == 1
    assert result["dropped"] == 0


def test_failures_are_one_plain_sentence(policy: Path, tmp_path: Path) -> None:
    pairs = World().pairs(40)
    config = {"kind": "reward", "trunk": str(policy)}
    held_out = [pair for pair in pairs if pair["split"] != "train"]
    assert "no training pairs" in failure(prepare(tmp_path / "a", config, pairs=held_out))
    assert "no pairs.parquet" in failure(prepare(tmp_path / "b", config))
    missing = {"kind": "reward", "trunk": "/nowhere/model"}
    assert "no model at /nowhere/model" in failure(prepare(tmp_path / "c", missing, pairs=pairs))
    unknown = {**config, "hyper": {"speed": 1}}
    assert "'speed'" in failure(prepare(tmp_path / "d", unknown, pairs=pairs))
    wild = {**config, "hyper": {"learning_rate": 1e30, "clip": 0.0}}
    assert "learning rate" in failure(prepare(tmp_path / "e", wild, pairs=pairs))


def test_a_classifier_of_three_labels_is_refused(policy: Path, tmp_path: Path) -> None:
    trunk = tmp_path / "classifier"
    shutil.copytree(policy, trunk)
    config = LlamaConfig.from_pretrained(policy, num_labels=3)
    LlamaForSequenceClassification(config).save_pretrained(trunk)
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(trunk)}, pairs=World().pairs(40))
    assert "3 labels" in failure(folder)


def test_a_resume_point_of_other_data_is_refused(policy: Path, tmp_path: Path) -> None:
    config = {"kind": "reward", "trunk": str(policy), "hyper": {"checkpoint_steps": 1, "epochs": 50}}
    folder = prepare(tmp_path / "run", config, pairs=World().pairs(200))
    process = start(folder)
    wait_for_steps(folder, 5)
    process.terminate()
    assert process.wait(20) == 143
    prepare(folder, config, pairs=World(1).pairs(200))
    assert "other data" in failure(folder)
    (folder / "checkpoint" / "state.pt").write_bytes(b"nonsense")
    assert "cannot be read" in failure(folder)


def test_misuse_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no run directory" in capsys.readouterr().err


def test_the_best_epoch_wins_when_validation_can_tell(policy: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=World().pairs(64))
    model, tokenizer, _ = grow_reward_model(str(policy), 0)
    rows = [pair for pair in read_pairs(folder) if pair.split == "train"]
    encoder = Encoder(tokenizer, 64)
    answers = encode(encoder, rows)
    seen: list[torch.Tensor] = []
    scores = iter([0.1, 0.9, 0.2])

    def judge() -> float:
        seen.append(model.score.weight.detach().clone())
        return next(scores)

    plan = [np.arange(16)] * 6
    sizes = np.array([pair.weight for pair in rows])
    how = optimisation(RewardHyper(), 0)
    loss = preference_loss(model, answers, terms(rows, None), 0.01)
    fit(RunDir(folder), "reward", model, plan, sizes, loss, how, Resume(), judge, frozenset({2, 4, 6}))
    assert torch.equal(model.score.weight, seen[1])


def test_raters_kept_out_only_test(tmp_path: Path) -> None:
    pairs = [{**pair, "rater": f"r{n // 8}"} for n, pair in enumerate(World().pairs(400))]
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": "/t"}, pairs=pairs)
    config = read_config(folder)
    assert isinstance(config, RewardConfig)
    parts = _read(RunDir(folder), config)
    out = {pair.rater for pair in parts["test"] if pair.rater_held_out}
    assert out
    assert not out & {pair.rater for name in ("train", "validation") for pair in parts[name]}
    assert {pair.rater for pair in parts["test"]} == {f"r{n}" for n in range(50)}
