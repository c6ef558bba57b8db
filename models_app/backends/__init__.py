"""Sources of answers and scores. Only importing the transformers backend loads torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Message = dict[str, str]
Conversation = list[Message]


class BackendError(Exception):
    """A plain sentence for people about why a model cannot be used."""


@dataclass(frozen=True)
class SamplingParams:
    """How to sample: `temperature` 0 takes the likeliest token, `max_new_tokens` counts tokens.

    `seeds`, if given, has one number below 2^63 for each conversation, which alone decides its random
    numbers; otherwise they come from `seed` and the conversation's place.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int = 0
    seeds: Sequence[int] = ()


class Policy(Protocol):
    """Whatever can answer conversations."""

    def generate(
        self, conversations: Sequence[Conversation], params: SamplingParams
    ) -> Iterator[tuple[int, str]]:
        """Yield (index of the conversation, answer) as answers finish; raise BackendError."""
        ...

    def stream(self, conversation: Conversation, params: SamplingParams) -> Iterator[str]:
        """Yield the answer to one conversation in pieces as they are produced; raise BackendError."""
        ...
