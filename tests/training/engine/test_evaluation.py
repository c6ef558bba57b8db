from __future__ import annotations

import numpy as np
import pytest

from training.engine import evaluation


def test_accuracy_leaves_ties_out_and_halves_an_undecided_margin() -> None:
    probability = np.array([1.0, 1.0, 0.0, 0.5, 1.0])
    margin = np.array([2.0, -1.0, -3.0, 9.0, 0.0])
    figures = evaluation.accuracy(probability, margin, ["a", "a", "b", "c", "d"])
    assert figures["accuracy"] == pytest.approx(2.5 / 4)
    assert (figures["n"], figures["prompts"]) == (4, 3)
    low, high = figures["interval"]
    assert 0 <= low <= 2.5 / 4 <= high <= 1


def test_no_votes_give_null_and_say_why() -> None:
    figures = evaluation.accuracy(np.array([]), np.array([]), [])
    assert figures["accuracy"] is None
    assert figures["interval"] is None
    assert "no votes" in figures["why"]


def test_the_interval_is_wider_when_votes_share_prompts() -> None:
    rng = np.random.default_rng(0)
    agree = np.repeat(rng.random(40) < 0.7, 10)
    margin = np.where(agree, 1.0, -1.0)
    ones = np.ones(400)
    together = evaluation.accuracy(ones, margin, [f"p{i // 10}" for i in range(400)])["interval"]
    apart = evaluation.accuracy(ones, margin, [f"p{i}" for i in range(400)])["interval"]
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


def test_calibration_error_is_small_for_honest_margins_and_large_for_boasting_ones() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 20000)
    probability = (rng.random(20000) < 1 / (1 + np.exp(-margin))).astype(float)
    honest = evaluation.expected_calibration_error(probability, margin)
    boasting = evaluation.expected_calibration_error(probability, 5 * margin)
    assert honest is not None
    assert boasting is not None
    assert honest < 0.015
    assert boasting > 0.1
    assert evaluation.expected_calibration_error(probability[:50], margin[:50]) is None


def test_the_length_baseline_takes_its_direction_from_the_training_votes() -> None:
    ones = np.ones(10)
    shorter = evaluation.length_baseline(ones, -ones, ones, -ones, [str(i) for i in range(10)])
    assert shorter["rule"] == "shorter"
    assert shorter["accuracy"] == 1.0
    longer = evaluation.length_baseline(ones, ones, ones, -ones, [str(i) for i in range(10)])
    assert longer["rule"] == "longer"
    assert longer["accuracy"] == 0.0


def test_distinct_share_sees_through_case_and_punctuation() -> None:
    assert evaluation.distinct_share(["Of course!", "of course", "No."]) == pytest.approx(2 / 3)
    assert evaluation.distinct_share([]) is None


def test_win_rate_counts_ties_half() -> None:
    figures = evaluation.win_rate(np.array([1.0, 2.0, 0.0]), np.array([0.0, 2.0, 1.0]), ["a", "b", "c"])
    assert figures["win_rate"] == pytest.approx(0.5)
    assert figures["n"] == 3


def test_correlation_is_null_without_variation() -> None:
    assert evaluation.correlation(np.ones(5), np.arange(5.0)) is None
    assert evaluation.correlation(np.arange(5.0), -np.arange(5.0)) == pytest.approx(-1)
