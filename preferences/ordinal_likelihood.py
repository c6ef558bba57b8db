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
_BLOCK = 16_384  # votes
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


class Slopes(NamedTuple):
    """Hold a vote's log-likelihood at one node with its derivatives by η and by its two edges."""

    value: Floats
    eta: Floats
    upper: Floats
    lower: Floats
    curve: Floats  # −d²/dη²


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
        cells = np.zeros((9, packing.n_raters))
        for block in self._blocks:
            shares, _, nodes = self._weigh(block, p, utilities)
            mean = [np.zeros(len(block.grades)) for _ in range(3)]
            total = [np.zeros(len(block.grades)) for _ in range(9)]
            for j, (u, slopes) in enumerate(nodes):
                share = shares[j][block.pair]
                covariates = (u, np.ones_like(u), block.apart)
                for k, c in enumerate(covariates):
                    mean[k] += share * slopes.eta * c
                    for m, e in enumerate(covariates):
                        total[3 * k + m] += share * (slopes.curve - slopes.eta**2) * c * e
            for k in range(9):
                total[k] += mean[k // 3] * mean[k % 3]
                cells[k] += np.bincount(block.raters, total[k], packing.n_raters)
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
        shares, value, nodes = self._weigh(block, p, utilities)
        r, n_raters = block.raters, self._packing.n_raters
        by_eta = by_ability = by_residual = by_upper = by_lower = np.zeros(1)
        for j, (u, slopes) in enumerate(nodes):
            share = shares[j][block.pair]
            eta = share * slopes.eta
            by_eta = by_eta + eta
            by_ability = by_ability + eta * u
            by_upper = by_upper + share * slopes.upper
            by_lower = by_lower + share * slopes.lower
            by_residual = by_residual + eta * block.turned * self._z[j]
        part["log_residual"] += np.exp(p.log_residual) * (by_residual @ p.ability[r])
        spread = np.exp(p.log_spread)[r]
        bounds = self._bounds(p)
        stretched = spread * (by_upper * bounds[block.grades + 1] + by_lower * bounds[block.grades])
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
        return value

    def _weigh(
        self, block: Block, p: Parameters, utilities: Floats
    ) -> tuple[Floats, float, list[tuple[Floats, Slopes]]]:
        """Return each node's posterior share (nodes × pairs), the log-likelihood, utilities and slopes."""
        r = block.raters
        between = utilities[block.left] - utilities[block.right]
        ability, spread = p.ability[r], np.exp(p.log_spread)[r]
        rest = p.side[r] + (p.length + p.length_taste[r]) * block.apart
        bounds = self._bounds(p)
        upper = spread * bounds[block.grades + 1] - rest
        lower = spread * bounds[block.grades] - rest
        nodes = []
        for z in self._z:
            u = between + np.exp(p.log_residual) * z * block.turned
            nodes.append((u, _slopes(upper - ability * u, lower - ability * u)))
        joint = np.stack([np.add.reduceat(slopes.value, block.starts) for _, slopes in nodes])
        joint += self._log_share[:, None]
        top = joint.max(axis=0)
        shares = np.exp(joint - top)
        total = shares.sum(axis=0)
        return shares / total, float((top + np.log(total)).sum()), nodes

    @staticmethod
    def _bounds(p: Parameters) -> Floats:
        outermost = float(p.thresholds[-1]) + _EDGE
        return np.concatenate([[-outermost], p.thresholds, [outermost]])


def _slopes(upper: Floats, lower: Floats) -> Slopes:
    """Take log(σ(upper) − σ(lower)) and its derivatives, without cancelling."""
    above, below = np.exp(-upper), np.exp(lower)
    ratio = above * below
    value = np.log((1 - ratio) / ((1 + above) * (1 + below)))
    out_above, out_below = above / (1 + above), below / (1 + below)
    rest = ratio / (1 - ratio)
    curve = out_above * (1 - out_above) + out_below * (1 - out_below)
    return Slopes(value, out_below - out_above, out_above + rest, -out_below - rest, curve)


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
