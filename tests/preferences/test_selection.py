"""Which pairs are asked: the teaching ones, within the cap, beside a random share with known probability."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from preferences.ordinal import fit
from preferences.selection import (
    Candidates,
    choose,
    estimate_covariance,
    pays,
    posterior,
)
from preferences.worlds import draw_world


def draw_candidates(m=600, d=6, seed=0, per_prompt=6):
    rng = np.random.default_rng(seed)
    return Candidates(np.arange(m) // per_prompt, rng.normal(size=(m, d)), np.zeros(m, dtype=np.int64))


def test_the_mode_is_that_of_a_general_optimiser_and_the_covariance_its_inverse_curvature():
    rng = np.random.default_rng(0)
    gaps = rng.normal(size=(300, 4))
    said = np.where(rng.random(300) < 0.2, 0.5, rng.random(300) < expit(gaps @ [2, -1, 0, 0.5]))
    weight = rng.random(300)

    def loss(w):
        eta = gaps @ w
        return weight @ (np.logaddexp(0, eta) - said * eta) + 0.15 * w @ w

    found = posterior(gaps, said, weight, ridge=0.3)
    assert found.weights == pytest.approx(minimize(loss, np.zeros(4), tol=1e-9).x, abs=1e-4)
    steps = 1e-3 * np.eye(4)
    curve = [
        [loss(found.weights + a + b) - loss(found.weights + a - b) - loss(found.weights - a + b)
         + loss(found.weights - a - b) for a in steps]
        for b in steps
    ]  # fmt: skip
    assert np.linalg.inv(found.covariance) == pytest.approx(np.array(curve) / 4e-6, rel=1e-3, abs=1e-2)


def test_votes_that_a_line_separates_leave_no_step_for_infinity():
    gaps = np.random.default_rng(0).normal(size=(200, 3)) * 50
    found = posterior(gaps, gaps[:, 0] > 0, start=np.full(3, 20.0))
    assert np.isfinite(found.weights).all()
    assert ((gaps @ found.weights > 0) == (gaps[:, 0] > 0)).all()
    assert posterior(gaps, gaps[:, 0] > 0).weights == pytest.approx(found.weights, abs=1e-4)


def test_the_first_active_pick_teaches_the_most_and_the_next_ones_know_of_it():
    candidates = draw_candidates()
    weights, start = np.ones(6), np.diag([4.0, 2, 1, 1, 1, 0.1])
    chosen = choose(candidates, weights, start, 40, 0, random_share=0)
    covariance, left, taken = start.copy(), np.ones(len(candidates), dtype=bool), np.zeros(100)
    for pick, gain in zip(chosen.index, chosen.gain, strict=True):
        p = expit(candidates.gap @ weights)
        teaches = p * (1 - p) * np.einsum("ij,jk,ik->i", candidates.gap, covariance, candidates.gap)
        assert gain == pytest.approx(teaches[pick])
        assert pick == np.argmax(np.where(left, teaches, -1))
        gap, curve = candidates.gap[pick], (p * (1 - p))[pick]
        covariance = np.linalg.inv(np.linalg.inv(covariance) + curve * np.outer(gap, gap))
        left[pick] = False
        taken[prompt := candidates.prompt[pick]] += 1
        left[candidates.prompt == prompt] &= taken[prompt] < 2


def test_at_most_two_of_a_prompt_and_never_a_tied_or_near_identical_pair():
    base = draw_candidates()
    ties, alike = np.zeros(600, dtype=np.int64), np.zeros(600)
    ties[::3], alike[1::3] = 2, 0.99
    chosen = choose(
        Candidates(base.prompt, base.gap, ties, alike), np.zeros(6), np.eye(6), 500, 0, random_share=0
    )
    assert (np.bincount(base.prompt[chosen.index]) <= 2).all()
    assert (chosen.index % 3 == 2).all()
    assert len(chosen) == 200  # two of each hundred prompts are left: the cap ends it


def test_random_picks_have_the_probability_that_they_say():
    candidates = draw_candidates(m=50)
    drawn = {"random": np.zeros(50), "evaluation": np.zeros(50)}
    for seed in range(1000):
        chosen = choose(
            candidates, np.ones(6), np.eye(6), 9, seed, random_share=0.25, evaluation_share=0.15, per_prompt=3
        )
        assert len(set(chosen.index.tolist())) == 9
        for arm, share in (("random", 0.25), ("evaluation", 0.15)):
            drawn[arm][chosen.index[chosen.arm == arm]] += 1
            assert chosen.probability[chosen.arm == arm] == pytest.approx(share * 9 / 50)
    for arm, share in (("random", 0.25), ("evaluation", 0.15)):
        expected = 1000 * share * 9 / 50
        assert drawn[arm].mean() == pytest.approx(expected, rel=0.03)
        assert np.abs(drawn[arm] - expected).max() < 4.5 * np.sqrt(expected)


def test_a_seed_chooses_the_same_again_and_the_callers_arrays_are_left_alone():
    candidates, covariance = draw_candidates(), np.eye(6)
    one, same = (choose(candidates, np.ones(6), covariance, 50, 7) for _ in range(2))
    assert (one.index == same.index).all()
    assert (covariance == np.eye(6)).all()
    assert candidates.worth_asking.all()


def test_few_candidates_are_all_that_comes_back_and_none_is_an_empty_choice():
    few = draw_candidates(m=3, per_prompt=1)
    assert sorted(choose(few, np.ones(6), np.eye(6), 10, 0).index) == [0, 1, 2]
    assert len(choose(draw_candidates(m=0), np.ones(6), np.eye(6), 10, 0)) == 0


def test_the_covariance_of_the_model_of_raters_is_what_weights_vary_by():
    """Of six worlds' fits, squared errors are about as large as the covariance says."""
    spread = []
    for seed in range(6):
        world = draw_world("easy", seed, raters=60, each=40)
        found = fit(world.features, world.lengths, world.votes)
        claimed = estimate_covariance(found, world.features, world.lengths, world.votes)
        design = np.column_stack([world.features, np.ones(len(world.features))])
        true = np.linalg.lstsq(design, world.utility, rcond=None)[0][:-1]
        scale = (true @ found.weights) / (true @ true)  # abilities and weights share a scale
        off = found.weights - scale * true
        spread.append(off @ np.linalg.solve(claimed, off) / len(off))
    assert 0.6 < np.mean(spread) < 1.6


