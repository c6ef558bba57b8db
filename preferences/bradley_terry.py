"""Ratings of policies from votes with ties, and intervals that know raters and prompts repeat.

The cumulative link (Rao & Kupper 1967, JASA 62:194; ordered logit): with d = θ_left − θ_right + β·x and a
threshold t ≥ 0, P(left) = σ(d − t), P(right) = σ(−d − t) and the rest is a tie. Without ties t = 0 and
without covariates x the model is plain Bradley–Terry (1952, Biometrika 39:324). Covariates are differences of
style between the answers (Li, Angelopoulos & Chiang 2024, "Does style matter?"): θ is then what a policy's
answers are worth beside answers of the same style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, hstack
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit, stdtrit

from preferences.ballots import Ballots, collect
from preferences.intervals import Floats
from preferences.standings import Standings
from preferences.types import Estimate, Interval, Vote

RIDGE = 1e-3  # prior precision of a score: keeps a policy that won every vote at a finite score
_STEPS = 100


@dataclass(frozen=True)
class Rating:
    """Hold one policy's score (logits, mean zero over policies) and its interval."""

    policy: str
    score: float
    interval: Interval
    votes: int


@dataclass(frozen=True)
class Leaderboard:
    """Hold the ratings (best first), the tie threshold and what win probabilities need.

    `effects` says by how many logits one standard deviation of each covariate moves a vote.
    """

    ratings: tuple[Rating, ...]
    tie_threshold: float
    covariance: Floats  # of the scores, in the order of `ratings`
    quantile: float  # of Student's t, for the level asked for
    effects: Mapping[str, Estimate]

    def standings(self) -> Standings:
        """Return what differences between policies need, in plain numbers."""
        return Standings(
            [rating.policy for rating in self.ratings],
            [rating.score for rating in self.ratings],
            self.covariance.tolist(),
            self.quantile,
            self.tie_threshold,
            [rating.votes for rating in self.ratings],
        )

    def win_share(self, first: str, second: str) -> Estimate:
        """Estimate the share of votes that `first` takes from `second` at equal style, a tie counting ½."""
        return self.standings().share(first, second)


@dataclass(frozen=True)
class _Cells:
    """Distinct rows of design and outcome, each with how many votes it stands for and which ones."""

    design: csr_array  # cells × (policies + covariates): +1 left, −1 right, then the differences
    outcome: npt.NDArray[np.int8]
    weight: Floats
    of_vote: npt.NDArray[np.intp]
    with_ties: bool


@dataclass(frozen=True)
class _Slopes:
    """First and second derivatives of each cell's log-likelihood by d and t."""

    d: Floats
    t: Floats
    dd: Floats  # these three negated
    dt: Floats
    tt: Floats


def rate(
    votes: Sequence[Vote] | Ballots,
    *,
    covariates: Mapping[str, npt.ArrayLike] | None = None,
    level: float = 0.95,
    ridge: float = RIDGE,
) -> Leaderboard:
    """Rate policies (a vote's `left` and `right`) by maximum likelihood with a `ridge`/2·‖(θ, β)‖² penalty.

    `covariates` names differences left − right, one number a vote, which
    are divided by their root mean square.

    Variance: H⁻¹(M_rater + M_prompt − M_vote)H⁻¹ with M = Σ over clusters of outer products of score sums,
    times G/(G − 1) (two-way clustering, Cameron, Gelbach & Miller 2011, JBES 29:238); a variance is never
    below the model's own H⁻¹. Quantile: Student's t with 1/Σ share_r² − 1 degrees of freedom, share_r a
    rater's share of the votes. Raises ValueError without votes, for a policy against itself, when two groups
    of policies were never compared with each other, and for covariates of another length or not finite.
    """
    ballots = votes if isinstance(votes, Ballots) else collect(votes)
    if not len(ballots):
        raise ValueError("there are no votes to rate policies from")
    _check_connected(ballots)
    names, columns = _standardise(covariates or {}, len(ballots))
    cells = _gather(ballots, columns)
    at, slopes, hessian = _maximise(cells, ridge)
    bread = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    meat = _meat(cells, slopes, ballots)
    covariance = _at_least(bread @ meat @ bread, bread)
    _, raters = np.unique(ballots.raters, return_inverse=True)
    if raters.max() == 0:
        _, raters = np.unique(ballots.prompts, return_inverse=True)
    shares = np.bincount(raters) / len(ballots)
    quantile = float(stdtrit(max(1.0, 1.0 / float((shares**2).sum()) - 1.0), 0.5 + level / 2))
    effects = _effects(list(covariates or {}), names, at, covariance, quantile, ballots)
    return _leaderboard(ballots, at, covariance, quantile, effects)


