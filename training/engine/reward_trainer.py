"""Fit a reward model to preferences: Bradley–Terry on a scalar head (Ouyang et al. 2022, section 3.5)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.nn.functional import logsigmoid

from models_app.backends.transformers import TransformersRewardModel, load_reward_model
from training.engine import evaluation
from training.engine.config import EngineError, RewardConfig, RewardHyper
from training.engine.data import Encoder, Indices, Pair, batches, read_pairs
from training.engine.evaluation import Floats
from training.engine.linear_head import fit_head
from training.engine.optimisation import Figures, Loss, Optimisation, Resume, fit, load_resume
from training.engine.reward_model import forward, grow_reward_model, longest_input, score
from training.engine.run_dir import RunDir

TokenPair = tuple[list[int], list[int]]


def train_reward_model(run: RunDir, config: RewardConfig) -> None:
    """Fit, save and test a reward model; writes model/, test_votes.parquet and result.json.

    Raises EngineError when there is nothing to learn from, Cancelled when asked to stop.
    """
    began = time.monotonic()
    torch.set_num_threads(config.threads or torch.get_num_threads())
    run.progress(0, 1, "loading")
    pairs = read_pairs(run.path)
    parts = {name: [pair for pair in pairs if pair.split == name] for name in ("train", "validation", "test")}
    if not any(pair.weight for pair in parts["train"]):
        raise EngineError("The snapshot has no training pairs; a reward model needs some.")
    resume = load_resume(run)
    model, tokenizer, fresh = grow_reward_model(config.trunk, config.seed)
    if resume.model:
        model.load_state_dict(resume.model)
    encoder = Encoder(tokenizer, longest_input(model, tokenizer, config.hyper.max_length))
    tokens = {name: [_encode(encoder, pair) for pair in parts[name]] for name in ("train", "validation")}
    if fresh and not resume.step:
        run.progress(0, 1, "fitting the head")
        fit_head(model, tokens["train"], parts["train"], config.seed)
    _fit(run, config, model, parts, tokens, resume)
    run.check_stop()
    run.progress(0, 1, "testing")
    model.save_pretrained(run.model)
    tokenizer.save_pretrained(run.model)
    result = _report(run, config, parts)
    run.finish(
        {
            **result,
            "truncated": encoder.truncated,
            "dropped": 0,
            "steps": resume.total_step,
            "seconds": round(time.monotonic() - began, 2),
        }
    )


def preference_loss(model: Any, tokens: Sequence[TokenPair], pairs: Sequence[Pair], centre: float) -> Loss:
    """Build the loss of pairs, −p·log σ(d) − (1−p)·log σ(−d), d the difference of scores.

    Both sides go through one forward. `centre` weighs the squared mean score of a pair, which the
    preferences themselves leave free.
    """
    probability = torch.tensor([pair.probability for pair in pairs])
    weight = torch.tensor([pair.weight for pair in pairs])

    def loss(batch: Indices) -> tuple[torch.Tensor, Figures]:
        scores = forward(model, [tokens[i][0] for i in batch] + [tokens[i][1] for i in batch])
        chosen, rejected = scores.chunk(2)
        margin = chosen - rejected
        p, w = probability[batch].to(margin), weight[batch].to(margin)
        nll = -p * logsigmoid(margin) - (1 - p) * logsigmoid(-margin)
        agree = ((margin > 0) == (p > 0.5)).float()
        figures = {"accuracy": float((w * agree).sum()), "margin": float((w * margin.detach()).sum())}
        return (w * (nll + centre * ((chosen + rejected) / 2) ** 2)).sum(), figures

    return loss


def _encode(encoder: Encoder, pair: Pair) -> TokenPair:
    return (
        encoder.conversation(pair.before_chosen, pair.chosen),
        encoder.conversation(pair.before_rejected, pair.rejected),
    )


def optimisation(hyper: RewardHyper, seed: int) -> Optimisation:
    """Take the optimiser's settings from a reward model's."""
    return Optimisation(
        learning_rate=hyper.learning_rate,
        warmup=hyper.warmup,
        weight_decay=hyper.weight_decay,
        clip=hyper.clip,
        micro_batch_size=hyper.micro_batch_size,
        checkpoint_steps=hyper.checkpoint_steps,
        seed=seed,
        average_from=hyper.average_from,
    )


def _fit(
    run: RunDir,
    config: RewardConfig,
    model: Any,
    parts: dict[str, list[Pair]],
    tokens: dict[str, list[TokenPair]],
    resume: Resume,
) -> None:
    hyper = config.hyper
    train = parts["train"]
    lengths = [max(map(len, pair)) for pair in tokens["train"]]
    epochs = [batches(lengths, hyper.batch_size, config.seed, epoch) for epoch in range(hyper.epochs)]
    ends = frozenset(int(end) for end in np.cumsum([len(epoch) for epoch in epochs]))
    votes = sum(pair.probability != 0.5 for pair in parts["validation"])

    def validate() -> float:
        scores = score(model, [side for pair in tokens["validation"] for side in pair])
        margin = scores[::2] - scores[1::2]
        probability = _probabilities(parts["validation"])
        nll = probability * np.logaddexp(0, -margin) + (1 - probability) * np.logaddexp(0, margin)
        return -float(np.average(nll, weights=[max(pair.weight, 1e-12) for pair in parts["validation"]]))

    fit(
        run,
        "reward",
        model,
        [batch for epoch in epochs for batch in epoch],
        np.array([pair.weight for pair in train]),
        preference_loss(model, tokens["train"], train, hyper.centre),
        optimisation(hyper, config.seed),
        resume,
        score=validate if votes >= hyper.min_validation_votes else None,
        score_after=ends,
    )


def _probabilities(pairs: Sequence[Pair]) -> Floats:
    return np.array([pair.probability for pair in pairs], dtype=np.float64)


def _report(run: RunDir, config: RewardConfig, parts: dict[str, list[Pair]]) -> dict[str, Any]:
    """Test the saved model as it will be used; writes test_votes.parquet and returns the result's figures."""
    figures: dict[str, Any] = {"kind": "reward"}
    judge = load_reward_model(str(run.model))
    rewards = {name: _rewards(judge, parts[name]) for name in ("validation", "test")}
    for name, found in rewards.items():
        prompts = [pair.prompt_id for pair in parts[name]]
        figures[name] = evaluation.accuracy(_probabilities(parts[name]), found[:, 0] - found[:, 1], prompts)
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
        "ece": evaluation.expected_calibration_error(_probabilities(test), margin),
        "length_baseline": evaluation.length_baseline(
            _probabilities(parts["train"]),
            _word_difference(parts["train"]),
            _probabilities(test),
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
