"""Seven planted among forty raters of real answers."""

import os

import pytest

from bench.statistics import watch

pytestmark = pytest.mark.real_data


def test_all_seven_are_flagged_and_at_most_one_honest_rater_in_each_of_ten_seeds():
    if "TOUCHSTONE_REAL_DATA" not in os.environ:
        pytest.skip("TOUCHSTONE_REAL_DATA is not set")
    table = {figure.name: figure for figure in watch.figures(seeds=10, small=False)}
    assert table["planted flagged of 7, worst"].value == 7
    assert table["honest flagged of 33, worst"].value <= 1
    # a crowd that agrees less hides those who click at random, and no honest rater pays for it
    assert table["planted flagged of 7, noisy crowd, mean"].value > 6
    assert table["honest flagged of 33, noisy crowd, mean"].value <= 0.5


def test_the_design_is_what_it_says():
    if "TOUCHSTONE_REAL_DATA" not in os.environ:
        pytest.skip("TOUCHSTONE_REAL_DATA is not set")
    votes, reading, _ = watch.draw_votes(1)
    assert len(votes) == watch.RATERS * watch.EACH == len(reading.words)
    tasks = {rater: set(votes.left[votes.raters == rater] // 2) for rater in range(watch.RATERS)}
    assert all(len(took) == watch.EACH for took in tasks.values())
    assert len(tasks[38] & tasks[39]) >= watch.SHARED
    assert {len([r for r in tasks if task in tasks[r]]) for task in set.union(*tasks.values())} == {
        watch.OVERLAP
    }
