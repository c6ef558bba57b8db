from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.training.engine.conftest import World, prepare
from training.engine import criteria
from training.engine.__main__ import main as engine
from training.engine.batching import encode
from training.engine.data import Encoder, read_pairs
from training.engine.reward_model import features, grow_reward_model


def graded(count: int) -> list[dict[str, object]]:
    """Answers with more soup are graded higher by "filling", whichever is preferred."""
    pairs = []
    for number, pair in enumerate(World().pairs(count)):
        for side in ("chosen", "rejected"):
            pair[side] += " soup" * ((number + (side == "chosen")) % 2 * 2)
        more = pair["chosen"].split().count("soup") - pair["rejected"].split().count("soup")
        grades = {"filling": float(np.clip(more, -3, 3)), "rare": float(number == 0)}
        pairs.append({**pair, "criteria": json.dumps(grades)})
    return pairs


def test_a_run_learns_criteria_beside_the_reward(policy: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=graded(240))
    assert engine([str(folder)]) == 0, (folder / "error.txt").read_text()
    filling, rare = json.loads((folder / "result.json").read_text())["criteria"]
    assert (filling["group"], rare["group"]) == ("filling", "rare")
    assert filling["value"] > 0.8
    assert filling["interval"][0] > 0.6
    assert filling["n"] == 30
    assert rare["value"] is None
    assert "too few" in rare["why"]
    held = load_file(folder / "model" / criteria.WEIGHTS)
    names = json.loads((folder / "model" / criteria.NAMES).read_text())
    assert names == {"criteria": ["filling"]}
    assert held["weight"].shape == (1, 32)
    assert json.loads((folder / "model" / "config.json").read_text()).get("num_labels", 1) == 1


def test_saved_heads_say_what_they_said(policy: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=graded(80))
    pairs = read_pairs(folder)
    model, tokenizer, _ = grow_reward_model(str(policy), 0)
    answers = encode(Encoder(tokenizer, 64), pairs)
    heads = criteria.fit_heads(model, pairs, answers, 0.0, 1000, 0)
    criteria.save(heads, tmp_path)
    held = load_file(tmp_path / criteria.WEIGHTS)
    said = features(model, answers.rows) @ held["weight"].numpy().T + held["bias"].numpy()
    margin = said[answers.sides[:, 0], 0] - said[answers.sides[:, 1], 0]
    right = np.sign(margin) == np.sign([pair.criteria["filling"] for pair in pairs])
    assert right.mean() > 0.8
    assert said.mean() == pytest.approx(0.0, abs=0.5)
    assert criteria.fit_heads(model, pairs[:3], encode(Encoder(tokenizer, 64), pairs[:3]), 0.0, 9, 0) == {}
