"""Does choosing harder by a reward model still please people? Best-of-n curves, and when they part.

Of N answers to a prompt a reward model takes the best of n. The proxy's curve is what it thinks of its own
choice, people's curve how often they prefer that choice to another random answer; both are chances to win
against a random answer, so they share one axis (Gao, Schulman & Hilton 2023, "Scaling laws for reward model
overoptimization", section 2; Stiennon et al. 2020 for best-of-n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb, log

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from preferences.intervals import Floats, encode_clusters
from preferences.types import Estimate, Interval

SIZES = (1, 4, 16, 64)
FEWEST = 20  # votes on each size before anything is said
WORTH = 0.01  # of people's win rate: a gain below it is none
LEVEL = 0.95

Codes = npt.NDArray[np.int64]


class Standing(StrEnum):
    """What people's votes say of choosing by a reward model."""

    TOO_FEW = "too few"
    PAYS = "pays"
    UNDECIDED = "undecided"
    STOPPED = "stopped"  # the alarm: the proxy goes on rising, people see no further gain


@dataclass(frozen=True)
class Step:
    """From choosing among `n` to choosing among the most: the gain promised, and the gain people see."""

    n: int
    promised: Estimate
    seen: Estimate


@dataclass(frozen=True)
class Verdict:
    """What to make of the two curves; `beyond` is the n after which people see no gain, in an alarm."""

    standing: Standing
    steps: tuple[Step, ...]
    beyond: int | None = None

    @property
    def alarm(self) -> bool:
        return self.standing is Standing.STOPPED


@dataclass(frozen=True)
class PickVotes:
    """Votes between picks and random answers: `won` 1, ½ or 0 for the pick, clusters, and sizes served.

    `serves` is votes × sizes above 1: the best of 16 may be the best of 4, too, and is asked once then.
    """

    serves: npt.NDArray[np.bool_]
    won: Floats
    prompt: Codes
    rater: Codes


def divergence(n: int) -> float:
    """Bound how far best-of-n is from the policy: KL ≤ ln n − (n − 1)/n nats (Beirami et al. 2024)."""
    return log(n) - (n - 1) / n


def weigh(order: npt.NDArray[np.int64], n: int) -> Floats:
    """Return for each of N draws the chance to be the best of n random ones; `order` ranks them, worst 0."""
    total = len(order)
    if not 1 <= n <= total:
        raise ValueError(f"the best of {n} needs at least as many draws, not {total}")
    by_rank = np.array([comb(rank, n - 1) / comb(total, n) for rank in range(total)])
    return np.asarray(by_rank[order], dtype=np.float64)


def expect(proxy: npt.ArrayLike, values: npt.ArrayLike, sizes: Sequence[int] = SIZES) -> Floats:
    """Return the expected value of the proxy's best of n; proxy and values are prompts × draws.

    The mean over all subsets of n draws, which is unbiased and varies less than one subset (the estimator of
    pass@k, Chen et al. 2021). Returns prompts × sizes.
    """
    rewards, worth = np.asarray(proxy, np.float64), np.asarray(values, np.float64)
    if rewards.shape != worth.shape or rewards.ndim != 2:
        raise ValueError(f"rewards {rewards.shape} and values {worth.shape} must be prompts × draws alike")
    order = rewards.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    weights = np.array([[weigh(row, n) for n in sizes] for row in order])
    return np.asarray(np.einsum("psd,pd->ps", weights, worth))


def win_rates(votes: PickVotes, level: float = LEVEL) -> list[Estimate]:
    """Estimate for each size above 1 how often the pick is preferred to a random answer, a tie counting ½."""
    return [_contrast(votes, {column: 1.0}, 0.0, level) for column in range(votes.serves.shape[1])]


def gain(votes: PickVotes, size: int, level: float = LEVEL) -> Estimate:
    """Estimate by how much people prefer the best of the most to the best of the size at this place.

    Place 0 is the random answer itself, whose win rate is ½ by symmetry.
    """
    last = votes.serves.shape[1] - 1
    if size == 0:
        return _contrast(votes, {last: 1.0}, -0.5, level)
    return _contrast(votes, {size - 1: -1.0, last: 1.0}, 0.0, level)


