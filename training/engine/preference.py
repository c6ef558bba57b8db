"""How votes bear on a reward: by the ordinal model of raters (preferences.ordinal), or as soft labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from preferences import ordinal
from training.engine.data import Indices, Pair
from training.engine.features import principal

Floats = npt.NDArray[np.float64]

# the verdicts that a scale of so many points offers; labeling.judgments says the same to raters
SCALES = {
    2: (-2, 2),
    3: (-2, 0, 2),
    4: (-2, -1, 1, 2),
    5: (-2, -1, 0, 1, 2),
    6: (-3, -2, -1, 1, 2, 3),
    7: (-3, -2, -1, 0, 1, 2, 3),
}
VOTES_PER_COMPONENT = 10  # fewer fit chance
# makes the ordinal model's ridge of .3 one of 120: few answers with many votes each overfit otherwise (real
# arguments on held-out debates: .724 of the majorities foretold without, .742 with)
SHRUNK = 0.05
# of the summed loss, on components of mean variance 1; from the strongest on, each a start for the next
RIDGES = (30_000.0, 10_000.0, 3_000.0, 1_000.0, 300.0, 100.0, 30.0, 10.0)
FOLDS = 3
OUTERMOST = 60.0  # instead of infinity
UNKNOWN = (1.0, 0.0, 0.0, 1.0)  # ability, side, taste for length and spread of a rater nobody knows


@dataclass(frozen=True)
class Raters:
    """Hold what the ordinal model found: thresholds of the scale, and each rater's four parameters.

    `length` is the taste for length that all share, by standard deviation of an answer's log words, which is
    `length_deviation`. `raters` are (ability, pull to the left, own taste for length, spread of the scale).
    """

    points: int
    thresholds: list[float]
    length: float
    length_deviation: float
    residual: float
    raters: dict[str, tuple[float, float, float, float]]
    unreliable: int

    def summary(self) -> dict[str, Any]:
        """Return what a result says of the raters."""
        found = np.array(list(self.raters.values()))
        names = ("ability", "side", "length_taste", "spread")
        quantiles = np.quantile(found, [0.05, 0.5, 0.95], axis=0).T.round(4)
        return {
            **{key: value for key, value in asdict(self).items() if key != "raters"},
            "n": len(found),
            **{name: row.tolist() for name, row in zip(names, quantiles, strict=True)},
        }


@dataclass(frozen=True, eq=False)
class Terms:
    """Hold each vote's part of the loss, −lost·log σ(upper − a·m) − won·log σ(a·m − lower), m the margin.

    With a grade's two thresholds as bounds and won = lost = 1 that is the cumulative link; with both bounds 0
    and won = 1 − lost it is Bradley–Terry on a soft label. `probability` is that label either way.
    """

    probability: Floats
    ability: Floats
    upper: Floats
    lower: Floats
    won: Floats
    lost: Floats
    weight: Floats

    def take(self, kept: Indices) -> Terms:
        """Return some of the votes."""
        return Terms(**{name: array[kept] for name, array in vars(self).items()})

    def loss(self, margin: Floats) -> tuple[Floats, Floats]:
        """Return each vote's loss, unweighted, and its derivative by the margin."""
        over, under = self.upper - self.ability * margin, self.ability * margin - self.lower
        value = self.lost * np.logaddexp(0, -over) + self.won * np.logaddexp(0, -under)
        slope = self.lost * _sigmoid(-over) - self.won * _sigmoid(-under)
        return value, self.ability * slope


def grades(pairs: Sequence[Pair], points: int) -> npt.NDArray[np.intp]:
    """Return votes as grades 0 … points−1 of a scale, the highest for the chosen answer; −1 for what is none.

    A verdict stronger than any that the scale offers counts as its strongest, and where it tells no strengths
    every verdict does.
    """
    offered, most = SCALES[points], max(SCALES[points])
    plain = len({abs(verdict) for verdict in offered} - {0}) == 1
    places = {verdict: place for place, verdict in enumerate(offered)}

    def grade(pair: Pair) -> int:
        verdict = pair.verdict
        if abs(verdict) > most or (plain and verdict):
            verdict = most if verdict > 0 else -most
        return places.get(verdict, -1) if pair.points == points else -1

    return np.array([grade(pair) for pair in pairs], dtype=np.intp)


