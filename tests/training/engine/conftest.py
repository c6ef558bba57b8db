"""A tiny world: a random Llama with a word tokenizer, and people who love the word "gladly"."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

REPOSITORY = Path(__file__).parents[3]

WORDS = (  # noqa: SIM905
    "please gladly ugh no yes the a soup tea train rain boil wait minutes for then and it is hot cold late "
    "one two three four five how long do i when does arrive tell me about good bad salt bread milk"
).split()
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ '</s>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer() -> Any:
    special = ["<unk>", "<pad>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
    vocabulary = {token: i for i, token in enumerate(special + WORDS)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="</s>",
        additional_special_tokens=special[3:],
        model_max_length=128,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def save_policy(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
        pad_token_id=1,
        eos_token_id=2,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_policy(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="session")
def encoder_trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose tokenizer has no chat template."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = build_tokenizer()
    tokenizer.chat_template = None
    tokenizer.add_special_tokens({"cls_token": "<|system|>", "sep_token": "</s>"})
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=128,
        pad_token_id=1,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class World:
    """Prompts, answers and votes of people who prefer answers with more "gladly"."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)

    def sentence(self, low: int = 3, high: int = 10) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(low, high)))

    def prompt(self) -> str:
        return json.dumps([{"role": "user", "content": self.sentence(3, 6)}])

    def split(self, number: int) -> str:
        return {0: "test", 1: "validation"}.get(number % 8, "train")

    def pair(self, number: int) -> dict[str, Any]:
        answers = [self.sentence(), self.sentence()]
        answers[0] += " gladly gladly"
        answers[1] = answers[1].replace("gladly", "no")
        return {
            "prompt_id": f"p{number}",
            "prompt": self.prompt(),
            "chosen": answers[0],
            "rejected": answers[1],
            "probability": 0.5 if number % 10 == 9 else 1.0,
            "weight": 1.0,
            "rater": f"r{number % 3}",
            "round": number % 2,
            "split": self.split(number),
        }

    def pairs(self, count: int) -> list[dict[str, Any]]:
        return [self.pair(number) for number in range(count)]

    def demonstrations(self, count: int) -> list[dict[str, Any]]:
        return [
            {
                "prompt_id": f"p{number}",
                "prompt": self.prompt(),
                "completion": "gladly wait " + self.sentence(1, 3),
                "weight": 1.0,
                "split": self.split(number),
            }
            for number in range(count)
        ]

    def prompts(self, count: int) -> list[dict[str, Any]]:
        return [
            {"prompt_id": f"p{number}", "prompt": self.prompt(), "split": self.split(number)}
            for number in range(count)
        ]


def prepare(folder: Path, config: dict[str, Any], **files: list[dict[str, Any]]) -> Path:
    """Write a run directory."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"seed": 0, "threads": 1, **config}))
    for name, rows in files.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the engine as its callers do."""
    with (folder / "log.txt").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "training.engine", str(folder)],
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def metrics(folder: Path, name: str) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["value"] for row in rows if row["name"] == name]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    loaded: dict[str, torch.Tensor] = load_file(folder / "model" / "model.safetensors")
    return loaded
