from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.engine import preference
from training.engine.batching import Answers
from training.engine.data import Pair
from training.engine.preference import SCALES, Raters, fit_linear_reward, fit_raters, terms
from training.engine.reward_trainer import preference_loss

KNOWN = Raters(
    points=5,
    thresholds=[-1.5, -0.4, 0.4, 1.5],
    length=0.3,
    length_deviation=0.5,
    residual=0.5,
    raters={"ann": (1.4, 0.2, -0.1, 1.3)},
    unreliable=0,
)


def vote(rater: str = "ann", verdict: int = 1, points: int = 5, left: int = 1, words: int = 8) -> Pair:
    said = [{"role": "user", "content": "tea"}]
    chosen = " ".join(["a"] * words)
    pair = Pair(
        "p", said, chosen, "b b b", (0.5, 0.6, 0.8, 1.0)[abs(verdict)], 1.0, rater, 0, "train", said, said
    )
    return replace(pair, verdict=verdict, points=points, chosen_left=left)


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def chance(pair: Pair, margin: float, length_preference: float = 0.0) -> float:
    """Say again, from the model's definition, how likely a vote is."""
    a, b, taste, s = KNOWN.raters.get(pair.rater, (1.0, 0.0, 0.0, 1.0))
    longer = (np.log1p(len(pair.chosen.split())) - np.log1p(len(pair.rejected.split()))) / 0.5
    eta = a * margin + b * pair.chosen_left + (0.3 + taste - length_preference) * longer
    edges = [-np.inf, *(s * t for t in KNOWN.thresholds), np.inf]
    grade = SCALES[5].index(pair.verdict)
    return sigmoid(edges[grade + 1] - eta) - sigmoid(edges[grade] - eta)


@pytest.mark.parametrize("pair", [vote(), vote(verdict=0, left=-1), vote("bob", 2, left=0), vote(words=1)])
def test_a_grade_costs_what_the_ordinal_model_says(pair: Pair) -> None:
    """Up to a constant, which no reward changes."""
    margins = np.array([-2.0, 0.0, 0.5, 3.0])
    votes = terms([pair] * 4, KNOWN, 0.2)
    found = votes.loss(margins)[0]
    wanted = -np.log([chance(pair, m, 0.2) for m in margins])
    assert found - found[0] == pytest.approx(wanted - wanted[0], abs=1e-9)


def test_length_may_be_worth_what_the_raters_make_of_it() -> None:
    pair = vote("bob", left=0)
    shared = terms([pair], KNOWN, KNOWN.length)
    assert terms([pair], KNOWN, None).upper == pytest.approx(shared.upper)
    assert terms([pair], KNOWN, 0.0).upper < shared.upper


def test_derivatives_are_those_of_the_loss() -> None:
    votes = terms([vote(), vote(verdict=0), vote(points=0, verdict=2), vote("bob", 2)], KNOWN)
    margin, step = np.array([0.3, -0.7, 1.1, -2.0]), 1e-6
    by_difference = (votes.loss(margin + step)[0] - votes.loss(margin - step)[0]) / (2 * step)
    assert votes.loss(margin)[1] == pytest.approx(by_difference, abs=1e-6)


def test_what_is_no_grade_of_the_scale_is_a_soft_label() -> None:
    strange = [vote(points=0), vote(points=7)]
    for pair, votes in ((p, terms([p], KNOWN)) for p in strange):
        p, m = pair.probability, np.array([0.7])
        wanted = -p * np.log(sigmoid(0.7)) - (1 - p) * np.log(sigmoid(-0.7))
        assert votes.loss(m)[0] == pytest.approx([wanted])
    plain = terms([vote()], None)
    assert plain.loss(np.zeros(1))[0] == pytest.approx([np.log(2)])


@pytest.mark.parametrize(
    ("points", "verdicts", "wanted"),
    [
        (2, (-1, 0, 1, 3), [0, -1, 1, 1]),
        (3, (-3, -1, 0, 1, 2), [0, 0, 1, 2, 2]),
        (4, (-3, -1, 0, 2), [0, 1, -1, 3]),
        (7, (-3, 0, 1, 3), [0, 3, 4, 6]),
    ],
)
def test_verdicts_become_grades(points: int, verdicts: tuple[int, ...], wanted: list[int]) -> None:
    pairs = [vote(verdict=verdict, points=points) for verdict in verdicts]
    assert preference.grades(pairs, points).tolist() == wanted
    assert preference.grades(pairs, 5).tolist() == [-1] * len(pairs)


