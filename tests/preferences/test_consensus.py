import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.consensus import summarise_groups


def of_one(verdicts, weights=None):
    """Return what the votes on one pair say together."""
    found = summarise_groups(np.zeros(len(verdicts), np.int64), verdicts, weights, 1)
    return {name: values.item() for name, values in found.items()}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([-2], (-1, 1.0, 2.0, np.nan, 1)),
        ([0], (0, 0.5, 0.0, np.nan, 1)),
        ([-3, -1, 2], (-1, 2 / 3, 2 / 3, 1 / 3, 3)),
        ([1, 1, 0], (1, 1 / 6, -2 / 3, 1 / 3, 3)),
        ([-1, 1], (0, 0.5, 0.0, 0.0, 2)),
        ([-1, 0], (0, 0.75, 0.5, 0.0, 2)),
    ],
)
def test_consensus_of_few_votes(verdicts, expected):
    found = of_one(verdicts)
    names = ("label", "probability", "margin", "agreement", "votes")
    assert tuple(found[name] for name in names) == pytest.approx(expected, nan_ok=True)
    assert (found["majority"], found["weight"]) == (expected[0], len(verdicts))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_swapping_the_answers_mirrors_the_consensus(verdicts):
    here, there = of_one(verdicts), of_one([-v for v in verdicts])
    assert (here["label"], here["margin"]) == (-there["label"], -there["margin"])
    assert here["agreement"] == pytest.approx(there["agreement"], nan_ok=True)
    assert here["probability"] == pytest.approx(1 - there["probability"])


def test_no_verdicts_and_a_wrong_one():
    none = of_one([])
    assert (none["votes"], none["label"], none["probability"]) == (0, 0, 0.5)
    with pytest.raises(ValueError, match="outside"):
        of_one([1, 4])


@pytest.mark.parametrize(
    ("verdicts", "weights", "label", "majority", "probability"),
    [
        ([-1, -2, 3], [0.2, 0.3, 1.0], 1, -1, 1 / 3),  # two who weigh less than the one against them
        ([-1, 3], [0.1 + 0.2, 0.3], 0, 0, 0.5),
        ([-1, 0, 3], [1.0, 0.0, 0.0], -1, 0, 1.0),
        ([-3, -3], [0.0, 0.0], 0, -1, 0.5),
    ],
)
def test_votes_count_by_their_weights_and_the_majority_stays_known(
    verdicts, weights, label, majority, probability
):
    found = of_one(verdicts, weights)
    assert (found["label"], found["majority"], found["votes"]) == (label, majority, len(verdicts))
    assert found["probability"] == pytest.approx(probability)
    assert found["weight"] == pytest.approx(sum(weights))


def test_weights_that_fit_no_verdicts_are_refused():
    for weights in ([1.0], [1.0, -0.1]):
        with pytest.raises(ValueError, match="weights"):
            of_one([1, 2], weights)
