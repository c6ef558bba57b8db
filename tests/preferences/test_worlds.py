"""Simulated worlds are what they say: seeded, with faults, and outside the model's family where stated."""

from __future__ import annotations

import numpy as np
import pytest

from preferences.worlds import RECIPES, draw_crowd, draw_world


@pytest.mark.parametrize("kind", RECIPES)
def test_a_seed_makes_the_same_world_again_and_another_makes_another(kind):
    one, same, other = (draw_world(kind, seed, each=20) for seed in (3, 3, 4))
    assert (one.votes.grades == same.votes.grades).all()
    assert (one.features == same.features).all()
    assert (one.votes.grades != other.votes.grades).any()


@pytest.mark.parametrize("kind", RECIPES)
def test_everybody_votes_as_often_never_twice_on_a_pair_and_a_fifth_of_it_is_shared_by_three(kind):
    votes = draw_world(kind, 0, raters=99).votes
    assert (np.bincount(votes.raters) == 100).all()
    pair = np.minimum(votes.left, votes.right)
    assert len(np.unique(pair * 99 + votes.raters)) == len(votes)
    sizes = np.bincount(pair)[pair]
    assert set(sizes.tolist()) == {1, 3}
    assert (sizes == 3).mean() == pytest.approx(0.2)


def test_the_easy_world_is_explained_by_its_features_and_the_hard_one_by_half():
    for kind, share in (("easy", 0.9), ("hard", 0.5), ("curved", 0.7)):
        world = draw_world(kind, 1, per_prompt=2)
        design = np.column_stack([world.features, world.lengths, np.ones(len(world.lengths))])
        fitted = design @ np.linalg.lstsq(design, world.utility, rcond=None)[0]
        assert fitted.var() / world.utility.var() == pytest.approx(share, abs=0.04)
        assert abs(np.corrcoef(world.utility, world.lengths)[0, 1]) < 0.05


def test_a_crowd_has_its_faults_and_they_show_in_votes():
    rng = np.random.default_rng(0)
    crowd = draw_crowd(100, rng)
    assert {role: int((crowd.role == role).sum()) for role in set(crowd.role.tolist())} == {
        "weak": 10, "random": 5, "one-sided": 5, "length-only": 5, "honest": 75,
    }  # fmt: skip
    assert crowd.spammers.sum() == 15
    n = 2000
    for role in ("honest", "one-sided", "length-only"):
        rater = np.full(n, np.flatnonzero(crowd.role == role)[0])
        better, worse, longer = (
            crowd.grade(rater, np.full(n, gap), np.full(n, apart), rng).mean()
            for gap, apart in ((3.0, 0.0), (-3.0, 0.0), (0.0, 2.0))
        )
        assert (better - worse > 2) == (role == "honest")
        assert (longer > 4.5) == (role == "length-only" or crowd.side[rater[0]] > 1)


def test_who_copies_says_the_same_of_every_pair_that_both_saw():
    world = draw_world("crowds", 2)
    votes, pair = world.votes, np.minimum(world.votes.left, world.votes.right)
    first = np.where(votes.left < votes.right, votes.grades, 6 - votes.grades)
    said = [
        dict(zip(pair[votes.raters == r].tolist(), first[votes.raters == r].tolist(), strict=True))
        for r in range(100)
    ]
    followers = np.flatnonzero(world.crowd.role == "copying")
    assert len(followers) == 4
    for follower in followers:
        same = [
            leader
            for leader in set(range(100)) - {follower}
            if len(met := said[follower].keys() & said[leader].keys()) >= 20
            and all(said[follower][p] == said[leader][p] for p in met)
        ]
        assert len(same) == 1


def test_an_unknown_world_is_refused():
    with pytest.raises(KeyError):
        draw_world("flat", 0)


@pytest.mark.parametrize("kind", ["easy", "crowds"])
def test_answers_to_spare_are_like_the_others_and_raters_can_be_asked_about_them(kind):
    world = draw_world(kind, 0, each=20, spare=3000)
    n = len(world.lengths)
    assert max(world.votes.left.max(), world.votes.right.max()) < n - 3000
    assert world.utility[-3000:].std() == pytest.approx(world.utility[:-3000].std(), rel=0.1)
    rng = np.random.default_rng(0)
    left, right = rng.permutation(np.arange(n - 3000, n)).reshape(2, -1)
    honest = rng.choice(np.flatnonzero(world.crowd.role == "honest"), 1500)
    grades = world.ask(left, right, honest, rng).grades
    assert np.corrcoef(world.utility[left] - world.utility[right], grades)[0, 1] > 0.5
