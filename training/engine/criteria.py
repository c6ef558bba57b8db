"""Heads for single criteria on a reward model's trunk: which answer raters grade better by each of them.

The reward itself knows nothing of them: its checkpoint keeps one label, and criteria.safetensors beside it
holds a linear layer on what the reward's own linear layer sees.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from preferences.intervals import clustered_bootstrap
from training.engine.batching import Answers
from training.engine.data import Pair
from training.engine.evaluation import Floats, hits
from training.engine.held_out import Figure, figure
from training.engine.preference import SCALES, Raters, fit_linear_reward, fit_raters, terms
from training.engine.reward_model import features

MIN_GRADED = 20  # pairs of which one answer was graded better; fewer teach nothing
POINTS = max(SCALES)
WEIGHTS, NAMES = "criteria.safetensors", "criteria.json"


@dataclass(frozen=True)
class Head:
    """Hold a criterion's linear layer; `raters` are those of its grades."""

    weight: Floats
    bias: float
    raters: Raters | None


def fit_heads(
    model: Any,
    pairs: Sequence[Pair],
    answers: Answers,
    length_preference: float | None,
    most: int,
    seed: int,
) -> dict[str, Head]:
    """Fit a head for each criterion that enough pairs differ in, on the trunk as it is now.

    The difference of two grades, at most 3 either way, is a vote of the ordinal model like a verdict. At most
    `most` graded pairs are read.
    """
    differing = Counter(key for pair in pairs for key, grade in pair.criteria.items() if grade)
    keys = sorted(key for key, count in differing.items() if count >= MIN_GRADED)
    graded = [i for i, pair in enumerate(pairs) if pair.weight > 0 and set(keys) & set(pair.criteria)]
    drawn = np.sort(np.random.default_rng(seed).permutation(graded)[:most]).astype(np.intp)
    if not len(drawn):
        return {}
    read = np.unique(answers.sides[drawn])
    found = features(model, [answers.rows[i] for i in read])
    heads = {}
    for key in keys:
        kept = [i for i in drawn.tolist() if key in pairs[i].criteria]
        votes, sides = [as_vote(pairs[i], key) for i in kept], answers.sides[kept]
        raters = fit_raters(votes, sides, read, found)
        asked = terms(votes, raters, length_preference)
        weight, bias = fit_linear_reward(found, read, sides, asked, [vote.prompt_id for vote in votes])
        heads[key] = Head(weight, bias, raters)
    return heads


def as_vote(pair: Pair, key: str) -> Pair:
    """Return how an answer was graded by a criterion, as if that were the verdict."""
    verdict = int(np.clip(round(pair.criteria[key]), min(SCALES[POINTS]), max(SCALES[POINTS])))
    return replace(pair, verdict=verdict, points=POINTS, probability=(np.sign(verdict) + 1) / 2)


def save(heads: dict[str, Head], folder: Path) -> None:
    """Write the heads beside a checkpoint: {weight (criteria, width), bias (criteria,)}, and their names."""
    weight = np.stack([head.weight for head in heads.values()]).astype(np.float32)
    bias = np.array([head.bias for head in heads.values()], dtype=np.float32)
    save_file({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}, folder / WEIGHTS)
    (folder / NAMES).write_text(json.dumps({"criteria": list(heads)}, ensure_ascii=False))


def accuracy(heads: dict[str, Head], model: Any, test: Sequence[Pair], answers: Answers) -> list[Figure]:
    """Measure how often each head finds the answer that a held-out rater graded better, by prompt."""
    asked = sorted({key for pair in test for key in pair.criteria} | set(heads))
    read = np.unique([answers.sides[i] for i, pair in enumerate(test) if pair.criteria]).astype(np.intp)
    seen = np.zeros((len(answers.rows), 0))
    if heads and len(read):
        found = features(model, [answers.rows[i] for i in read])
        seen = np.zeros((len(answers.rows), found.shape[1]))
        seen[read] = found
    figures = []
    for key in asked:
        if key not in heads:
            why = "too few graded pairs differ in it to learn from"
            figures.append({"group": key, "value": None, "interval": None, "n": 0, "why": why})
            continue
        kept = [i for i, pair in enumerate(test) if pair.criteria.get(key)]
        margin = (seen[answers.sides[kept]] @ heads[key].weight) @ [1.0, -1.0] if kept else np.zeros(0)
        graded = np.array([(np.sign(test[i].criteria[key]) + 1) / 2 for i in kept])
        prompts = [test[i].prompt_id for i in kept]
        figures.append({"group": key, **figure(clustered_bootstrap(hits(graded, margin), prompts, 0))})
    return figures
