"""When to stop asking: about one comparison, and about which of two policies people prefer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, comb, lgamma, log, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from preferences.intervals import Floats
from preferences.types import Estimate, Interval

# both parameters of the Beta that spreads the alternative around ½: a true share near 45 to 55 %
PRIOR = 50.0
# what futility rules out on either side of ½, and a fixed number of votes is meant to see
SMALLEST_GAP = 0.05
_lgamma = np.vectorize(lgamma, otypes=[np.float64])  # the web process does without SciPy


def certainty(first: int, second: int, neither: int = 0) -> float:
    """Return how probable it is that most people prefer what most of these votes prefer.

    Votes count each person's side; the share p of people who prefer the first answer is unknown beforehand
    (uniform on 0 to 1), so after a and b votes it is Beta(a + 1, b + 1) distributed, and the result is
    max(P(p > ½), P(p < ½)), from ½ (as good as nothing known) to 1. A vote for neither is half a vote for
    each; of an odd number of them the last is left out. For whole counts P(p > ½) is the chance of at most
    a heads in a + b + 1 throws of a fair coin (Gelman et al., Bayesian Data Analysis, 3rd ed., sec. 2.4).

    ValueError for negative counts.
    """
    if min(first, second, neither) < 0:
        raise ValueError("votes can't be fewer than none")
    a, b = first + neither // 2, second + neither // 2
    throws = a + b + 1
    above = sum(comb(throws, heads) for heads in range(a + 1)) / float(2**throws)
    return max(above, 1 - above)


class Ties(StrEnum):
    """What a tie says about two policies; stated before the first vote."""

    HALF = "half"  # half a vote for each
    DROPPED = "dropped"  # nothing


class Outcome(StrEnum):
    """Where a comparison of two policies stands."""

    OPEN = "open"
    FIRST = "first"
    SECOND = "second"
    EVEN = "even"  # futile: within SMALLEST_GAP of one half
    CAPPED = "capped"


def fixed_votes(gap: float = SMALLEST_GAP, power: float = 0.8, error: float = 0.05) -> int:
    """Return how many votes a two-sided test asks for that looks once, to see a share of ½ + gap.

    n = ((z_{1−error/2}·½ + z_power·√(p(1−p))) / gap)²: 783 for 55 % at 80 % power, 194 for 60 %.
    """
    if not 0 < gap < 0.5:
        raise ValueError(f"a gap lies between 0 and ½, not {gap}")
    z, p = NormalDist().inv_cdf, 0.5 + gap
    return ceil(((z(1 - error / 2) / 2 + z(power) * sqrt(p * (1 - p))) / gap) ** 2)


@dataclass(frozen=True)
class Plan:
    """State before the first vote when a comparison of two policies ends."""

    ties: Ties = Ties.HALF
    evidence: float = 20.0  # stop at E_n ≥ this: the chance of ever doing so for equal policies is 1/20
    futility: float = 10.0  # … or when one half is this many times likelier than both 45 and 55 %
    cap: int = ceil(1.5 * fixed_votes())
    votes_per_rater: int = 5  # more by the same rater are left out: they resemble each other


@dataclass(frozen=True)
class Standing:
    """Hold where a comparison of two policies stands after `votes` votes that counted.

    `log_evidence` is ln E_n; `share` the first policy's share with an interval that holds at every number of
    votes at once, however often one looks.
    """

    outcome: Outcome
    votes: int
    log_evidence: float
    share: Estimate


def log_evidence(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return ln E_n of (fractional) votes: E_n = B(50+W, 50+n−W)/B(50, 50)·2ⁿ against a share of ½.

    E_n is the likelihood under a Beta(50, 50) of shares, over that under ½. For equal policies its mean never
    grows, so it passes 20 with probability below 1/20 at any number of votes, however often one looks
    (Ville's inequality; Ramdas et al. 2023, Statistical Science 38:576). A tie as half a vote for each
    keeps this: 2√(θ(1−θ)) ≤ 1.
    """
    won, lost = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return _log_mixture(won, lost) + (won + lost) * log(2)


