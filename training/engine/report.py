"""What a reward model is worth: its saved checkpoint tested on votes that it wasn't fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models_app.backends.transformers import TransformersRewardModel, load_reward_model
from training.engine import evaluation
from training.engine.config import RewardConfig
from training.engine.data import Pair
from training.engine.evaluation import Floats
from training.engine.run_dir import RunDir


def write(run: RunDir, config: RewardConfig, parts: dict[str, list[Pair]]) -> dict[str, Any]:
    """Test the saved model as it will be used; writes test_votes.parquet and returns the result's figures."""
    figures: dict[str, Any] = {"kind": "reward"}
    judge = load_reward_model(str(run.model))
    rewards = {name: _rewards(judge, parts[name]) for name in ("validation", "test")}
    for name, found in rewards.items():
        prompts = [pair.prompt_id for pair in parts[name]]
        figures[name] = evaluation.accuracy(probabilities(parts[name]), found[:, 0] - found[:, 1], prompts)
    run.check_stop()
    test = parts["test"]
    margin = rewards["test"][:, 0] - rewards["test"][:, 1]
    _write_test_votes(run, config, test, margin)
    shown = test or parts["train"]
    scores = rewards["test"] if test else _rewards(judge, shown)
    lengths = evaluation.words([text for pair in shown for text in (pair.chosen, pair.rejected)])
    return {
        **figures,
        "test_votes": "test_votes.parquet",
        "ece": evaluation.expected_calibration_error(probabilities(test), margin),
        "length_baseline": evaluation.length_baseline(
            probabilities(parts["train"]),
            _word_difference(parts["train"]),
            probabilities(test),
            _word_difference(test),
            [pair.prompt_id for pair in test],
        ),
        "reward_length_correlation": evaluation.correlation(scores.ravel(), lengths),
        "reward_mean": float(scores.mean()),
        "reward_deviation": float(scores.std()),
    }


def _rewards(judge: TransformersRewardModel, pairs: Sequence[Pair]) -> Floats:
    """Score both sides of pairs; returns (pairs, 2)."""
    found = judge.score(
        [
            [*before, {"role": "assistant", "content": text}]
            for pair in pairs
            for before, text in ((pair.before_chosen, pair.chosen), (pair.before_rejected, pair.rejected))
        ]
    )
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def _write_test_votes(run: RunDir, config: RewardConfig, test: Sequence[Pair], margin: Floats) -> None:
    """Write each test vote with the new model's margin, and the champion's where there is one."""
    table = {
        "prompt_id": pa.array([pair.prompt_id for pair in test], pa.string()),
        "rater": pa.array([pair.rater for pair in test], pa.string()),
        "round": pa.array([pair.round for pair in test], pa.int64()),
        "probability": pa.array([pair.probability for pair in test], pa.float64()),
        "margin": pa.array(margin, pa.float64()),
    }
    if config.champion is not None:
        champion = _rewards(load_reward_model(config.champion), test)
        table["champion_margin"] = pa.array(champion[:, 0] - champion[:, 1], pa.float64())
    pq.write_table(pa.table(table), run.path / "test_votes.parquet")


def _word_difference(pairs: Sequence[Pair]) -> Floats:
    return evaluation.words([p.chosen for p in pairs]) - evaluation.words([p.rejected for p in pairs])


def probabilities(pairs: Sequence[Pair]) -> Floats:
    """Return how likely each pair's chosen answer is the preferred one."""
    return np.array([pair.probability for pair in pairs], dtype=np.float64)
