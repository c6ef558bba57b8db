import numpy as np
import pytest

from preferences import ordinal, worlds
from preferences.copying import ALPHA, find_copying
from preferences.ordinal import Votes


def _world(seed, copiers=False, noise="logistic"):
    """Twelve raters judge sixty of ninety pairs each; the last follows the one before on what both got."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(180, 4))
    lengths = rng.normal(size=180)
    utility = features @ np.array([1.0, -0.7, 0.5, 0.3]) + rng.normal(0, 0.7, 180)
    crowd = worlds.draw_crowd(12, rng, weak=0, random=0, one_sided=0, length_only=0)
    rater = np.repeat(np.arange(12), 60)
    task = np.concatenate([rng.choice(90, 60, replace=False) for _ in range(12)])
    swap = rng.random(len(task)) < 0.5
    left, right = 2 * task + swap, 2 * task + 1 - swap
    grades = crowd.grade(rater, utility[left] - utility[right], lengths[left] - lengths[right], rng, noise)
    if copiers:
        for vote in np.flatnonzero(rater == 11):
            for theirs in np.flatnonzero((rater == 10) & (task == task[vote]))[:25]:
                grades[vote] = grades[theirs] if left[theirs] == left[vote] else 6 - grades[theirs]
    votes = Votes(left, right, rater, grades, 7, 12)
    return ordinal.fit(features, lengths, votes), features, lengths, votes


def test_two_who_copy_are_found_and_nobody_else():
    found = find_copying(*_world(0, copiers=True))
    assert [(one.first, one.second) for one in found if one.found] == [(10, 11)]
    best = found[0]
    assert best.same == best.shared > 1.5 * best.expected
    assert best.needed == pytest.approx(np.log(66 / ALPHA))  # all pairs of twelve share enough


@pytest.mark.parametrize("noise", ["logistic", "probit"])
def test_honest_raters_reach_the_threshold_as_rarely_as_promised(noise):
    evidence = [one.evidence for seed in range(8) for one in find_copying(*_world(seed, noise=noise))]
    assert len(evidence) == 8 * 66
    assert np.mean(np.array(evidence) >= np.log(1 / 0.05)) <= 0.05
    assert max(evidence) < np.log(66 / ALPHA)


def test_the_expected_number_of_same_grades_is_what_honest_raters_have():
    found = [one for seed in range(4) for one in find_copying(*_world(seed))]
    same, expected = sum(one.same for one in found), sum(one.expected for one in found)
    assert same == pytest.approx(expected, rel=0.06)


def test_which_side_an_answer_stood_on_does_not_matter():
    fit, features, lengths, votes = _world(1, copiers=True)
    fit.side[:] = 0
    turned = votes.raters % 2 == 0
    other = Votes(
        np.where(turned, votes.right, votes.left), np.where(turned, votes.left, votes.right), votes.raters,
        np.where(turned, 6 - votes.grades, votes.grades), 7, 12,
    )  # fmt: skip
    here, there = (find_copying(fit, features, lengths, v) for v in (votes, other))
    assert [(one.first, one.second, one.same) for one in here] == [
        (one.first, one.second, one.same) for one in there
    ]
    assert [one.evidence for one in here] == pytest.approx([one.evidence for one in there])


def test_too_few_shared_pairs_say_nothing_and_repeats_count_once():
    fit, features, lengths, votes = _world(2)
    assert find_copying(fit, features, lengths, votes, fewest=61) == []
    again = Votes(
        *(np.tile(column, 2) for column in (votes.left, votes.right, votes.raters, votes.grades)), 7, 12
    )
    assert find_copying(fit, features, lengths, again)[0] == find_copying(fit, features, lengths, votes)[0]


def test_people_of_one_taste_are_not_called_copying():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        features, lengths = rng.normal(size=(200, 8)), rng.normal(size=200)
        tastes = rng.normal(size=(3, 8)) * np.sqrt(0.3) + rng.normal(size=8) * np.sqrt(0.7)
        utility = 2 * features @ tastes.T / np.sqrt(8)  # of three clusters of people
        rater, task = np.repeat(np.arange(12), 100), np.tile(np.arange(100), 12)
        swap = rng.random(1200) < 0.5
        left, right = 2 * task + swap, 2 * task + 1 - swap
        crowd = worlds.draw_crowd(12, rng, weak=0, random=0, one_sided=0, length_only=0)
        gaps = utility[left, rater % 3] - utility[right, rater % 3]
        votes = Votes(
            left, right, rater, crowd.grade(rater, gaps, lengths[left] - lengths[right], rng), 7, 12
        )
        found = find_copying(ordinal.fit(features, lengths, votes), features, lengths, votes)
        assert len(found) == 66
        assert not any(one.found for one in found)
