"""Reward models as engines see them: grown from a trunk, scored in batches, saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import (
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from models_app.backends.mean_pooled import (
    MeanPooledConfig,
    MeanPooledForSequenceClassification,
    layers,
)
from training.engine import ranks
from training.engine.config import EngineError
from training.engine.data import pad
from training.engine.evaluation import Floats
from training.engine.optimisation import autocast, device
from training.engine.pooling import deepen, pool, pools

SCORING_TOKENS = 8192  # of one forward without gradient, padding included
SHORT = 160  # tokens up to which a processor attends faster by the plain way, if with more memory

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

    A causal LM loses its own head (and a small one gets a pooling layer), an encoder is read by the mean of
    its tokens, a reward model keeps its head. Raises EngineError for a missing trunk and for a classifier
    with other than one label.
    """
    config = load_config(trunk)
    grown = (config.architectures or [""])[0].endswith("ForSequenceClassification")
    if grown and config.num_labels != 1:
        raise EngineError(f"{trunk} is a classifier of {config.num_labels} labels; a reward model has one.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(trunk)
        torch.manual_seed(seed)
        model = _load(trunk, config, grown)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EngineError(f"No reward model can be grown from {trunk}: {error}") from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_TEMPLATE
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    if model.base_model.config._attn_implementation == "sdpa" and not torch.cuda.is_available():
        model.base_model.register_forward_pre_hook(_attend, with_kwargs=True)
    return model.to(device()), tokenizer, not grown


def _load(trunk: str, config: Any, grown: bool) -> Any:
    how = {"dtype": torch.float32}
    if not grown and _encodes(config):
        encoder = AutoModel.from_pretrained(trunk, **how)
        encoder.config._name_or_path = ""
        attention = encoder.config._attn_implementation
        middle = encoder.config.num_hidden_layers // 2 if layers(encoder) is not None else None
        whole = MeanPooledConfig(
            trunk=encoder.config, num_labels=1, middle=middle, attn_implementation=attention
        )
        return MeanPooledForSequenceClassification(whole, encoder)
    config.num_labels = 1
    pooled = not grown and pools(config)
    model = AutoModelForSequenceClassification.from_pretrained(
        trunk, config=deepen(config) if pooled else config, **how
    )
    if pooled:
        pool(model)
    return model


def _attend(trunk: Any, args: Any, kwargs: Any) -> None:
    """Choose how attention is computed: training on 96 tokens takes .8 of the time plainly, on 240 1.25."""
    rows = args[0] if args else kwargs["input_ids"]
    plainly = rows.shape[1] <= SHORT
    trunk.config._attn_implementation = "eager" if plainly else "sdpa"


def _encodes(config: Any) -> bool:
    """Tell an encoder, which sees a whole text from each token."""
    decodes = config.is_encoder_decoder or getattr(config, "is_decoder", False)
    return type(config) in MODEL_FOR_MASKED_LM_MAPPING and not decodes


def reward_head(model: Any) -> nn.Linear:
    """Find the linear layer that makes the reward; raises EngineError for a model without one."""
    linear = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == 1]
    if not linear:
        raise EngineError(f"{type(model).__name__} has no linear layer that makes the reward.")
    return linear[-1]


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
    """Score token rows without gradient, shared by all processes; returns (rows,)."""
    scores = np.zeros(len(rows))
    model.eval()
    with torch.no_grad():
        for number, part in enumerate(scoring_batches(rows)):
            if number % ranks.count() == ranks.rank():
                scores[part] = forward(model, [rows[i] for i in part]).cpu().numpy()
    return ranks.add_up(scores)


def features(model: Any, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
    """Read what the reward's linear layer sees of token rows; returns (rows, width)."""
    head = reward_head(model)
    given: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _head, read: given.append(read[0]))
    found = np.zeros((len(rows), head.in_features), np.float32)
    model.eval()
    try:
        with torch.no_grad():
            for part in scoring_batches(rows):
                outputs(model, [rows[i] for i in part])
                read = given.pop()
                if read.dim() == 3:  # a decoder's head reads every token, and the last one's is the reward
                    read = read[torch.arange(len(part)), [len(rows[i]) - 1 for i in part]]
                found[part] = read.float().cpu().numpy()
    finally:
        hook.remove()
    return found


def scoring_batches(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Part rows into batches of similar lengths with a bound on their tokens."""
    part: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if part and len(rows[i]) * (len(part) + 1) > SCORING_TOKENS:
            yield part
            part = []
        part.append(i)
    if part:
        yield part
