"""What a reward model is worth: its saved checkpoint tested on votes that it wasn't fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models_app.backends.transformers import TransformersRewardModel, load_reward_model
from preferences.calibration import BINS, calibration_error, fit_temperature, reliability_table
from preferences.intervals import RESAMPLES, encode_clusters, percentile_interval, resample_totals
from preferences.types import Estimate
from training.engine import evaluation, held_out
from training.engine.config import RewardConfig
from training.engine.data import Pair
from training.engine.evaluation import Floats
from training.engine.held_out import HeldOut, conversations, figure
from training.engine.learning_curve import learning_curve
from training.engine.run_dir import RunDir

MIN_TEMPERATURE_VOTES = 50
INVARIANCE_SAMPLE = 64  # answers


def write(run: RunDir, config: RewardConfig, parts: dict[str, list[Pair]]) -> dict[str, Any]:
    """Test the saved model as it will be used; writes test_votes.parquet and returns the result's figures.

    Whatever is chosen (an epoch, the temperature) is chosen on validation votes; figures are of test votes.
    """
    judge = load_reward_model(str(run.model))
    validation, test = (HeldOut(parts[name], _rewards(judge, parts[name])) for name in ("validation", "test"))
    run.check_stop()
    _write_test_votes(run, config, test)
    shown = test if len(test.pairs) else HeldOut(parts["train"], _rewards(judge, parts["train"]))
    lengths = evaluation.words([text for pair in shown.pairs for text in (pair.chosen, pair.rejected)])
    everything = [pair for part in parts.values() for pair in part]
    return {
        "kind": "reward",
        **{
            name: evaluation.accuracy(part.probability, part.margin, part.prompts.tolist())
            for name, part in (("validation", validation), ("test", test))
        },
        "test_votes": "test_votes.parquet",
        "ece": evaluation.expected_calibration_error(test.probability, test.margin),
        "length_baseline": evaluation.length_baseline(
            probabilities(parts["train"]),
            held_out.word_difference(parts["train"]),
            test.probability,
            test.more_words,
            test.prompts.tolist(),
        ),
        "reward_length_correlation": evaluation.correlation(shown.rewards.ravel(), lengths),
        "reward_mean": float(shown.rewards.mean()),
        "reward_deviation": float(shown.rewards.std()),
        "report": {
            **held_out.by_group(test),
            "newest_round": held_out.newest_round(test, everything),
            **held_out.reach(test, everything),
            "calibration": calibration(validation, test),
            "length": held_out.length(parts["train"], test),
            "learning_curve": learning_curve(run, config, parts),
            "invariance": invariance(judge, shown.pairs, config.seed),
        },
    }


def probabilities(pairs: Sequence[Pair]) -> Floats:
    """Return how likely each pair's chosen answer is the preferred one."""
    return np.array([pair.probability for pair in pairs], dtype=np.float64)


def calibration(validation: HeldOut, test: HeldOut) -> dict[str, Any]:
    """Fit one temperature to the clear validation votes, and hold claims against test votes with and without.

    `by_chance` is the error that a perfectly calibrated model would show on as many votes.
    """
    temperature, why = 1.0, ""
    if validation.clear.sum() < MIN_TEMPERATURE_VOTES:
        why = "there are too few validation votes to fit a temperature"
    else:
        temperature = fit_temperature(validation.margin[validation.clear], _preferred(validation))
    found: dict[str, Any] = {"temperature": temperature, "n": int(validation.clear.sum())}
    if why:
        found["why"] = why
    for name, heat in (("before", 1.0), ("after", temperature)):
        estimate, bins = _calibration_error(test, heat)
        found[name] = {**figure(estimate), "bins": bins}
    found["by_chance"] = _error_by_chance(test, temperature)
    return found


def _preferred(part: HeldOut) -> Floats:
    return (part.probability[part.clear] > 0.5).astype(np.float64)


