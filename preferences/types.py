"""Pairs, votes and estimates: the plain data that the mathematics of preference reads and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

STRONGEST = 3  # verdicts run from −3 (left much better) through 0 (a tie) to +3 (right much better)


class Interval(NamedTuple):
    """Hold the two ends of an interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """Hold a figure with its interval; an undefined figure has no value and says why."""

    value: float | None
    interval: Interval | None
    n: int
    why: str = ""


@dataclass(frozen=True)
class Pair:
    """Name two answers (or the policies that gave them) to one prompt, as displayed."""

    prompt: str
    left: str
    right: str

    def swap(self) -> Pair:
        """Show the same pair the other way round."""
        return Pair(self.prompt, self.right, self.left)


@dataclass(frozen=True)
class Vote:
    """Hold a rater's verdict on a displayed pair: −3 (left much better) … +3 (right much better), 0 a tie."""

    rater: str
    pair: Pair
    verdict: int

    def __post_init__(self) -> None:
        if not -STRONGEST <= self.verdict <= STRONGEST:
            raise ValueError(f"verdict {self.verdict} is outside −{STRONGEST}…{STRONGEST}")

    def swap(self) -> Vote:
        """Say the same with the sides exchanged."""
        return Vote(self.rater, self.pair.swap(), -self.verdict)

    @property
    def left_share(self) -> float:
        """Count the vote for the left side: 1 a win, 0.5 a tie, 0 a loss."""
        return 0.5 if self.verdict == 0 else float(self.verdict < 0)
