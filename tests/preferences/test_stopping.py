"""How certain a majority is."""

from math import isclose

import pytest
from scipy.stats import beta

from preferences.stopping import certainty


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
