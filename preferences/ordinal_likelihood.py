"""The likelihood of the ordinal rater model, its gradient, and what it says about each rater.

`preferences.ordinal` states the model. Votes are sorted by pair and worked off in blocks that stay in the
processor's cache; a block holds whole pairs, so that a pair's own utility can be integrated over within it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from preferences.intervals import Floats

Ints = npt.NDArray[np.integer]


class Normal(NamedTuple):
    """Hold the mean and the standard deviation of a normal prior."""

    mean: float
    sd: float


ABILITY = Normal(1.0, 0.6)
SIDE = Normal(0.0, 0.7)
LENGTH_TASTE = Normal(0.0, 0.7)
_LOG_SPREAD = Normal(0.0, 0.3)
_GAP = Normal(0.0, 2.0)  # of log distances between thresholds: keeps a grade that nobody gave finite
_LOG_RESIDUAL = Normal(0.0, 1.0)
_RIDGE = 0.3
_BLOCK = 8_192  # votes
_NODES = 7  # more change no ability by a tenth of its standard error
_EDGE = 60.0  # beyond the outermost thresholds, instead of infinity: e^-60 is nothing beside 1


@dataclass(frozen=True, eq=False)
class Votes:
    """Hold graded votes as arrays of length N, sides as they were shown.

    `left` and `right` index answers, `raters` are codes 0…n_raters−1 (`n_raters` may count raters who haven't
    voted), `grades` run from 0 (right much better) to points−1 (left much better). Raises ValueError naming
    the array that is wrong.
    """

    left: Ints
    right: Ints
    raters: Ints
    grades: Ints
    points: int
    n_raters: int

    def __post_init__(self) -> None:
        for name in ("left", "right", "raters", "grades"):
            array = np.asarray(getattr(self, name))
            if array.shape != np.shape(self.left) or array.ndim != 1:
                raise ValueError(f"{name}: {array.shape} isn't one value a vote")
            if len(array) and (array.min() < 0 or not np.issubdtype(array.dtype, np.integer)):
                raise ValueError(f"{name}: codes are whole numbers from 0")
        if self.points < 2:
            raise ValueError(f"points: a scale has at least two, not {self.points}")
        if len(self.grades) and self.grades.max() >= self.points:
            raise ValueError(f"grades: {self.grades.max()} is outside a scale of {self.points} points")
        if len(self.raters) and self.raters.max() >= self.n_raters:
            raise ValueError(f"raters: code {self.raters.max()} is outside {self.n_raters} raters")
        if (self.left == self.right).any():
            raise ValueError("right: an answer is compared with itself")

    def __len__(self) -> int:
        return len(self.grades)


class Parameters(NamedTuple):
    """Hold the parameters by name; arrays over raters in the order of their codes."""

    weights: Floats
    length: float
    log_residual: float
    thresholds: Floats
    ability: Floats
    side: Floats
    length_taste: Floats
    log_spread: Floats


@dataclass(frozen=True)
class Packing:
    """Say where each parameter stands in the vector that is optimised."""

    d: int
    points: int
    n_raters: int

    @property
    def sizes(self) -> dict[str, int]:
        """Return how many numbers each name takes."""
        n = self.n_raters
        return {
            "weights": self.d, "length": 1, "log_residual": 1,
            "gaps": (self.points - 1) // 2,
            "ability": n, "side": n, "length_taste": n, "log_spread": n,
        }  # fmt: skip

    def split(self, x: Floats) -> dict[str, Floats]:
        """Return views of the vector by name."""
        ends = np.cumsum(list(self.sizes.values()))
        return dict(zip(self.sizes, np.split(x, ends[:-1]), strict=True))

    def unpack(self, x: Floats) -> Parameters:
        """Name the parameters in the vector."""
        part = self.split(x)
        steps = np.cumsum(np.exp(part["gaps"]))
        middle = [0.0] if self.points % 2 == 0 else []
        return Parameters(
            part["weights"],
            float(part["length"][0]),
            float(part["log_residual"][0]),
            np.concatenate([-steps[::-1], middle, steps]),
            *(part[name] for name in ("ability", "side", "length_taste", "log_spread")),
        )

    def start(self) -> Floats:
        """Return the vector at the means of the priors."""
        return np.concatenate([np.full(size, self._prior(name).mean) for name, size in self.sizes.items()])

    def precisions(self) -> Floats:
        """Return the priors' precisions, one for each number of the vector."""
        return np.concatenate(
            [np.full(size, self._prior(name).sd ** -2.0) for name, size in self.sizes.items()]
        )

    @staticmethod
    def _prior(name: str) -> Normal:
        flat = Normal(0.0, _RIDGE**-0.5)
        return {
            "ability": ABILITY, "side": SIDE, "length_taste": LENGTH_TASTE, "log_spread": _LOG_SPREAD,
            "gaps": _GAP, "log_residual": _LOG_RESIDUAL,
        }.get(name, flat)  # fmt: skip


