"""Real dialogues as the data of runs, and a small policy of random weights that reads them.

Open Assistant's validation threads (oasst1_en_val_pairs.jsonl.gz of TOUCHSTONE_REAL_DATA): 1,026 pairs of
answers, of which one was preferred, about half of them to prompts of several turns.
"""

import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_app.backends import Conversation
from training.formats import Row

FILE = "oasst1_en_val_pairs.jsonl.gz"
VOCABULARY = 4096
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ '</s>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL = ["<pad>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]


@dataclass(frozen=True)
class Dialogue:
    """Hold a prompt, the answer that people preferred, and the other."""

    prompt: Conversation
    chosen: str
    rejected: str


def read() -> list[Dialogue]:
    """Read all pairs; raises KeyError where TOUCHSTONE_REAL_DATA is not set."""
    found = []
    with gzip.open(Path(os.environ["TOUCHSTONE_REAL_DATA"]) / FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            texts = [response["text"] for response in item["responses"]]
            choices = [said["choice"] for said in item["annotations"] if said["choice"] != "tie"]
            if choices and all(texts) and texts[0] != texts[1]:
                found.append(Dialogue(item["prompt"], texts[choices[0]], texts[1 - choices[0]]))
    return found


def pair_rows(dialogues: Sequence[Dialogue]) -> list[Row]:
    """Make a pair of each dialogue, all to be learnt from."""
    return [
        {
            **_asked(i, each),
            "chosen": each.chosen,
            "rejected": each.rejected,
            "probability": 1.0,
            "weight": 1.0,
            "rater": "majority",
            "round": 1,
        }
        for i, each in enumerate(dialogues)
    ]


def demonstration_rows(dialogues: Sequence[Dialogue]) -> list[Row]:
    """Make a demonstration of each dialogue's preferred answer."""
    return [{**_asked(i, each), "completion": each.chosen, "weight": 1.0} for i, each in enumerate(dialogues)]


def _asked(number: int, each: Dialogue) -> Row:
    return {"prompt_id": str(number), "prompt": json.dumps(each.prompt), "split": "train"}


def save_policy(folder: Path, dialogues: Sequence[Dialogue], context: int) -> Path:
    """Write a Llama of 5.8 million random weights, with a vocabulary learnt from the dialogues."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(dialogues)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=256,
            intermediate_size=688,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(dialogues: Sequence[Dialogue]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    texts = [text for each in dialogues for text in (each.prompt[-1]["content"], each.chosen, each.rejected)]
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", additional_special_tokens=SPECIAL[2:]
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer
