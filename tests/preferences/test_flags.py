import numpy as np
import pytest

from preferences.flags import FALSE_ALARMS, Fitted, Reading, flag_raters
from preferences.ordinal import Votes, fit

RATERS, TASKS = 12, 60


@pytest.fixture
def scene():
    """Everybody judges sixty clear pairs, right in nine of ten; answers are of unequal length."""
    rng = np.random.default_rng(3)
    rater, task = np.repeat(np.arange(RATERS), TASKS), np.tile(np.arange(TASKS), RATERS)
    swap = rng.random(len(task)) < 0.5
    left, right = 2 * task + swap, 2 * task + 1 - swap
    right_left = (left % 2 == 0) == (rng.random(len(task)) < 0.9)  # the even answer is the better one
    grades = np.where(right_left, rng.integers(4, 7, len(task)), rng.integers(0, 3, len(task)))
    words = rng.integers(20, 400, 2 * TASKS)
    return rng, left, right, rater, grades, words


def _flags(left, right, rater, grades, words, **more):
    votes = Votes(left, right, rater, grades, 7, RATERS)
    return {(flag.rater, flag.flag): flag.evidence for flag in flag_raters(votes, words, **more)}


def test_nobody_is_flagged_for_honest_work(scene):
    assert _flags(*scene[1:]) == {}


def test_one_side_one_length_and_chance_are_told_apart(scene):
    rng, left, right, rater, grades, words = scene
    grades = np.where(rater == 0, 6, grades)
    grades = np.where(rater == 1, np.where(words[left] > words[right], 5, 1), grades)
    grades = np.where(rater == 2, rng.integers(0, 7, len(grades)), grades)
    grades = np.where(rater == 3, np.where(words[left] > words[right], 0, 6), grades)
    found = _flags(left, right, rater, grades, words)
    assert set(found) == {(0, "one-sided"), (1, "one-length"), (2, "random"), (3, "one-length")}
    assert found[0, "one-sided"]["share"] == 1.0
    assert found[0, "one-sided"]["n"] == TASKS
    assert found[1, "one-length"]["share"] > 0.95
    assert found[3, "one-length"]["share"] < 0.05
    assert found[2, "random"]["low"] <= 0 < found[2, "random"]["high"]


def test_where_the_longer_is_better_nobody_is_flagged_for_taking_it(scene):
    _, left, right, rater, _, words = scene
    grades = np.where(words[left] > words[right], 5, 1)
    assert _flags(left, right, rater, grades, words) == {}


def test_fourteen_votes_for_one_side_are_enough_and_thirteen_are_not(scene):
    _, left, right, rater, grades, words = scene
    for n, flagged in ((13, False), (14, True)):
        kept = (rater != 0) | (np.arange(len(rater)) < n)
        grades = np.where(rater == 0, 6, grades)
        found = _flags(left[kept], right[kept], rater[kept], grades[kept], words)
        assert ((0, "one-sided") in found) is flagged


def test_the_model_adds_who_is_unreliable_and_who_copies(scene):
    rng, left, right, rater, grades, words = scene
    grades = np.where(rater == 2, rng.integers(0, 7, len(grades)), grades)
    first, second = rater == 4, rater == 5
    grades[second] = np.where(left[second] == left[first], grades[first], 6 - grades[first])
    features, lengths = np.zeros((2 * TASKS, 0)), np.log(words / words.mean())
    votes = Votes(left, right, rater, grades, 7, RATERS)
    fitted = Fitted(fit(features, lengths, votes), features, lengths)
    found = _flags(left, right, rater, grades, words, fitted=fitted)
    assert set(found) == {(2, "random"), (2, "unreliable"), (4, "copying"), (5, "copying")}
    assert (found[4, "copying"]["other"], found[5, "copying"]["other"]) == (5, 4)
    assert found[2, "unreliable"]["ability"] < found[2, "unreliable"]["median"] / 2


def test_speed_and_change_over_time(scene):
    _, left, right, rater, grades, words = scene
    reading = Reading(words[left] + words[right], np.where(rater == 6, 1_000, 600_000))
    late = np.tile(np.arange(TASKS) >= 38, RATERS)
    wrong = np.where(left % 2 == 0, 1, 5)
    grades = np.where((rater == 7) & late, wrong, grades)
    found = _flags(left, right, rater, grades, words, reading=reading)
    assert set(found) == {(6, "speeding"), (7, "drift"), (7, "random")}  # half right, half wrong is chance
    assert found[6, "speeding"]["share"] == 1.0
    assert found[7, "drift"]["series"] == "agreement"
    assert abs(found[7, "drift"]["at"] - 38) <= 3
    assert found[7, "drift"]["before"] > found[7, "drift"]["after"]


def test_a_rater_alone_is_held_against_no_one(scene):
    _, left, right, rater, _, words = scene
    mine = rater == 0
    for shorter in (0, 6):
        grades = np.where(words[left] > words[right], shorter, 6 - shorter)
        found = flag_raters(Votes(left[mine], right[mine], rater[mine], grades[mine], 7, 1), words)
        assert [flag.flag for flag in found] == ["one-length"]


def test_no_votes_no_flags():
    empty = np.zeros(0, np.int64)
    assert flag_raters(Votes(empty, empty, empty, empty, 7, 0), []) == []
    silent, features = Votes(empty, empty, empty, empty, 7, 3), np.zeros((4, 0))
    fitted = Fitted(fit(features, np.zeros(4), silent), features, np.zeros(4))
    assert flag_raters(silent, [1, 2, 3, 4], fitted, Reading(empty, empty)) == []
    assert all(0 < share <= 0.003 for share in FALSE_ALARMS.values())
