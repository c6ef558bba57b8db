"""One training loop for every objective: AdamW in steps of micro-batches, unmoved by a kill."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from training.engine import ranks
from training.engine.config import EngineError
from training.engine.data import Indices
from training.engine.evaluation import Floats
from training.engine.run_dir import Cancelled, RunDir

Weights = dict[str, torch.Tensor]
Figures = dict[str, float]
# the summed (not averaged) loss of some examples, and figures summed over them
Loss = Callable[[Indices], tuple[torch.Tensor, Figures]]


@dataclass(frozen=True)
class Optimisation:
    """Say how to optimise; weights are averaged over the steps after the share `average_from` (1: never)."""

    learning_rate: float
    warmup: float
    weight_decay: float
    clip: float
    micro_batch_size: int
    checkpoint_steps: int
    seed: int
    average_from: float = 1.0
    # parts a step's examples (whole, or one process's share) into what goes through the model at once
    split: Callable[[Indices], Sequence[Indices]] | None = None


@dataclass
class Resume:
    """Hold the resume point: where a run is, and all that its next step depends on."""

    stage: int = 0
    step: int = 0
    total_step: int = 0  # over all stages, the step of metrics
    model: Weights = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    average: Weights = field(default_factory=dict)
    averaged: int = 0
    best: Weights = field(default_factory=dict)
    best_score: float = -math.inf
    notes: dict[str, Any] = field(default_factory=dict)  # figures of finished stages


def load_resume(run: RunDir) -> Resume:
    """Read the resume point, or begin anew; raises EngineError when it belongs to another job."""
    path = run.work / "state.pt"
    if not path.exists():
        return Resume()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        mark = state.pop("fingerprint")
        resume = Resume(**state)
    except Exception as error:
        raise EngineError(f"The resume point {path} cannot be read: {error}") from None
    if mark != run.fingerprint:
        raise EngineError(
            "The resume point belongs to another configuration or other data; use a new folder."
        )
    return resume


def save_resume(run: RunDir, resume: Resume) -> None:
    """Write the resume point atomically."""
    content = {**resume.__dict__, "fingerprint": run.fingerprint}
    run.write_by(run.work / "state.pt", lambda file: torch.save(content, file))


def device() -> torch.device:
    """Choose the machine's accelerator, else its processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def attention() -> str:
    """Choose how attention is computed: processors train short texts 1.4 times as fast by the plain way."""
    return "sdpa" if torch.cuda.is_available() else "eager"