class Block(NamedTuple):
    """Hold a run of votes on whole pairs: arrays of votes, and where each pair starts."""

    left: Ints
    right: Ints
    raters: Ints
    grades: Ints
    apart: Floats  # length of left less length of right
    turned: Floats  # 1 where the pair's first answer is on the left, else −1
    starts: Ints
    pair: Ints  # of each vote, numbered within the block


class Weighed(NamedTuple):
    """Hold what a block's votes say at each node of their pair's own utility; matrices are nodes × votes.

    `share` is the node's posterior weight, `upper` and `lower` are σ(s·t_g − η) and σ(η − s·t_{g−1}).
    """

    value: float  # the block's log-likelihood
    between: Floats  # w·Δφ, left less right
    share: Floats
    upper: Floats
    lower: Floats
    rest: Floats  # 1/(e^(upper edge − lower edge) − 1), what both edges' derivatives have in common


class Likelihood:
    """Compute minus the log posterior of the votes, up to a constant, and its gradient.

    A pair's own utility is residual·z, and z ~ N(0, 1) is integrated over by Gauss–Hermite quadrature.
    """

    def __init__(self, features: Floats, lengths: Floats, votes: Votes, packing: Packing) -> None:
        self._z, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        self._log_share = np.log(weights / weights.sum())
        self._features, self._packing = features, packing
        self._prior_mean, self._precision = packing.start(), packing.precisions()
        self._blocks = list(_cut(lengths, votes))

    def loss(self, x: Floats) -> float:
        """Return minus the log posterior."""
        return self._evaluate(x)[0]

    def scaled(self, z: Floats, scale: Floats) -> tuple[float, Floats]:
        """Return loss and gradient in units of `scale`, in which the optimum is about equally curved."""
        loss, gradient = self._evaluate(z * scale)
        return loss, gradient * scale

    def scales(self) -> Floats:
        """Guess each parameter's posterior standard deviation, from how many votes bear on it."""
        packing = self._packing
        n = sum(len(block.grades) for block in self._blocks)
        per_rater = np.zeros(packing.n_raters)
        for block in self._blocks:
            per_rater += np.bincount(block.raters, minlength=packing.n_raters)
        size = np.mean(self._features**2, axis=0) if len(self._features) else np.zeros(packing.d)
        seen = np.full(len(self._prior_mean), 0.3 * n)
        part = packing.split(seen)
        part["weights"][:] = 0.5 * n * size
        for name in ("ability", "side", "length_taste", "log_spread"):
            part[name][:] = 0.3 * per_rater
        return np.asarray(1 / np.sqrt(self._precision + seen))

    def information(self, x: Floats) -> Floats:
        """Return each rater's 3 × 3 information on ability, side and taste for length, priors included.

        Weights as fitted; pairs' own utilities are integrated over by Louis's rule (1982, JRSS-B 44:226): the
        information if they were known, less the variance of the score that not knowing them leaves.
        """
        packing, p = self._packing, self._packing.unpack(x)
        utilities = self._features @ p.weights
        own_size = np.exp(p.log_residual)
        cells = np.zeros((9, packing.n_raters))
        for block in self._blocks:
            seen = self._weigh(block, p, utilities)
            score = seen.upper - seen.lower
            curve = seen.upper * (1 - seen.upper) + seen.lower * (1 - seen.lower)
            covariates = np.empty((3, *score.shape))
            covariates[0] = seen.between + own_size * np.outer(self._z, block.turned)
            covariates[1], covariates[2] = 1.0, block.apart
            mean = np.einsum("jn,jn,kjn->kn", seen.share, score, covariates)
            for k in range(9):
                spread = seen.share * (curve - score**2) * covariates[k // 3] * covariates[k % 3]
                total = spread.sum(axis=0) + mean[k // 3] * mean[k % 3]
                cells[k] += np.bincount(block.raters, total, packing.n_raters)
        own = np.diag([prior.sd**-2.0 for prior in (ABILITY, SIDE, LENGTH_TASTE)])
        return np.asarray(cells.T.reshape(-1, 3, 3) + own)

    def _evaluate(self, x: Floats) -> tuple[float, Floats]:
        packing, p = self._packing, self._packing.unpack(x)
        utilities = self._features @ p.weights
        gradient = np.zeros_like(x)
        part = packing.split(gradient)
        answers = np.zeros(len(utilities))
        edges = np.zeros(packing.points + 1)
        value = 0.0
        for block in self._blocks:
            value += self._add(block, p, utilities, part, answers, edges)
        if packing.d:
            part["weights"] += self._features.T @ answers
        # the edges beyond the scale are fixed; a threshold and its mirror image move together
        inner, half = edges[1:-1], len(part["gaps"])
        if half:
            outward = inner[-half:] - inner[:half][::-1]
            part["gaps"] += np.exp(packing.split(x)["gaps"]) * np.cumsum(outward[::-1])[::-1]
        off = x - self._prior_mean
        return float(0.5 * self._precision @ off**2) - value, self._precision * off - gradient

    def _add(
        self,
        block: Block,
        p: Parameters,
        utilities: Floats,
        part: dict[str, Floats],
        answers: Floats,
        edges: Floats,
    ) -> float:
        """Add a block's gradient to `part`, `answers` (by utility) and `edges`; return its log-likelihood."""
        seen = self._weigh(block, p, utilities)
        r, n_raters = block.raters, self._packing.n_raters
        upper = np.einsum("jn,jn->n", seen.share, seen.upper)
        lower = np.einsum("jn,jn->n", seen.share, seen.lower)
        by_eta, by_upper, by_lower = upper - lower, 1 - upper + seen.rest, lower - 1 - seen.rest
        by_own = block.turned * np.einsum("j,jn,jn->n", self._z, seen.share, seen.upper - seen.lower)
        own_size, spread, bounds = np.exp(p.log_residual), np.exp(p.log_spread)[r], self._bounds(p)
        by_ability = seen.between * by_eta + own_size * by_own
        stretched = spread * (by_upper * bounds[block.grades + 1] + by_lower * bounds[block.grades])
        part["log_residual"] += own_size * (by_own @ p.ability[r])
        part["ability"] += np.bincount(r, by_ability, n_raters)
        part["side"] += np.bincount(r, by_eta, n_raters)
        part["length_taste"] += np.bincount(r, by_eta * block.apart, n_raters)
        part["log_spread"] += np.bincount(r, stretched, n_raters)
        part["length"] += by_eta @ block.apart
        edges[1:] += np.bincount(block.grades, spread * by_upper, len(edges) - 1)
        edges[:-1] += np.bincount(block.grades, spread * by_lower, len(edges) - 1)
        if self._packing.d:
            by_utility = by_eta * p.ability[r]
            np.add.at(answers, block.left, by_utility)
            np.subtract.at(answers, block.right, by_utility)
        return seen.value

    def _weigh(self, block: Block, p: Parameters, utilities: Floats) -> Weighed:
        r, bounds = block.raters, self._bounds(p)
        between = utilities[block.left] - utilities[block.right]
        spread = np.exp(p.log_spread)[r]
        eta = p.ability[r] * between + p.side[r] + (p.length + p.length_taste[r]) * block.apart
        upper = spread * bounds[block.grades + 1]
        lower = spread * bounds[block.grades]
        own = np.exp(np.outer(self._z, np.exp(p.log_residual) * p.ability[r] * block.turned))
        below_upper = 1 / (1 + np.exp(eta - upper) * own)
        above_lower = 1 / (1 + np.exp(lower - eta) / own)
        # log(σ(x) − σ(y)) = log σ(x) + log σ(−y) + log(1 − e^(y−x)) cancels nothing
        joint = np.add.reduceat(np.log(below_upper * above_lower), block.starts, axis=1)
        joint += self._log_share[:, None]
        top = joint.max(axis=0)
        shares = np.exp(joint - top)
        total = shares.sum(axis=0)
        value = float((top + np.log(total)).sum() + np.log(-np.expm1(lower - upper)).sum())
        return Weighed(
            value,
            between,
            (shares / total)[:, block.pair],
            below_upper,
            above_lower,
            1 / np.expm1(upper - lower),
        )

    @staticmethod
    def _bounds(p: Parameters) -> Floats:
        outermost = float(p.thresholds[-1]) + _EDGE
        return np.concatenate([[-outermost], p.thresholds, [outermost]])


def _cut(lengths: Floats, votes: Votes) -> Iterator[Block]:
    first, second = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    key = first.astype(np.int64) * len(lengths) + second
    order = np.argsort(key, kind="stable")
    key = key[order]
    heads = np.flatnonzero(np.diff(key, prepend=-1))
    cuts = [0]
    while cuts[-1] < len(key):
        at = int(np.searchsorted(heads, cuts[-1] + _BLOCK))
        cuts.append(int(heads[at]) if at < len(heads) else len(key))
    for begin, end in pairwise(cuts):
        rows = order[begin:end]
        left, right = votes.left[rows], votes.right[rows]
        starts = heads[(heads >= begin) & (heads < end)] - begin
        pair = np.repeat(np.arange(len(starts)), np.diff(starts, append=end - begin))
        turned = np.where(left < right, 1.0, -1.0)
        apart = lengths[left] - lengths[right]
        yield Block(left, right, votes.raters[rows], votes.grades[rows], apart, turned, starts, pair)
