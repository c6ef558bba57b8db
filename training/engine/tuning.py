"""How much of a model trains: all of it, its last layers, or adapters between its weights (LoRA)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from models_app.backends.mean_pooled import layers
from training.engine.config import EngineError, RewardConfig
from training.engine.reward_model import outputs, reward_head, scoring_batches

KEPT_BYTES = 1 << 30  # of activations, at most
LORA_SCALE = 2  # alpha over rank


def apply(
    model: Any, config: RewardConfig, rows: Sequence[Sequence[int]], heard: Callable[[int, int], None]
) -> Any:
    """Make the model train what the configuration says; returns what to fit in its place.

    `rows` are the token rows that steps will be made of; `heard` gets (done, total) while they are read.
    Raises EngineError where the model's layers cannot be told apart.
    """
    if config.tuning == "top":
        return TopLayers(model, config.hyper.top_layers, rows, heard)
    if config.tuning == "lora":
        head = reward_head(model)
        trains = next(name for name, module in model.named_modules() if module is head).split(".")[0]
        return _adapted(model, head, config.hyper.lora_rank, config.seed, modules_to_save=[trains])
    return model


def plain(model: Any) -> Any:
    """Return the model as any program reads it, with what was learned in its own weights."""
    if isinstance(model, TopLayers):
        return model.whole()
    merge = getattr(model, "merge_and_unload", None)
    return model if merge is None else merge()


def adapt_policy(model: Any, rank: int, seed: int) -> Any:
    """Let a causal language model train adapters beside all linear layers but its head, which stays."""
    return _adapted(model, model.get_output_embeddings(), rank, seed, task_type="CAUSAL_LM")


def _adapted(model: Any, spared: nn.Module, rank: int, seed: int, **how: Any) -> Any:
    """Put adapters beside all linear layers but one (Hu et al. 2022)."""
    from peft import LoraConfig, get_peft_model

    names = {module: name for name, module in model.named_modules()}
    targets = [
        name
        for module, name in names.items()
        if type(module).__name__ in ("Linear", "Conv1D") and not names[spared].startswith(name)
    ]
    torch.manual_seed(seed)
    return get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=LORA_SCALE * rank, target_modules=targets, **how)
    )


class TopLayers(nn.Module):
    """A reward model of which only the last layers train; what the others make of a text is kept.

    The kept activations are computed without dropout, in batches that do not depend on the steps, so that a
    run that goes on sees the same.
    """

    def __init__(
        self,
        model: Any,
        trained: int,
        rows: Sequence[Sequence[int]],
        heard: Callable[[int, int], None],
    ) -> None:
        super().__init__()
        self.model = model
        self.config = model.config
        stack = layers(model)
        if stack is None:
            raise EngineError(
                f'The layers of {type(model).__name__} cannot be told apart; use "tuning": "full".'
            )
        self._stack = stack
        trains = max(0, len(stack) - trained)
        # what the head reads half way up is what the steps begin with
        self._cut = min(trains, getattr(self.config, "middle", None) or trains)
        self._kept: dict[tuple[int, ...], torch.Tensor] = {}
        self._given: torch.Tensor | None = None
        self._freeze(rows[0], stack[trains])
        for i in range(self._cut):
            self._stack[i] = _Below(self._stack[i])
        if self._cut:
            self._stack[self._cut].register_forward_pre_hook(self._instead, with_kwargs=True)
            self._read(rows, heard)

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        device: torch.device = self.model.device
        return device

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """Do what the model does, beginning with what is kept of every row if all rows are."""
        lengths = attention_mask.sum(1).tolist()
        keys = [tuple(row[:n]) for row, n in zip(input_ids.tolist(), lengths, strict=True)]
        known = [self._kept.get(key) for key in keys]
        if not self._cut or any(found is None for found in known):
            return self._whole_forward(input_ids, attention_mask)
        self._given = nn.utils.rnn.pad_sequence([k for k in known if k is not None], batch_first=True)
        self._given = self._given.to(self.device, torch.float32)
        self._skip(True)
        try:
            return self.model(input_ids=input_ids, attention_mask=attention_mask)
        finally:
            self._skip(False)
            self._given = None

    def whole(self) -> Any:
        """Give the model back as it was built."""
        for i in range(self._cut):
            self._stack[i] = self._stack[i].layer
        hooks = self._stack[self._cut]._forward_pre_hooks if self._cut else {}
        hooks.clear()
        return self.model

    def _whole_forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        for i in range(self._cut):
            self._stack[i].eval()
        return self.model(input_ids=input_ids, attention_mask=attention_mask)

    def _skip(self, skipping: bool) -> None:
        for i in range(self._cut):
            self._stack[i].skipping = skipping

    def _instead(self, _layer: nn.Module, args: Any, kwargs: Any) -> Any:
        """Hand the first trained layer what is kept; or note what it got."""
        if self._given is None:
            self._seen = args[0] if args else kwargs["hidden_states"]
            return None
        if args:
            return (self._given, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": self._given}

    def _read(self, rows: Sequence[Sequence[int]], heard: Callable[[int, int], None]) -> None:
        size = 2 * self.config.hidden_size * sum(map(len, rows))
        if size > KEPT_BYTES:
            return
        self.model.eval()
        done = 0
        for part in scoring_batches(rows):
            with torch.no_grad():
                outputs(self.model, [rows[i] for i in part])
            for i, states in zip(part, self._seen, strict=True):
                row = tuple(rows[i])
                self._kept[row] = states[: len(row)].to("cpu", torch.bfloat16, copy=True)
            done += len(part)
            heard(done, len(rows))
        del self._seen

    def _freeze(self, row: Sequence[int], lowest: nn.Module) -> None:
        """Freeze what comes before the first trained layer, as one forward finds it, and embeddings."""
        reached: dict[nn.Module, int] = {}

        def note(module: nn.Module, _args: Any) -> None:
            reached.setdefault(module, len(reached))

        hooks = [module.register_forward_pre_hook(note) for module in self.model.modules()]
        self.model.eval()
        with torch.no_grad():
            outputs(self.model, [row])
        for hook in hooks:
            hook.remove()
        first = reached[lowest]
        for module in self.model.modules():
            if reached.get(module, first) < first or isinstance(module, nn.Embedding):
                for parameter in module.parameters(recurse=False):
                    parameter.requires_grad = False


class _Below(nn.Module):
    """A layer that can be skipped."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.skipping = False
        self._several = False

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.skipping:
            return (hidden_states,) if self._several else hidden_states
        with torch.no_grad():
            found = self.layer(hidden_states, *args, **kwargs)
        self._several = isinstance(found, tuple)
        return found