def _calibration_error(part: HeldOut, heat: float) -> tuple[Estimate, list[dict[str, Any]]]:
    n = int(part.clear.sum())
    if n < evaluation.MIN_CALIBRATION_VOTES:
        return Estimate(None, None, n, "a calibration error needs at least 100 test votes"), []
    margin, said = part.margin[part.clear] / heat, _preferred(part)
    table = reliability_table(margin, said)
    codes, prompts = encode_clusters(part.prompts[part.clear].tolist())
    claimed = 1 / (1 + np.exp(-np.abs(margin)))
    place = np.minimum(((claimed - 0.5) * 2 * BINS).astype(np.intp), BINS - 1)
    gap = claimed - evaluation.hits(said, margin)
    cells = np.bincount(codes * BINS + place, gap, prompts * BINS).reshape(prompts, BINS)
    totals = resample_totals(np.column_stack([cells, np.bincount(codes)]), RESAMPLES, 0)
    draws = np.abs(totals[:, :-1]).sum(axis=1) / totals[:, -1]
    return Estimate(calibration_error(table), percentile_interval(draws, 0.95), n), [asdict(b) for b in table]


def _error_by_chance(part: HeldOut, heat: float) -> float | None:
    if part.clear.sum() < evaluation.MIN_CALIBRATION_VOTES:
        return None
    margin, rng = part.margin[part.clear] / heat, np.random.default_rng(0)
    right = 1 / (1 + np.exp(-margin))
    errors = [
        calibration_error(reliability_table(margin, (rng.random(len(margin)) < right).astype(np.float64)))
        for _ in range(100)
    ]
    return float(np.mean(errors))


def invariance(judge: TransformersRewardModel, pairs: Sequence[Pair], seed: int) -> dict[str, Any]:
    """Score answers together, shuffled, and one by one; returns the greatest difference between the two."""
    drawn = np.random.default_rng(seed).permutation(len(pairs))[: INVARIANCE_SAMPLE // 2]
    talks = conversations([pairs[i] for i in drawn])
    order = np.random.default_rng(seed).permutation(len(talks))
    together = np.zeros(len(talks))
    together[order] = judge.score([talks[i] for i in order])
    alone = np.array([judge.score([talk])[0] for talk in talks])
    return {"greatest": float(np.abs(together - alone).max()), "n": len(talks)}


def _rewards(judge: TransformersRewardModel, pairs: Sequence[Pair]) -> Floats:
    """Score both sides of pairs, an answer that many votes are on once; returns (pairs, 2)."""
    talks, sides = held_out.distinct_conversations(pairs)
    return np.array(judge.score(talks), dtype=np.float64)[sides]


def _write_test_votes(run: RunDir, config: RewardConfig, test: HeldOut) -> None:
    """Write each test vote with the new model's margin, and the champion's where there is one."""
    pairs = test.pairs
    table = {
        "prompt_id": pa.array([pair.prompt_id for pair in pairs], pa.string()),
        "rater": pa.array([pair.rater for pair in pairs], pa.string()),
        "rater_held_out": pa.array([pair.rater_held_out for pair in pairs], pa.bool_()),
        "round": pa.array([pair.round for pair in pairs], pa.int64()),
        "probability": pa.array([pair.probability for pair in pairs], pa.float64()),
        "verdict": pa.array([pair.verdict for pair in pairs], pa.int64()),
        "words_chosen": pa.array(evaluation.words([pair.chosen for pair in pairs]).astype(int), pa.int64()),
        "words_rejected": pa.array(evaluation.words([p.rejected for p in pairs]).astype(int), pa.int64()),
        "skills": pa.array([list(pair.skills) for pair in pairs], pa.list_(pa.string())),
        "margin": pa.array(test.margin, pa.float64()),
    }
    if config.champion is not None:
        champion = _rewards(load_reward_model(config.champion), pairs)
        table["champion_margin"] = pa.array(champion[:, 0] - champion[:, 1], pa.float64())
    pq.write_table(pa.table(table), run.path / "test_votes.parquet")
