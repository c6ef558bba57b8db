"""What raters prefer and how far to trust each: an ordinal model anchored on features of the answers.

For a vote of rater r on pair p of answers, L left and R right, with features φ and standardised log lengths:

    η = a_r·(w·(φ_L − φ_R) + δ_p) + b_r + (l₀ + l_r)·(length_L − length_R),   P(grade ≤ k) = σ(s_r·t_k − η)

with grades 0 (right much better) … K−1 (left much better), symmetric thresholds t = ±cumsum(exp q), a_r the
rater's ability, b_r the pull to the left side, l_r the taste for length, s_r how widely the scale is used and
δ_p ~ N(0, τ²) what the pair has beyond the features. A graded response model (Samejima 1969, Psychometrika
Monograph 17) whose items are anchored on features: one to three raters see a pair, too few to fit δ_p beside
them (abilities would suffer), so it is integrated over by Gauss–Hermite quadrature and only τ is fitted
(marginal likelihood; Bock & Aitkin 1981, Psychometrika 46:443).

Priors: a ~ N(1, .6), b ~ N(0, .7), l ~ N(0, .7), log s ~ N(0, .3), a ridge of .3 on w. MAP by L-BFGS with the
analytic gradient. A rater without votes stays at the prior: ability 1, standard error .6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, ndtr

from preferences.intervals import Floats
from preferences.ordinal_likelihood import Likelihood, Packing, Votes

DOUBT = 1.645  # standard errors: a one-sided bound at 95 %
_STEPS = 60
_FURTHEST = 1.5  # of η, that one Newton step may go: further it could bounce over the mode


@dataclass(frozen=True, eq=False)
class Fit:
    """Hold the fitted model; arrays over raters are in the order of the codes.

    `residual` is the standard deviation of what a pair's utility has beyond the features; `n` counts votes.
    """

    weights: Floats
    length: float
    thresholds: Floats
    ability: Floats
    ability_se: Floats
    side: Floats
    side_se: Floats
    length_taste: Floats
    length_taste_se: Floats
    spread: Floats
    n: npt.NDArray[np.int64]
    residual: float

    def utility(self, features: Floats) -> Floats:
        """Return each answer's utility w·φ (logits of an able rater's preference); only differences count."""
        return np.asarray(features, dtype=np.float64) @ self.weights

    @property
    def unreliable(self) -> npt.NDArray[np.bool_]:
        """Tell which raters' votes hardly follow the answers: a + 1.645·SE below half the median ability.

        The median is over raters with votes; a rater without votes is never among them.
        """
        if not self.n.any():
            return np.zeros(len(self.n), dtype=bool)
        half = 0.5 * float(np.median(self.ability[self.n > 0]))
        return (self.n > 0) & (self.ability + DOUBT * self.ability_se < half)


@dataclass(frozen=True, eq=False)
class Labels:
    """Hold what is known of each voted pair, `first` < `second` being indices of answers.

    `utility` of the first over the second in logits with its standard error; `probability` that it is above
    0, `votes` how many were counted.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    utility: Floats
    se: Floats
    probability: Floats
    votes: npt.NDArray[np.int64]


def grade_verdicts(verdicts: npt.ArrayLike, offered: Sequence[int]) -> npt.NDArray[np.int64]:
    """Turn verdicts of −3 (left much better) … 3 (right) into grades 0 (right best) … len(offered)−1.

    `offered` are the verdicts that the scale has, such as −2, −1, 0, 1, 2. Raises ValueError for any other.
    """
    scale = np.array(sorted(offered))
    given = np.asarray(verdicts, dtype=np.int64)
    at = np.minimum(np.searchsorted(scale, given), len(scale) - 1)
    if (scale[at] != given).any():
        raise ValueError(f"verdict {given[scale[at] != given][0]} is none of {scale.tolist()}")
    return np.asarray(len(scale) - 1 - at, dtype=np.int64)


def fit(features: Floats, lengths: Floats, votes: Votes, *, start: Fit | None = None) -> Fit:
    """Fit the model to votes by maximum a posteriori.

    `features` is answers × d, each column centred and of the order of 1 (principal components keep their
    scale); `lengths` holds each answer's log length, standardised. `start`, an earlier fit with the same d,
    points and codes (raters may have been added at the end), makes a refit cheap.

    Without features (d = 0: no reward model yet) a pair's utility is all its own, and raters are told apart
    by how they vote on pairs that others voted on too: a pair with one vote then says nothing about ability.
    Raises ValueError for shapes that don't match.
    """
    features, lengths = _checked(features, lengths, votes)
    packing = Packing(features.shape[1], votes.points, votes.n_raters)
    likelihood = Likelihood(features, lengths, votes, packing)
    x = packing.start() if start is None else _unfit(start, packing)
    scale = likelihood.scales()
    found = minimize(
        lambda z: likelihood.scaled(z, scale), x / scale, jac=True, method="L-BFGS-B",
        options={"maxiter": 500, "maxfun": 800, "maxcor": 40, "ftol": 1e-8, "gtol": 1e-3},
    )  # fmt: skip
    x = found.x * scale
    part = packing.unpack(x)
    variance = np.linalg.inv(likelihood.information(x))
    return Fit(
        weights=part.weights,
        length=part.length,
        thresholds=part.thresholds,
        ability=part.ability,
        ability_se=np.sqrt(variance[:, 0, 0]),
        side=part.side,
        side_se=np.sqrt(variance[:, 1, 1]),
        length_taste=part.length_taste,
        length_taste_se=np.sqrt(variance[:, 2, 2]),
        spread=np.exp(part.log_spread),
        n=np.bincount(votes.raters, minlength=votes.n_raters),
        residual=float(np.exp(part.log_residual)),
    )


