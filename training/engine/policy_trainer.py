"""Improve a policy: imitate edits, prefer the preferred, distil the best of n, reinforce; then compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from training.engine.best_of_n import choose, reward_curve, sample_candidates
from training.engine.config import EngineError, PolicyConfig
from training.engine.data import (
    Encoder,
    Pair,
    Prompt,
    Reply,
    batches,
    newest_first,
    read_demonstrations,
    read_pairs,
    read_prompts,
)
from training.engine.evaluation import Floats
from training.engine.objectives import dpo_loss, imitation_loss, imitation_sizes
from training.engine.optimisation import (
    Optimisation,
    Resume,
    Weights,
    fit,
    load_resume,
    restore,
    save_resume,
    snapshot,
)
from training.engine.policy_evaluation import compare
from training.engine.policy_model import load_policy_model
from training.engine.reference import reference_log_probs
from training.engine.reinforcement import reinforce
from training.engine.reward_model import longest_input
from training.engine.run_dir import RunDir
from training.engine.tuning import adapt_policy, plain
from training.engine.verifier import train_verifier


def train_policy(run: RunDir, config: PolicyConfig) -> None:
    """Take a policy through its stages and compare it with its parent.

    Writes model/, samples.parquet and result.json. Raises EngineError when a stage has nothing to learn
    from, Cancelled when asked to stop.
    """
    began = time.monotonic()
    torch.set_num_threads(config.threads or torch.get_num_threads())
    run.progress(0, 1, "loading")
    resume = load_resume(run)
    model, tokenizer = begin(config, resume.model)
    encoder = Encoder(tokenizer, longest_input(model, tokenizer, config.hyper.max_length))
    job = PolicyJob(run, config, model, tokenizer, encoder, resume)
    verbs: dict[str, list[Callable[[], dict[str, Any]]]] = {
        "sft": [job.imitate_demonstrations],
        "dpo": [job.prefer],
        "verify": [job.verify],
        "best_of_n": [partial(job.distil_best, turn) for turn in range(config.hyper.best_of_turns)],
        "rl": [job.reinforce],
    }
    stages = [(stage, verb) for stage in config.stages for verb in verbs[stage]]
    for number, (stage, verb) in enumerate(stages):
        if number < resume.stage:
            continue
        run.check_stop()
        stage_began = time.monotonic()
        figures = verb()
        resume.notes[str(number)] = {
            "name": stage,
            **figures,
            "seconds": round(time.monotonic() - stage_began, 2),
        }
        resume.stage, resume.step, resume.optimizer, resume.model = number + 1, 0, {}, snapshot(job.model)
        save_resume(run, resume)
    run.check_stop()
    learnt = plain(job.model)
    figures = compare(run, config, learnt, tokenizer, encoder)
    learnt.save_pretrained(run.model)
    tokenizer.save_pretrained(run.model)
    run.finish(
        {
            "kind": "policy",
            "stages": [resume.notes[str(number)] for number in range(len(stages))],
            **figures,
            "truncated": encoder.truncated,
            "dropped": 0,
            "steps": resume.total_step,
            "seconds": round(time.monotonic() - began, 2),
        }
    )


def begin(config: PolicyConfig, learnt: Weights) -> tuple[Any, Any]:
    """Load the parent to be trained as configured, with what a run has learnt already, and its tokenizer."""
    adapters = config.tuning == "lora"
    model, tokenizer = load_policy_model(config.parent, frozen=adapters)
    if adapters:
        model = adapt_policy(model, config.hyper.lora_rank, config.seed)
    if learnt:
        restore(model, learnt)
    return model, tokenizer


class PolicyJob:
    """Hold what every stage works on."""

    def __init__(
        self, run: RunDir, config: PolicyConfig, model: Any, tokenizer: Any, encoder: Encoder, resume: Resume
    ) -> None:
        self.run = run
        self.config = config
        self.hyper = config.hyper
        self.model = model
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.resume = resume

    def imitate_demonstrations(self) -> dict[str, Any]:
        """Imitate what people wrote, the newest rounds most (supervised fine-tuning)."""
        rows = [
            row
            for row in read_demonstrations(self.run.path, self.config.mix)
            if row.split == "train" and row.weight > 0
        ]
        if not rows:
            raise EngineError("The snapshot has no training demonstrations; the stage sft needs some.")
        replies = [self.encoder.reply(row.messages, row.completion) for row in rows]
        weights = newest_first(rows, self.hyper.sft_half_life)
        return self._imitate(
            "sft", replies, weights, self.hyper.sft_epochs, self.hyper.sft_learning_rate, None, 0.0
        )

    def prefer(self) -> dict[str, Any]:
        """Raise the preferred answer over the other, measured from the parent (DPO)."""
        rows = [
            row
            for row in read_pairs(self.run.path, self.config.mix)
            if row.split == "train" and row.probability != 0.5 and row.weight > 0
        ]
        if not rows:
            raise EngineError(
                "The snapshot has no training pairs that are not ties; the stage dpo needs some."
            )
        chosen = [self.encoder.reply(row.before_chosen, row.chosen) for row in rows]
        rejected = [self.encoder.reply(row.before_rejected, row.rejected) for row in rows]
        weights = np.array([row.weight for row in rows])
        probability, asked = dpo_labels(rows, self.hyper.dpo_margin)
        loss = dpo_loss(
            self.model,
            chosen,
            rejected,
            self._reference(chosen, rejected),
            probability,
            weights,
            self.hyper.dpo_beta,
            self.tokenizer.pad_token_id,
            asked,
        )
        lengths = [
            max(_length(first), _length(second)) for first, second in zip(chosen, rejected, strict=True)
        ]
        return self._fit("dpo", lengths, weights, loss, self.hyper.dpo_epochs, self.hyper.dpo_learning_rate)

    def verify(self) -> dict[str, Any]:
        """Train a copy of the policy to say whether answers are good, and measure what that is worth."""
        return train_verifier(self.run, self.config, self.model, self.tokenizer)

    def distil_best(self, turn: int) -> dict[str, Any]:
        """Imitate the answers that the reward model, or the verifier, likes best among the policy's own."""
        prompts = self._sampling_prompts(turn)
        candidates = sample_candidates(self.run, self.config, self.model, self.tokenizer, prompts, turn)
        chosen = choose(candidates, self.hyper.best_of_keep, self.hyper.best_of_repeats)
        replies = [
            self.encoder.reply(prompt.messages, text)
            for prompt, texts in zip(prompts, chosen, strict=True)
            for text in texts
        ]
        if not replies:
            raise EngineError("The policy gave nothing but empty answers; there is nothing to distil.")
        weights = np.array([1 / len(texts) for texts in chosen for _ in texts])
        kl = self.hyper.best_of_kl
        parent = load_policy_model(self.config.parent)[0].eval() if kl else None
        figures = self._imitate(
            "best_of_n",
            replies,
            weights,
            self.hyper.best_of_epochs,
            self.hyper.best_of_learning_rate,
            parent,
            kl,
        )
        return {**figures, **reward_curve(candidates), "prompts": len(prompts)}

    def reinforce(self) -> dict[str, Any]:
        """Make likelier what the reward model likes, by trial (RLOO or GRPO through TRL)."""
        prompts = self._training_prompts("rl")
        save_resume(self.run, self.resume)  # so that TRL's checkpoints are known to be of this job
        figures = reinforce(self.run, self.config, self.model, self.tokenizer, prompts, self.resume)
        self.model, _ = begin(self.config, snapshot(self.model))
        return figures

    def _training_prompts(self, stage: str) -> list[Prompt]:
        prompts = [prompt for prompt in read_prompts(self.run.path) if prompt.split == "train"]
        if not prompts:
            raise EngineError(f"The snapshot has no training prompts; the stage {stage} needs some.")
        return prompts

    def _sampling_prompts(self, turn: int) -> list[Prompt]:
        """Draw the prompts to sample for, without replacement; other ones in each turn where there are."""
        prompts = self._training_prompts("best_of_n")
        rng = np.random.default_rng([self.config.seed, 0xB05])
        drawn = np.roll(rng.permutation(len(prompts)), -turn * self.hyper.best_of_prompts)
        drawn = drawn[: self.hyper.best_of_prompts]
        return [prompts[i] for i in drawn]

    def _reference(self, chosen: Sequence[Reply], rejected: Sequence[Reply]) -> Floats:
        """Return the parent's log-probabilities (pairs, 2)."""

        def heard(done: int, total: int) -> None:
            self.run.progress(done, total, "dpo reference")
            self.run.check_stop()

        found = reference_log_probs(
            self.config.parent,
            [*chosen, *rejected],
            self.tokenizer.pad_token_id,
            self.run.references,
            heard,
        )
        return found.reshape(2, -1).T.copy()

    def _imitate(
        self,
        stage: str,
        replies: list[Reply],
        weights: Floats,
        epochs: int,
        learning_rate: float,
        parent: Any,
        kl: float,
    ) -> dict[str, Any]:
        pad_id = self.tokenizer.pad_token_id
        loss = imitation_loss(self.model, replies, weights, pad_id, parent, kl)
        sizes = imitation_sizes(replies, weights)
        return self._fit(stage, [_length(row) for row in replies], sizes, loss, epochs, learning_rate)

    def _fit(
        self, stage: str, lengths: Sequence[int], sizes: Floats, loss: Any, epochs: int, learning_rate: float
    ) -> dict[str, Any]:
        size, seed = self.hyper.batch_size, self.config.seed
        plan = [batch for epoch in range(epochs) for batch in batches(lengths, size, seed, epoch)]
        how = Optimisation(
            learning_rate=learning_rate,
            warmup=self.hyper.warmup,
            weight_decay=self.hyper.weight_decay,
            clip=self.hyper.clip,
            micro_batch_size=self.hyper.micro_batch_size,
            checkpoint_steps=self.hyper.checkpoint_steps,
            seed=seed,
        )
        fit(self.run, stage, self.model, plan, sizes, loss, how, self.resume)
        return {"examples": len(lengths), "steps": len(plan)}


def _length(row: Reply) -> int:
    return len(row.prompt) + len(row.reply)


def dpo_labels(rows: Sequence[Pair], margin: float) -> tuple[Floats, Floats]:
    """Say how likely chosen is the better answer, and by how many logits it should lead; both (pairs,).

    How strong a verdict was counts once: in the probability, whose lead has an end, or, with a `margin`, as a
    lead of so many logits for each step of the verdict, whose direction is then taken for sure.
    """
    probability = np.array([row.probability for row in rows])
    if not margin:
        return probability, np.zeros(len(rows))
    steps = np.array([abs(row.verdict) for row in rows], dtype=np.float64)
    return (probability > 0.5).astype(np.float64), margin * steps * np.where(probability > 0.5, 1, -1)
