from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.engine.config import EngineError, PolicyConfig, RewardConfig, RewardHyper, read_config

POLICY = {"kind": "policy", "parent": "/p", "stages": ["sft"]}


def write(folder: Path, content: Any) -> Path:
    (folder / "config.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_defaults_and_overrides(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, {"kind": "reward", "trunk": "/t", "hyper": {"epochs": 3}}))
    assert isinstance(config, RewardConfig)
    assert config.hyper.epochs == 3
    assert config.seed == 0
    assert config.threads is None
    assert (config.tuning, config.loss) == ("full", "ordinal")
    hyper = {"length_preference": 0.0}
    config = read_config(write(tmp_path, {"kind": "reward", "trunk": "/t", "hyper": hyper}))
    assert config.hyper == RewardHyper(length_preference=0.0)
    assert RewardHyper().length_preference is None


def test_keys_of_the_other_kind_may_be_null(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, {**POLICY, "trunk": None, "reward_model": None}))
    assert isinstance(config, PolicyConfig)
    assert config.stages == ("sft",)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "JSON"),
        ([], "object"),
        ({"kind": "magic"}, "kind"),
        ({"kind": "reward"}, "trunk"),
        ({"kind": "reward", "trunk": "/t", "parent": "/p"}, "'parent'"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"lr": 1}}, "'lr'"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"epochs": 0}}, "epochs"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"epochs": 1.5}}, "epochs"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"learning_rate": True}}, "learning_rate"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"warmup": 2}}, "warmup"),
        ({"kind": "reward", "trunk": "/t", "seed": -1}, "seed"),
        ({"kind": "reward", "trunk": "/t", "threads": 0}, "threads"),
        ({"kind": "reward", "trunk": "/t", "hyper": []}, "hyper"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"epochs": None}}, "epochs"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"held_out_raters": 0.6}}, "held_out_raters"),
        ({"kind": "reward", "trunk": "/t", "hyper": {"length_preference": "long"}}, "length_preference"),
        ({"kind": "reward", "trunk": "/t", "tuning": "some"}, "tuning"),
        ({"kind": "reward", "trunk": "/t", "loss": ["binary"]}, "loss"),
        ({**POLICY, "loss": "ordinal"}, "'loss'"),
        ({**POLICY, "stages": []}, "stages"),
        ({**POLICY, "stages": ["ppo"]}, "stages"),
        ({**POLICY, "stages": ["dpo", "sft"]}, "order"),
        ({**POLICY, "stages": ["best_of_n"]}, "reward_model"),
    ],
)
def test_a_wrong_config_is_named(tmp_path: Path, content: Any, named: str) -> None:
    with pytest.raises(EngineError, match=named):
        read_config(write(tmp_path, content))


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"config\.json"):
        read_config(tmp_path)