def label_pairs(fit: Fit, features: Floats, lengths: Floats, votes: Votes, *, length: float = 0.0) -> Labels:
    """Label every pair of answers from its votes, each counted for what its rater is worth.

    A pair's utility u has the prior N(w·Δφ, residual²), seen from its first answer; the votes multiply in
    their likelihood, with the raters as fitted; the mode is found by Newton's method and the curvature there
    gives the standard error. Pulls to a side and tastes for length are taken out. Whether longer answers are
    better, votes can't tell from a taste that raters share: `length` is what a standard deviation of length
    is to count, in logits; `fit.length` counts it as the average rater does.
    """
    features, lengths = _checked(features, lengths, votes)
    first, second = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    keys, of = np.unique(first.astype(np.int64) * len(lengths) + second, return_inverse=True)
    first, second = keys // len(lengths), keys % len(lengths)
    utilities = fit.utility(features)
    prior = utilities[first] - utilities[second]
    r = votes.raters
    worth = fit.ability[r] * np.where(votes.left < votes.right, 1.0, -1.0)
    apart = lengths[votes.left] - lengths[votes.right]
    eta = fit.side[r] + (fit.length + fit.length_taste[r]) * apart
    edges = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
    upper = fit.spread[r] * edges[votes.grades + 1] - eta
    lower = fit.spread[r] * edges[votes.grades] - eta
    precision = 1 / max(fit.residual, 1e-3) ** 2
    furthest = _FURTHEST / max(1.0, float(np.abs(worth).max(initial=0.0)))
    u = prior.copy()
    for _ in range(_STEPS):
        high, low = expit(upper - worth * u[of]), expit(lower - worth * u[of])
        slope = np.bincount(of, worth * (high + low - 1), len(u)) - precision * (u - prior)
        curve = np.bincount(of, worth**2 * (high * (1 - high) + low * (1 - low)), len(u)) + precision
        step = slope / curve
        u += np.clip(step, -furthest, furthest)
        if not len(u) or np.abs(step).max() < 1e-8:
            break
    se = 1 / np.sqrt(curve)
    u += length * (lengths[first] - lengths[second])
    return Labels(first, second, u, se, ndtr(u / se), np.bincount(of, minlength=len(u)))


def set_length(
    weights: Floats, covariance: Floats, features: Floats, lengths: Floats, *, length: float = 0.0
) -> tuple[Floats, Floats]:
    """Set what length counts: over the answers, w·φ then rises by `length` a unit of `lengths`.

    Returns N(weights, covariance) (d, d × d) conditioned on that slope. Where features know how long an
    answer is, votes can hardly tell w and l₀ apart, and raters who only look at length pull l₀ up and w down;
    so nothing is left to chance. It needs answers and no votes.
    """
    off = np.asarray(lengths, dtype=np.float64) - np.mean(lengths)
    slope = np.asarray(features, dtype=np.float64).T @ off / max(float(off @ off), 1e-12)
    moved = covariance @ slope
    of_slope = max(float(slope @ moved), 1e-12)
    set_weights = weights + moved * (length - slope @ weights) / of_slope
    return np.asarray(set_weights), np.asarray(covariance - np.outer(moved, moved) / of_slope)


def _checked(features: Floats, lengths: Floats, votes: Votes) -> tuple[Floats, Floats]:
    features, lengths = np.asarray(features, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    if features.ndim != 2 or lengths.shape != features.shape[:1]:
        raise ValueError(f"features {features.shape} and lengths {lengths.shape} are one row an answer")
    if len(votes) and max(votes.left.max(), votes.right.max()) >= len(lengths):
        raise ValueError(f"left, right: a vote is on an answer beyond the {len(lengths)} given")
    if not (np.isfinite(features).all() and np.isfinite(lengths).all()):
        raise ValueError("features and lengths must be finite")
    return features, lengths


def _unfit(start: Fit, packing: Packing) -> Floats:
    """Turn an earlier fit back into a point to start from; raters added since are at the prior."""
    if len(start.weights) != packing.d or len(start.thresholds) != packing.points - 1:
        raise ValueError("start: the earlier fit has other features or another scale")
    x = packing.start()
    part = packing.split(x)
    known = min(len(start.ability), packing.n_raters)
    part["weights"][:] = start.weights
    part["length"][:] = start.length
    part["gaps"][:] = np.log(np.diff(start.thresholds[start.thresholds > 1e-12], prepend=0.0))
    part["log_residual"][:] = np.log(max(start.residual, 1e-3))
    part["ability"][:known], part["side"][:known] = start.ability[:known], start.side[:known]
    part["length_taste"][:known] = start.length_taste[:known]
    part["log_spread"][:known] = np.log(start.spread[:known])
    return x


__all__ = ["DOUBT", "Fit", "Labels", "Votes", "fit", "grade_verdicts", "label_pairs", "set_length"]
