"""Reward models as engines see them: grown from a trunk, scored in batches, saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from training.engine.config import EngineError
from training.engine.data import pad
from training.engine.evaluation import Floats
from training.engine.optimisation import attention, autocast, device
from training.engine.pooling import deepen, pool, pools

SCORING_BATCH = 64

# For trunks that never saw a conversation; encoders get the two tokens that they were trained with.
PLAIN_TEMPLATE = (
    "{{ cls_token if cls_token else '' }}"
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    "{{ sep_token if sep_token else eos_token }}"
)


def load_config(location: str) -> Any:
    """Read a checkpoint's configuration; raises EngineError when there is none."""
    looks_local = location.startswith((".", "/", "~")) or Path(location).exists()
    if looks_local and not (Path(location) / "config.json").is_file():
        raise EngineError(f"There is no model at {location} (a folder with config.json is needed).")
    try:
        return AutoConfig.from_pretrained(location)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"The model {location} cannot be read: {error}") from None


def grow_reward_model(trunk: str, seed: int) -> tuple[Any, Any, bool]:
    """Load a trunk under a scalar head; returns the model, its tokenizer and whether the head is new.

    A causal LM loses its own head (and a small one gets a pooling layer), a reward model keeps it. Raises
    EngineError for a missing trunk and for a classifier with other than one label.
    """
    config = load_config(trunk)
    grown = (config.architectures or [""])[0].endswith("ForSequenceClassification")
    if grown and config.num_labels != 1:
        raise EngineError(f"{trunk} is a classifier of {config.num_labels} labels; a reward model has one.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(trunk)
        torch.manual_seed(seed)
        config.num_labels = 1
        pooled = not grown and pools(config)
        model = AutoModelForSequenceClassification.from_pretrained(
            trunk,
            config=deepen(config) if pooled else config,
            dtype=torch.float32,
            attn_implementation=attention(),
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EngineError(f"No reward model can be grown from {trunk}: {error}") from None
    if pooled:
        pool(model)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_TEMPLATE
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model.to(device()), tokenizer, not grown


def longest_input(model: Any, tokenizer: Any, asked: int) -> int:
    """Bound the asked length (in tokens) by what the model has positions for."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or asked
    return min(asked, positions, tokenizer.model_max_length)


def forward(model: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Score token rows in one forward; returns float32 scores (rows,)."""
    return outputs(model, rows)[:, 0]


def outputs(model: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Read what the head says of token rows; returns float32 (rows, outputs)."""
    ids, mask = pad(rows, model.config.pad_token_id)
    with autocast():
        said: torch.Tensor = model(
            input_ids=torch.from_numpy(ids).to(model.device),
            attention_mask=torch.from_numpy(mask).to(model.device),
        ).logits
    return said.float()


def score(model: Any, rows: Sequence[Sequence[int]]) -> Floats:
    """Score token rows without gradient, in batches of similar lengths; returns (rows,)."""
    scores = np.zeros(len(rows))
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), SCORING_BATCH):
            part = order[start : start + SCORING_BATCH]
            scores[part] = forward(model, [rows[i] for i in part]).cpu().numpy()
    return scores
