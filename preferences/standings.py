"""Differences between rated policies, each with its interval, from what a fit of ratings leaves behind.

It needs neither NumPy nor SciPy, so that pages compute any difference from what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from preferences.types import Estimate, Interval

ELO = 400 / log(10)  # points in a logit: 400 points multiply the odds of winning by ten


@dataclass(frozen=True)
class Standings:
    """Hold P policies, best first, with their scores (logits) and the P × P covariance of these.

    `quantile` is Student's t for 95 %, `tie_threshold` the t of preferences.bradley_terry, `votes` how many
    votes each is in.
    """

    policies: Sequence[str]
    scores: Sequence[float]
    covariance: Sequence[Sequence[float]]
    quantile: float
    tie_threshold: float
    votes: Sequence[int]

    def __contains__(self, policy: str) -> bool:
        return policy in self.policies

    def elo(self, first: str, second: str) -> Estimate:
        """Estimate by how many Elo points `first` stands above `second`; n is the votes of the rarer one."""
        low, value, high, n = self._difference(first, second)
        return Estimate(ELO * value, Interval(ELO * low, ELO * high), n)

    def share(self, first: str, second: str) -> Estimate:
        """Estimate the share of votes that `first` takes from `second`, a tie counting ½."""
        *ends, n = self._difference(first, second)
        low, value, high = (self._share(d) for d in ends)
        return Estimate(value, Interval(low, high), n)

    def _difference(self, first: str, second: str) -> tuple[float, float, float, int]:
        i, j = self.policies.index(first), self.policies.index(second)
        v = self.covariance
        half = self.quantile * sqrt(max(0.0, v[i][i] + v[j][j] - 2 * v[i][j]))
        value = self.scores[i] - self.scores[j]
        return value - half, value, value + half, min(self.votes[i], self.votes[j])

    def _share(self, d: float) -> float:
        return (_sigmoid(d - self.tie_threshold) + _sigmoid(d + self.tie_threshold)) / 2


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))