def test_torch_and_numpy_lose_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [vote(), vote(verdict=0), vote(points=0), vote("bob", 2)]
    scores = torch.tensor([0.2, -0.4, 1.0])
    monkeypatch.setattr(
        "training.engine.reward_trainer.forward", lambda model, rows: scores[[row[0] for row in rows]]
    )
    sides = np.array([[0, 1], [1, 2], [2, 0], [0, 1]])
    votes = terms(pairs, KNOWN)
    found, figures = preference_loss(None, Answers([[0], [1], [2]], sides), votes, 0.0)(np.arange(4))
    margin = scores.numpy().astype(np.float64)[sides] @ [1, -1]
    assert float(found) == pytest.approx(votes.loss(margin)[0].sum(), abs=1e-5)
    assert figures["margin"] == pytest.approx(margin.sum(), abs=1e-5)


class Crowd:
    """Answers whose first feature is quality, and raters of whom some click at random and one is pulled."""

    def __init__(self, votes: int = 3000, width: int = 2, careless: tuple[str, ...] = ("r0",)) -> None:
        points, rng = 5, np.random.default_rng(5)
        self.features = rng.normal(size=(300, width))
        self.read = np.arange(300)
        self.sides = np.array([rng.choice(300, 2, replace=False) for _ in range(votes)])
        self.pairs = []
        for i, (first, second) in enumerate(self.sides):
            rater = f"r{i % 10}"
            left = int(rng.choice([-1, 1]))
            able, pull = 0.0 if rater in careless else 1.5, 2.0 if rater == "r1" else 0.0
            eta = able * (self.features[first, 0] - self.features[second, 0]) + pull * left
            eta += rng.logistic()
            verdict = SCALES[points][int(np.searchsorted([-2.0, -0.6, 0.6, 2.0], eta))]
            if verdict < 0:
                self.sides[i] = second, first
                verdict, left = -verdict, -left
            self.pairs.append(vote(rater, verdict, points, left, words=int(rng.integers(1, 30))))


def test_raters_are_told_apart() -> None:
    crowd = Crowd()
    found = fit_raters(crowd.pairs, crowd.sides, crowd.read, crowd.features)
    assert found is not None
    assert found.points == 5
    ability = {name: row[0] for name, row in found.raters.items()}
    assert ability["r0"] < 0.3 < 0.8 < min(ability[f"r{i}"] for i in range(2, 10))
    assert found.raters["r1"][1] > 1.0 > abs(found.raters["r2"][1]) * 3
    assert found.unreliable == 1
    assert found.summary()["n"] == 10
    assert fit_raters(crowd.pairs, crowd.sides, crowd.read, crowd.features) == found


def test_knowing_the_raters_finds_the_better_reward() -> None:
    crowd = Crowd(1500, 20, careless=("r0", "r2", "r3", "r4", "r5"))
    raters = fit_raters(crowd.pairs, crowd.sides, crowd.read, crowd.features)
    prompts = [str(i // 30) for i in range(len(crowd.pairs))]
    aware, plain = (
        fit_linear_reward(crowd.features, crowd.read, crowd.sides, terms(crowd.pairs, who), prompts)
        for who in (raters, None)
    )
    likeness = [float(w[0] / np.linalg.norm(w)) for w, _offset in (aware, plain)]
    assert aware[1] == pytest.approx(-float(crowd.features.mean(axis=0) @ aware[0]))
    assert likeness[0] > likeness[1] + 0.02, likeness


def test_sides_that_nobody_knows_teach_no_pull() -> None:
    """Lists that name the chosen answer first are no reason to believe that left wins."""
    crowd = Crowd(400)
    pairs = [replace(pair, chosen_left=0) for pair in crowd.pairs]
    found = fit_raters(pairs, crowd.sides, crowd.read, crowd.features)
    assert found is not None
    assert max(abs(row[1]) for row in found.raters.values()) < 0.9
    moved = terms(pairs, replace(found, raters={f"r{i}": (1.0, 5.0, 0.0, 1.0) for i in range(10)}))
    still = terms(pairs, replace(found, raters={f"r{i}": (1.0, 0.0, 0.0, 1.0) for i in range(10)}))
    assert moved.upper == pytest.approx(still.upper)


def test_without_grades_there_are_no_raters() -> None:
    crowd = Crowd(40)
    pairs = [replace(pair, points=0) for pair in crowd.pairs]
    assert fit_raters(pairs, crowd.sides, crowd.read, crowd.features) is None
    nothing = [replace(pair, weight=0.0) for pair in crowd.pairs]
    assert fit_raters(nothing, crowd.sides, crowd.read, crowd.features) is None


def test_the_scales_are_those_that_raters_see() -> None:
    from labeling.judgments import STRENGTHS

    for strengths in STRENGTHS.values():
        assert preference.SCALES[len(strengths)] == strengths
        assert preference.SCALES[len(strengths) + 1] == tuple(sorted((*strengths, 0)))
