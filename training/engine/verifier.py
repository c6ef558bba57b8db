"""The policy as its own verifier: a copy of it learns from votes to say whether an answer is good.

It is asked after the answer, and its language head's logit of "yes" less that of "no" is the answer's score
(Zhang et al. 2024, Generative Verifiers: Reward Modeling as Next-Token Prediction). It answers independently
for each answer, so that of two it holds the first for the better with probability σ(score − score').
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from models_app.backends import Conversation
from preferences.intervals import paired_difference
from training.engine import held_out, report
from training.engine.config import EngineError, PolicyConfig
from training.engine.data import Encoder, Pair, Reply, batches, read_pairs
from training.engine.evaluation import Floats, hits
from training.engine.held_out import HeldOut, conversations, figure
from training.engine.objectives import imitation_loss
from training.engine.optimisation import Optimisation, fit, load_resume, restore
from training.engine.policy_model import SCORING_BATCH, load_policy_model, reply_logits, whole
from training.engine.reward_model import longest_input
from training.engine.run_dir import RunDir

QUESTION = "Is this answer good? Reply yes or no."
YES, NO = "yes", "no"
FOLDER = "verifier"


class Verifier:
    """A language model that scores answers by what it would reply to whether they are good."""

    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        self.model = model
        self.pad_id = tokenizer.pad_token_id
        self.encoder = Encoder(tokenizer, longest_input(model, tokenizer, max_length))
        yes, no = (self.reply([{"role": "user", "content": "?"}], word).reply[0] for word in (YES, NO))
        if yes == no:
            raise EngineError(f"The tokenizer doesn't tell “{YES}” from “{NO}”, so the policy can't verify.")
        self.yes, self.no = yes, no

    def reply(self, answered: Conversation, word: str) -> Reply:
        """Encode a conversation with its last answer, the question about it, and a word in reply."""
        return self.encoder.reply([*answered, {"role": "user", "content": QUESTION}], word)

    def score(self, answered: Sequence[Conversation]) -> list[float]:
        """Give each conversation's last answer log(P(yes) / P(no))."""
        rows = [self.reply(talk, YES) for talk in answered]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].prompt))
        found = [0.0] * len(rows)
        self.model.eval()
        with torch.no_grad():
            for start in range(0, len(order), SCORING_BATCH):
                part = order[start : start + SCORING_BATCH]
                asked = [Reply(rows[i].prompt, [self.yes]) for i in part]
                logits = reply_logits(self.model, asked, self.pad_id)[0]
                for i, score in zip(part, (logits[:, self.yes] - logits[:, self.no]).tolist(), strict=True):
                    found[i] = score
        return found


def load_verifier(run: RunDir, config: PolicyConfig) -> Verifier:
    """Load the verifier that a run has trained."""
    model, tokenizer = load_policy_model(str(run.path / FOLDER))
    return Verifier(model, tokenizer, config.hyper.max_length)


def train_verifier(run: RunDir, config: PolicyConfig, policy: Any, tokenizer: Any) -> dict[str, Any]:
    """Train a copy of the policy on the votes of training prompts; returns what it is worth on held-out ones.

    Writes RUN_DIR/verifier. A killed stage goes on from a resume point of its own. Raises EngineError without
    votes, Cancelled.
    """
    parts: dict[str, list[Pair]] = {"train": [], "validation": [], "test": []}
    for pair in read_pairs(run.path):
        if pair.weight > 0 and pair.probability != 0.5:
            parts[pair.split].append(pair)
    if not parts["train"]:
        raise EngineError(
            "The snapshot has no training pairs that are not ties; the stage verify needs some."
        )
    side = run.beside(FOLDER)
    resume = load_resume(side)
    model = whole(policy)
    if resume.model:
        restore(model, resume.model)
    verifier = Verifier(model, tokenizer, config.hyper.max_length)
    replies, weights = lessons(verifier, parts["train"])
    lengths = [len(row.prompt) for row in replies]
    size, hyper = config.hyper.batch_size, config.hyper
    plan = [
        batch for epoch in range(hyper.verify_epochs) for batch in batches(lengths, size, config.seed, epoch)
    ]
    how = Optimisation(
        learning_rate=hyper.verify_learning_rate,
        warmup=hyper.warmup,
        weight_decay=hyper.weight_decay,
        clip=hyper.clip,
        micro_batch_size=hyper.micro_batch_size,
        checkpoint_steps=hyper.checkpoint_steps,
        seed=config.seed,
    )
    loss = imitation_loss(model, replies, weights, tokenizer.pad_token_id)
    fit(side, "verify", model, plan, weights, loss, how, resume)
    run.check_stop()
    figures = worth(verifier, config, parts["validation"], parts["test"])
    if run.writes:
        model.save_pretrained(run.path / FOLDER)
        tokenizer.save_pretrained(run.path / FOLDER)
    return {"examples": len(replies), "steps": len(plan), "verifier": figures}


def lessons(verifier: Verifier, pairs: Sequence[Pair]) -> tuple[list[Reply], Floats]:
    """Return "yes" after each preferred answer and "no" after the other; the surer the vote the heavier.

    Once the two sides of a pair weigh alike, a word's share says nothing of how answers are at large.
    """
    sides = conversations(pairs)
    sure = np.array([pair.weight * (2 * pair.probability - 1) for pair in pairs])
    replies = [
        verifier.reply(talk, YES if (place % 2 == 0) == (sure[place // 2] > 0) else NO)
        for place, talk in enumerate(sides)
    ]
    return replies, np.repeat(np.abs(sure), 2)


def worth(
    verifier: Verifier, config: PolicyConfig, validation: Sequence[Pair], test: Sequence[Pair]
) -> dict[str, Any]:
    """Measure a verifier on votes that it hasn't learnt from: accuracy, calibration, and the reward model's.

    The temperature is fitted to validation votes; figures are of test votes, by whole prompts.
    """
    scored = [HeldOut(part, _scores(verifier, part)) for part in (validation, test)]
    found: dict[str, Any] = {
        "accuracy": figure(scored[1].accuracy()),
        "calibration": report.calibration(*scored),
    }
    if config.reward_model is not None and len(test):
        from models_app.backends.transformers import load_reward_model

        theirs = HeldOut(test, _scores(load_reward_model(config.reward_model), test))
        mine = scored[1]
        gap = paired_difference(
            hits(mine.probability, mine.margin),
            hits(theirs.probability, theirs.margin),
            mine.prompts.tolist(),
        )
        found |= {"reward_accuracy": figure(theirs.accuracy()), "against_reward": figure(gap)}
    return found


def _scores(judge: Any, pairs: Sequence[Pair]) -> Floats:
    """Score both sides of pairs, an answer that many votes are on once; returns (pairs, 2)."""
    if not pairs:
        return np.zeros((0, 2))
    talks, sides = held_out.distinct_conversations(pairs)
    return np.array(judge.score(talks), dtype=np.float64)[sides]
