"""Differences between policies: the scale of their points, and intervals that hold what is true."""

from itertools import pairwise

import numpy as np
import pytest

from preferences.ballots import Ballots
from preferences.bradley_terry import connected, rate
from preferences.standings import ELO, Standings


def _standings(**changes):
    said = {
        "policies": ["new", "old", "base"],
        "scores": [1.0, 0.2, -0.5],
        "covariance": [[0.04, 0.03, 0.0], [0.03, 0.05, 0.0], [0.0, 0.0, 0.01]],
        "quantile": 2.0,
        "tie_threshold": 0.0,
        "votes": [50, 80, 60],
    }
    return Standings(**{**said, **changes})


def test_400_points_are_odds_of_ten_to_one():
    found = _standings(scores=[400 / ELO, 0.0, 0.0])
    assert found.elo("new", "old").value == pytest.approx(400)
    assert found.share("new", "old").value == pytest.approx(10 / 11)
    assert found.share("new", "old").n == 50


def test_what_two_policies_share_makes_their_difference_no_less_sure():
    gain = _standings().elo("new", "old")
    half = 2 * ELO * np.sqrt(0.04 + 0.05 - 2 * 0.03)
    assert gain.interval == pytest.approx((ELO * 0.8 - half, ELO * 0.8 + half))
    apart = _standings(covariance=np.diag([0.04, 0.05, 0.01]).tolist()).elo("new", "old")
    assert apart.interval.high > gain.interval.high
    back = _standings().elo("old", "new")
    assert (back.value, back.interval.low) == pytest.approx((-gain.value, -gain.interval.high))


def _campaign(seed: int, gains: tuple[float, ...]) -> Ballots:
    """Votes of raters with tastes of their own between each policy and the next, as rounds ask for."""
    rng = np.random.default_rng(seed)
    worth, n = np.cumsum([0.0, *gains]), 250
    tastes, pulls = rng.normal(0, 0.4, (30, len(worth))), rng.normal(0, 0.4, (100, len(worth)))
    columns = []
    for step in range(len(gains)):
        rater, prompt = rng.integers(30, size=n), rng.integers(100, size=n)
        left = step + (rng.random(n) < 0.5)
        right = 2 * step + 1 - left
        d = worth[left] - worth[right] + tastes[rater, left] - tastes[rater, right]
        d = d + pulls[prompt, left] - pulls[prompt, right] + rng.logistic(size=n)
        columns.append((left, right, np.where(np.abs(d) < 0.3, 0, np.sign(d)).astype(int), rater, prompt))
    return Ballots(
        ("base", "one", "two", "three"), *(np.concatenate(part) for part in zip(*columns, strict=True))
    )


def test_intervals_of_what_each_round_gained_hold_the_truth():
    names, gains = ("base", "one", "two", "three"), (0.5, 0.3, 0.0)
    # tastes and pulls spread what one vote sees, so the gain that one logit finds is a little smaller
    truth = [rate(_campaign(1000 + k, gains), ridge=1e-6) for k in range(40)]
    true = [np.mean([t.standings().elo(b, a).value for t in truth]) for a, b in pairwise(names)]
    held = 0
    for seed in range(40):
        found = rate(_campaign(seed, gains)).standings()
        for gain, first, second in zip(true, names[1:], names, strict=False):
            low, high = found.elo(first, second).interval
            held += low <= gain <= high
    assert 0.9 <= held / 120 <= 0.995


def test_the_largest_group_that_votes_join_is_told_apart():
    ballots = Ballots(
        ("a", "b", "c", "d", "e"), *np.array([[0, 3, 1, 0], [1, 4, 2, 2], [1, 1, 0, -1], [0] * 4, [0] * 4])
    )
    assert connected(ballots).tolist() == [True, False, True, True]
    none = Ballots((), *np.zeros((5, 0), np.int64))
    assert connected(none).tolist() == []