def autocast() -> AbstractContextManager[Any]:
    """Compute in bfloat16 where the hardware does, unless `accelerate launch --mixed_precision no` did it."""
    if os.environ.get("ACCELERATE_MIXED_PRECISION") == "no":
        return nullcontext()
    if torch.cuda.is_available():
        return torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported())
    if torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def fit(
    run: RunDir,
    stage: str,
    model: torch.nn.Module,
    plan: Sequence[Indices],
    sizes: Floats,
    loss: Loss,
    how: Optimisation,
    resume: Resume,
    score: Callable[[], float] | None = None,
    score_after: frozenset[int] = frozenset(),
) -> None:
    """Take the steps of `plan` that `resume` has not taken yet, and leave the model with its final weights.

    The model comes with the weights of the resume point. Each step minimises Σ loss / Σ sizes over its
    examples, whatever their micro-batches. After the steps in `score_after` the (averaged) weights are
    scored; with scores, the best of them become the final weights.
    Raises Cancelled, its resume point saved, when the run is asked to stop.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    ranks.agree(parameters)
    # a seventh of the plain one's time on a processor, which was 7 % of a step's
    optimizer = torch.optim.AdamW(_groups(model, how.weight_decay), lr=how.learning_rate, fused=True)
    if resume.optimizer:
        optimizer.load_state_dict(resume.optimizer)
    for step in range(resume.step, len(plan)):
        if ranks.any_of(run.stopping):
            _keep(run, resume, model, optimizer, step)
            raise Cancelled
        torch.manual_seed(how.seed * 1_000_003 + resume.total_step)  # dropout is a function of the step alone
        for group in optimizer.param_groups:
            group["lr"] = how.learning_rate * _schedule(step, len(plan), how.warmup)
        figures = _take(model, plan[step], sizes, loss, how)
        ranks.add_gradients(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, how.clip if how.clip else math.inf)
        run.metric(
            resume.total_step, **{f"{stage}/{k}": v for k, v in {**figures, "grad_norm": float(norm)}.items()}
        )
        optimizer.step()
        resume.step, resume.total_step = step + 1, resume.total_step + 1
        if step >= how.average_from * len(plan):
            _average(resume, model)
        if score is not None and resume.step in score_after:
            _try_best(run, stage, resume, model, score)
        run.progress(resume.step, len(plan), stage)
        if resume.step % how.checkpoint_steps == 0:
            _keep(run, resume, model, optimizer, resume.step)
    final = resume.best or resume.average
    if final:
        restore(model, final)
    model.zero_grad(set_to_none=True)


def _take(model: torch.nn.Module, batch: Indices, sizes: Floats, loss: Loss, how: Optimisation) -> Figures:
    """Accumulate this process's share of a step's gradient; returns figures averaged over all of the step."""
    model.train()
    model.zero_grad(set_to_none=True)
    size = max(float(sizes[batch].sum()), 1e-12)
    totals: Figures = {"loss": 0.0}
    for examples in _parts(np.array_split(batch, ranks.count())[ranks.rank()], how):
        part, figures = loss(examples)
        (part / size).backward()
        totals["loss"] += float(part.detach())
        for name, value in figures.items():
            totals[name] = totals.get(name, 0.0) + value
    totals = ranks.sums(totals)
    if not math.isfinite(totals["loss"]):
        raise EngineError("The loss became NaN or infinite; try a lower learning rate.")
    return {name: value / size for name, value in totals.items()}


def _parts(batch: Indices, how: Optimisation) -> Sequence[Indices]:
    if not len(batch):
        return []
    if how.split is not None:
        return how.split(batch)
    size = how.micro_batch_size
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def _groups(model: torch.nn.Module, decay: float) -> list[dict[str, Any]]:
    """Spare biases and norms the weight decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _schedule(step: int, total: int, warmup: float) -> float:
    """Rise linearly, then fall linearly to nothing."""
    rise = max(1.0, warmup * total)
    return min((step + 1) / rise, (total - step) / max(1.0, total - rise), 1.0)


def snapshot(model: torch.nn.Module) -> Weights:
    """Copy the weights that train to the processor's memory."""
    return {name: weight.cpu().clone() for name, weight in _trained(model).items()}


def restore(model: torch.nn.Module, weights: Weights) -> None:
    """Put back what `snapshot` took; raises EngineError for the weights of another model."""
    if weights.keys() != _trained(model).keys():
        raise EngineError("The resume point holds the weights of another model; use a new folder.")
    model.load_state_dict(weights, strict=False)


def _trained(model: torch.nn.Module) -> Weights:
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def _average(resume: Resume, model: torch.nn.Module) -> None:
    resume.averaged += 1
    fresh = _trained(model)
    if not resume.average:
        resume.average = {name: weight.clone() for name, weight in fresh.items()}
        return
    for name, weight in fresh.items():
        resume.average[name] = resume.average[name].to(weight.device).lerp_(weight, 1 / resume.averaged)


def _try_best(
    run: RunDir, stage: str, resume: Resume, model: torch.nn.Module, score: Callable[[], float]
) -> None:
    fresh = snapshot(model)
    if resume.average:
        restore(model, resume.average)
    found = score()
    run.metric(resume.total_step, **{f"{stage}/validation": found})
    if found > resume.best_score:
        resume.best_score, resume.best = found, snapshot(model)
    restore(model, fresh)


def _keep(
    run: RunDir, resume: Resume, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    resume.step = step
    if run.writes:
        resume.model, resume.optimizer = snapshot(model), optimizer.state_dict()
        save_resume(run, resume)
        resume.model = {}  # on disk is enough
