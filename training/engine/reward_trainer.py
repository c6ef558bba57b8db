"""Fit a reward model to preferences by the ordinal model of raters, or by Bradley–Terry on soft labels."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from training.engine import criteria, preference, ranks, report, tuning
from training.engine.batching import Answers, batches, encode, splitter
from training.engine.config import EngineError, RewardConfig, RewardHyper
from training.engine.data import SPLITS, Encoder, Indices, Pair, hold_out_raters, read_pairs
from training.engine.evaluation import Floats
from training.engine.features import embed
from training.engine.optimisation import (
    Figures,
    Loss,
    Optimisation,
    Resume,
    device,
    fit,
    load_resume,
    restore,
)
from training.engine.preference import Raters, Terms
from training.engine.prefixes import forward_sharing, prefixes, shares
from training.engine.reward_model import forward, grow_reward_model, longest_input, reward_head, score
from training.engine.run_dir import RunDir

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
PROCESSOR_TOKENS = 4096  # padded ones of a forward: with more, a processor needs memory and gains no speed
PROBE_PAIRS = 4000  # more hardly move a linear head, and tell little more of raters

Parts = dict[str, list[Pair]]


def train_reward_model(run: RunDir, config: RewardConfig) -> None:
    """Fit, save and test a reward model; writes model/, test_votes.parquet and result.json.

    Raises EngineError when there is nothing to learn from, Cancelled when asked to stop.
    """
    began = time.monotonic()
    _return_large_blocks()
    torch.set_num_threads(config.threads or torch.get_num_threads())
    ranks.join()
    run.progress(0, 1, "loading")
    parts = _read(run, config)
    resume = load_resume(run)
    model, tokenizer, fresh = grow_reward_model(config.trunk, config.seed)
    _drop_nothing(model)
    encoder = Encoder(tokenizer, longest_input(model, tokenizer, config.hyper.max_length))
    answers = {name: encode(encoder, parts[name]) for name in ("train", "validation")}
    raters = _start(run, config, model, parts["train"], answers["train"], resume, fresh)
    votes = {name: preference.terms(parts[name], raters, config.hyper.length_preference) for name in answers}
    if config.tuning != "frozen":
        rows = [row for part in answers.values() for row in part.rows]
        model = tuning.apply(model, config, rows, lambda done, total: run.progress(done, total, "reading"))
        if resume.model:
            restore(model, resume.model)
        _return_memory()
        _fit(run, config, model, parts, answers, votes, resume)
        model = tuning.plain(model)
    run.check_stop()
    if ranks.rank():
        return
    run.progress(0, 1, "testing")
    model.save_pretrained(run.model)
    tokenizer.save_pretrained(run.model)
    figures = _criteria(run, config, model, encoder, parts, answers["train"])
    _return_memory()
    result = report.write(run, config, parts)
    run.finish(
        {
            **result,
            "tuning": config.tuning,
            "loss": config.loss,
            "raters": raters.summary() if raters else None,
            "criteria": figures,
            "truncated": encoder.truncated,
            "dropped": 0,
            "steps": resume.total_step,
            "seconds": round(time.monotonic() - began, 2),
        }
    )


def _return_large_blocks() -> None:
    """Have glibc map tensors of 8 MB and more apart, so that steps of other lengths leave no holes.

    It took 5 to 14 % off the peak of memory, for 6 to 17 % of a step's time.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, 8 << 20)
        set_option(M_TRIM_THRESHOLD, 256 << 20)


def _return_memory() -> None:
    """Give back what was freed, which glibc keeps, before a part that takes much memory itself."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _read(run: RunDir, config: RewardConfig) -> Parts:
    pairs = hold_out_raters(read_pairs(run.path), config.hyper.held_out_raters)
    parts = {
        name: [pair for pair in pairs if pair.split == name and not (pair.rater_held_out and name != "test")]
        for name in SPLITS
    }
    if not any(pair.weight for pair in parts["train"]):
        raise EngineError("The snapshot has no training pairs; a reward model needs some.")
    return parts


def _drop_nothing(model: Any) -> None:
    """Train without dropout, as a model is later used: it took 17 to 36 % of a step's time on a processor."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def _start(
    run: RunDir,
    config: RewardConfig,
    model: Any,
    pairs: Sequence[Pair],
    answers: Answers,
    resume: Resume,
    fresh: bool,
) -> Raters | None:
    """Fit what needs no gradient of the trunk: the raters, and a linear head where that is new or all.

    A run that goes on keeps the raters that it began with.
    """
    if "raters" in resume.notes:
        known = resume.notes["raters"]
        return None if known is None else Raters(**known)
    heads = fresh or config.tuning == "frozen"
    if not heads and config.loss == "binary":
        return None
    read = _probed(answers, config.seed)
    with ranks.first_goes_first():
        features = embed(
            config.trunk,
            _conversations(pairs, answers, read),
            cache=run.features,
            max_length=config.hyper.max_length,
            progress=lambda done, total: run.progress(done, total, "reading"),
        )
    run.progress(0, 1, "fitting raters and head")
    raters = preference.fit_raters(pairs, answers.sides, read, features) if config.loss == "ordinal" else None
    if heads:
        votes = preference.terms(pairs, raters, config.hyper.length_preference)
        prompts = [pair.prompt_id for pair in pairs]
        _set_head(model, *preference.fit_linear_reward(features, read, answers.sides, votes, prompts))
    resume.notes["raters"] = asdict(raters) if raters else None
    return raters


