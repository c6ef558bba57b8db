"""Rows 4, 5, 9 and 10: the reward that votes give, tried on answers and votes that it never saw.

100 raters vote on pairs of answers, a fifth of them on pairs that three see (preferences/worlds.py). A reward
is fitted to the first 2,000 or 20,000 votes and tried on 32,000 other answers. Its accuracy is the share of
pairs whose better answer it prefers; its oracle is the part of true utility that is linear in the features.
Probabilities are held against other votes of the same crowd on other pairs, after a temperature was fitted to
a tenth as many votes as the reward.

| reward | fitted |
|---|---|
| model | preferences.ordinal, and length set to count nothing |
| model as fitted | the same without setting what length counts |
| Bradley-Terry | logistic, ties ½, a ridge |
| binary + length | the same beside the difference in length |
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from bench.report import Figure
from bench.statistics.summary import summarise
from preferences.calibration import calibration_error, fit_temperature, reliability_table
from preferences.ordinal import Votes, fit, set_length
from preferences.selection import estimate_covariance, posterior
from preferences.worlds import RECIPES, World, draw_world

SIZES = (500, 700, 1000, 1400, 2000, 3000, 4200, 6000, 11_000, 20_000)
EARLY, LATE = 2_000, 20_000
FEWER_AT = (2_000, 6_000, 20_000)  # votes of binary + length, whose accuracy the model is to reach with fewer
FEWER = 0.40  # row 4
CORRELATION, DRIFT = 0.05, 0.1  # row 5
ERROR = 0.02  # row 9
GAIN = 0.95  # row 10
OF = 16
SPARE = 32_000
PAIRS = 100_000
EACH = 450  # votes of each rater, of which the last 230 test probabilities

Values = dict[tuple[str, str, str], list[float]]  # by world, row and method

AHEAD = "4 accuracy at 2,000 votes, less Bradley-Terry's at 20,000"
ROWS: dict[str, dict[str, float]] = {
    "4 accuracy at 2,000 votes": {},
    "4 accuracy at 20,000 votes": {},
    AHEAD: {"at_least": 0.0},
    **{f"4 fewer votes than binary + length at {size:,}": {"at_least": FEWER} for size in FEWER_AT},
    **{
        f"{row} at {size:,} votes": goal
        for row, goal in (
            ("5 length correlation", {"at_most": CORRELATION}),
            ("5 best-of-16 length drift", {"at_most": DRIFT}),
            ("9 calibration error before", {"at_most": ERROR}),
            ("9 calibration error", {"at_most": ERROR}),
            ("10 best-of-16 gain, of the oracle's", {"at_least": GAIN}),
        )
        for size in (EARLY, LATE)
    },
}


def figures(seeds: int, small: bool) -> list[Figure]:
    """Measure the rows over seeds 0, 1, …; small has fewer sizes."""
    measured: Values = defaultdict(list)
    for kind in RECIPES:
        for seed in range(seeds):
            try_world(kind, seed, (1_000, 1_400, EARLY, LATE) if small else SIZES, measured)
    return [figure for kind in RECIPES for figure in _rows(kind, measured)]


@dataclass(frozen=True)
class Trial:
    """Hold answers that nobody voted on, what is true of them, and pairs of them."""

    features: np.ndarray
    lengths: np.ndarray
    utility: np.ndarray
    pairs: np.ndarray  # PAIRS × 2

    def accuracy(self, reward: np.ndarray) -> float:
        """Share of pairs whose better answer has the higher reward."""
        (one, other), utility = self.pairs.T, self.utility
        return float(np.mean((reward[one] > reward[other]) == (utility[one] > utility[other])))

    def best(self, reward: np.ndarray) -> tuple[float, float]:
        """Return the mean utility and length of the best of sixteen, less the mean of all."""
        at = np.arange(0, len(reward), OF) + reward.reshape(-1, OF).argmax(axis=1)
        return (
            float(self.utility[at].mean() - self.utility.mean()),
            float((self.lengths[at].mean() - self.lengths.mean()) / self.lengths.std()),
        )


def linear_part(features: np.ndarray, utility: np.ndarray) -> np.ndarray:
    """Return the part of utility that is linear in the features: what no reward of them can beat."""
    design = np.column_stack([features, np.ones(len(features))])
    return np.asarray(design @ np.linalg.lstsq(design, utility, rcond=None)[0])


def try_world(kind: str, seed: int, sizes: tuple[int, ...], measured: Values) -> None:
    """Fit rewards to the first votes of a world, as many as each size, and note what they are worth."""
    world = draw_world(kind, seed, each=EACH, spare=SPARE)
    rng = np.random.default_rng(seed)
    trial = Trial(
        world.features[-SPARE:],
        world.lengths[-SPARE:],
        world.utility[-SPARE:],
        rng.integers(0, SPARE, (PAIRS, 2)),
    )
    linear = linear_part(trial.features, trial.utility)
    most = trial.best(linear)[0]

    def note(row: str, method: str, value: float) -> None:
        measured[kind, row, method].append(float(value))

    curves: dict[str, list[float]] = defaultdict(list)
    for size in sizes:
        for method, weights in fit_rewards(world, size).items():
            reward = trial.features @ weights
            curves[method].append(trial.accuracy(reward))
            if size in (EARLY, LATE):
                at, (gain, drift) = f"at {size:,} votes", trial.best(reward)
                before, after = _calibrate(world, weights, size)
                note(f"4 accuracy {at}", method, curves[method][-1])
                note(f"5 length correlation {at}", method, abs(np.corrcoef(reward, trial.lengths)[0, 1]))
                note(f"5 best-of-16 length drift {at}", method, abs(drift))
                note(f"9 calibration error before {at}", method, before)
                note(f"9 calibration error {at}", method, after)
                note(f"10 best-of-16 gain, of the oracle's {at}", method, gain / most)
    note(f"4 accuracy at {LATE:,} votes", "oracle", trial.accuracy(linear))
    ahead = curves["model"][sizes.index(EARLY)] - curves["Bradley-Terry"][sizes.index(LATE)]
    note(AHEAD, "model", ahead)
    for size in set(FEWER_AT) & set(sizes):
        goal = curves["binary + length"][sizes.index(size)]
        for method in ("model", "model as fitted"):
            fewer = 1 - needed(sizes, curves[method], goal) / size
            note(f"4 fewer votes than binary + length at {size:,}", method, fewer)


def fit_rewards(world: World, size: int) -> dict[str, np.ndarray]:
    """Fit every method to the first votes; returns weights by its name."""
    votes = first_votes(world.votes, size)
    features, lengths = world.features[:-SPARE], world.lengths[:-SPARE]
    found = fit(features, lengths, votes)
    covariance = estimate_covariance(found, features, lengths, votes)
    seen = np.unique([votes.left, votes.right])
    gaps = features[votes.left] - features[votes.right]
    apart = (lengths[votes.left] - lengths[votes.right])[:, None]
    said = (1 + np.sign(2 * votes.grades - (votes.points - 1))) / 2
    return {
        "model": set_length(found.weights, covariance, features[seen], lengths[seen])[0],
        "model as fitted": found.weights,
        "Bradley-Terry": posterior(gaps, said).weights,
        "binary + length": posterior(np.hstack([gaps, apart]), said).weights[:-1],
    }


def first_votes(votes: Votes, n: int) -> Votes:
    """Return the n votes that came first."""
    return Votes(
        votes.left[:n], votes.right[:n], votes.raters[:n], votes.grades[:n], votes.points, votes.n_raters
    )


def _calibrate(world: World, weights: np.ndarray, size: int) -> tuple[float, float]:
    """Return the calibration errors before and after a temperature, on votes that are no ties."""
    votes, reward = world.votes, world.features @ weights
    margin = reward[votes.left] - reward[votes.right]
    said = np.sign(2 * votes.grades - (votes.points - 1))
    stream = np.flatnonzero(said[LATE : LATE + size // 10]) + LATE
    test = np.flatnonzero(said[LATE + LATE // 10 :]) + LATE + LATE // 10
    temperature = fit_temperature(margin[stream], (said[stream] > 0).astype(float))
    before, after = (
        calibration_error(reliability_table(margin[test] / t, (said[test] > 0).astype(float)))
        for t in (1.0, temperature)
    )
    return before, after


def needed(sizes: tuple[int, ...], curve: list[float], goal: float) -> float:
    """Return how many votes reach the goal: interpolated in log votes, at least the smallest size."""
    best = np.maximum.accumulate(curve)
    if best[-1] < goal:
        return float(sizes[-1])
    at = int(np.searchsorted(best, goal))
    if at == 0:
        return float(sizes[0])
    share = (goal - best[at - 1]) / (best[at] - best[at - 1])
    return float(np.exp(np.log(sizes[at - 1]) + share * np.log(sizes[at] / sizes[at - 1])))


def _rows(kind: str, measured: Values) -> list[Figure]:
    result = []
    for row, goal in ROWS.items():
        for (world, name, method), values in measured.items():
            if (world, name) == (kind, row):
                figures = summarise(
                    f"{row}, {kind}: {method}",
                    values,
                    at_least=goal.get("at_least"),
                    at_most=goal.get("at_most"),
                )
                ours = method == "model" and "before" not in row
                result += figures if ours else [replace(f, goal="", holds=None) for f in figures]
    return result
