"""Simulated worlds whose truth is known: answers with features, raters with faults, and their votes.

What a campaign can't know of itself (who is able, which answer is better) is known here, so that the
statistics can be measured. `easy` and `hard` are of the family that `preferences.ordinal` fits; `probit`,
`curved` and `crowds` are not: another noise, a utility that isn't linear in the features, and people who
tire, who differ in taste and who copy from one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from preferences.intervals import Floats
from preferences.ordinal_likelihood import Ints, Votes

Bools = npt.NDArray[np.bool_]
Noise = Literal["logistic", "probit"]

THRESHOLDS = np.array([-2.2, -1.1, -0.25, 0.25, 1.1, 2.2])  # a vote's grade counts those below its η
DIMENSIONS = 32
APART = 2.0  # standard deviation of the difference in utility between two answers, logits
TASTES = 3  # clusters of taste in `crowds`
TIRED = 0.3  # what is left of a tiring rater's ability at the end
_PROBIT = 1.7  # a normal noise as wide as the logistic (the distributions differ by 1 % at most)


@dataclass(frozen=True, eq=False)
class Crowd:
    """Hold raters as arrays: what the votes of each are made of.

    `role` is honest, weak, random, one-sided, length-only or copying.
    """

    role: npt.NDArray[np.str_]
    ability: Floats
    side: Floats
    length_taste: Floats
    spread: Floats

    def __len__(self) -> int:
        return len(self.ability)

    @property
    def spammers(self) -> Bools:
        """Tell whose votes have nothing to do with how good the answers are."""
        return np.isin(self.role, ["random", "one-sided", "length-only"])

    def grade(
        self,
        raters: Ints,
        gaps: Floats,
        apart: Floats,
        rng: np.random.Generator,
        noise: Noise = "logistic",
        alertness: Floats | float = 1.0,
    ) -> npt.NDArray[np.int64]:
        """Let raters vote: grades 0 (right much better) … 6 (left much better).

        `gaps` and `apart` are left less right in utility and in standardised log length, one a vote;
        `alertness` scales ability vote by vote.
        """
        wide = rng.logistic(size=len(raters)) if noise == "logistic" else rng.normal(0, _PROBIT, len(raters))
        eta = self.ability[raters] * alertness * gaps + self.side[raters] + self.length_taste[raters] * apart
        edges = self.spread[raters][:, None] * THRESHOLDS
        return np.asarray(((eta + wide)[:, None] > edges).sum(axis=1), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class World:
    """Hold what was voted and what is true. `votes` are in the order in which each rater gave them.

    `tastes` (answers × clusters) is what clusters of raters like beside utility, `cluster` is each rater's.
    """

    features: Floats
    lengths: Floats
    utility: Floats
    votes: Votes
    crowd: Crowd
    tastes: Floats
    cluster: Ints
    noise: Noise

    def ask(self, left: Ints, right: Ints, raters: Ints, rng: np.random.Generator) -> Votes:
        """Let raters vote on more pairs of answers; who tires or copies is here as able as on the average."""
        of = self.cluster[raters]
        gaps = self.utility[left] + self.tastes[left, of] - self.utility[right] - self.tastes[right, of]
        grades = self.crowd.grade(raters, gaps, self.lengths[left] - self.lengths[right], rng, self.noise)
        return Votes(left, right, raters, grades, self.votes.points, self.votes.n_raters)


@dataclass(frozen=True)
class Recipe:
    """Say how a world is made; `explained` is the share of utility's variance linear in the features."""

    explained: float = 0.9
    noise: Noise = "logistic"
    curved: bool = False
    crowded: bool = False


RECIPES = {
    "easy": Recipe(),
    "hard": Recipe(explained=0.5),
    "probit": Recipe(noise="probit"),
    "curved": Recipe(explained=0.7, curved=True),
    "crowds": Recipe(crowded=True),
}


def draw_crowd(
    n: int,
    rng: np.random.Generator,
    *,
    weak: float = 0.10,
    random: float = 0.05,
    one_sided: float = 0.05,
    length_only: float = 0.05,
) -> Crowd:
    """Draw raters: ability LogN(0, .3), side N(0, .25), length N(.4, .3), spread LogN(0, .25), and faults.

    The shares are of raters who are weak (ability .45), click at random, click one side (±2.5), or take the
    longer whatever it says; the faulty come first.
    """
    counts = {"weak": weak, "random": random, "one-sided": one_sided, "length-only": length_only}
    role = np.repeat(list(counts), [round(share * n) for share in counts.values()])
    role = np.concatenate([role, np.full(n - len(role), "honest")])
    ability = np.exp(rng.normal(0, 0.3, n))
    side, taste = rng.normal(0, 0.25, n), rng.normal(0.4, 0.3, n)
    ability[role == "weak"] = 0.45
    ability[np.isin(role, ["random", "one-sided", "length-only"])] = 0.0
    taste[np.isin(role, ["random", "one-sided"])] = 0.0
    taste[role == "length-only"] = 2.5
    pulled = role == "one-sided"
    side[pulled] = 2.5 * rng.choice([-1.0, 1.0], pulled.sum())
    return Crowd(role, ability, side, taste, np.exp(rng.normal(0, 0.25, n)))


