"""What is done without a model of raters: majorities, agreement, gold tasks, Dawid–Skene."""

from dataclasses import dataclass

import numpy as np

from preferences.ordinal import Votes
from preferences.worlds import World

GOLD = 20  # of each rater's votes that are on tasks whose answer is known
_ROUNDS = 50


@dataclass(frozen=True)
class Tally:
    """Hold, of each pair (in the order that label_pairs uses), what its votes say by side."""

    of: np.ndarray  # each vote's pair
    sides: np.ndarray  # each vote for the pair's first answer: 1, 0 a tie, −1
    sums: np.ndarray  # of each pair
    sizes: np.ndarray


def tally(votes: Votes, n_answers: int) -> Tally:
    """Count votes by pair, whichever way round they were shown."""
    first, second = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    _, of = np.unique(first * n_answers + second, return_inverse=True)
    sides = np.sign(2 * votes.grades - (votes.points - 1)) * np.where(votes.left < votes.right, 1, -1)
    return Tally(of, sides, np.bincount(of, sides), np.bincount(of))


def agreement(world: World, counted: Tally) -> np.ndarray:
    """Share of each rater's votes on shared pairs that say what most of the others say; ties count half."""
    others = counted.sums[counted.of] - counted.sides
    shared = counted.sizes[counted.of] > 1
    agreed = np.where((others == 0) | (counted.sides == 0), 0.5, counted.sides == np.sign(others))
    n = world.votes.n_raters
    asked = np.bincount(world.votes.raters, shared, n)
    return np.bincount(world.votes.raters, agreed * shared, n) / np.maximum(asked, 1)


def gold(world: World, seed: int) -> np.ndarray:
    """Share of GOLD votes a rater, drawn at random, that choose the truly better answer; ties count half."""
    votes = world.votes
    better = np.sign(world.utility[votes.left] - world.utility[votes.right])
    chosen = np.sign(2 * votes.grades - (votes.points - 1))
    right = np.where(chosen == 0, 0.5, chosen == better)
    rng = np.random.default_rng(seed)
    return np.array(
        [rng.choice(right[votes.raters == r], GOLD, replace=False).mean() for r in range(votes.n_raters)]
    )


def dawid_skene(votes: Votes, counted: Tally) -> tuple[np.ndarray, np.ndarray]:
    """Fit what each rater says of truly left- and right-better pairs by EM.

    Dawid & Skene (1979, JRSS-C 28:20). Returns each rater's mean chance to say the truth, and of each pair
    how probable it is that its first answer is better. Verdicts are left, tie and right; pairs start from
    their share of votes.
    """
    turned = votes.left > votes.right
    said = np.sign(2 * votes.grades - (votes.points - 1)) + 1
    cell = votes.raters * 3 + said
    size = 3 * votes.n_raters
    first = 0.5 + 0.5 * counted.sums / np.maximum(counted.sizes, 1) * 0.9
    for _ in range(_ROUNDS):
        left = np.where(turned, 1 - first[counted.of], first[counted.of])
        chance = [
            (table + 0.5) / (table + 0.5).sum(axis=1, keepdims=True)
            for table in (np.bincount(cell, share, size).reshape(-1, 3) for share in (left, 1 - left))
        ]
        odds = np.log(chance[0] / chance[1])[votes.raters, said] * np.where(turned, -1, 1)
        first = 1 / (1 + np.exp(-np.bincount(counted.of, odds)))
    return (chance[0][:, 2] + chance[1][:, 0]) / 2, first