def connected(ballots: Ballots) -> npt.NDArray[np.bool_]:
    """Mark the votes of the largest group of policies that votes join, directly or through others."""
    label = _groups(ballots)[ballots.left]
    return np.asarray(label == np.bincount(label).argmax() if len(label) else np.zeros(0, bool))


def _groups(ballots: Ballots) -> npt.NDArray[np.int32]:
    shape = (len(ballots.policies), len(ballots.policies))
    graph = coo_array((np.ones(len(ballots)), (ballots.left, ballots.right)), shape=shape)
    return np.asarray(connected_components(graph, directed=False)[1])


def _check_connected(ballots: Ballots) -> None:
    names, label = ballots.policies, _groups(ballots)
    if label.any():
        other = names[int(np.flatnonzero(label)[0])]
        raise ValueError(f"{names[0]} and {other} were never compared, not even through other policies")


def _standardise(covariates: Mapping[str, npt.ArrayLike], n: int) -> tuple[list[str], Floats]:
    """Return the covariates that ever differ, and their columns scaled to a root mean square of one."""
    names, columns = [], []
    for name, values in covariates.items():
        column = np.asarray(values, dtype=np.float64)
        if column.shape != (n,) or not np.isfinite(column).all():
            raise ValueError(f"covariate {name} needs one finite number for each of {n} votes")
        scale = float(np.sqrt((column**2).mean()))
        if scale > 0:
            names.append(name)
            columns.append(column / scale)
    return names, np.column_stack(columns) if columns else np.zeros((n, 0))


def _gather(ballots: Ballots, columns: Floats) -> _Cells:
    """Join votes that are alike; with covariates no two are."""
    p, n = len(ballots.policies), len(ballots)
    left, right = (np.asarray(side, dtype=np.intp) for side in (ballots.left, ballots.right))
    outcome = np.asarray(ballots.outcome, dtype=np.int8)
    of_vote, weight = np.arange(n), np.ones(n)
    if not columns.shape[1]:
        key = (left * p + right) * 3 + outcome + 1
        keys, of_vote, counts = np.unique(key, return_inverse=True, return_counts=True)
        weight = counts.astype(np.float64)
        left, right, outcome = keys // 3 // p, keys // 3 % p, (keys % 3 - 1).astype(np.int8)
    rows = np.arange(len(left))
    sides = coo_array(
        (np.repeat([1.0, -1.0], len(rows)), (np.tile(rows, 2), np.concatenate([left, right]))),
        shape=(len(rows), p),
    )
    design = csr_array(hstack([sides, csr_array(columns)]) if columns.shape[1] else sides)
    return _Cells(design, outcome, weight, of_vote, bool((outcome == 0).any()))


def _log_likelihood(cells: _Cells, at: Floats, ridge: float) -> float:
    d, t = cells.design @ at[:-1], float(at[-1])
    tie = log_expit(d + t) + log_expit(t - d)
    tie = tie + np.log1p(-np.exp(-2 * t)) if t > 0 else np.full(len(d), -np.inf)
    won, tied = cells.outcome == 1, cells.outcome == 0
    each = np.where(won, log_expit(d - t), np.where(tied, tie, log_expit(-d - t)))
    return float(cells.weight @ each - ridge / 2 * at[:-1] @ at[:-1])


def _differentiate(cells: _Cells, at: Floats) -> _Slopes:
    d, t, ties = cells.design @ at[:-1], float(at[-1]), cells.with_ties
    a, b = expit(d - t), expit(d + t)
    won, lost, tied = cells.outcome == 1, cells.outcome == -1, cells.outcome == 0
    gap = 2 / np.expm1(2 * t) if ties else 0.0
    gap_slope = 4 * np.exp(2 * t) / np.expm1(2 * t) ** 2 if ties else 0.0
    va, vb = a * (1 - a) * ~lost, b * (1 - b) * ~won
    return _Slopes(
        d=np.where(won, 1 - a, np.where(lost, -b, 1 - a - b)),
        t=np.where(won, a - 1, np.where(lost, -b, 1 - b + a + gap)) * ties,
        dd=va + vb,
        dt=(vb - va) * ties,
        tt=(va + vb + gap_slope * tied) * ties,
    )


