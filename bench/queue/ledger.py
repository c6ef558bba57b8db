"""What a crowd of raters was told, and how long it took."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple


class Saved(NamedTuple):
    """An answer; `status` is what the server said to it, 0 when nothing."""

    rater: str
    lease: str
    key: str
    verdict: int
    status: int


@dataclass
class Ledger:
    """What the raters were told; who sent an answer twice was told twice.

    `latencies` are seconds by kind of request: "open" a whole page, "next" a task alone, "judge" an answer
    with the next task, "skip", "undo". `retries` counts by cause what was sent again (connection lost, 5xx),
    apart from `errors`: answers that should not have come. `resent` met the end of an idle connection.
    """

    saved: list[Saved] = field(default_factory=list)
    refused: list[Saved] = field(default_factory=list)  # late ones that found no place, by 4xx
    untold: list[Saved] = field(
        default_factory=list
    )  # sent, and the run ended before the server said anything
    skipped: list[tuple[str, str]] = field(default_factory=list)  # rater, lease
    left: list[tuple[str, str]] = field(default_factory=list)  # rater, lease; abandoned, at least for long
    undone: int = 0
    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    resent: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def judgments(self) -> int:
        """Return how many answers the raters believe saved."""
        return len({said.key for said in self.saved})

    def percentile(self, share: float, kind: str = "judge") -> float:
        """Return how long that share of a kind's requests took at most, in seconds; 0 without any."""
        ordered = sorted(self.latencies[kind])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
