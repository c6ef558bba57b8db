"""The ordinal rater model: its gradient, what it recovers, what it does with little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from preferences.ordinal import Votes, fit, grade_verdicts, label_pairs, set_length
from preferences.ordinal_likelihood import Likelihood, Packing
from preferences.selection import estimate_covariance
from preferences.worlds import draw_world

THRESHOLDS = np.array([-2.0, -1.0, -0.2, 0.2, 1.0, 2.0])


def make(n=6000, n_raters=60, n_answers=600, d=12, seed=0, per_pair=1):
    """Make votes by raters of whom the first tenth doesn't look at the answers."""
    rng = np.random.default_rng(seed)
    features, lengths = rng.normal(size=(n_answers, d)), rng.normal(size=n_answers)
    weights = 1.2 * rng.normal(size=d) / np.sqrt(d)
    left = np.repeat(rng.integers(0, n_answers, n // per_pair), per_pair)
    right = (left + np.repeat(rng.integers(1, n_answers, n // per_pair), per_pair)) % n_answers
    flip = rng.random(len(left)) < 0.5
    left, right = np.where(flip, right, left), np.where(flip, left, right)
    raters = np.argsort(rng.random((len(left) // per_pair, n_raters)))[:, :per_pair].ravel()
    ability = np.exp(rng.normal(0, 0.3, n_raters))
    ability[: n_raters // 10] = 0
    side, taste = rng.normal(0, 0.4, n_raters), rng.normal(0, 0.4, n_raters)
    eta = ability[raters] * (1.5 * (features[left] - features[right]) @ weights)
    eta += side[raters] + taste[raters] * (lengths[left] - lengths[right]) + rng.logistic(size=len(left))
    grades = (eta[:, None] > THRESHOLDS).sum(axis=1)
    truth = {"ability": ability, "side": side, "taste": taste, "utility": 1.5 * features @ weights}
    return features, lengths, Votes(left, right, raters, grades, 7, n_raters), truth


@pytest.mark.parametrize(("d", "points"), [(5, 7), (0, 7), (5, 2), (5, 3), (0, 4)])
def test_the_gradient_agrees_with_finite_differences(d, points):
    features, lengths, seven, _ = make(400, 7, 50, 5)
    votes = Votes(seven.left, seven.right, seven.raters, seven.grades * points // 7, points, 7)
    packing = Packing(d, points, 7)
    likelihood = Likelihood(features[:, :d], lengths, votes, packing)
    x = packing.start() + np.random.default_rng(1).normal(0, 0.3, len(packing.start()))
    _, gradient = likelihood.scaled(x, np.ones_like(x))
    for k, step in enumerate(1e-5 * np.eye(len(x))):
        slope = (likelihood.loss(x + step) - likelihood.loss(x - step)) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_raters_are_recovered():
    features, lengths, votes, truth = make()
    found = fit(features, lengths, votes)
    assert spearmanr(truth["ability"], found.ability)[0] > 0.9
    assert np.corrcoef(truth["side"], found.side)[0, 1] > 0.8
    assert np.corrcoef(truth["taste"], found.length + found.length_taste)[0, 1] > 0.8
    assert np.corrcoef(truth["utility"], found.utility(features))[0, 1] > 0.97
    assert found.thresholds == pytest.approx(-found.thresholds[::-1])
    assert found.unreliable.nonzero()[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.residual < 0.3, "these pairs have nothing beyond the features"


def test_standard_errors_say_how_far_abilities_are_off():
    off = []
    for seed in range(5):
        features, lengths, votes, truth = make(seed=seed)
        found = fit(features, lengths, votes)
        scale = found.ability[6:].sum() / truth["ability"][6:].sum()
        off += list((found.ability / scale - truth["ability"]) / (found.ability_se / scale))
    assert 0.85 < np.std(off) < 1.15


def test_without_features_raters_are_known_by_the_pairs_that_they_share():
    features, lengths, votes, truth = make(n=12000, per_pair=3)
    found = fit(features[:, :0], lengths, votes)
    assert spearmanr(truth["ability"], found.ability)[0] > 0.85
    assert found.unreliable[:6].all()
    assert found.unreliable.sum() <= 7
    labels = label_pairs(found, features[:, :0], lengths, votes)
    right = (labels.utility > 0) == (truth["utility"][labels.first] > truth["utility"][labels.second])
    grades = np.where(votes.left < votes.right, votes.grades, 6 - votes.grades)
    first, second = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    of = np.searchsorted(labels.first * 600 + labels.second, first * 600 + second)
    majority = np.bincount(of, np.sign(grades - 3))
    correct = (majority > 0) == (truth["utility"][labels.first] > truth["utility"][labels.second])
    assert right.mean() > np.where(majority == 0, 0.5, correct).mean() + 0.02


def test_a_warm_start_arrives_at_the_same_fit_and_takes_new_raters():
    features, lengths, votes, _ = make()
    cold = fit(features, lengths, votes)
    more = Votes(votes.left, votes.right, votes.raters, votes.grades, 7, 62)
    warm = fit(features, lengths, more, start=cold)
    assert warm.ability[:60] == pytest.approx(cold.ability, abs=0.01)
    assert warm.ability[60:] == pytest.approx(1.0)
    assert warm.ability_se[60:] == pytest.approx(0.6)
    assert not warm.unreliable[60:].any()


def test_sides_mean_nothing_but_a_pull():
    features, lengths, votes, _ = make(2000)
    found = fit(features, lengths, votes)
    turned = fit(features, lengths, Votes(votes.right, votes.left, votes.raters, 6 - votes.grades, 7, 60))
    assert turned.ability == pytest.approx(found.ability, abs=0.01)
    assert turned.side == pytest.approx(-found.side, abs=0.01)


def test_votes_move_a_pair_as_far_as_their_raters_are_worth():
    features, lengths, votes, _ = make()
    found = fit(features, lengths, votes)
    good, useless = int(np.argmax(found.ability)), int(np.argmin(np.abs(found.ability)))
    of_good, of_useless = (
        label_pairs(found, features, lengths, Votes(*np.array([[0], [1], [rater], [6]]), 7, 60))
        for rater in (good, useless)
    )
    prior = found.utility(features)[0] - found.utility(features)[1]
    assert of_good.utility[0] - prior > 5 * abs(of_useless.utility[0] - prior)
    swapped = label_pairs(found, features, lengths, Votes(*np.array([[1], [0], [good], [0]]), 7, 60))
    assert (swapped.first, swapped.second) == (0, 1)
    one = Votes(*np.array([[0], [1], [good], [6]]), 7, 60)
    longer = label_pairs(found, features, lengths, one, length=0.5)
    assert longer.utility - of_good.utility == pytest.approx(0.5 * (lengths[0] - lengths[1]))


def test_no_votes_leave_the_prior():
    none = np.zeros(0, dtype=np.int64)
    found = fit(np.zeros((0, 3)), np.zeros(0), Votes(none, none, none, none, 7, 4))
    assert found.ability == pytest.approx(1.0)
    assert found.ability_se == pytest.approx(0.6)
    assert not found.unreliable.any()
    labels = label_pairs(found, np.zeros((0, 3)), np.zeros(0), Votes(none, none, none, none, 7, 4))
    assert len(labels.utility) == 0


def test_verdicts_become_grades():
    assert grade_verdicts([-3, 0, 3], range(-3, 4)).tolist() == [6, 3, 0]
    assert grade_verdicts([-2, 2], (-2, 2)).tolist() == [1, 0]
    assert grade_verdicts([-2, -1, 1, 2], (-2, -1, 1, 2)).tolist() == [3, 2, 1, 0]
    with pytest.raises(ValueError, match="verdict 3 is none of"):
        grade_verdicts([3], (-2, 0, 2))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"left": [1]}, "right: an answer"),
        ({"grades": [7]}, "grades: 7 is outside"),
        ({"raters": [3]}, "raters: code 3"),
        ({"raters": [-1]}, "raters: codes"),
        ({"grades": [1, 2]}, "grades: "),
    ],
)
def test_votes_that_make_no_sense_are_refused(change, says):
    columns = {"left": [0], "right": [1], "raters": [0], "grades": [0]} | change
    with pytest.raises(ValueError, match=says):
        Votes(**{k: np.array(v) for k, v in columns.items()}, points=7, n_raters=2)


def test_answers_that_were_not_given_are_refused():
    features, lengths, votes, _ = make(100)
    with pytest.raises(ValueError, match="beyond the 10 given"):
        fit(features[:10], lengths[:10], votes)


def test_what_length_counts_can_be_set_and_then_a_reward_follows_it_no_more_than_that():
    world = draw_world("hard", 2, each=20)
    found = fit(world.features, world.lengths, world.votes)
    covariance = estimate_covariance(found, world.features, world.lengths, world.votes)

    def slope(weights):
        return np.polyfit(world.lengths, world.features @ weights, 1)[0]

    for length in (0.0, 0.5):
        weights, left = set_length(found.weights, covariance, world.features, world.lengths, length=length)
        assert slope(weights) == pytest.approx(length)
        assert (np.linalg.eigvalsh(covariance - left) > -1e-9).all()
        off = world.lengths - world.lengths.mean()
        assert left @ (world.features.T @ off) == pytest.approx(0, abs=1e-9)
    alone, _ = set_length(np.ones(2), np.eye(2), np.column_stack([off, np.zeros_like(off)]), off)
    assert alone == pytest.approx([0, 1])
