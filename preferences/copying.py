"""Whether two raters copy: they give the same verdict more often than the answers explain.

For a pair of answers on which raters r and s both voted, let q be the chance that s gives r's grade: the
ordinal model's probability for s, averaged over what is believed of the pair's utility after all votes on it
but s's own. A shared taste makes raters alike beyond the model; so "not copying" allows that a share c₀ = .1
of grades is the same for no reason seen here. Against it stands copying a share c of grades:

    E = Π over shared pairs of (c + (1 − c)·q)/(c₀ + (1 − c₀)·q) for the same grade, (1 − c)/(1 − c₀) else,

averaged over c = .5 and .9 and over who copies whom. E is an e-value: its mean is at most 1 where nobody
copies, so P(E ≥ 1/α) ≤ α at whatever moment one looks (Ville 1939; Vovk & Wang 2021, E-values, Annals of
Statistics 49:1736). Among P pairs of raters those with E ≥ P/α are called copying (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from preferences.accord import number_pairs
from preferences.intervals import Floats
from preferences.ordinal import Fit, Votes

Rows = npt.NDArray[np.intp]

FEWEST = 8  # shared pairs; fewer hardly ever suffice
ALPHA = 0.05  # chance that any two of a campaign's honest raters are called copying
_BY_CHANCE = 0.1
_COPIED = (0.5, 0.9)
_NODES = 15
_AT_ONCE = 50_000


@dataclass(frozen=True)
class Copying:
    """Hold what two raters share: pairs, how many got the same grade, how many would by chance, and log E.

    `needed` is the log E from which on two raters are called copying, for all that were looked at together.
    """

    first: int
    second: int
    shared: int
    same: int
    expected: float
    evidence: float
    needed: float

    @property
    def found(self) -> bool:
        """Tell whether the evidence suffices."""
        return self.evidence >= self.needed


def find_copying(
    fit: Fit, features: Floats, lengths: Floats, votes: Votes, *, fewest: int = FEWEST, alpha: float = ALPHA
) -> list[Copying]:
    """Hold every two raters who share `fewest` pairs or more against each other, strongest evidence first.

    Arguments as of `ordinal.fit`, whose result `fit` is. Of several votes of a rater on a pair the first
    counts. Many who copy from one another on the same pairs hide each other, for each vote makes the others'
    likelier.
    """
    pairs = number_pairs(votes)
    order = np.unique(pairs * votes.n_raters + votes.raters, return_index=True)[1]  # by pair; first votes
    i, j = _meetings(pairs[order])
    i, j = order[i], order[j]
    swap = votes.raters[i] > votes.raters[j]
    i, j = np.where(swap, j, i), np.where(swap, i, j)
    keys, of, shared = np.unique(
        votes.raters[i].astype(np.int64) * votes.n_raters + votes.raters[j],
        return_inverse=True, return_counts=True,
    )  # fmt: skip
    enough = shared[of] >= fewest
    i, j, of = i[enough], j[enough], of[enough]
    tested = int((shared >= fewest).sum())
    columns = np.zeros((len(keys), 2 + 2 * len(_COPIED)))
    chances = _Chances(fit, features, lengths, votes, pairs, order)
    for start in range(0, len(i), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        rows = _compare(chances, i[part], j[part])
        for k in range(rows.shape[1]):
            columns[:, k] += np.bincount(of[part], rows[:, k], len(keys))
    logs = np.logaddexp.reduce(columns[:, 2:], axis=1) - np.log(columns.shape[1] - 2)
    needed = float(np.log(max(tested, 1) / alpha))
    return [
        Copying(
            int(keys[k] // votes.n_raters), int(keys[k] % votes.n_raters), int(shared[k]),
            int(columns[k, 0]), float(columns[k, 1]), float(logs[k]), needed,
        )
        for k in sorted(np.flatnonzero(shared >= fewest), key=lambda k: -logs[k])
    ]  # fmt: skip


def _meetings(pairs: npt.NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Return the places of every two votes on the same pair, votes being sorted by pair."""
    first: list[Rows] = []
    second: list[Rows] = []
    lag = 1
    while len(here := np.flatnonzero(pairs[lag:] == pairs[:-lag])):
        first.append(here)
        second.append(here + lag)
        lag += 1
    empty = np.zeros(0, np.intp)
    return np.concatenate([empty, *first]), np.concatenate([empty, *second])


def _compare(chances: _Chances, i: Rows, j: Rows) -> Floats:
    """Return for each two votes: whether the same, how likely so, and the log ratios of each way to copy."""
    ways = (chances.of_the_same(i, j), chances.of_the_same(j, i))
    same = chances.grades[i] == chances.seen_from(i, j)
    logs = [
        np.where(
            same,
            np.log((copied + (1 - copied) * q) / (_BY_CHANCE + (1 - _BY_CHANCE) * q)),
            np.log((1 - copied) / (1 - _BY_CHANCE)),
        )
        for q in ways
        for copied in _COPIED
    ]
    return np.column_stack([same, (ways[0] + ways[1]) / 2, *logs])


class _Chances:
    """Tell how likely a rater gives a grade, after everybody else's votes on the pair."""

    def __init__(
        self,
        fit: Fit,
        features: Floats,
        lengths: Floats,
        votes: Votes,
        pairs: npt.NDArray[np.int64],
        counted: Rows,
    ) -> None:
        z, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        self._fit, self._votes, self._pairs, self._z = fit, votes, pairs, z
        self.grades = np.asarray(votes.grades)
        self._turned = np.where(votes.left < votes.right, 1.0, -1.0)
        utility = fit.utility(features)
        r = votes.raters
        self._prior = utility[votes.left] - utility[votes.right]
        apart = np.asarray(lengths)[votes.left] - np.asarray(lengths)[votes.right]
        self._pull = fit.side[r] + (fit.length + fit.length_taste[r]) * apart
        self._edges = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
        self._joint = np.zeros((int(pairs.max(initial=-1)) + 1, _NODES)) + np.log(weights / weights.sum())
        for start in range(0, len(counted), _AT_ONCE):
            rows = counted[start : start + _AT_ONCE]
            np.add.at(self._joint, pairs[rows], self._log_chance(rows, self.grades[rows]))

    def seen_from(self, i: Rows, j: Rows) -> npt.NDArray[np.integer]:
        """Return j's grades as they would read on i's sides."""
        theirs = self.grades[j]
        return np.where(self._turned[i] == self._turned[j], theirs, self._votes.points - 1 - theirs)

    def of_the_same(self, i: Rows, j: Rows) -> Floats:
        """Return how likely i's rater is to say what j's did, i's own vote being unknown."""
        without = self._joint[self._pairs[i]] - self._log_chance(i, self.grades[i])
        shares = np.exp(without - without.max(axis=1, keepdims=True))
        chance = np.exp(self._log_chance(i, self.seen_from(i, j)))
        return np.asarray((shares * chance).sum(axis=1) / shares.sum(axis=1))

    def _log_chance(self, rows: Rows, grades: npt.NDArray[np.integer]) -> Floats:
        """Return the log chances of grades at each node of the pair's utility: votes × nodes."""
        r = self._votes.raters[rows]
        u = self._prior[rows, None] + self._fit.residual * self._turned[rows, None] * self._z
        eta = self._fit.ability[r][:, None] * u + self._pull[rows, None]
        spread = self._fit.spread[r]
        upper = expit((spread * self._edges[grades + 1])[:, None] - eta)
        lower = expit((spread * self._edges[grades])[:, None] - eta)
        return np.asarray(np.log(np.maximum(upper - lower, 1e-12)))
