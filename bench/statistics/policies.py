"""Rows 6 and 7: whether policies' intervals cover the truth, and when to stop comparing two of them.

In each world P policies answer M prompts for R raters. A vote is for the left side when u_left − u_right +
noise is above 0, with u = score + the rater's taste for that policy + the prompt's pull to it, and a tie near
0. The truth is what the model says of raters and prompts that never repeat: a million votes of fresh ones.

| world | what it is |
|---|---|
| easy | 40 raters alike busy, 150 prompts, tastes N(0, .4), pulls N(0, .5), logistic noise |
| hard | 20 raters of whom few do most, 60 prompts, tastes N(0, .6), pulls N(0, .8), ties |
| probit | outside the model: normal noise, tastes with heavy tails (Student's t with 3 degrees of freedom) |
| camps | outside: two camps of raters who rank the policies differently |
| drift | outside: tastes move by N(0, .8) while the votes come in |

The naive interval takes all votes for independent (a sandwich without clusters). The naive stop looks at a
z-test after every vote, from the twentieth on, until the fixed number is reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bench.report import Figure
from bench.statistics.summary import summarise
from preferences.ballots import Ballots
from preferences.bradley_terry import Leaderboard, rate
from preferences.intervals import Floats
from preferences.stopping import Outcome, fixed_votes, follow

Whole = npt.NDArray[np.integer]

POLICIES = tuple("abcde")
SCORES = np.array([0.8, 0.3, 0.0, -0.4, -0.7])
CAMP = np.array([0.5, -0.5, 0.3, -0.6, 0.3])  # what one camp likes and the other dislikes
VOTES = 1200


@dataclass(frozen=True)
class World:
    """Say how raters and prompts differ; spreads are standard deviations in logits."""

    name: str
    raters: int = 40
    prompts: int = 150
    taste: float = 0.4
    pull: float = 0.5
    tie: float = 0.0
    uneven: float = 0.0  # exponent of raters' loads, load ∝ rank^−uneven
    probit: bool = False
    camps: float = 0.0
    drift: float = 0.0


WORLDS = (
    World("easy"),
    World("hard", raters=20, prompts=60, taste=0.6, pull=0.8, tie=0.5, uneven=0.7),
    World("probit", probit=True),
    World("camps", camps=1.0),
    World("drift", drift=0.8),
)


def cast_votes(world: World, rng: np.random.Generator, votes: int = VOTES) -> Ballots:
    """Let the raters of a world vote on pairs drawn at random."""
    p = len(POLICIES)
    loads = np.arange(1, world.raters + 1) ** -world.uneven
    if world.raters == votes:
        raters, prompts = np.arange(votes), np.arange(votes)
    else:
        raters = rng.choice(world.raters, votes, p=loads / loads.sum())
        prompts = rng.integers(0, world.prompts, votes)
    tastes = rng.normal(size=(world.raters, p)) * world.taste
    if world.probit:
        tastes = rng.standard_t(3, size=(world.raters, p)) / np.sqrt(3) * world.taste
    tastes += rng.choice([-1, 1], size=(world.raters, 1)) * CAMP * world.camps
    pulls = rng.normal(size=(world.prompts, p)) * world.pull
    left = rng.integers(0, p, votes)
    right = (left + rng.integers(1, p, votes)) % p
    d = SCORES[left] - SCORES[right]
    for table, rows in ((tastes, raters), (pulls, prompts)):
        d += table[rows, left] - table[rows, right]
    moved = rng.normal(size=(world.raters, p)) * world.drift
    when = np.linspace(-0.5, 0.5, votes)
    d += when * (moved[raters, left] - moved[raters, right])
    d += rng.normal(size=votes) * 1.7 if world.probit else rng.logistic(size=votes)
    outcome = np.where(np.abs(d) < world.tie, 0, np.sign(d)).astype(np.int8)
    return Ballots(POLICIES, left, right, outcome, raters, prompts)


def find_truth(world: World, votes: int) -> Floats:
    """Return the scores that the model gives to raters and prompts who never repeat."""
    fresh = replace(world, raters=votes, prompts=votes, uneven=0.0)
    return _scores(rate(cast_votes(fresh, np.random.default_rng(12345), votes)))


def _scores(board: Leaderboard) -> Floats:
    return np.array([r.score for r in sorted(board.ratings, key=lambda r: r.policy)])


def cover(board: Leaderboard, truth: Floats) -> float:
    """Return the share of policies whose interval holds the truth."""
    held = [r.interval.low <= truth[POLICIES.index(r.policy)] <= r.interval.high for r in board.ratings]
    return float(np.mean(held))


def measure_coverage(world: World, truth: Floats, seed: int, trials: int) -> tuple[float, float]:
    """Return the mean coverage of 95 % intervals, and of the naive ones, over repeated campaigns."""
    rng = np.random.default_rng([6, seed])
    held = naive = 0.0
    for _ in range(trials):
        ballots = cast_votes(world, rng)
        each = np.arange(len(ballots))
        held += cover(rate(ballots), truth)
        naive += cover(rate(replace(ballots, raters=each, prompts=each)), truth)
    return held / trials, naive / trials


def coverage_figures(seeds: int, small: bool) -> list[Figure]:
    """Measure row 6."""
    trials, found = (30 if small else 400), []
    for world in WORLDS:
        truth = find_truth(world, 200_000 if small else 1_000_000)
        pairs = [measure_coverage(world, truth, seed, trials) for seed in range(seeds)]
        ours, naive = ([pair[k] for pair in pairs] for k in (0, 1))
        worst = max(ours, key=lambda share: abs(share - 0.95))
        name = f"6 {world.name}: coverage of 95 % intervals"
        within = 0.93 <= worst <= 0.97
        found += [
            Figure(f"{name}, worst", worst, "share", "0.93 to 0.97", None if small else within),
            Figure(f"{name}, mean", float(np.mean(ours)), "share"),
            Figure(f"{name}, naive", float(np.mean(naive)), "share"),
        ]
    return found


@dataclass(frozen=True)
class Duel:
    """Two policies, of which the first takes `share` of the votes of raters without a taste of their own."""

    name: str
    share: float = 0.5
    tie: float = 0.0  # the share of votes that are ties
    taste: float = 0.0  # the spread of raters' tastes, in logits; each votes five times


DUELS = (Duel("coins"), Duel("a third tie", tie=1 / 3), Duel("raters differ", taste=0.5))


def stop_naively(outcomes: Whole) -> bool:
    """Tell whether a z-test at the 5 % level, done after every vote from the twentieth on, ever rejects."""
    n = np.arange(1, len(outcomes) + 1)
    z = np.cumsum(outcomes) / np.sqrt(n)
    return bool((np.abs(z[19 : fixed_votes()]) > 1.96).any())


def draw_duel(duel: Duel, rng: np.random.Generator, votes: int) -> tuple[Whole, Whole]:
    """Draw outcomes (1, 0, −1) and who voted; votes of one rater lie anywhere among the others'."""
    raters = rng.permutation(np.arange(votes) // 5) if duel.taste else np.arange(votes)
    tastes = rng.normal(size=votes) * duel.taste
    logit = np.log(duel.share / (1 - duel.share)) + tastes[raters]
    won = rng.random(votes) < 1 / (1 + np.exp(-logit))
    outcomes = np.where(rng.random(votes) < duel.tie, 0, np.where(won, 1, -1))
    return outcomes, raters


def stopping_figures(seeds: int, small: bool) -> list[Figure]:
    """Measure row 7."""
    trials, found = (60 if small else 1000), []
    fixed = fixed_votes()
    for duel in DUELS:
        ours, naive = [], []
        for seed in range(seeds):
            rng = np.random.default_rng([7, seed])
            drawn = [draw_duel(duel, rng, 1200) for _ in range(trials)]
            ended = [follow(*votes).outcome in (Outcome.FIRST, Outcome.SECOND) for votes in drawn]
            ours.append(sum(ended) / trials)
            naive.append(sum(stop_naively(outcomes) for outcomes, _ in drawn) / trials)
        name = f"7 {duel.name}: equal policies called unequal"
        found += summarise(name, ours, "share", at_most=None if small else 0.05)
        found.append(Figure(f"{name}, naive", float(np.mean(naive)), "share"))
    for share in (0.55, 0.6):
        saved, seen = [], []
        for seed in range(seeds):
            rng = np.random.default_rng([8, seed])
            ends = [follow(*draw_duel(Duel("", share), rng, 1200)) for _ in range(trials)]
            saved.append(1 - float(np.mean([end.votes for end in ends])) / fixed)
            seen.append(sum(end.outcome == Outcome.FIRST for end in ends) / trials)
        goal = 0.6 if share == 0.6 else None
        found += summarise(f"7 votes saved at {share:.0%}", saved, f"of {fixed}", at_least=goal)
        found += summarise(f"7 the better policy found at {share:.0%}", seen, "share")
    return found


def figures(seeds: int, small: bool) -> list[Figure]:
    """Measure both rows."""
    return coverage_figures(seeds, small) + stopping_figures(seeds, small)
