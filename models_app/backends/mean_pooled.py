"""A reward model that reads the mean of an encoder's tokens, as sentence encoders were trained to be read.

A checkpoint of it carries a copy of this file, so that other programs load it by
`AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)`.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import layer_norm
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

_AS_THE_TRUNK = ("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")


class MeanPooledConfig(PreTrainedConfig):
    """Hold the trunk's configuration under `trunk`, and its widths once more for who asks the model.

    `middle` numbers the layer whose input is read beside the last layer's output; None where there is none.
    """

    model_type = "mean_pooled"
    sub_configs = {"trunk": AutoConfig}
    trunk: Any = None
    middle: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Read the trunk's configuration from the dictionary that config.json holds."""
        if isinstance(self.trunk, dict):
            self.trunk = AutoConfig.for_model(**self.trunk)
        for name in _AS_THE_TRUNK if self.trunk is not None else ():
            kwargs[name] = getattr(self.trunk, name, None)
        super().__post_init__(**kwargs)


class MeanPooledForSequenceClassification(PreTrainedModel):
    """An encoder under a linear head on the normalised means of its tokens, half way up and at the end.

    The last layers of sentence encoders tell topics apart; what makes a text good is read more easily below.
    """

    config_class = MeanPooledConfig
    base_model_prefix = "trunk"
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: MeanPooledConfig, trunk: Any = None) -> None:
        super().__init__(config)
        self.trunk = AutoModel.from_config(config.trunk) if trunk is None else trunk
        self.trunk.pooler = None  # the other way of reading an encoder; its weights would be dead
        width = config.trunk.hidden_size * (1 if config.middle is None else 2)
        self.classifier = nn.Linear(width, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if module is self.classifier:
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Score token rows (rows, length); returns logits (rows, labels)."""
        seen: list[torch.Tensor] = []
        hook = None
        if self.config.middle is not None:
            layer = layers(self.trunk)[self.config.middle]
            hook = layer.register_forward_pre_hook(
                lambda _layer, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]),
                with_kwargs=True,
            )
        try:
            seen.append(
                self.trunk(input_ids=input_ids, attention_mask=attention_mask, **kwargs).last_hidden_state
            )
        finally:
            if hook is not None:
                hook.remove()
        mask = torch.ones(seen[0].shape[:2]) if attention_mask is None else attention_mask
        counted = mask[..., None].to(seen[0].device, torch.float32)
        means = [(read.float() * counted).sum(1) / counted.sum(1).clamp(min=1) for read in seen]
        read = torch.cat([layer_norm(mean, mean.shape[-1:]) for mean in means], 1)
        return SequenceClassifierOutput(logits=self.classifier(read.to(self.classifier.weight.dtype)))


def layers(trunk: Any) -> Any:
    """Find the layers of a trunk, in order; None where they cannot be told apart."""
    many = trunk.config.get_text_config().num_hidden_layers
    lists = (module for module in trunk.modules() if isinstance(module, nn.ModuleList))
    return next((found for found in lists if len(found) == many), None)


AutoConfig.register(MeanPooledConfig.model_type, MeanPooledConfig, exist_ok=True)
AutoModelForSequenceClassification.register(
    MeanPooledConfig, MeanPooledForSequenceClassification, exist_ok=True
)
MeanPooledConfig.register_for_auto_class()
MeanPooledForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
