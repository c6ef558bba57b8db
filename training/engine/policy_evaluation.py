"""A new policy beside its parent on held-out prompts: rewards, lengths, variety and distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.engine import evaluation
from training.engine.best_of_n import sampling_params
from training.engine.config import PolicyConfig
from training.engine.data import Encoder, Prompt, read_prompts
from training.engine.policy_model import load_policy_model, sampler, score_replies
from training.engine.run_dir import RunDir

EVALUATION_SEED = 0xE7A1  # held-out prompts get the same draw in every stage and run


def compare(
    run: RunDir, config: PolicyConfig, model: Any, tokenizer: Any, encoder: Encoder
) -> dict[str, Any]:
    """Sample candidate and parent on test prompts; writes samples.parquet and returns the result's figures.

    Without test prompts every figure is null. Raises Cancelled when asked to stop.
    """
    prompts = _test_prompts(run, config)
    if not prompts:
        empty = dict.fromkeys(("proxy", "length_ratio", "mean_words", "distinct", "kl"))
        return {**empty, "why": "there are no test prompts"}
    parent, _ = load_policy_model(config.parent)
    texts = {
        "candidate": _answers(run, config, model, tokenizer, prompts, "candidate"),
        "parent": _answers(run, config, parent, tokenizer, prompts, "parent"),
    }
    rewards = {name: _rewards(config, prompts, answers) for name, answers in texts.items()}
    _write_samples(run, prompts, texts, rewards)
    first, second = rewards["candidate"], rewards["parent"]
    proxy = None
    if first is not None and second is not None:
        proxy = evaluation.win_rate(first, second, [prompt.prompt_id for prompt in prompts])
        proxy |= {"mean_reward": float(first.mean()), "parent_mean_reward": float(second.mean())}
    words = {name: float(evaluation.words(answers).mean()) for name, answers in texts.items()}
    replies = [
        encoder.reply(prompt.messages, text) for prompt, text in zip(prompts, texts["candidate"], strict=True)
    ]
    before = score_replies(parent, replies, tokenizer.pad_token_id)
    now = score_replies(model, replies, tokenizer.pad_token_id)
    return {
        "proxy": proxy,
        "length_ratio": words["candidate"] / words["parent"] if words["parent"] else None,
        "mean_words": words["candidate"],
        "distinct": evaluation.distinct_share(texts["candidate"]),
        "parent_distinct": evaluation.distinct_share(texts["parent"]),
        "kl": float((now - before).mean()),
        "parent_log_likelihood": float(before.sum() / sum(len(row.reply) for row in replies)),
    }


def _test_prompts(run: RunDir, config: PolicyConfig) -> list[Prompt]:
    if not (run.path / "prompts.parquet").exists():
        return []
    prompts = [prompt for prompt in read_prompts(run.path) if prompt.split == "test"]
    drawn = np.random.default_rng([config.seed, EVALUATION_SEED]).permutation(len(prompts))
    return [prompts[i] for i in drawn[: config.hyper.evaluation_prompts]]


def _answers(
    run: RunDir, config: PolicyConfig, model: Any, tokenizer: Any, prompts: list[Prompt], name: str
) -> list[str]:
    texts = [""] * len(prompts)
    policy = sampler(model, tokenizer)
    asked = [prompt.messages for prompt in prompts]
    params = sampling_params(config, EVALUATION_SEED)
    for done, (i, text) in enumerate(policy.generate(asked, params), start=1):
        run.check_stop()
        texts[i] = text
        run.progress(done, len(prompts), f"evaluating the {name}")
    return texts


def _rewards(config: PolicyConfig, prompts: list[Prompt], answers: list[str]) -> evaluation.Floats | None:
    from models_app.backends.transformers import load_reward_model

    if config.reward_model is None:
        return None
    judge = load_reward_model(config.reward_model)
    found = judge.score(
        [
            [*prompt.messages, {"role": "assistant", "content": text}]
            for prompt, text in zip(prompts, answers, strict=True)
        ]
    )
    return np.array(found, dtype=np.float64)


def _write_samples(
    run: RunDir,
    prompts: list[Prompt],
    texts: dict[str, list[str]],
    rewards: dict[str, evaluation.Floats | None],
) -> None:
    table = {
        "prompt_id": pa.array([prompt.prompt_id for _ in texts for prompt in prompts], pa.string()),
        "policy": pa.array([name for name in texts for _ in prompts], pa.string()),
        "text": pa.array([text for answers in texts.values() for text in answers], pa.string()),
        "reward": pa.array(
            [None if found is None else found[i] for found in rewards.values() for i in range(len(prompts))],
            pa.float64(),
        ),
    }
    pq.write_table(pa.table(table), run.path / "samples.parquet")
