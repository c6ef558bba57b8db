"""The policy as its own verifier: it learns from votes what is good, and can choose the best of n."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.engine.conftest import World, prepare
from training.engine.config import EngineError, PolicyConfig, read_config
from training.engine.policy_trainer import train_policy
from training.engine.run_dir import Cancelled, RunDir
from training.engine.verifier import load_verifier

HYPER = {
    "batch_size": 32, "verify_epochs": 5, "verify_learning_rate": 3e-3, "checkpoint_steps": 40,
    "best_of_prompts": 24, "best_of_samples": 4, "best_of_epochs": 1, "max_new_tokens": 8,
    "evaluation_prompts": 8,
}  # fmt: skip


def make(folder: Path, policy: Path, **config: Any) -> RunDir:
    world = World()
    given = {
        "kind": "policy", "parent": str(policy), "reward_model": None, "chooser": "verifier",
        "stages": ["verify", "best_of_n"], "hyper": HYPER, **config,
    }  # fmt: skip
    return RunDir(prepare(folder, given, pairs=world.pairs(320), prompts=world.prompts(40)))


def config_of(run: RunDir) -> PolicyConfig:
    config = read_config(run.path)
    assert isinstance(config, PolicyConfig)
    return config


def test_a_verifier_learns_what_people_prefer_and_chooses_by_it(policy: Path, tmp_path: Path) -> None:
    run = make(tmp_path / "run", policy)
    train_policy(run, config_of(run))
    result = json.loads((run.path / "result.json").read_text())
    verify, best = result["stages"]
    assert (verify["name"], best["name"]) == ("verify", "best_of_n")
    worth = verify["verifier"]
    assert worth["accuracy"]["value"] > 0.9
    assert worth["accuracy"]["n"] > 30
    assert worth["calibration"]["temperature"] > 0
    verifier = load_verifier(run, config_of(run))
    ask = {"role": "user", "content": "tell me about tea"}
    good, bad = verifier.score(
        [[ask, {"role": "assistant", "content": text}] for text in ("gladly gladly boil", "ugh no no")]
    )
    assert good > bad
    alone = verifier.score([[ask, {"role": "assistant", "content": "gladly gladly boil"}]])
    assert alone[0] == pytest.approx(good, abs=1e-4)
    assert best["best_of_4"] > best["best_of_1"]  # by what it chose with
    # the policy itself learnt from the chosen answers alone
    assert (run.path / "model" / "model.safetensors").stat().st_size > 0


def test_a_killed_verifier_ends_with_the_same_words(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = (
        make(
            tmp_path / name,
            policy,
            stages=["verify"],
            hyper={**HYPER, "verify_epochs": 1, "checkpoint_steps": 3},
        )
        for name in ("whole", "killed")
    )
    train_policy(whole, config_of(whole))
    progress = RunDir.progress

    def stop(self: RunDir, done: int, total: int, stage: str) -> None:
        progress(self, done, total, stage)
        if (stage, done) == ("verify", 7):
            self._stop.set()

    with monkeypatch.context() as patch:
        patch.setattr(RunDir, "progress", stop)
        with pytest.raises(Cancelled):
            train_policy(killed, config_of(killed))
    killed._stop.clear()
    train_policy(killed, config_of(killed))
    first, second = ((run.path / "verifier" / "model.safetensors").read_bytes() for run in (whole, killed))
    assert first == second


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"stages": ["best_of_n"]}, "needs the stage verify"),
        ({"stages": ["verify", "best_of_n"], "chooser": "reward"}, "needs a reward_model"),
        ({"chooser": "people"}, "chooser must be one of reward, verifier"),
    ],
)
def test_what_cannot_choose_is_said(policy: Path, tmp_path: Path, config: dict[str, Any], says: str) -> None:
    run = make(tmp_path / "run", policy, **config)
    with pytest.raises(EngineError, match=says):
        read_config(run.path)
