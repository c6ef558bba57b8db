"""How certain a majority is, and when a comparison of two policies ends."""

from math import exp, isclose, log

import numpy as np
import pytest
from scipy.stats import beta

from preferences.stopping import (
    Outcome,
    Plan,
    Ties,
    bound_share,
    certainty,
    fixed_votes,
    follow,
    log_evidence,
    log_futility,
)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [((1, 0), 0.75), ((2, 0), 0.875), ((2, 1), 0.6875), ((3, 0), 0.9375), ((0, 0), 0.5), ((4, 4), 0.5)],
)
def test_known_values(votes, expected):
    assert certainty(*votes) == expected


def test_it_is_the_tail_of_a_beta_distribution():
    for first in range(12):
        for second in range(12):
            tail = beta.sf(0.5, first + 1, second + 1)
            assert isclose(certainty(first, second), max(tail, 1 - tail), abs_tol=1e-12)


def test_votes_for_neither_are_shared_and_sides_are_alike():
    assert certainty(2, 1, 4) == certainty(4, 3)
    assert certainty(2, 1, 1) == certainty(2, 1)
    assert certainty(1, 5, 2) == certainty(5, 1, 2)


def test_fewer_than_no_votes_are_refused():
    with pytest.raises(ValueError, match="fewer"):
        certainty(-1, 2)


def test_the_evidence_of_a_few_votes_is_exact():
    """One vote says nothing (a mean of ½); two alike are 2·51/101, three 4·51·52/(101·102)."""
    assert exp(log_evidence(1, 0)) == pytest.approx(1)
    assert exp(log_evidence(2, 0)) == pytest.approx(2 * 51 / 101)
    assert exp(log_evidence(1, 1)) == pytest.approx(2 * 50 / 101)
    assert exp(log_evidence(0, 3)) == pytest.approx(4 * 51 * 52 / (101 * 102))
    assert np.isfinite(log_evidence(3_000_000, 1_000_000))


def test_evidence_against_equals_has_a_mean_of_one():
    """Over all 2⁸ ways that eight coins can fall; with ties as halves it is below."""
    mean = sum(
        exp(log_evidence(w, 8 - w)) * np.prod(range(9 - w, 9)) / np.prod(range(1, w + 1)) for w in range(9)
    )
    assert mean / 2**8 == pytest.approx(1)
    one_tie = (exp(log_evidence(1.5, 0.5)) + exp(log_evidence(0.5, 1.5))) / 2
    assert one_tie < 1


def test_futility_is_a_ratio_of_likelihoods():
    assert exp(log_futility(60, 50)) == pytest.approx(0.5**110 / (0.55**60 * 0.45**50))
    assert log_futility(50, 60) == log_futility(60, 50)
    # an even split passes 10 where (4·.45·.55)^(−n/2) does
    n = next(n for n in range(2, 2000, 2) if log_futility(n / 2, n / 2) >= log(10))
    assert n == 460


def test_a_fixed_test_needs_as_many_votes_as_books_say():
    assert (fixed_votes(0.05), fixed_votes(0.1)) == (783, 194)
    assert Plan().cap == 1175


def test_votes_are_followed_to_the_stop_and_no_further():
    clear = follow(np.ones(60), np.arange(60))
    assert clear.outcome == Outcome.FIRST
    stop = next(n for n in range(1, 60) if log_evidence(n, 0) >= log(20))
    assert clear.votes == stop
    assert follow(-np.ones(60), np.arange(60)).outcome == Outcome.SECOND
    turned = np.concatenate([np.ones(60), -np.ones(400)])
    assert follow(turned, np.arange(460)) == clear
    even = follow(np.tile([1, -1], 700), np.arange(1400))
    assert (even.outcome, even.votes) == (Outcome.EVEN, 460)
    between = follow(np.where(np.arange(3000) % 40 < 21, 1, -1), np.arange(3000), Plan(futility=1e9))
    assert between.outcome in (Outcome.CAPPED, Outcome.FIRST)
    assert follow([1, -1, 0], [1, 2, 3]).outcome == Outcome.OPEN


def test_a_rater_has_five_votes():
    alone = follow(np.ones(500), np.zeros(500))
    assert (alone.outcome, alone.votes) == (Outcome.OPEN, 5)
    assert follow([1, 1, -1], [7, 7, 3], Plan(votes_per_rater=1)).share.value == 0.5


def test_ties_count_as_was_stated_before():
    said, raters = np.tile([1, 0], 40), np.arange(80)
    half, dropped = follow(said, raters, Plan(ties=Ties.HALF)), follow(said, raters, Plan(ties=Ties.DROPPED))
    assert half.share.value == pytest.approx(0.75, abs=0.02)
    assert dropped.share.value == 1.0
    assert dropped.log_evidence == pytest.approx(float(log_evidence(dropped.votes, 0)))


def test_without_votes_nothing_is_said():
    standing = follow([], [])
    assert (standing.outcome, standing.votes) == (Outcome.OPEN, 0)
    assert "nobody" in standing.share.why
    with pytest.raises(ValueError, match="as many raters"):
        follow([1, 1], [1])


def test_bounds_of_a_share_hold_one_half_until_the_evidence_speaks():
    for won, lost in [(20, 10), (30, 5), (300, 250), (0, 4), (17, 0), (60, 15.5)]:
        estimate = bound_share(won, lost)
        assert 0 <= estimate.interval.low <= estimate.value <= estimate.interval.high <= 1
        inside = estimate.interval.low < 0.5 < estimate.interval.high
        assert inside == bool(log_evidence(won, lost) < log(20))


def test_bounds_hold_at_every_look():
    """A true share of 60 %, looked at after each of 600 votes: missed at any look in at most 5 %."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(200):
        won = np.cumsum(rng.random(600) < 0.6)
        n = np.arange(1, 601)
        against = log_evidence(won, n - won) - n * log(2) - won * log(0.6) - (n - won) * log(0.4)
        missed += bool((against >= log(20)).any())
    assert missed / 200 <= 0.05
