"""Ratings of policies from votes with ties, and intervals that know raters and prompts repeat.

The cumulative link (Rao & Kupper 1967, JASA 62:194; ordered logit): with d = θ_left − θ_right and a threshold
t ≥ 0, P(left) = σ(d − t), P(right) = σ(−d − t) and the rest is a tie. Without ties t = 0 and the model is
plain Bradley–Terry (1952, Biometrika 39:324).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit, stdtrit

from preferences.intervals import Floats, encode_clusters
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
    """Hold the ratings (best first), the tie threshold and what win probabilities need."""

    ratings: tuple[Rating, ...]
    tie_threshold: float
    covariance: Floats  # of the scores, in the order of `ratings`
    quantile: float  # of Student's t, for the level asked for

    def win_share(self, first: str, second: str) -> Estimate:
        """Estimate the share of votes that `first` takes from `second`, a tie counting ½."""
        at = {rating.policy: k for k, rating in enumerate(self.ratings)}
        i, j = at[first], at[second]
        a, b = self.ratings[i], self.ratings[j]
        v = self.covariance
        half = self.quantile * float(np.sqrt(max(0.0, v[i, i] + v[j, j] - 2 * v[i, j])))
        low, value, high = (self._share(a.score - b.score + shift) for shift in (-half, 0.0, half))
        return Estimate(value, Interval(low, high), min(a.votes, b.votes))

    def _share(self, d: float) -> float:
        return float((expit(d - self.tie_threshold) + expit(d + self.tie_threshold)) / 2)


@dataclass(frozen=True)
class _Votes:
    """Votes as arrays of length N."""

    left: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    outcome: npt.NDArray[np.int8]  # 1 left, 0 tie, −1 right
    n_policies: int


def rate(votes: Sequence[Vote], *, level: float = 0.95, ridge: float = RIDGE) -> Leaderboard:
    """Rate policies (a vote's `left` and `right`) by maximum likelihood with a `ridge`/2·‖θ‖² penalty.

    Variance: H⁻¹(M_rater + M_prompt − M_vote)H⁻¹ with M = Σ over clusters of outer products of score sums,
    times G/(G − 1) (two-way clustering, Cameron, Gelbach & Miller 2011, JBES 29:238); a variance is never
    below the model's own H⁻¹. Quantile: Student's t with 1/Σ share_r² − 1 degrees of freedom, share_r a
    rater's share of the votes. Raises ValueError without votes, for a policy against itself, and when two
    groups of policies were never compared with each other.
    """
    if not votes:
        raise ValueError("there are no votes to rate policies from")
    names = sorted({side for vote in votes for side in (vote.pair.left, vote.pair.right)})
    data = _encode(votes, names)
    with_ties = bool((data.outcome == 0).any())
    theta, threshold = _maximise(data, ridge, with_ties)
    gradient_d, gradient_t, hessian = _derivatives(data, theta, threshold, ridge, with_ties)
    raters, n_raters = encode_clusters([vote.rater for vote in votes])
    prompts, _ = encode_clusters([vote.pair.prompt for vote in votes])
    meat = _meat(data, gradient_d, gradient_t, raters, prompts)
    bread = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    covariance = _at_least(bread @ meat @ bread, bread)[:-1, :-1]
    shares = np.bincount(raters if n_raters > 1 else prompts) / len(votes)
    freedom = max(1.0, 1.0 / float((shares**2).sum()) - 1.0)
    quantile = float(stdtrit(freedom, 0.5 + level / 2))
    return _leaderboard(names, data, theta, threshold, covariance, quantile)


def _encode(votes: Sequence[Vote], names: list[str]) -> _Votes:
    number = {name: k for k, name in enumerate(names)}
    left = np.array([number[vote.pair.left] for vote in votes], dtype=np.intp)
    right = np.array([number[vote.pair.right] for vote in votes], dtype=np.intp)
    outcome = -np.sign([vote.verdict for vote in votes]).astype(np.int8)
    if (left == right).any():
        raise ValueError(f"a vote compares {names[int(left[left == right][0])]} with itself")
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(len(names), len(names)))
    components, label = connected_components(graph, directed=False)
    if components > 1:
        other = names[int(np.flatnonzero(label != label[0])[0])]
        raise ValueError(f"{names[0]} and {other} were never compared, not even through other policies")
    return _Votes(left, right, outcome, len(names))


def _log_likelihood(data: _Votes, theta: Floats, t: float, ridge: float) -> float:
    d = theta[data.left] - theta[data.right]
    tie = log_expit(d + t) + log_expit(t - d)
    tie = tie + np.log1p(-np.exp(-2 * t)) if t > 0 else np.full(len(d), -np.inf)
    each = np.where(data.outcome == 1, log_expit(d - t), np.where(data.outcome == 0, tie, log_expit(-d - t)))
    return float(each.sum() - ridge / 2 * theta @ theta)


def _derivatives(
    data: _Votes, theta: Floats, t: float, ridge: float, with_ties: bool
) -> tuple[Floats, Floats, Floats]:
    """Return ∂/∂d and ∂/∂t of each vote's log-likelihood, and the negative Hessian over (θ, t)."""
    d = theta[data.left] - theta[data.right]
    a, b = expit(d - t), expit(d + t)
    won, lost, tied = data.outcome == 1, data.outcome == -1, data.outcome == 0
    gap = 2 / np.expm1(2 * t) if with_ties else 0.0
    gap_slope = 4 * np.exp(2 * t) / np.expm1(2 * t) ** 2 if with_ties else 0.0
    gradient_d = np.where(won, 1 - a, np.where(lost, -b, 1 - a - b))
    gradient_t = np.where(won, a - 1, np.where(lost, -b, 1 - b + a + gap)) * with_ties
    va, vb = a * (1 - a) * ~lost, b * (1 - b) * ~won
    dd, dt, tt = va + vb, (vb - va) * with_ties, (va + vb + gap_slope * tied) * with_ties
    n = data.n_policies
    hessian = np.zeros((n + 1, n + 1))
    np.add.at(hessian, (data.left, data.left), dd)
    np.add.at(hessian, (data.right, data.right), dd)
    np.add.at(hessian, (data.left, data.right), -dd)
    np.add.at(hessian, (data.right, data.left), -dd)
    hessian[:n, n] = np.bincount(data.left, dt, n) - np.bincount(data.right, dt, n)
    hessian[n, :n] = hessian[:n, n]
    hessian[n, n] = tt.sum() if with_ties else 1.0
    hessian[np.arange(n), np.arange(n)] += ridge
    return gradient_d, gradient_t, hessian


def _maximise(data: _Votes, ridge: float, with_ties: bool) -> tuple[Floats, float]:
    """Climb the concave log-likelihood by Newton with backtracking, which the undamped step would need."""
    n = data.n_policies
    at = np.append(np.zeros(n), 0.5 if with_ties else 0.0)
    value = _log_likelihood(data, at[:n], float(at[n]), ridge)
    for _ in range(_STEPS):
        gradient_d, gradient_t, hessian = _derivatives(data, at[:n], float(at[n]), ridge, with_ties)
        gradient = np.bincount(data.left, gradient_d, n) - np.bincount(data.right, gradient_d, n)
        gradient = np.append(gradient - ridge * at[:n], gradient_t.sum())
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10:
            new = at + size * step
            if not with_ties or new[n] > 0:
                new_value = _log_likelihood(data, new[:n], float(new[n]), ridge)
                if new_value >= value:
                    at, value = new, new_value
                    break
            size /= 2
        if np.abs(gradient).max() < 1e-10 * len(data.left) or size <= 1e-10:
            break
    return at[:n] - at[:n].mean(), float(at[n])


def _meat(
    data: _Votes,
    gradient_d: Floats,
    gradient_t: Floats,
    raters: npt.NDArray[np.intp],
    prompts: npt.NDArray[np.intp],
) -> Floats:
    """Sum outer products of scores by rater and by prompt, less those by vote; one cluster counts as none."""
    n, votes = data.n_policies, np.arange(len(gradient_d))

    def outer(codes: npt.NDArray[np.intp]) -> Floats:
        groups = int(codes.max()) + 1
        sums = np.zeros((groups, n + 1))
        np.add.at(sums, (codes, data.left), gradient_d)
        np.add.at(sums, (codes, data.right), -gradient_d)
        sums[:, n] = np.bincount(codes, gradient_t, groups)
        return np.asarray(sums.T @ sums * (groups / (groups - 1) if groups > 1 else np.nan))

    single = len(votes) == 1
    by_vote = np.zeros((n + 1, n + 1)) if single else outer(votes)
    ways = [by_vote if np.isnan(matrix).any() else matrix for matrix in (outer(raters), outer(prompts))]
    return np.asarray(ways[0] + ways[1] - by_vote)


def _at_least(covariance: Floats, floor: Floats) -> Floats:
    """Raise eigenvalues relative to the model's own covariance to at least one, keeping the rest."""
    root = np.linalg.cholesky(floor)
    inverse = np.linalg.inv(root)
    values, vectors = np.linalg.eigh(inverse @ covariance @ inverse.T)
    return np.asarray(root @ (vectors * np.maximum(values, 1.0)) @ vectors.T @ root.T)


def _leaderboard(
    names: list[str], data: _Votes, theta: Floats, threshold: float, covariance: Floats, quantile: float
) -> Leaderboard:
    order = np.argsort(-theta, kind="stable")
    centre = np.eye(len(names)) - 1 / len(names)
    covariance = (centre @ covariance @ centre)[np.ix_(order, order)]
    counts = np.bincount(data.left, minlength=len(names)) + np.bincount(data.right, minlength=len(names))
    half = quantile * np.sqrt(np.diag(covariance))
    ratings = tuple(
        Rating(
            names[i],
            float(theta[i]),
            Interval(float(theta[i] - half[k]), float(theta[i] + half[k])),
            int(counts[i]),
        )
        for k, i in enumerate(order)
    )
    return Leaderboard(ratings, threshold, covariance, quantile)