def _log_mixture(won: Floats, lost: Floats) -> Floats:
    """Return ln B(50+W, 50+L)/B(50, 50), the likelihood under the spread-out alternative."""
    beta = _lgamma(PRIOR + won) + _lgamma(PRIOR + lost) - _lgamma(2 * PRIOR + won + lost)
    return np.asarray(beta - 2 * lgamma(PRIOR) + lgamma(2 * PRIOR), np.float64)


def log_futility(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return the log of how many times likelier one half is than the likelier of 45 and 55 %."""
    won, lost = np.asarray(first, np.float64), np.asarray(second, np.float64)
    low, high = 0.5 - SMALLEST_GAP, 0.5 + SMALLEST_GAP
    more, less = np.maximum(won, lost), np.minimum(won, lost)
    return np.asarray(-(won + lost) * log(2) - more * log(high) - less * log(low))


def follow(outcomes: npt.ArrayLike, raters: npt.ArrayLike, plan: Plan | None = None) -> Standing:
    """Follow votes on two policies in the order they came, to where the plan stops or to the last one.

    `outcomes` are 1 (the first policy won), −1 (the second) or 0 (a tie), `raters` whole numbers. What comes
    after the stop changes nothing, so that the error holds although more votes may arrive. Raises ValueError
    on unequal lengths.
    """
    plan = plan or Plan()
    said, who = np.asarray(outcomes, np.int64), np.asarray(raters, np.int64)
    if said.shape != who.shape or said.ndim != 1:
        raise ValueError(f"{said.shape} outcomes need as many raters, not {who.shape}")
    said = said[number_within(who) < plan.votes_per_rater]
    if plan.ties == Ties.DROPPED:
        said = said[said != 0]
    said = said[: plan.cap]
    won, lost = np.cumsum((said > 0) + (said == 0) / 2), np.cumsum((said < 0) + (said == 0) / 2)
    evidence = log_evidence(won, lost)
    decided = evidence >= log(plan.evidence)
    futile = log_futility(won, lost) >= log(plan.futility)
    stops = np.flatnonzero(decided | futile | (np.arange(1, len(said) + 1) >= plan.cap))
    if not len(said):
        return Standing(Outcome.OPEN, 0, 0.0, Estimate(None, None, 0, "nobody has compared these two yet"))
    at = int(stops[0]) if len(stops) else len(said) - 1
    outcome = Outcome.CAPPED if len(stops) else Outcome.OPEN
    if decided[at]:
        outcome = Outcome.FIRST if won[at] > lost[at] else Outcome.SECOND
    elif futile[at]:
        outcome = Outcome.EVEN
    share = bound_share(float(won[at]), float(lost[at]), plan.evidence)
    return Standing(outcome, at + 1, float(evidence[at]), share)


def bound_share(first: float, second: float, evidence: float = 20.0) -> Estimate:
    """Estimate a share of votes with an interval that holds at all numbers of votes at once.

    The interval holds every share p against which the evidence B(50+W, 50+L)/B(50, 50) / (p^W (1−p)^L) stays
    below `evidence`: a confidence sequence of level 1 − 1/evidence. Undefined without votes.
    """
    n = first + second
    if n == 0:
        return Estimate(None, None, 0, "nobody has compared these two yet")
    value = first / n
    mixture = float(_log_mixture(np.asarray(first), np.asarray(second)))

    def excess(p: float) -> float:
        return mixture - first * log(p) - second * log(1 - p) - log(evidence)

    return Estimate(value, Interval(_bisect(excess, value, 0.0), _bisect(excess, value, 1.0)), round(n))


def _bisect(excess: Callable[[float], float], inner: float, edge: float) -> float:
    """Find where the evidence reaches its bound between the estimate and an edge of 0…1."""
    outer = edge
    for _ in range(60):
        middle = (inner + outer) / 2
        if middle in (0.0, 1.0):
            return edge
        inner, outer = (inner, middle) if excess(middle) > 0 else (middle, outer)
    return inner


def number_within(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number each entry 0, 1, … among those with the same code, in order."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(codes) else np.array([], int)
    numbers = np.empty(len(codes), dtype=np.int64)
    numbers[order] = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(codes))))
    return numbers
