import pytest
import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from models_app.backends import decoding


@pytest.mark.parametrize("shared", [4, 2])
def test_decoding_attends_to_the_same(shared: int) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=shared,
    )
    model = LlamaForCausalLM(config).eval()
    ids = torch.randint(0, 50, (3, 9))
    mask = torch.ones_like(ids)
    mask[0, :4] = 0  # padded on the left, as prompts are when they are answered together
    said = []
    for prefer in (lambda _model: None, decoding.prefer):
        prefer(model)
        cache = DynamicCache(config=model.config)
        with torch.inference_mode():
            model(input_ids=ids[:, :6], attention_mask=mask[:, :6], past_key_values=cache)
            for step in range(6, 9):
                row = model(
                    input_ids=ids[:, step : step + 1],
                    attention_mask=mask[:, : step + 1],
                    past_key_values=cache,
                )
                said.append(row.logits)
    assert model.config._attn_implementation == decoding.NAME
    for fused, plain in zip(said[:3], said[3:], strict=True):
        assert torch.allclose(fused, plain, atol=1e-5)


def test_other_attention_is_left_as_it_is() -> None:
    config = LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4
    )
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config)
    decoding.prefer(model)
    assert model.config._attn_implementation == "eager"
