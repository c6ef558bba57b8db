"""Draw answers from a policy."""

from collections.abc import Iterator, Sequence

from models_app import registry
from models_app.backends import Conversation, SamplingParams
from models_app.models import ModelVersion, SamplingConfig


def get_config(
    temperature: float = 1.0, top_p: float = 1.0, max_new_tokens: int = 96, seed: int = 0
) -> SamplingConfig:
    """Return the one row for these values, making it if need be."""
    config, _ = SamplingConfig.objects.get_or_create(
        temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, seed=seed
    )
    return config


def values(config: SamplingConfig) -> dict[str, float]:
    """Return what `get_config` takes to give this row."""
    return {name: getattr(config, name) for name in ("temperature", "top_p", "max_new_tokens", "seed")}


def warmed(config: SamplingConfig, temperature: float) -> SamplingConfig:
    """Return the row that differs from another in its temperature only."""
    return get_config(temperature, config.top_p, config.max_new_tokens, config.seed)


def draw(
    version: ModelVersion,
    conversations: Sequence[Conversation],
    config: SamplingConfig,
    *,
    offset: int = 0,
    seeds: Sequence[int] = (),
) -> Iterator[tuple[int, str]]:
    """Yield (index, answer) as answers finish; `offset` moves the seed so that other draws differ.

    `seeds`, one below 2^63 for each conversation, decide alone instead.
    """
    params = _params(config, offset, seeds)
    yield from registry.policy(version).generate(conversations, params)


def stream(
    version: ModelVersion, conversation: Conversation, config: SamplingConfig, *, offset: int = 0
) -> Iterator[str]:
    """Yield one answer in pieces as they are produced."""
    yield from registry.policy(version).stream(conversation, _params(config, offset))


def _params(config: SamplingConfig, offset: int, seeds: Sequence[int] = ()) -> SamplingParams:
    return SamplingParams(
        temperature=config.temperature,
        top_p=config.top_p,
        max_new_tokens=config.max_new_tokens,
        seed=config.seed + offset,
        seeds=seeds,
    )
