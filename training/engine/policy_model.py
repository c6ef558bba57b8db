"""Policies as the engine trains them: causal language models and the log-probabilities of their replies."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from models_app.backends import Policy
from training.engine.config import EngineError
from training.engine.data import Reply, pad
from training.engine.evaluation import Floats
from training.engine.optimisation import attention, autocast, device
from training.engine.reward_model import load_config
from training.engine.tuning import plain

SCORING_BATCH = 32


def load_policy_model(location: str, frozen: bool = False) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer, in float32; if `frozen`, on an accelerator as saved.

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
            location,
            dtype="auto" if frozen and torch.cuda.is_available() else torch.float32,
            attn_implementation=attention(),
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
    model: Any, replies: Sequence[Reply], pad_id: int, least: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predict the tokens of replies in one forward, whose head reads nothing but what predicts them.

    Rows are padded to `least` tokens or the longest of them, which changes nothing beyond rounding.
    Returns float32 logits (tokens, V), the tokens and the row of each, both (tokens,).
    """
    ids, mask = pad([row.prompt + row.reply for row in replies], pad_id, least)
    before = np.zeros(mask.shape, dtype=bool)  # places whose next token is of a reply
    for i, row in enumerate(replies):
        before[i, max(1, len(row.prompt)) - 1 : len(row.prompt) + len(row.reply) - 1] = True
    rows, places = (torch.from_numpy(at).to(model.device) for at in before.nonzero())
    tokens = torch.from_numpy(ids).to(model.device)
    # before the head, not after it: what any architecture does to its logits is done to these
    hook = model.get_output_embeddings().register_forward_pre_hook(
        lambda _head, read: (read[0][rows, places][None], *read[1:])
    )
    try:
        with autocast():
            logits = model(
                input_ids=tokens, attention_mask=torch.from_numpy(mask).to(model.device), use_cache=False
            ).logits[0]
    finally:
        hook.remove()
    return logits.float(), tokens[rows, places + 1], rows


def reply_log_probs(model: Any, replies: Sequence[Reply], pad_id: int, least: int = 0) -> torch.Tensor:
    """Sum each reply's log-probabilities, padded to `least` tokens or the longest; returns (rows,)."""
    return sum_rows(*reply_logits(model, replies, pad_id, least), len(replies))


def halved_log_probs(model: Any, replies: Sequence[Reply], pad_id: int) -> torch.Tensor:
    """Sum each reply's log-probabilities as `reply_log_probs`, short and long rows apart; returns (rows,).

    Rows of a batch of pairs differ in length: halves padded to their own longest hold fewer empty places.
    """
    order = sorted(range(len(replies)), key=lambda i: len(replies[i].prompt) + len(replies[i].reply))
    middle = len(order) // 2
    halves = [part for part in (order[:middle], order[middle:]) if part]
    found = torch.cat([reply_log_probs(model, [replies[i] for i in part], pad_id) for part in halves])
    return found[torch.from_numpy(np.argsort(order)).to(found.device)]


def sum_rows(logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor, count: int) -> torch.Tensor:
    """Sum the log-probabilities of targets by row; returns (count,)."""
    found = -cross_entropy(logits, targets, reduction="none")
    return found.new_zeros(count).index_add(0, rows, found)


def score_replies(model: Any, replies: Sequence[Reply], pad_id: int) -> Floats:
    """Sum each reply's log-probabilities without gradient; returns (rows,) in the given order."""
    found = np.zeros(len(replies))
    order = sorted(range(len(replies)), key=lambda i: len(replies[i].prompt) + len(replies[i].reply))
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), SCORING_BATCH):
            part = order[start : start + SCORING_BATCH]
            found[part] = reply_log_probs(model, [replies[i] for i in part], pad_id).cpu().numpy()
    return found


def whole(model: Any) -> Any:
    """Copy a model, what adapters have learnt in its own weights."""
    return plain(copy.deepcopy(model))


def sampler(model: Any, tokenizer: Any) -> Policy:
    """Let a model in memory answer, as it is now, in bfloat16 where the hardware computes in it."""
    from models_app.backends.transformers import TransformersPolicy

    model.eval()
    half = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
    copied = whole(model)
    return TransformersPolicy(copied.to(torch.bfloat16) if half else copied, tokenizer)