def fit_raters(
    pairs: Sequence[Pair], sides: Indices, read: Indices, features: npt.NDArray[np.floating]
) -> Raters | None:
    """Fit the ordinal model to the votes whose answers have features; None where no vote is a grade.

    `sides` (votes, 2) are the answers chosen and rejected, `read` the answers that `features` has rows of.
    Most votes' scale counts; those on another are left to soft labels, like rankings and edits.
    """
    scales = Counter(pair.points for pair in pairs if pair.points)
    if not scales:
        return None
    points = max(scales, key=lambda many: (scales[many], many))
    place = np.full(max(int(sides.max()), int(read.max())) + 1, -1)
    place[read] = np.arange(len(read))
    given = grades(pairs, points)
    usable = (given >= 0) & np.array([pair.weight > 0 for pair in pairs])
    usable &= (place[sides] >= 0).all(axis=1) & (sides[:, 0] != sides[:, 1])
    kept = np.flatnonzero(usable).tolist()
    if not kept:
        return None
    words = _log_words(pairs, sides, len(place))
    deviation = float(words[read].std()) or 1.0
    directions = principal(features)[1][:, : len(kept) // VOTES_PER_COMPONENT]
    centred = features - features.mean(axis=0)
    names, codes = np.unique([pairs[i].rater for i in kept], return_inverse=True)
    found = ordinal.fit(
        SHRUNK * (centred @ directions),
        (words[read] - words[read].mean()) / deviation,
        _as_shown(
            np.array([pairs[i].chosen_left for i in kept]),
            given[kept],
            place[sides[kept]],
            codes,
            points,
        ),
    )
    own = zip(found.ability, found.side, found.length_taste, found.spread, strict=True)
    return Raters(
        points=points,
        thresholds=found.thresholds.tolist(),
        length=found.length,
        length_deviation=deviation,
        residual=found.residual,
        raters={str(name): tuple(map(float, row)) for name, row in zip(names, own, strict=True)},  # type: ignore[misc]
        unreliable=int(found.unreliable.sum()),
    )


def _as_shown(shown: Indices, given: Indices, sides: Indices, codes: Indices, points: int) -> ordinal.Votes:
    """Put votes as the model wants them: left and right, where nobody knows by a coin."""
    coin = np.random.default_rng(0).choice([-1, 1], len(shown))
    on_left = np.where(shown == 0, coin, shown) > 0
    left, right = np.where(on_left[:, None], sides, sides[:, ::-1]).T
    return ordinal.Votes(
        left, right, codes, np.where(on_left, given, points - 1 - given), points, int(codes.max()) + 1
    )


def terms(pairs: Sequence[Pair], raters: Raters | None, length_preference: float | None = 0.0) -> Terms:
    """Say what each vote asks of a margin, given its rater; without raters all are soft labels.

    A standard deviation of log length keeps the worth `length_preference`, in logits (None: what the raters
    share of a taste for it); what they like of length beyond that is taken out.
    """
    probability = np.array([pair.probability for pair in pairs], dtype=np.float64)
    won, lost = probability.copy(), 1 - probability
    ability, upper, lower = np.ones(len(pairs)), np.zeros(len(pairs)), np.zeros(len(pairs))
    weight = np.array([pair.weight for pair in pairs], dtype=np.float64)
    if raters is None or not pairs:
        return Terms(probability, ability, upper, lower, won, lost, weight)
    given = grades(pairs, raters.points)
    kept = np.flatnonzero(given >= 0).tolist()
    own = np.array([raters.raters.get(pairs[i].rater, UNKNOWN) for i in kept]).reshape(-1, 4)
    edges = np.array([-OUTERMOST, *raters.thresholds, OUTERMOST])
    longer = np.array([_words(pairs[i].chosen) - _words(pairs[i].rejected) for i in kept])
    kept_length = raters.length if length_preference is None else length_preference
    taste = (raters.length + own[:, 2] - kept_length) * longer / raters.length_deviation
    offset = own[:, 1] * np.array([pairs[i].chosen_left for i in kept]) + taste
    ability[kept] = own[:, 0]
    upper[kept] = own[:, 3] * edges[given[kept] + 1] - offset
    lower[kept] = own[:, 3] * edges[given[kept]] - offset
    won[kept], lost[kept] = 1.0, 1.0
    return Terms(probability, ability, upper, lower, won, lost, weight)


def fit_linear_reward(
    features: npt.NDArray[np.floating], read: Indices, sides: Indices, votes: Terms, prompts: Sequence[str]
) -> tuple[Floats, float]:
    """Fit a linear reward on features (answers read, d), given the raters; returns weights (d,) and offset.

    Votes on answers that weren't read are left out. The mean reward is 0. The ridge is cross-validated on
    other prompts (Hastie, Tibshirani & Friedman 2009, section 7.10: one standard error from the best).
    """
    place = np.full(max(int(sides.max()), int(read.max())) + 1, -1)
    place[read] = np.arange(len(read))
    kept = np.flatnonzero((place[sides] >= 0).all(axis=1))
    mean, directions = principal(features)
    parts = (features - mean) @ directions
    gaps = parts[place[sides[kept, 0]]] - parts[place[sides[kept, 1]]]
    votes, codes = votes.take(kept), np.unique(prompts, return_inverse=True)[1][kept]
    # abilities have seen the votes on every prompt, also those that are left out to choose the ridge
    alike = replace(votes, ability=np.ones_like(votes.ability))
    weights = directions @ _fit_ridge(gaps, votes, _ridge(gaps, alike, codes))
    return weights, -float(mean @ weights)


def _ridge(gaps: Floats, votes: Terms, prompts: npt.NDArray[np.intp]) -> float:
    """Choose the strongest ridge that loses no more than a standard error, by prompts, against the best."""
    lost = np.zeros((len(RIDGES), int(prompts.max()) + 1))
    for fold in range(FOLDS):
        out, rest = np.flatnonzero(prompts % FOLDS == fold), np.flatnonzero(prompts % FOLDS != fold)
        if not (len(out) and len(rest)):
            continue
        train, test, weights = votes.take(rest), votes.take(out), None
        for row, ridge in zip(lost, RIDGES, strict=True):
            weights = _fit_ridge(gaps[rest], train, ridge, weights)
            row += np.bincount(prompts[out], test.weight * test.loss(gaps[out] @ weights)[0], len(row))
    more = lost - lost[lost.sum(axis=1).argmin()]
    near = more.sum(axis=1) <= np.sqrt((more**2).sum(axis=1))
    return RIDGES[int(near.argmax())]


def _fit_ridge(gaps: Floats, votes: Terms, ridge: float, start: Floats | None = None) -> Floats:
    def objective(w: Floats) -> tuple[float, Floats]:
        value, slope = votes.loss(gaps @ w)
        return float(votes.weight @ value + ridge / 2 * w @ w), gaps.T @ (votes.weight * slope) + ridge * w

    start = np.zeros(gaps.shape[1]) if start is None else start
    found: Floats = minimize(objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-7}).x
    return found


def _log_words(pairs: Sequence[Pair], sides: Indices, n: int) -> Floats:
    found = np.zeros(n)
    for pair, (chosen, rejected) in zip(pairs, sides, strict=True):
        found[chosen], found[rejected] = _words(pair.chosen), _words(pair.rejected)
    return found


def _words(text: str) -> float:
    return float(np.log1p(len(text.split())))


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))