def _hessian(cells: _Cells, slopes: _Slopes, ridge: float) -> Floats:
    """Return the negative Hessian over (θ, β, t)."""
    design, weight = cells.design, cells.weight
    k = design.shape[1]
    hessian = np.zeros((k + 1, k + 1))
    hessian[:k, :k] = (design.T @ design.multiply((weight * slopes.dd)[:, None])).toarray()
    hessian[np.arange(k), np.arange(k)] += ridge
    hessian[:k, k] = hessian[k, :k] = design.T @ (weight * slopes.dt)
    hessian[k, k] = weight @ slopes.tt if cells.with_ties else 1.0
    return hessian


def _maximise(cells: _Cells, ridge: float) -> tuple[Floats, _Slopes, Floats]:
    """Climb the concave log-likelihood by Newton with backtracking, which the undamped step would need."""
    k = cells.design.shape[1]
    at = np.append(np.zeros(k), 0.5 if cells.with_ties else 0.0)
    value = _log_likelihood(cells, at, ridge)
    for _ in range(_STEPS):
        slopes = _differentiate(cells, at)
        hessian = _hessian(cells, slopes, ridge)
        gradient = cells.design.T @ (cells.weight * slopes.d) - ridge * at[:k]
        gradient = np.append(gradient, cells.weight @ slopes.t)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10:
            new = at + size * step
            if not cells.with_ties or new[k] > 0:
                new_value = _log_likelihood(cells, new, ridge)
                if new_value >= value:
                    at, value = new, new_value
                    break
            size /= 2
        if np.abs(gradient).max() < 1e-10 * cells.weight.sum() or size <= 1e-10:
            break
    slopes = _differentiate(cells, at)
    return at, slopes, _hessian(cells, slopes, ridge)


def _meat(cells: _Cells, slopes: _Slopes, ballots: Ballots) -> Floats:
    """Sum outer products of scores by rater and by prompt, less those by vote; one cluster counts as none."""
    scores = hstack([cells.design.multiply(slopes.d[:, None]), csr_array(slopes.t[:, None])], format="csr")
    by_vote = (scores.T @ scores.multiply(cells.weight[:, None])).toarray()

    def outer(clusters: npt.NDArray[Any]) -> Floats:
        _, codes = np.unique(clusters, return_inverse=True)
        groups = int(codes.max()) + 1
        if groups == 1:
            return np.asarray(by_vote)
        shape = (groups, len(cells.weight))
        members = csr_array((np.ones(len(codes)), (codes, cells.of_vote)), shape=shape)
        sums = members @ scores
        return np.asarray((sums.T @ sums).toarray() * (groups / (groups - 1)))

    return np.asarray(outer(ballots.raters) + outer(ballots.prompts) - by_vote)


def _at_least(covariance: Floats, floor: Floats) -> Floats:
    """Raise eigenvalues relative to the model's own covariance to at least one, keeping the rest."""
    root = np.linalg.cholesky(floor)
    inverse = np.linalg.inv(root)
    values, vectors = np.linalg.eigh(inverse @ covariance @ inverse.T)
    return np.asarray(root @ (vectors * np.maximum(values, 1.0)) @ vectors.T @ root.T)


def _effects(
    asked: list[str], fitted: list[str], at: Floats, covariance: Floats, quantile: float, ballots: Ballots
) -> dict[str, Estimate]:
    first, n = len(ballots.policies), len(ballots)
    effects = {}
    for name in asked:
        if name not in fitted:
            effects[name] = Estimate(None, None, n, "the answers never differ in it")
            continue
        k = first + fitted.index(name)
        value, half = float(at[k]), quantile * float(np.sqrt(covariance[k, k]))
        effects[name] = Estimate(value, Interval(value - half, value + half), n)
    return effects


def _leaderboard(
    ballots: Ballots, at: Floats, covariance: Floats, quantile: float, effects: dict[str, Estimate]
) -> Leaderboard:
    n = len(ballots.policies)
    theta = at[:n] - at[:n].mean()
    order = np.argsort(-theta, kind="stable")
    centre = np.eye(n) - 1 / n
    covariance = (centre @ covariance[:n, :n] @ centre)[np.ix_(order, order)]
    counts = np.bincount(ballots.left, minlength=n) + np.bincount(ballots.right, minlength=n)
    half = quantile * np.sqrt(np.maximum(0.0, np.diag(covariance)))
    ratings = tuple(
        Rating(
            ballots.policies[i],
            float(theta[i]),
            Interval(float(theta[i] - half[k]), float(theta[i] + half[k])),
            int(counts[i]),
        )
        for k, i in enumerate(order)
    )
    return Leaderboard(ratings, float(at[-1]), covariance, quantile, effects)