def _contrast(votes: PickVotes, signs: dict[int, float], base: float, level: float) -> Estimate:
    """Estimate base + Σ sign · win rate.

    Variance: clustered by rater and by prompt (Cameron, Gelbach & Miller 2011), at least that of independent
    votes with two more that disagree; Student's t with 1/Σ share² − 1 degrees of freedom over raters' shares.
    """
    counts = {column: int(votes.serves[:, column].sum()) for column in signs}
    n = min(counts.values())
    if n == 0:
        return Estimate(None, None, 0, "there are no votes yet")
    value, influence = base, np.zeros(len(votes.won))
    for column, sign in signs.items():
        serves = votes.serves[:, column]
        mean = float(votes.won[serves].mean())
        value += sign * mean
        influence += sign * serves * (votes.won - mean) / counts[column]
    used = votes.serves[:, list(signs)].any(axis=1)
    influence, prompt, rater = influence[used], votes.prompt[used], votes.rater[used]
    if len(np.unique(prompt)) < 2:
        return Estimate(value, None, n, "an interval needs at least two clusters")
    independent = float((influence**2).sum())
    clustered = _between(influence, prompt) + _between(influence, rater) - independent
    floor = independent + sum(0.5 / count**2 for count in counts.values())
    half = _quantile(rater, prompt, level) * float(np.sqrt(max(clustered, floor)))
    return Estimate(value, Interval(value - half, value + half), n)


def _between(influence: Floats, clusters: Codes) -> float:
    codes, groups = encode_clusters(clusters)
    if groups < 2:
        return float((influence**2).sum())
    sums = np.bincount(codes, influence, groups)
    return float((sums**2).sum() * groups / (groups - 1))


def _quantile(rater: Codes, prompt: Codes, level: float) -> float:
    clusters = rater if len(np.unique(rater)) > 1 else prompt
    shares = np.unique(clusters, return_counts=True)[1] / len(clusters)
    return float(stdtrit(max(1.0, 1.0 / float((shares**2).sum()) - 1.0), 0.5 + level / 2))


def judge(promised: Floats, votes: PickVotes, sizes: Sequence[int] = SIZES) -> Verdict:
    """Say whether choosing harder still pays; `promised` is prompts × sizes, the proxy's chances to win.

    The alarm: for some n the proxy's own gain from n to the largest size is surely above 0, and people's
    interval for that gain, corrected for as many looks as there are n, lies below WORTH. `beyond` is then the
    n that people like best. Without alarm it pays when the interval of people's whole gain lies above 0.
    """
    last = len(sizes) - 1
    level = 1 - (1 - LEVEL) / last
    steps = tuple(
        Step(n, _mean(promised[:, last] - promised[:, at]), gain(votes, at, level))
        for at, n in enumerate(sizes[:-1])
    )
    if votes.serves.sum(axis=0).min(initial=len(votes.won)) < FEWEST:
        return Verdict(Standing.TOO_FEW, steps)
    if any(_parts(step) for step in steps):
        seen = [0.5, *(rate.value or 0.0 for rate in win_rates(votes))]
        return Verdict(Standing.STOPPED, steps, sizes[int(np.argmax(seen[:last]))])
    whole = gain(votes, 0).interval
    pays = whole is not None and whole.low > 0
    return Verdict(Standing.PAYS if pays else Standing.UNDECIDED, steps)


def _parts(step: Step) -> bool:
    """Tell whether the proxy surely rises in a step and people surely don't."""
    own, people = step.promised.interval, step.seen.interval
    return own is not None and people is not None and own.low > 0 and people.high < WORTH


def _mean(values: Floats) -> Estimate:
    """Bound the mean of one value a prompt by Student's t."""
    n = len(values)
    value = float(values.mean()) if n else None
    if value is None or n < 2:
        return Estimate(value, None, n, "an interval needs at least two clusters")
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2) * values.std(ddof=1) / np.sqrt(n))
    return Estimate(value, Interval(value - half, value + half), n)
