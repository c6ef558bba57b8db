"""A prompt read once for all of its answers in a step, where the trunk is a decoder.

Measured in training steps of a 6-layer Llama of width 256 on a core: 1.1 times as fast for two answers of 96
tokens to a prompt of 32, 1.3 times to one of 96, 2.0 times to one of 300, and 2.6 times for six answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from training.engine.data import Indices, pad
from training.engine.optimisation import autocast

# decoders whose attention goes by position ids alone, so that a padded prompt may stand before an answer
KINDS = ("llama", "mistral", "qwen2", "qwen3")
LEFT = 2  # tokens that every answer keeps: the reward may be read from the one before a padding token
WORTH = 0.85  # of the tokens, above which two forwards take as long as one


def prefixes(rows: Sequence[Sequence[int]], sides: Indices, prompts: Sequence[str]) -> Indices:
    """Find for each answer how many tokens all answers of its prompt begin with, (answers,)."""
    common: dict[str, int] = {}
    for prompt, (chosen, rejected) in zip(prompts, sides.tolist(), strict=True):
        first, second = rows[chosen], rows[rejected]
        most = max(0, min(common.get(prompt, len(first)), len(first) - LEFT, len(second) - LEFT))
        differs = (i for i in range(most) if first[i] != second[i])
        common[prompt] = next(differs, most)
    found = np.zeros(len(rows), dtype=np.intp)
    for prompt, pair in zip(prompts, sides, strict=True):
        found[pair] = common[prompt]
    return found


def shares(model: Any) -> bool:
    """Tell whether a model can read a prompt once for several answers."""
    whole = _whole(model)
    config = getattr(whole, "config", None)
    return (
        hasattr(whole, "score")
        and getattr(config, "model_type", "") in KINDS
        and getattr(config, "sliding_window", None) is None
    )


def forward_sharing(model: Any, rows: Sequence[Sequence[int]], common: Sequence[int]) -> torch.Tensor | None:
    """Score token rows, what some begin with read once; None where that would save too little.

    `common` says how many tokens of each row may be shared with others. Returns float32 scores (rows,).
    """
    places: dict[tuple[int, ...], int] = {}
    place = [
        places.setdefault(tuple(row[:shared]), len(places)) for row, shared in zip(rows, common, strict=True)
    ]
    tails = [row[shared:] for row, shared in zip(rows, common, strict=True)]
    longest = max(map(len, places))
    tokens = longest * len(places) + max(map(len, tails)) * len(rows)
    if not min(map(len, places)) or tokens > WORTH * max(map(len, rows)) * len(rows):
        return None
    whole = _whole(model)
    ids, mask = (
        torch.from_numpy(array).to(whole.device) for array in pad(list(places), whole.config.pad_token_id)
    )
    answers, answered = (
        torch.from_numpy(array).to(whole.device) for array in pad(tails, whole.config.pad_token_id)
    )
    of = torch.tensor(place, device=whole.device)
    starts = torch.tensor(list(common), device=whole.device)
    with autocast():
        read = whole.base_model(input_ids=ids, attention_mask=mask, use_cache=True).past_key_values
        read.batch_select_indices(of)
        said: torch.Tensor = whole(
            input_ids=answers,
            attention_mask=torch.cat([mask[of], answered], dim=1),
            position_ids=starts[:, None] + torch.arange(answers.shape[1], device=whole.device),
            past_key_values=read,
            use_cache=True,
        ).logits
    return said[:, 0].float()


def _whole(model: Any) -> Any:
    """Return the model inside adapters."""
    inside = getattr(model, "get_base_model", None)
    return model if inside is None else inside()
