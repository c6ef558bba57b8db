"""Best-of-n distillation: sample n answers a prompt, let the reward model choose, imitate the chosen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from models_app.backends import SamplingParams
from training.engine.config import PolicyConfig
from training.engine.data import Prompt
from training.engine.evaluation import normalise
from training.engine.optimisation import autocast
from training.engine.policy_model import sampler
from training.engine.run_dir import RunDir
from training.engine.verifier import load_verifier

CHUNK_PROMPTS = 128  # sampled, scored and saved together

Candidates = list[tuple[str, float]]  # answers to one prompt with their rewards


def sample_candidates(
    run: RunDir, config: PolicyConfig, model: Any, tokenizer: Any, prompts: Sequence[Prompt], turn: int = 0
) -> list[Candidates]:
    """Sample and score the candidates of each prompt, keeping on disk what a restart need not sample again.

    Raises Cancelled when asked to stop.
    """
    from models_app.backends.transformers import load_reward_model

    n = config.hyper.best_of_samples
    path = run.work / f"candidates-{turn}.jsonl"
    path.parent.mkdir(exist_ok=True)
    found = _read_chunks(path)
    judge: Any
    if config.chooser == "verifier":
        judge = load_verifier(run, config)
    else:
        assert config.reward_model is not None
        judge = load_reward_model(config.reward_model)
    policy = sampler(model, tokenizer)
    for start in range(sum(map(len, found)), len(prompts), CHUNK_PROMPTS):
        chunk = [prompt.messages for prompt in prompts[start : start + CHUNK_PROMPTS] for _ in range(n)]
        params = sampling_params(config, start + turn * len(prompts))
        texts = [""] * len(chunk)
        for done, (i, text) in enumerate(policy.generate(chunk, params)):
            run.check_stop()
            texts[i] = text
            if done % n == 0:
                run.progress(start + done // n, len(prompts), "best_of_n sampling")
        answered = [
            [*ask, {"role": "assistant", "content": text}] for ask, text in zip(chunk, texts, strict=True)
        ]
        with autocast():  # enough to choose by
            rewards = judge.score(answered)
        scored = list(zip(texts, rewards, strict=True))
        found.append([scored[i : i + n] for i in range(0, len(scored), n)])
        with path.open("a") as file:
            file.write(json.dumps(found[-1]) + "\n")
    return [candidates for chunk in found for candidates in chunk]


def sampling_params(config: PolicyConfig, place: int) -> SamplingParams:
    """Take the sampling settings of a run, with a seed that differs from place to place."""
    hyper = config.hyper
    return SamplingParams(
        temperature=hyper.temperature,
        top_p=hyper.top_p,
        max_new_tokens=hyper.max_new_tokens,
        seed=config.seed * 1_000_003 + place,
    )


def _read_chunks(path: Any) -> list[list[Candidates]]:
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    path.write_text(whole)  # a kill may have cut the last line short
    return [
        [[(text, reward) for text, reward in candidates] for candidates in json.loads(line)]
        for line in whole.splitlines()
    ]


def choose(candidates: Sequence[Candidates], keep: int, repeats: int) -> list[list[str]]:
    """Choose up to `keep` answers of the highest reward for each prompt.

    Empty answers are never chosen, and (nearly) identical ones at most `repeats` times over all prompts, so
    that imitation cannot collapse onto one answer.
    """
    used: Counter[str] = Counter()
    chosen: list[list[str]] = []
    for answers in candidates:
        best: list[str] = []
        for text, _ in sorted(answers, key=lambda answer: -answer[1]):
            key = normalise(text)
            if key and used[key] < repeats and key not in map(normalise, best) and len(best) < keep:
                used[key] += 1
                best.append(text)
        chosen.append(best)
    return chosen


def reward_curve(candidates: Sequence[Candidates]) -> dict[str, float]:
    """Average the best reward among the first 1, 2, 4, … n candidates over the prompts."""
    rewards = np.array([[reward for _, reward in answers] for answers in candidates])
    steps = [2**k for k in range(int(np.log2(rewards.shape[1])) + 1)]
    return {f"best_of_{k}": float(rewards[:, :k].max(axis=1).mean()) for k in steps}
