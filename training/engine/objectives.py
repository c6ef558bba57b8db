"""What policies are trained on: imitation of replies, and direct preference optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, logsigmoid

from training.engine.data import Indices, Reply
from training.engine.evaluation import Floats
from training.engine.optimisation import Figures, Loss
from training.engine.policy_model import halved_log_probs, reply_logits


def imitation_loss(
    model: Any, replies: Sequence[Reply], weights: Floats, pad_id: int, parent: Any = None, kl: float = 0.0
) -> Loss:
    """Build −log p summed over reply tokens, plus `kl` times KL(policy ‖ parent) of their distributions.

    `weights` (replies,) multiply whole replies.
    """
    weight = torch.from_numpy(weights).float()

    def loss(batch: Indices) -> tuple[torch.Tensor, Figures]:
        rows = [replies[i] for i in batch]
        logits, targets, row = reply_logits(model, rows, pad_id)
        w = weight[batch].to(logits)[row]
        total = (w * cross_entropy(logits, targets, reduction="none")).sum()
        if not kl:
            return total, {}
        with torch.no_grad():
            before = torch.log_softmax(reply_logits(parent, rows, pad_id)[0], -1)
        now = torch.log_softmax(logits, -1)
        drift = (w * (now.exp() * (now - before)).sum(-1)).sum()
        return total + kl * drift, {"kl": float(drift.detach())}

    return loss


def imitation_sizes(replies: Sequence[Reply], weights: Floats) -> Floats:
    """Measure replies by their weighted tokens, over which imitation is averaged."""
    return weights * np.array([len(row.reply) for row in replies], dtype=np.float64)


def dpo_loss(
    model: Any,
    chosen: Sequence[Reply],
    rejected: Sequence[Reply],
    reference: Floats,
    probability: Floats,
    weights: Floats,
    beta: float,
    pad_id: int,
    asked: Floats | float = 0.0,
) -> Loss:
    """Build −p·log σ(m) − (1−p)·log σ(−m), m = β·(Δ policy − Δ reference) − the margin `asked` (pairs,).

    Rafailov et al. 2023, eq. 7, with soft labels p; with margins Amini et al. 2024, eq. 7. `reference`
    (pairs, 2) holds the parent's log-probabilities of chosen and rejected.
    """
    gap = torch.from_numpy(reference[:, 0] - reference[:, 1]).float()
    likely = torch.from_numpy(probability).float()
    weight = torch.from_numpy(weights).float()
    least = torch.from_numpy(np.broadcast_to(asked, weights.shape).copy()).float()

    def loss(batch: Indices) -> tuple[torch.Tensor, Figures]:
        rows = [chosen[i] for i in batch] + [rejected[i] for i in batch]
        won, lost = halved_log_probs(model, rows, pad_id).chunk(2)
        margin = beta * (won - lost - gap[batch].to(won))
        p, w = likely[batch].to(won), weight[batch].to(won)
        ahead = margin - least[batch].to(won)
        nll = -p * logsigmoid(ahead) - (1 - p) * logsigmoid(-ahead)
        figures = {
            "margin": float((w * margin.detach()).sum()),
            "accuracy": float((w * (margin > 0)).sum()),
        }
        return (w * nll).sum(), figures

    return loss
