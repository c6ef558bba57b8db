"""Train the demo policy from scratch: `python -m models_app.demo.train --out FOLDER --seed 0 --steps N`."""

import argparse
import json
import math
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from models_app.demo.corpus import examples

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL = ("<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
VOCABULARY = 2048
USUAL_TOKENS = 33
IGNORED = -100
ROWS = 64
CHUNK = 96 * ROWS
MUON_RATE, ADAM_RATE = 0.02, 4e-3
WARMUP, COOLDOWN = 50, 0.5


def train_tokenizer(seed: int, pairs: int = 40_000) -> PreTrainedTokenizerFast:
    """Fit a byte-level BPE tokenizer on generated pairs, with the chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (f"{question} {answer}" for question, answer in islice(examples(seed), pairs))
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=SPECIAL[0], eos_token=SPECIAL[1])
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.model_max_length = 512
    return wrapped


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make the untrained model: about 2.2 million parameters."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
            # on short sequences the plain product beats the flash kernel's backward pass
            attn_implementation="eager",
        )
    )


def batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (ids, next tokens), both [rows, length]; outside the answers next tokens are IGNORED."""
    source, rng = examples(seed), Random(seed)
    user, assistant, end, pad = tokenizer.convert_tokens_to_ids(
        ["<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"]
    )
    while True:
        pairs = list(islice(source, CHUNK))
        questions = tokenizer([question for question, _ in pairs])["input_ids"]
        answers = tokenizer([answer for _, answer in pairs])["input_ids"]
        rows = [
            ([user, *question, end, assistant, *answer, end], len(question) + 3)
            for question, answer in zip(questions, answers, strict=True)
        ]
        rows.sort(key=lambda row: len(row[0]))
        groups = [rows[i : i + ROWS] for i in range(0, CHUNK, ROWS)]
        rng.shuffle(groups)
        for group in groups:
            longest = max(len(ids) for ids, _ in group)
            shape = (ROWS, -(-longest // 16) * 16)  # few distinct shapes: each new one is compiled by oneDNN
            ids, targets = torch.full(shape, pad), torch.full(shape, IGNORED)
            for i, (row, start) in enumerate(group):
                ids[i, : len(row)] = torch.tensor(row)
                targets[i, start - 1 : len(row) - 1] = torch.tensor(row[start:])
            yield ids, targets


def _answer_loss(model: LlamaForCausalLM, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    places = (targets.flatten() != IGNORED).nonzero()[:, 0]
    places = torch.cat([places, places.new_zeros(-len(places) % 512)])
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden.flatten(0, 1)[places])
    total = torch.nn.functional.cross_entropy(
        logits.float(), targets.flatten()[places], ignore_index=IGNORED, reduction="sum"
    )
    # a batch holds answers of one length: its own mean would make short answers count for more
    return total / (ROWS * USUAL_TOKENS)


def _rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARMUP, (steps - step) / (COOLDOWN * steps))


def train(out: Path, seed: int, steps: int) -> None:
    """Train tokenizer and model and save them to `out`, weights as bfloat16 safetensors."""
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(seed)
    model = new_model(tokenizer)
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=0.01),
        torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda step: _rate(step, steps)) for o in optimizers]
    print(f"{model.num_parameters():,} parameters, {len(tokenizer)} tokens", flush=True)
    started, seen, average = time.monotonic(), 0, math.nan
    for step, (ids, targets) in enumerate(islice(batches(tokenizer, seed + 1), steps), start=1):
        loss = _answer_loss(model, ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        seen += ids.numel()
        average = loss.item() if math.isnan(average) else 0.98 * average + 0.02 * loss.item()
        if step % 20 == 0:
            speed = seen / (time.monotonic() - started)
            figures = {"step": step, "loss": round(average, 4), "tokens_per_second": round(speed)}
            print(json.dumps(figures), flush=True)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Run the training from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "policy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1900)
    arguments = parser.parse_args()
    train(arguments.out, arguments.seed, arguments.steps)


if __name__ == "__main__":
    main()
