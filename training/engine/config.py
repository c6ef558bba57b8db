"""What a run is to do: config.json, read strictly into frozen dataclasses."""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

STAGES = ("sft", "dpo", "verify", "best_of_n", "rl")
CHOOSERS = ("reward", "verifier")  # of the best of n
TUNINGS = ("full", "top", "lora", "frozen")  # what of a reward model is fitted
POLICY_TUNINGS = ("full", "lora")
LOSSES = ("ordinal", "binary")
RL_METHODS = ("rloo", "grpo")


class EngineError(Exception):
    """Say in one plain sentence why a run cannot go on."""


def _number(default: float | None, low: float, high: float = math.inf, none: bool = False) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "none": none})


@dataclass(frozen=True)
class RewardHyper:
    """Tune the fit of a reward model."""

    epochs: int = _number(2, 1)
    batch_size: int = _number(16, 1)  # pairs in one optimiser step
    micro_batch_size: int = _number(16, 1)  # pairs in one forward
    tokens_per_batch: int = _number(0, 0)  # padded tokens in one optimiser step instead of pairs; 0: off
    learning_rate: float = _number(5e-4, 0)
    warmup: float = _number(0.1, 0, 1)  # share of the steps
    weight_decay: float = _number(0.01, 0)
    clip: float = _number(1.0, 0)
    average_from: float = _number(0.5, 0, 1)  # weights are averaged over the steps after this share
    centre: float = _number(0.01, 0)  # pull of a pair's mean score to 0
    max_length: int = _number(512, 8)
    min_validation_votes: int = _number(200, 1)  # fewer cannot tell one epoch from another
    checkpoint_steps: int = _number(50, 1)
    top_layers: int = _number(2, 1)  # the last layers, which tuning "top" moves
    lora_rank: int = _number(16, 1)
    held_out_raters: float = _number(0.1, 0, 0.5)  # share of the raters whose votes only test
    # what a standard deviation of log length is worth, in logits; null: as much as the raters make of it
    length_preference: float | None = _number(None, -10, 10, none=True)


@dataclass(frozen=True)
class PolicyHyper:
    """Tune the stages of a policy's improvement."""

    batch_size: int = _number(16, 1)  # examples in one optimiser step
    micro_batch_size: int = _number(16, 1)
    warmup: float = _number(0.1, 0, 1)
    weight_decay: float = _number(0.0, 0)
    clip: float = _number(1.0, 0)
    max_length: int = _number(512, 8)
    checkpoint_steps: int = _number(50, 1)
    sft_epochs: int = _number(2, 1)
    sft_learning_rate: float = _number(2e-4, 0)
    sft_half_life: float = _number(2.0, 0)  # rounds after which a demonstration counts half; 0: all the same
    dpo_epochs: int = _number(2, 1)
    dpo_learning_rate: float = _number(5e-5, 0)
    dpo_beta: float = _number(0.1, 1e-6)
    dpo_margin: float = _number(0.0, 0)  # logits asked for by each step of a verdict; 0: soft labels instead
    verify_epochs: int = _number(2, 1)
    verify_learning_rate: float = _number(5e-4, 0)
    best_of_prompts: int = _number(512, 1)
    best_of_samples: int = _number(8, 2)  # answers sampled for each prompt
    best_of_keep: int = _number(1, 1)  # of them distilled
    best_of_turns: int = _number(1, 1)  # how often the distilled policy is sampled and distilled again
    best_of_repeats: int = _number(2, 1)  # how often one (nearly) identical answer may be distilled
    best_of_epochs: int = _number(3, 1)
    best_of_learning_rate: float = _number(5e-4, 0)
    best_of_kl: float = _number(0.0, 0)  # weight of KL(policy ‖ parent) per token while distilling
    rl_steps: int = _number(100, 1)
    rl_samples: int = _number(4, 2)  # answers to one prompt, each judged beside the others
    rl_learning_rate: float = _number(1e-5, 0)
    rl_kl: float = _number(0.05, 0)  # weight of KL(policy ‖ parent)
    lora_rank: int = _number(16, 1)
    max_new_tokens: int = _number(128, 1)
    temperature: float = _number(1.0, 0)
    top_p: float = _number(1.0, 1e-6, 1)
    evaluation_prompts: int = _number(200, 1)


@dataclass(frozen=True)
class RewardConfig:
    """Ask for a reward model, grown from `trunk`, and its test beside the `champion` on the same votes."""

    seed: int
    threads: int | None
    trunk: str
    champion: str | None
    hyper: RewardHyper
    tuning: str = "full"
    loss: str = "ordinal"


@dataclass(frozen=True)
class Mix:
    """Name demonstrations or pairs to learn from as well, whose weights are multiplied by `weight`."""

    path: str
    weight: float


@dataclass(frozen=True)
class PolicyConfig:
    """Ask for a better policy than `parent`, which is also the reference of DPO and of every comparison."""

    seed: int
    threads: int | None
    parent: str
    reward_model: str | None
    stages: tuple[str, ...]
    hyper: PolicyHyper
    tuning: str = "full"
    rl: str = "rloo"
    chooser: str = "reward"
    mix: tuple[Mix, ...] = ()


Config = RewardConfig | PolicyConfig
Hyper = TypeVar("Hyper", RewardHyper, PolicyHyper)

_KEYS = {
    "reward": {"kind", "seed", "threads", "trunk", "champion", "hyper", "tuning", "loss"},
    "policy": {
        "kind",
        "seed",
        "threads",
        "parent",
        "reward_model",
        "stages",
        "hyper",
        "tuning",
        "rl",
        "chooser",
        "mix",
    },
}


