"""Fit a reward model to preferences: Bradley–Terry on a scalar head (Ouyang et al. 2022, section 3.5)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from training.engine import report
from training.engine.config import EngineError, RewardConfig, RewardHyper
from training.engine.data import SPLITS, Encoder, Indices, Pair, batches, hold_out_raters, read_pairs
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
    pairs = hold_out_raters(read_pairs(run.path), config.hyper.held_out_raters)
    parts = {
        name: [pair for pair in pairs if pair.split == name and not (pair.rater_held_out and name != "test")]
        for name in SPLITS
    }
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
    result = report.write(run, config, parts)
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
        probability = report.probabilities(parts["validation"])
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