def draw_world(
    kind: str,
    seed: int,
    *,
    raters: int = 100,
    each: int = 100,
    overlap: float = 0.2,
    per_prompt: int = 2,
    spare: int = 0,
) -> World:
    """Make a world of `kind` (easy, hard, probit, curved, crowds) in which everybody gives `each` votes.

    A share `overlap` of everybody's votes is on pairs that three raters vote on, the rest on pairs that
    nobody else sees; a prompt has `per_prompt` answers, and every pair of them is voted on. The last `spare`
    answers nobody votes on: rewards are tried on them. Raises KeyError for another kind.
    """
    recipe = RECIPES[kind]
    rng = np.random.default_rng(seed)
    crowd = draw_crowd(raters, rng)
    followed = np.zeros((0, 2), dtype=np.int64)
    if recipe.crowded:
        followed = rng.choice(
            np.flatnonzero(crowd.role == "honest"), (max(1, raters // 25), 2), replace=False
        )
        crowd.role[followed[:, 1]] = "copying"
    who, pair = _give_out(raters, each, round(overlap * each), followed, rng)
    first, second = _pair_up(int(pair.max()) + 1, per_prompt)
    features, lengths, utility = _write_answers(recipe, int(second.max()) + 1 + spare, rng)
    turned = rng.random(len(who)) < 0.5
    left, right = np.where(turned, second[pair], first[pair]), np.where(turned, first[pair], second[pair])
    gaps, alertness = utility[left] - utility[right], np.ones(len(who))
    tastes, cluster = np.zeros((len(utility), 1)), np.zeros(raters, dtype=np.int64)
    if recipe.crowded:
        tastes = 0.5 * APART / np.sqrt(2) * _standardise(features @ rng.normal(size=(DIMENSIONS, TASTES)))
        cluster = rng.integers(0, TASTES, raters)
        taste = cluster[who]
        gaps = gaps + tastes[left, taste] - tastes[right, taste]
        tires = (rng.random(raters) < 0.2) & (crowd.role == "honest")
        crowd.ability[tires] *= (1 + TIRED) / 2
        falling = np.linspace(1, TIRED, each) / ((1 + TIRED) / 2)
        alertness = np.where(tires[who], np.repeat(falling, raters), 1.0)
    grades = crowd.grade(who, gaps, lengths[left] - lengths[right], rng, recipe.noise, alertness)
    for leader, follower in followed:
        _copy(pair, who == leader, who == follower, turned, grades)
    votes = Votes(left, right, who, grades, len(THRESHOLDS) + 1, raters)
    return World(features, lengths, utility, votes, crowd, tastes, cluster, recipe.noise)


def _give_out(
    raters: int, each: int, shared: int, followed: Ints, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give everybody a pair in each of `each` turns: in `shared` of them three meet, else each has their own.

    Those who copy meet whom they follow in every shared turn.
    """
    others = np.setdiff1d(np.arange(raters), followed)
    who, pair, next_pair = [], [], 0
    for meet in rng.permutation(each) < shared:
        people = rng.permutation(others)
        thirds, rest = people[: len(followed), None], people[len(followed) :]
        who.append(np.concatenate([np.hstack([followed, thirds]).ravel(), rest]))
        pair.append(next_pair + np.arange(raters) // (3 if meet else 1))
        next_pair = int(pair[-1][-1]) + 1
    return np.concatenate(who), np.concatenate(pair)


def _pair_up(pairs: int, per_prompt: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the two answers of each pair; a prompt's answers make all their pairs before the next's."""
    within = np.array(list(combinations(range(per_prompt), 2)))
    prompt, at = np.divmod(np.arange(pairs), len(within))
    return prompt * per_prompt + within[at, 0], prompt * per_prompt + within[at, 1]


def _write_answers(recipe: Recipe, n: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Draw features (unequal variances, length leaking into them), lengths and utilities of n answers."""
    scale = 1 / np.sqrt(np.arange(1, DIMENSIONS + 1))
    scale *= np.sqrt(DIMENSIONS / (scale**2).sum())
    leak, weights = rng.normal(size=DIMENSIONS) * scale, rng.normal(size=DIMENSIONS)
    weights -= leak * (leak @ weights) / (leak @ leak)  # how long an answer is says nothing of how good it is
    lengths = rng.normal(size=n)
    features = rng.normal(size=(n, DIMENSIONS)) * scale + 0.5 * np.outer(lengths, leak)
    rest = rng.normal(size=n)
    if recipe.curved:
        a, b = rng.normal(size=(2, DIMENSIONS))
        rest = _standardise(features @ a) * _standardise(features @ b)
    linear, rest = _standardise(features @ weights), _standardise(rest)
    utility = np.sqrt(recipe.explained) * linear + np.sqrt(1 - recipe.explained) * rest
    return features, lengths, utility * APART / np.sqrt(2)


def _standardise(values: Floats) -> Floats:
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0))


def _copy(pair: Ints, leads: Bools, follows: Bools, turned: Bools, grades: npt.NDArray[np.int64]) -> None:
    """Let one rater say what another said wherever both judged, whichever way round it was shown."""
    _, led, met = np.intersect1d(pair[leads], pair[follows], return_indices=True)
    source, target = np.flatnonzero(leads)[led], np.flatnonzero(follows)[met]
    same = turned[source] == turned[target]
    grades[target] = np.where(same, grades[source], len(THRESHOLDS) - grades[source])
