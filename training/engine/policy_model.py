"""Policies as the engine trains them: causal language models and the log-probabilities of their replies."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models_app.backends import Policy
from training.engine.config import EngineError
from training.engine.data import Reply, pad
from training.engine.evaluation import Floats
from training.engine.optimisation import attention, autocast, device
from training.engine.reward_model import load_config

SCORING_BATCH = 32


def load_policy_model(location: str) -> tuple[Any, Any]:
    """Load a causal language model in float32 and its tokenizer.

    Raises EngineError for a missing model, another head, or a tokenizer without chat template or end token.
    """
    config = load_config(location)
    architecture = (config.architectures or [""])[0]
    if not architecture.endswith(("ForCausalLM", "LMHeadModel")):
        raise EngineError(
            f"{location} is a {architecture or 'model without a head'}; a policy is a causal LM."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(location)
        model = AutoModelForCausalLM.from_pretrained(
            location, dtype=torch.float32, attn_implementation=attention()
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EngineError(f"The policy {location} cannot be loaded: {error}") from None
    if tokenizer.chat_template is None:
        raise EngineError(f"The tokenizer of {location} has no chat template.")
    if tokenizer.eos_token_id is None:
        raise EngineError(f"The tokenizer of {location} has no end token.")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.to(device()), tokenizer


def reply_logits(
    model: Any, replies: Sequence[Reply], pad_id: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predict reply tokens in one forward.

    Returns float32 logits (rows, T, V), their targets (rows, T) and mask (rows, T). The head reads only
    positions from the shortest prompt's end on.
    """
    ids, mask = pad([row.prompt + row.reply for row in replies], pad_id)
    first = max(1, min(len(row.prompt) for row in replies))
    learnt = np.zeros_like(mask)
    for i, row in enumerate(replies):
        learnt[i, max(1, len(row.prompt)) : len(row.prompt) + len(row.reply)] = 1
    tokens = torch.from_numpy(ids).to(model.device)
    with autocast():
        logits = model(
            input_ids=tokens,
            attention_mask=torch.from_numpy(mask).to(model.device),
            logits_to_keep=ids.shape[1] - first + 1,
            use_cache=False,
        ).logits
    return logits[:, :-1].float(), tokens[:, first:], torch.from_numpy(learnt[:, first:]).to(model.device)


def log_probs(logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Sum the log-probabilities of reply tokens; returns (rows,)."""
    found = torch.log_softmax(logits, -1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (found * mask).sum(-1)


def score_replies(model: Any, replies: Sequence[Reply], pad_id: int) -> Floats:
    """Sum each reply's log-probabilities without gradient; returns (rows,) in the given order."""
    found = np.zeros(len(replies))
    order = sorted(range(len(replies)), key=lambda i: len(replies[i].prompt) + len(replies[i].reply))
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), SCORING_BATCH):
            part = order[start : start + SCORING_BATCH]
            found[part] = log_probs(*reply_logits(model, [replies[i] for i in part], pad_id)).cpu().numpy()
    return found


def sampler(model: Any, tokenizer: Any) -> Policy:
    """Let a model in memory answer, as it is now, in bfloat16 where the hardware computes in it."""
    from models_app.backends.transformers import TransformersPolicy

    model.eval()
    half = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
    return TransformersPolicy(copy.deepcopy(model).to(torch.bfloat16) if half else model, tokenizer)
