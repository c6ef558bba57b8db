import numpy as np
import pytest

from preferences.accord import chose_left, chose_longer, measure_accord
from preferences.drift import CERTAIN, find_change, find_changes, summarise_windows, trace
from preferences.ordinal import Votes


def _votes(rows, points=7, n_raters=3):
    left, right, raters, grades = np.array(rows).T
    return Votes(left, right, raters, grades, points, n_raters)


def test_accord_leaves_out_the_raters_own_votes_and_knows_the_sides():
    # of one pair raters 0 (twice) and 1 (on the other side) prefer the first answer, rater 2 the second
    votes = _votes([(0, 1, 0, 6), (0, 1, 0, 5), (1, 0, 1, 0), (0, 1, 2, 2), (2, 3, 2, 3)])
    accord = measure_accord(votes)
    assert accord.score[:4] == pytest.approx([0, 0, 1 / 3, -1])
    assert np.isnan(accord.score[4])
    assert list(chose_left(votes)) == [1, 1, 0, 0, 0.5]
    assert list(chose_longer(votes, [9, 20, 7, 7])[:4]) == [0, 0, 0, 1]
    assert np.isnan(chose_longer(votes, [9, 20, 7, 7])[4])
    ratio, error, n = accord.ratios(votes.raters, 4)
    assert list(ratio[1:3]) == [1, -1]
    assert list(n) == [0, 1, 1, 0]
    assert np.isnan(ratio[[0, 3]]).all()
    assert list(error[1:3]) == [0, 0]


def test_whoever_never_changed_is_rarely_called_changed():
    rng = np.random.default_rng(0)
    found = sum(find_change(rng.random(n) < 0.6).p < 0.05 for n in (40, 100, 300) for _ in range(1000))
    assert 0.02 <= found / 3000 <= 0.055


def test_a_change_is_found_where_it_was():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.random(150) < 0.8, rng.random(150) < 0.45])
    change = find_change(values)
    assert change.p < CERTAIN
    assert abs(change.at - 150) < 25
    assert change.before.interval.low < 0.8 < change.before.interval.high
    assert change.after.interval.low < 0.45 < change.after.interval.high
    steady = (rng.random(300) < 0.5).astype(float)
    assert set(find_changes({"agreement": values, "side": steady, "length": []})) == {"agreement"}


def test_too_little_to_tell_is_said():
    short = find_change([1.0] * 20 + [0.0] * 19)
    assert (short.p, short.at, short.after.why) == (1.0, 39, "nothing changed that can be seen")
    assert find_change([]).before.why == "there is nothing to average yet"
    assert find_change([1.0] * 100).p == 1.0
    with pytest.raises(ValueError, match="finite"):
        find_change([np.nan] * 50)


def test_windows_for_a_plot_cover_every_value_once():
    windows = summarise_windows(np.arange(60.0), size=25)
    assert [(end, estimate.value, estimate.n) for end, estimate in windows] == [(25, 12, 25), (60, 42, 35)]
    assert summarise_windows([]) == []
    assert summarise_windows([1.0])[0][1].interval is None


def test_harder_comparisons_are_not_taken_for_a_change_of_the_rater():
    rng = np.random.default_rng(2)
    rows = []
    for task in range(300):
        clear = 0.95 if task < 150 else 0.6  # of a right verdict, by anybody
        for rater in range(6):
            right = rng.random() < clear
            rows.append((2 * task, 2 * task + 1, rater, 6 if right else 0))
    votes = _votes(rows, n_raters=6)
    series = list(trace(votes, np.tile([10, 30], 300)))
    assert len(series) == 6
    assert not any(find_changes({"agreement": one["agreement"]}) for one in series)
    assert find_changes({"raw": measure_accord(votes).score[votes.raters == 0]})