def read_config(run_dir: Path) -> Config:
    """Read RUN_DIR/config.json; raises EngineError naming the key that is missing, unknown or wrong."""
    path = run_dir / "config.json"
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        raise EngineError("The run directory has no config.json.") from None
    except ValueError as error:
        raise EngineError(f"config.json is not valid JSON: {error}.") from None
    if not isinstance(raw, dict):
        raise EngineError("config.json must hold a JSON object.")
    kind = raw.get("kind")
    if kind not in _KEYS:
        raise EngineError(f'config.json: kind must be "reward" or "policy", not {kind!r}.')
    # a config may name the other kind's keys as null
    for key in raw:
        if key not in _KEYS[kind] and raw[key] is not None:
            raise EngineError(f"config.json: {key!r} is no key of a {kind} run.")
    seed, threads = raw.get("seed", 0), raw.get("threads")
    if not _is_int(seed) or seed < 0:
        raise EngineError(f"config.json: seed must be a whole number from 0, not {seed!r}.")
    if threads is not None and (not _is_int(threads) or threads < 1):
        raise EngineError(f"config.json: threads must be null or a whole number from 1, not {threads!r}.")
    hyper = {} if raw.get("hyper") is None else raw["hyper"]
    if kind == "reward":
        champion = _location(raw, "champion") if raw.get("champion") is not None else None
        return RewardConfig(
            seed,
            threads,
            _location(raw, "trunk"),
            champion,
            _read_hyper(RewardHyper, hyper),
            tuning=_one_of(raw, "tuning", TUNINGS),
            loss=_one_of(raw, "loss", LOSSES),
        )
    return _policy_config(raw, seed, threads, _read_hyper(PolicyHyper, hyper))


def _policy_config(raw: dict[str, Any], seed: int, threads: int | None, hyper: PolicyHyper) -> PolicyConfig:
    stages = raw.get("stages")
    if not isinstance(stages, list) or not stages or any(stage not in STAGES for stage in stages):
        raise EngineError(
            f"config.json: stages must list one or more of {', '.join(STAGES)}, not {stages!r}."
        )
    if stages != [stage for stage in STAGES if stage in stages]:
        raise EngineError(f"config.json: stages run once each, in the order {', '.join(STAGES)}.")
    reward_model = _location(raw, "reward_model") if raw.get("reward_model") is not None else None
    chooser = _one_of(raw, "chooser", CHOOSERS)
    if chooser == "verifier" and "best_of_n" in stages and "verify" not in stages:
        raise EngineError("config.json: the chooser verifier needs the stage verify before best_of_n.")
    for stage in ("best_of_n", "rl"):
        needed = stage == "rl" or chooser == "reward"
        if stage in stages and needed and reward_model is None:
            raise EngineError(f"config.json: the stage {stage} needs a reward_model.")
    if "rl" in stages and hyper.batch_size % hyper.rl_samples:
        raise EngineError(
            f"config.json: hyper batch_size must be a multiple of rl_samples ({hyper.rl_samples}), "
            f"not {hyper.batch_size}."
        )
    return PolicyConfig(
        seed,
        threads,
        _location(raw, "parent"),
        reward_model,
        tuple(stages),
        hyper,
        tuning=_one_of(raw, "tuning", POLICY_TUNINGS),
        rl=_one_of(raw, "rl", RL_METHODS),
        chooser=chooser,
        mix=_mix(raw.get("mix") or []),
    )


def _mix(raw: Any) -> tuple[Mix, ...]:
    found = []
    for part in raw if isinstance(raw, list) else [raw]:
        path, weight = (part.get("path"), part.get("weight")) if isinstance(part, dict) else (None, None)
        if not isinstance(path, str) or not path.endswith(("demonstrations.parquet", "pairs.parquet")):
            raise EngineError(
                f"config.json: mix must list files of demonstrations.parquet or pairs.parquet, not {part!r}."
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise EngineError(
                f"config.json: the weight of {path} in mix must be a number from 0, not {weight!r}."
            )
        found.append(Mix(path, float(weight)))
    return tuple(found)


def _location(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise EngineError(f"config.json: {key} must be a path or a hub id, not {value!r}.")
    return value


def _one_of(raw: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
    """Return a word of a closed list, the first where none is given."""
    word = known[0] if raw.get(key) is None else raw[key]
    if word not in known:
        raise EngineError(f"config.json: {key} must be one of {', '.join(known)}, not {word!r}.")
    return str(word)


def _read_hyper(kind: type[Hyper], raw: Any) -> Hyper:
    if not isinstance(raw, dict):
        raise EngineError("config.json: hyper must be a JSON object.")
    known = {f.name: f for f in fields(kind)}
    for key, value in raw.items():
        if key not in known:
            raise EngineError(f"config.json: unknown hyper {key!r}; known are {', '.join(known)}.")
        _check_number(known[key], value)
    return kind(**raw)


def _check_number(setting: Field[Any], value: Any) -> None:
    assert setting.default is not MISSING
    if value is None and setting.metadata["none"]:
        return
    whole = isinstance(setting.default, int)
    low, high = setting.metadata["low"], setting.metadata["high"]
    good = _is_int(value) or (not whole and isinstance(value, float) and math.isfinite(value))
    if not good or not low <= value <= high:
        what = "a whole number" if whole else "a number"
        bounds = f"from {low:g}" + (f" to {high:g}" if high < math.inf else "")
        raise EngineError(f"config.json: hyper {setting.name} must be {what} {bounds}, not {value!r}.")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
