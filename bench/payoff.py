"""Measure how surely it is found out whether choosing comparisons pays, in campaigns whose truth is known.

python -m bench.payoff --json FILE [--seeds 6]

Each campaign has 600 training prompts and 150 held-out ones with six answers each, and a batch of 100
comparisons on training prompts at a time: the first at random, then a fifth at random and the others chosen.
A vote goes to an answer by the logistic law of their difference. The truth is linear in the features, or not,
or there is none and votes are coin flips. It is looked at at 1,000 and at 2,000 labels, with a third as many
votes on held-out prompts, by the code that campaigns use (`training.payoff.compare`).
"""

import argparse
import os
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import expit

from bench.report import Figure, main
from preferences.intervals import Floats
from preferences.selection import Candidates, choose

TRAINING, HELD_OUT, ANSWERS, WIDTH, BATCH = 600, 150, 6, 48, 100
LOOKS = (1000, 2000)
SURE = 0.8  # of a vote
TRUTHS = ("linear", "not linear", "none")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Play every campaign, and count in how many choosing is ahead, and beyond chance."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    figures = []
    for truth in TRUTHS:
        found = [play(truth, seed) for seed in range(options.seeds)]
        for at, labels in enumerate(LOOKS):
            looks = [each[at] for each in found]
            for name in ("evidence", "gain"):
                said = "likelihood" if name == "evidence" else "share foretold"
                ahead = sum(look[name]["value"] > 0 for look in looks)
                beyond = sum(look[name]["low"] > 0 for look in looks)
                of = f"of {len(looks)}"
                figures.append(Figure(f"{truth}, {labels}: ahead by {said}", ahead, of))
                figures.append(Figure(f"{truth}, {labels}: beyond chance", beyond, of))
    return figures


def play(truth: str, seed: int) -> list[dict[str, Any]]:
    """Play a campaign; return what each look found."""
    from training.frozen import ACTIVE, RANDOM, Space, Votes, fit_gaps
    from training.payoff import compare

    rng = np.random.default_rng(seed)
    features, worth = answers(truth, rng)
    prompts = np.repeat(np.arange(TRAINING), ANSWERS * (ANSWERS - 1) // 2)
    pairs = np.array([[a, b] for p in range(TRAINING) for a, b in combinations(answers_of(p), 2)])
    gaps = features[pairs[:, 0]] - features[pairs[:, 1]]
    held_out = rng.integers(TRAINING, TRAINING + HELD_OUT, LOOKS[-1] // 3)
    tests = np.array([rng.choice(answers_of(p), 2, replace=False) for p in held_out])
    foretold = vote(worth, tests, rng)
    picked: list[int] = []
    arms: list[int] = []
    says: list[float] = []
    looks = []
    while len(picked) < LOOKS[-1]:
        rest = np.setdiff1d(np.arange(len(pairs)), picked)
        if picked:
            head = fit_gaps(gaps[picked], np.array(says), np.ones(len(picked)))
            offered = Candidates(prompts[rest], gaps[rest], np.zeros(len(rest), np.int64))
            chosen = choose(offered, *head, BATCH, int(rng.integers(2**31)), random_share=0.2)
            batch, arm = rest[chosen.index], np.where(chosen.arm == "active", ACTIVE, RANDOM)
        else:
            batch, arm = rng.choice(rest, BATCH, replace=False), np.full(BATCH, RANDOM)
        picked += batch.tolist()
        arms += arm.tolist()
        says += vote(worth, pairs[batch], rng).tolist()
        if len(picked) in LOOKS:
            n, of = len(picked), len(picked) // 3
            both = np.concatenate([pairs[picked], tests[:of]])
            votes = Votes(
                left=both[:, 0],
                right=both[:, 1],
                says=np.concatenate([says, foretold[:of]]),
                weight=np.ones(n + of),
                prompt=np.concatenate([prompts[picked], held_out[:of]]),
                task=np.arange(n + of),
                training=np.arange(n + of) < n,
                arm=np.concatenate([arms, np.full(of, RANDOM)]),
                chosen=np.ones(n + of, bool),
            )
            looks.append(compare(votes, Space(np.arange(len(features)), features), votes.training))
    return looks


def answers(truth: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the features of all answers, whose variance falls from one to the next, and their worth."""
    scale = 3 / np.sqrt(1 + np.arange(WIDTH))
    prompts = rng.normal(size=(TRAINING + HELD_OUT, 1, WIDTH)) * 0.7
    features = (prompts + rng.normal(size=(TRAINING + HELD_OUT, ANSWERS, WIDTH))) * scale
    worth = features @ (rng.normal(size=WIDTH) / scale / np.sqrt(WIDTH) * 1.5)
    if truth == "not linear":
        worth = (
            worth + 0.8 * np.tanh(features[..., 0] * features[..., 1] / 3) + rng.normal(0, 0.5, worth.shape)
        )
    worth = worth / np.std(worth - worth.mean(axis=1, keepdims=True)) * 1.6 * (truth != "none")
    return features.reshape(-1, WIDTH), worth.reshape(-1)


def answers_of(prompt: int) -> range:
    """Return the answers of a prompt."""
    return range(prompt * ANSWERS, (prompt + 1) * ANSWERS)


def vote(worth: Floats, pairs: Any, rng: np.random.Generator) -> Floats:
    """Return how sure a vote on each pair is that its first answer is better."""
    first = rng.random(len(pairs)) < expit(worth[pairs[:, 0]] - worth[pairs[:, 1]])
    return np.where(first, SURE, 1 - SURE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=6)
    main(measure, parser)
