"""Sample from a policy: python -m bench.policy.sampler touchstone|transformers POLICY THREADS TOKENS

Writes tokens, seconds and processor seconds as JSON. Batches of 64 in bfloat16, as many as there are threads;
transformers' own `generate` has a static cache, and one batch after another on all threads.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

BATCH = 64


def ours(policy: str, threads: int, tokens: int) -> Callable[[], int]:
    """Return what samples by the engine's sampler and counts its tokens."""
    from models_app.backends import SamplingParams
    from training.engine.policy_model import load_policy_model, sampler

    found: Any = sampler(*load_policy_model(policy))
    found.batch_size = BATCH
    found._stop_ids = lambda: [-2]  # answers of one length, as the other's
    asked = [
        [{"role": "user", "content": f"What would you do with {i} eggs?"}] for i in range(BATCH * threads)
    ]

    def sample() -> int:
        answers = found.generate(asked, SamplingParams(max_new_tokens=tokens, seed=1))
        return tokens * sum(1 for _ in answers)

    return sample


def theirs(policy: str, threads: int, tokens: int) -> Callable[[], int]:
    """Return what samples by `generate` and counts its tokens."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.bfloat16).eval()
    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    talks = [[{"role": "user", "content": f"What would you do with {i} eggs?"}] for i in range(BATCH)]
    texts = [
        tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True) for talk in talks
    ]
    ids = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)

    def sample() -> int:
        count = 0
        for _ in range(threads):
            found = model.generate(
                input_ids=ids["input_ids"],
                attention_mask=ids["attention_mask"],
                do_sample=True,
                top_k=0,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                cache_implementation="static",
                disable_compile=True,
            )
            count += found.shape[0] * (found.shape[1] - ids["input_ids"].shape[1])
        return count

    return sample


def main(who: str, policy: str, threads: int, tokens: int) -> None:
    """Sample twice, the first time to warm up, and write what the second took."""
    import torch

    torch.set_num_threads(threads)
    sample = (ours if who == "touchstone" else theirs)(policy, threads, tokens)
    sample()
    wall, used = time.monotonic(), time.process_time()
    count = sample()
    took = {"seconds": time.monotonic() - wall, "cpu_seconds": time.process_time() - used}
    print(json.dumps({"tokens": count, **took}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