def test_the_kill_switch_waits_for_a_thousand_labels_and_then_says_what_is_so():
    rng = np.random.default_rng(0)
    random = (rng.random(400) < 0.7).astype(float)
    better = np.maximum(random, rng.random(400) < 0.2)
    prompts = np.arange(400) // 2
    assert pays(better, random, prompts, 999).verdict == "early"
    found = pays(better, random, prompts, 1000)
    assert found.verdict == "pays"
    assert found.gain.interval.low > 0
    assert pays(random, better, prompts, 1000).verdict == "no better"
    assert pays(random, random, prompts, 1000).verdict == "no better"
    assert pays(random[:0], random[:0], prompts[:0], 5000).verdict == "early"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Candidates(np.arange(3), np.zeros((2, 2)), np.arange(2)), "prompt"),
        (lambda: Candidates(np.arange(2), np.full((2, 2), np.nan), np.arange(2)), "gap"),
        (lambda: choose(draw_candidates(), np.ones(5), np.eye(5), 5, 0), "weights"),
        (lambda: choose(draw_candidates(), np.ones(6), np.eye(6), 5, 0, random_share=1.5), "random_share"),
        (lambda: posterior(np.zeros((3, 2)), np.zeros(2)), "probability"),
        (lambda: posterior(np.zeros((3, 2)), np.zeros(3), ridge=0), "ridge"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
