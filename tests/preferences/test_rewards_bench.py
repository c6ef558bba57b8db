"""The rows on rewards and on choosing pairs, at a small size: what they promise, and better than without."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from bench.statistics import rewards, selection


@pytest.fixture(scope="module")
def tried():
    measured = defaultdict(list)
    for kind in ("easy", "crowds"):
        rewards.try_world(kind, 0, (2_000, 20_000), measured)
    return {key: np.array(values) for key, values in measured.items()}


@pytest.mark.parametrize("kind", ["easy", "crowds"])
def test_two_thousand_votes_give_a_better_reward_than_twenty_thousand_without_a_model(tried, kind):
    assert (tried[kind, rewards.AHEAD, "model"] > 0).all()


@pytest.mark.parametrize("kind", ["easy", "crowds"])
def test_length_has_no_part_in_the_reward_whatever_raters_like(tried, kind):
    for at in ("at 2,000 votes", "at 20,000 votes"):
        correlation, drift = (f"5 {what} {at}" for what in ("length correlation", "best-of-16 length drift"))
        assert tried[kind, correlation, "model"].max() < 0.05
        assert tried[kind, drift, "model"].max() < 0.1
        assert tried[kind, correlation, "Bradley-Terry"].min() > 0.15


@pytest.mark.parametrize("kind", ["easy", "crowds"])
def test_probabilities_are_right_after_a_temperature_of_two_thousand_votes(tried, kind):
    assert tried[kind, "9 calibration error at 20,000 votes", "model"].mean() < 0.02
    assert tried[kind, "9 calibration error before at 20,000 votes", "model"].min() > 0.04


def test_the_best_of_sixteen_is_nearly_as_good_as_an_oracle_s(tried):
    row = "10 best-of-16 gain, of the oracle's at 2,000 votes"
    assert tried["easy", row, "model"].min() > 0.95
    assert tried["crowds", row, "model"].min() > tried["crowds", row, "Bradley-Terry"].min()


def test_chosen_pairs_teach_more_than_random_ones():
    gained = []
    for seed in range(3):
        pool = selection.simulate("plain", seed, 6)
        active = selection.follow(pool, "active", seed, last=1_000)
        random = selection.follow(pool, "random", seed, last=1_000)
        gained.append(active[-1] - random[-1])
        assert len(active) == len(random) == 5
    assert np.mean(gained) > 0.005


def test_how_many_votes_are_needed_is_read_between_sizes():
    sizes, curve = (100, 200, 400), [0.6, 0.7, 0.65]
    assert rewards.needed(sizes, curve, 0.5) == 100
    assert rewards.needed(sizes, curve, 0.65) == pytest.approx(100 * np.sqrt(2))
    assert rewards.needed(sizes, curve, 0.9) == 400
