"""Row 8: whether what is foretold of more labels comes true.

In each world a linear head on 16 to 64 features is fitted to single votes of which part obeys a linear taste
and part a curved one, at 1/8, 1/4, 1/2 and all of 300 to 1,200 votes. The curve is carried on from a fourth
as many held-out votes; the truth is the mean accuracy of three fresh fits, against votes that never repeat.
The naive curve is drawn on straight through the last two points, over the logarithm of the votes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from bench.report import Figure
from preferences.agreement import ceiling
from preferences.intervals import Floats, clustered_covariance
from preferences.learning import forecast
from preferences.selection import posterior
from preferences.types import Estimate, Interval
from training.engine.learning_curve import SHARES

WORLDS = 12  # a seed
TIMES = (2, 5)
RIDGES = (1000.0, 100.0, 10.0, 1.0)
FRESH = 8000  # votes that the truth is measured on


class World(NamedTuple):
    """Votes' differences of features, and how likely each goes to the first answer."""

    rng: np.random.Generator
    scale: Floats
    taste: Floats
    bend: Floats
    curved: float
    strength: float

    def ask(self, n: int) -> tuple[Floats, Floats]:
        gaps = self.rng.normal(size=(n, len(self.scale))) * self.scale
        return gaps, expit(gaps @ self.taste + self.curved * self.strength * np.sin(gaps @ self.bend))


def draw_world(seed: int) -> World:
    """Draw how many features there are, how unequal, how strong and how curved raters' taste."""
    rng = np.random.default_rng(seed)
    width = int(rng.choice([16, 32, 64]))
    scale: Floats = np.arange(1.0, width + 1) ** -float(rng.choice([0.3, 0.6, 1.0]))
    strength, taste = float(rng.choice([1.0, 1.8, 3.0])), rng.normal(size=width)
    taste *= strength / np.linalg.norm(taste * scale)
    return World(rng, scale, taste, rng.normal(size=width), float(rng.choice([0, 0.3, 0.6])), strength)


def fit(gaps: Floats, said: Floats) -> Floats:
    """Fit a head with the ridge that foretells best in three folds."""
    fold, lost = np.arange(len(gaps)) % 3, dict.fromkeys(RIDGES, 0.0)
    for ridge in RIDGES:
        for k in range(3):
            out = fold == k
            head = posterior(gaps[~out], said[~out], np.ones(int((~out).sum())), ridge=ridge).weights
            lost[ridge] += float(np.logaddexp(0, -(gaps[out] @ head) * (2 * said[out] - 1)).sum())
    best = min(lost, key=lambda ridge: lost[ridge])
    return np.asarray(posterior(gaps, said, np.ones(len(gaps)), ridge=best).weights)


def try_world(seed: int) -> list[tuple[bool, bool, float, float]]:
    """Return for twice and five times the votes: accuracy and gain held, and both methods' errors."""
    world = draw_world(seed)
    n = int(world.rng.choice([300, 600, 1200]))
    gaps, likely = world.ask(n)
    said = (world.rng.random(n) < likely).astype(float)
    tested, chance = world.ask(n // 4)
    preferred = world.rng.random(n // 4) < chance
    sizes = [int(n * share) for share in SHARES]
    right = np.array([(tested @ fit(gaps[:m], said[:m]) > 0) == preferred for m in sizes], np.float64)
    fresh, sure = world.ask(FRESH)
    agreed = Estimate(float((sure**2 + (1 - sure) ** 2).mean()), Interval(0.0, 1.0), FRESH)
    found = forecast(
        sizes,
        right.mean(axis=1).tolist(),
        clustered_covariance(right, np.arange(n // 4)),
        [n * times for times in TIMES],
        ceiling=ceiling(agreed).value or 1.0,
    )
    now = _truth(world, n, fresh, sure)
    slope = float(right[-1].mean() - right[-2].mean())  # of a doubling
    rows = []
    for times, level, gain in zip(TIMES, found.accuracy, found.gain, strict=True):
        then = _truth(world, n * times, fresh, sure)
        straight = slope * float(np.log2(times))
        rows.append(
            (
                _holds(level, then),
                _holds(gain, then - now),
                abs((gain.value or 0.0) - (then - now)),
                abs(straight - (then - now)),
            )
        )
    return rows


def _truth(world: World, n: int, fresh: Floats, sure: Floats) -> float:
    found = []
    for _ in range(3):
        gaps, likely = world.ask(n)
        side = fresh @ fit(gaps, (world.rng.random(n) < likely).astype(float)) > 0
        found.append(float(np.where(side, sure, 1 - sure).mean()))
    return float(np.mean(found))


def _holds(estimate: Estimate, truth: float) -> bool:
    assert estimate.interval is not None
    return estimate.interval.low - 1e-9 <= truth <= estimate.interval.high + 1e-9


def figures(seeds: int, small: bool) -> list[Figure]:
    """Return the rows over all worlds of all seeds."""
    worlds = seeds * (2 if small else WORLDS)
    tried = np.array([try_world(seed) for seed in range(worlds)], np.float64)
    rows = []
    for at, times in enumerate(TIMES):
        level, gain, error, straight = tried[:, at].mean(axis=0)
        name = f"8 at {times} times the votes"
        rows += [
            Figure(f"{name}: accuracy in its 95 %", float(level), "", ">= 0.9", bool(level >= 0.9)),
            Figure(f"{name}: gain in its 95 %", float(gain), "", ">= 0.9", bool(gain >= 0.9)),
            Figure(f"{name}: error of the gain", 100 * float(error), "points"),
            Figure(f"{name}: error, straight on", 100 * float(straight), "points"),
        ]
    return rows