def _probed(answers: Answers, seed: int) -> Indices:
    """Draw the answers that are read by the frozen trunk, those of PROBE_PAIRS pairs."""
    pairs = np.unique(answers.sides, axis=0)
    drawn = np.random.default_rng(seed).permutation(len(pairs))[:PROBE_PAIRS]
    return np.unique(pairs[drawn])


def _conversations(pairs: Sequence[Pair], answers: Answers, read: Indices) -> list[Any]:
    first: dict[int, Any] = {}
    for pair, (chosen, rejected) in zip(pairs, answers.sides.tolist(), strict=True):
        first.setdefault(chosen, (pair.before_chosen, pair.chosen))
        first.setdefault(rejected, (pair.before_rejected, pair.rejected))
    return [[*first[i][0], {"role": "assistant", "content": first[i][1]}] for i in read.tolist()]


def _criteria(
    run: RunDir, config: RewardConfig, model: Any, encoder: Encoder, parts: Parts, answers: Answers
) -> list[dict[str, Any]]:
    """Fit, save and test heads for the criteria that were graded; returns a figure for each."""
    test = [pair for pair in parts["test"] if pair.criteria]
    heads = criteria.fit_heads(
        model, parts["train"], answers, config.hyper.length_preference, PROBE_PAIRS, config.seed
    )
    if heads:
        criteria.save(heads, run.model)
    return criteria.accuracy(heads, model, test, encode(encoder, test))


def _set_head(model: Any, weights: Floats, offset: float) -> None:
    head = reward_head(model)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weights)[None])
        if head.bias is not None:
            head.bias.fill_(offset)


def preference_loss(
    model: Any, answers: Answers, votes: Terms, centre: float, common: Indices | None = None
) -> Loss:
    """Build the loss of votes (preference.Terms) on differences of scores.

    Each answer of a batch goes through the model once, however many votes are on it, and so does a prompt
    where `common` (answers,) says how many tokens of it its answers share. `centre` weighs the squared mean
    score of a vote's two answers, which the preferences themselves leave free.
    """
    held = {name: torch.from_numpy(array).float() for name, array in vars(votes).items()}

    def loss(batch: Indices) -> tuple[torch.Tensor, Figures]:
        distinct, place = np.unique(answers.sides[batch], return_inverse=True)
        rows = [answers.rows[i] for i in distinct]
        scores = None if common is None else forward_sharing(model, rows, common[distinct].tolist())
        if scores is None:
            scores = forward(model, rows)
        chosen, rejected = scores[torch.from_numpy(place.reshape(-1, 2)).to(scores.device)].unbind(1)
        margin = chosen - rejected
        v = {name: array[batch].to(margin) for name, array in held.items()}
        eta = v["ability"] * margin
        nll = -v["lost"] * logsigmoid(v["upper"] - eta) - v["won"] * logsigmoid(eta - v["lower"])
        agree = ((margin > 0) == (v["probability"] > 0.5)).float()
        w = v["weight"]
        figures = {"accuracy": float((w * agree).sum()), "margin": float((w * margin.detach()).sum())}
        return (w * (nll + centre * ((chosen + rejected) / 2) ** 2)).sum(), figures

    return loss


def optimisation(hyper: RewardHyper, seed: int, answers: Answers | None = None) -> Optimisation:
    """Take the optimiser's settings from a reward model's."""
    forward_tokens = 0 if device().type == "cuda" else PROCESSOR_TOKENS
    return Optimisation(
        learning_rate=hyper.learning_rate,
        warmup=hyper.warmup,
        weight_decay=hyper.weight_decay,
        clip=hyper.clip,
        micro_batch_size=hyper.micro_batch_size,
        checkpoint_steps=hyper.checkpoint_steps,
        seed=seed,
        average_from=hyper.average_from,
        split=splitter(answers, hyper.micro_batch_size, forward_tokens) if answers else None,
    )


def _fit(
    run: RunDir,
    config: RewardConfig,
    model: Any,
    parts: Parts,
    answers: dict[str, Answers],
    votes: dict[str, Terms],
    resume: Resume,
) -> None:
    hyper, train = config.hyper, answers["train"]
    prompts = [pair.prompt_id for pair in parts["train"]]
    epochs = [
        batches(train, prompts, hyper.batch_size, hyper.tokens_per_batch, config.seed, epoch)
        for epoch in range(hyper.epochs)
    ]
    ends = frozenset(int(end) for end in np.cumsum([len(epoch) for epoch in epochs]))
    common = prefixes(train.rows, train.sides, prompts) if shares(model) else None
    clear = sum(pair.probability != 0.5 for pair in parts["validation"])

    def validate() -> float:
        scores = score(model, answers["validation"].rows)
        margin = scores[answers["validation"].sides] @ [1.0, -1.0]
        held = votes["validation"]
        return -float(np.average(held.loss(margin)[0], weights=np.maximum(held.weight, 1e-12)))

    fit(
        run,
        "reward",
        model,
        [batch for epoch in epochs for batch in epoch],
        votes["train"].weight,
        preference_loss(model, train, votes["train"], hyper.centre, common),
        optimisation(hyper, config.seed, train),
        resume,
        score=validate if clear >= hyper.min_validation_votes else None,
        score_after=ends,
    )
