"""Which pairs to ask next: those whose votes would teach a linear reward on frozen features the most.

The reward is w·φ, fitted by ridge logistic regression (`posterior`) or by the model of raters
(`preferences.ordinal.fit`, then `estimate_covariance`). `choose` picks greedily for D-optimality, beside a
uniform random share, and `pays` judges whether that is worth it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from preferences.intervals import Floats, paired_difference
from preferences.ordinal import Fit
from preferences.ordinal_likelihood import Ints, Votes
from preferences.types import Estimate

RIDGE = 10.0  # of features of the order of 1; less leaves the first hundreds of labels to chance
_PRIOR = 0.3  # the ridge of preferences.ordinal
MOST_TIES = 2  # a pair with as many tied votes is left out
ALIKE = 0.95  # from this closeness on two answers are near-duplicates
ENOUGH = 1000  # labels, before the arms are compared
_STEPS = 50
_HALVINGS = 40
_CLOSE = 1e-10  # of the loss, that a Newton step must still gain

Arm = Literal["active", "random", "evaluation"]


class Posterior(NamedTuple):
    """Hold the reward's weights (d,) and their covariance (d, d), the inverse Hessian at the mode."""

    weights: Floats
    covariance: Floats


@dataclass(frozen=True, eq=False)
class Candidates:
    """Hold m pairs that may be asked: arrays of length m.

    `prompt` are codes, `gap` is φ_L − φ_R (m × d), `ties` how many votes on the pair were ties, `closeness`
    how alike the two answers are, 0…1, where known. Raises ValueError naming the array that is wrong.
    """

    prompt: Ints
    gap: Floats
    ties: Ints
    closeness: Floats | None = None

    def __post_init__(self) -> None:
        if np.ndim(self.gap) != 2 or not np.isfinite(self.gap).all():
            raise ValueError(f"gap: {np.shape(self.gap)} isn't one row of finite numbers a pair")
        for name in ("prompt", "ties", "closeness"):
            array = getattr(self, name)
            if array is not None and np.shape(array) != (len(self.gap),):
                raise ValueError(f"{name}: {np.shape(array)} isn't one value a pair")

    def __len__(self) -> int:
        return len(self.gap)

    @property
    def worth_asking(self) -> npt.NDArray[np.bool_]:
        """Tell which pairs may still teach something: fewer than two ties, and no near-duplicates."""
        worth = np.asarray(self.ties) < MOST_TIES
        return worth if self.closeness is None else worth & (np.asarray(self.closeness) < ALIKE)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Hold the picks in the order in which they were made: arrays of equal length.

    `index` into the candidates, `arm` that picked it, `probability` with which it was to pick it, and
    `gain`, the information of a vote on the pair at that moment: p(1−p)·ΔφᵀΣΔφ, 0 being none.
    """

    index: npt.NDArray[np.int64]
    arm: npt.NDArray[np.str_]
    probability: Floats
    gain: Floats

    def __len__(self) -> int:
        return len(self.index)


def posterior(
    gaps: Floats,
    probability: Floats,
    weight: Floats | None = None,
    *,
    ridge: float = RIDGE,
    start: Floats | None = None,
) -> Posterior:
    """Fit P(left preferred) = σ(w·gap) with a ridge, by Newton's method with backtracking.

    `gaps` is n × d, `probability` what each vote says (1 left, 0 right, ½ a tie, or between), `weight` what
    it counts. Undamped steps can leave for infinity; each is halved until the loss falls.
    """
    gaps, said = np.asarray(gaps, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    count = np.ones(len(gaps)) if weight is None else np.asarray(weight, dtype=np.float64)
    if gaps.ndim != 2 or said.shape != (len(gaps),) or count.shape != (len(gaps),):
        raise ValueError(f"gaps {gaps.shape}, probability {said.shape} and weight {count.shape} don't match")
    if ridge <= 0:
        raise ValueError(f"ridge: {ridge} isn't above 0")
    w = np.zeros(gaps.shape[1]) if start is None else np.array(start, dtype=np.float64)

    def loss(w: Floats) -> float:
        eta = gaps @ w
        return float(count @ (np.logaddexp(0, eta) - said * eta) + 0.5 * ridge * w @ w)

    before = loss(w)
    for _ in range(_STEPS):
        p = expit(gaps @ w)
        uphill = gaps.T @ (count * (said - p)) - ridge * w
        step = np.linalg.solve(_hessian(gaps, count * p * (1 - p), ridge), uphill)
        for _ in range(_HALVINGS):
            if (after := loss(w + step)) <= before:
                break
            step /= 2
        else:
            break
        w, gained, before = w + step, before - after, after
        if gained <= _CLOSE * max(1.0, before):
            break
    p = expit(gaps @ w)
    return Posterior(w, _invert(_hessian(gaps, count * p * (1 - p), ridge)))


def estimate_covariance(fit: Fit, features: Floats, lengths: Floats, votes: Votes) -> Floats:
    """Return the covariance (d, d) of the weights that `preferences.ordinal.fit` found, raters as fitted.

    A vote tells as much of w·Δφ as its grade tells of η, times ability squared. What a pair has beyond its
    features all its votes share: their information J counts J/(1 + residual²·J).
    """
    r, utility = votes.raters, fit.utility(features)
    eta = fit.ability[r] * (utility[votes.left] - utility[votes.right]) + fit.side[r]
    eta += (fit.length + fit.length_taste[r]) * (lengths[votes.left] - lengths[votes.right])
    edges = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
    high = expit(fit.spread[r] * edges[votes.grades + 1] - eta)
    low = expit(fit.spread[r] * edges[votes.grades] - eta)
    told = fit.ability[r] ** 2 * (high * (1 - high) + low * (1 - low))
    first, second = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    keys, of = np.unique(first.astype(np.int64) * len(features) + second, return_inverse=True)
    told = np.bincount(of, told, len(keys))
    gaps = features[keys // len(features)] - features[keys % len(features)]
    return _invert(_hessian(gaps, told / (1 + fit.residual**2 * told), _PRIOR))


def choose(
    candidates: Candidates,
    weights: Floats,
    covariance: Floats,
    n: int,
    seed: int,
    *,
    per_prompt: int = 2,
    random_share: float = 0.1,
    evaluation_share: float = 0.0,
) -> Chosen:
    """Pick at most n pairs: uniform random shares first, the rest where a vote teaches the most.

    `evaluation` (not to be trained on) and `random` pairs are drawn from all candidates without replacement,
    each with probability share·n/m, exactly (what doesn't come out even is drawn for). The active arm then
    takes, one after the other, argmax p(1−p)·ΔφᵀΣΔφ (greedy D-optimal; each pick lowers Σ by what its vote
    will teach, and so do the random ones), at most `per_prompt` a prompt, among pairs worth asking. Given
    votes and random draws that is certain, so its probability is 1: pairs that it passes over have 0, and no
    weighting of active picks stands for all pairs. Figures of the whole come from the random arms.

    Fewer than n come back when the candidates or the cap run out. Raises ValueError for shares that aren't
    0…1 together and for shapes that don't match.
    """
    shares = {"evaluation": evaluation_share, "random": random_share}
    if min(shares.values()) < 0 or sum(shares.values()) > 1:
        raise ValueError(f"random_share, evaluation_share: {random_share}, {evaluation_share} aren't shares")
    if np.shape(weights) != candidates.gap.shape[1:] or np.shape(covariance) != 2 * np.shape(weights):
        raise ValueError(f"weights {np.shape(weights)}: a pair has {candidates.gap.shape[1]} features")
    m, n = len(candidates), min(n, len(candidates))
    rng = np.random.default_rng(seed)
    ends = [int(share * n + rng.random()) for share in np.cumsum(list(shares.values()))]
    sizes = np.minimum(np.diff(ends, prepend=0), n)
    picks = rng.permutation(m)[: sizes.sum()].tolist()
    arms = np.repeat(list(shares), sizes).tolist()
    greedy = _Greedy(candidates, np.asarray(weights), np.array(covariance, dtype=np.float64), per_prompt)
    gains = [greedy.take(pair, learn=arm == "random") for pair, arm in zip(picks, arms, strict=True)]
    while len(picks) < n and (best := greedy.best()) is not None:
        picks.append(best)
        arms.append("active")
        gains.append(greedy.take(best))
    chance = {"active": 1.0} | {arm: share * n / m for arm, share in shares.items() if m}
    return Chosen(
        np.array(picks, dtype=np.int64),
        np.array(arms, dtype=np.str_),
        np.array([chance[arm] for arm in arms]),
        np.array(gains),
    )


class _Greedy:
    """Keep what a vote on each candidate would teach, as pairs are taken."""

    def __init__(self, candidates: Candidates, weights: Floats, covariance: Floats, per_prompt: int) -> None:
        self._gap, self._most = np.asarray(candidates.gap, dtype=np.float64), per_prompt
        p = expit(self._gap @ weights)
        self._information, self._covariance = p * (1 - p), covariance
        self._variance = np.einsum("ij,ij->i", self._gap @ covariance, self._gap)  # of w·Δφ
        self._prompts, prompt = np.unique(candidates.prompt, return_inverse=True)
        self._prompt, self._taken = prompt, np.zeros(len(self._prompts), dtype=np.int64)
        self._open = candidates.worth_asking

    def best(self) -> int | None:
        """Return the candidate whose vote teaches the most, if any may still be taken."""
        if not self._open.any():
            return None
        return int(np.argmax(np.where(self._open, self._information * self._variance, -np.inf)))

    def take(self, pair: int, *, learn: bool = True) -> float:
        """Take a candidate, expecting to learn from its vote unless told; returns what it teaches."""
        gain = float(self._information[pair] * self._variance[pair])
        prompt = self._prompt[pair]
        self._taken[prompt] += 1
        self._open[pair] = False
        if self._taken[prompt] >= self._most:
            self._open[self._prompt == prompt] = False
        if learn and self._information[pair] > 0:
            v = self._covariance @ self._gap[pair]
            shrink = 1 / self._information[pair] + self._gap[pair] @ v
            self._variance -= (self._gap @ v) ** 2 / shrink
            self._covariance -= np.outer(v, v) / shrink
        return gain


@dataclass(frozen=True)
class Payoff:
    """Say whether active choice pays: `gain` is the mean of active less random on the same votes.

    `verdict` is `early` below 1,000 labels, `pays`, or `no better`: then choose at random.
    """

    verdict: Literal["early", "pays", "no better"]
    gain: Estimate
    labels: int


def pays(active: Floats, random: Floats, prompts: Ints, labels: int) -> Payoff:
    """Judge the active arm against the random one, from how well either foretells evaluation votes.

    `active` and `random` score the same votes (hits of 1, ½, 0, or log likelihoods, which tell small
    differences apart sooner) by rewards fitted to equally many labels of either arm; `prompts` cluster them.
    The better estimate decides: not asking at random must earn its keep.
    """
    gain = paired_difference(active, random, prompts)
    if labels < ENOUGH or gain.value is None:
        return Payoff("early", gain, labels)
    return Payoff("pays" if gain.value > 0 else "no better", gain, labels)


def _hessian(gaps: Floats, curve: Floats, ridge: float) -> Floats:
    return np.asarray((gaps.T * curve) @ gaps + ridge * np.eye(gaps.shape[1]))


def _invert(hessian: Floats) -> Floats:
    """Invert a positive definite matrix; rounding leaves it symmetric."""
    inverse = np.linalg.inv(hessian)
    return np.asarray((inverse + inverse.T) / 2)
