"""Temperatures undo a wrong scale, and tables hold claims against votes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit

from preferences.calibration import calibration_error, fit_temperature, reliability_table


@pytest.fixture(scope="module")
def votes():
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 20_000)
    said = np.where(rng.random(20_000) < 0.1, 0.5, rng.random(20_000) < expit(margin))
    return margin, said


@pytest.mark.parametrize("scale", [1e-3, 0.2, 1.0, 3.0, 1e5])
def test_a_temperature_undoes_the_scale_of_the_rewards(votes, scale):
    margin, said = votes
    honest = fit_temperature(margin, said)
    assert honest == pytest.approx(1.25, abs=0.05)  # ties pull probabilities to a half
    assert fit_temperature(scale * margin, said) == pytest.approx(scale * honest, rel=1e-6)


def test_newton_finds_what_a_search_finds(votes):
    margin, said = votes
    weight = np.random.default_rng(1).random(len(margin))

    def loss(t):
        return weight @ (np.logaddexp(0, margin / t) - said * margin / t)

    found = minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-9}).x
    assert fit_temperature(margin, said, weight) == pytest.approx(found, rel=1e-5)


def test_rewards_that_are_never_right_or_never_wrong_have_a_finite_temperature():
    margin = np.random.default_rng(0).normal(size=500)
    size = np.sqrt(np.mean(margin**2))
    assert fit_temperature(margin, margin > 0) == pytest.approx(size / 100)
    assert fit_temperature(margin, margin < 0) == pytest.approx(size * 100)
    assert fit_temperature(np.zeros(5), np.ones(5)) == 1


def test_the_table_covers_what_is_true_and_shows_what_is_overclaimed(votes):
    margin, said = votes
    clear = said != 0.5
    table = reliability_table(margin[clear], said[clear])
    assert sum(b.n for b in table) == clear.sum()
    assert all(b.low <= b.claimed <= b.high for b in table)
    assert sum(b.interval.low <= b.claimed <= b.interval.high for b in table) >= len(table) - 1
    assert calibration_error(table) < 0.01
    boastful = reliability_table(3 * margin[clear], said[clear])
    assert calibration_error(boastful) > 0.05
    assert boastful[-2].claimed > boastful[-2].interval.high


@given(st.lists(st.tuples(st.floats(-5, 5), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=30))
def test_the_order_of_two_answers_changes_nothing(rows):
    margin, said = np.array(rows).T
    assert fit_temperature(margin, said) == pytest.approx(fit_temperature(-margin, 1 - said), rel=1e-6)
    one, other = reliability_table(margin, said), reliability_table(-margin, 1 - said)
    assert [(b.n, b.found) for b in one] == [(b.n, b.found) for b in other]


@pytest.mark.parametrize(
    ("margin", "said", "weight", "named"),
    [
        ([1.0], [1.0, 0.0], None, "margin"),
        ([np.nan], [1.0], None, "finite"),
        ([], [], None, "weight"),
        ([1.0], [1.0], [-1.0], "weight"),
    ],
)
def test_what_is_no_votes_is_refused_by_name(margin, said, weight, named):
    for function in (fit_temperature, reliability_table):
        with pytest.raises(ValueError, match=named):
            function(margin, said, weight)
