import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.consensus import Consensus, summarise_verdicts


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([-2], (-1, 1.0, 2.0, None, 1)),
        ([0], (0, 0.5, 0.0, None, 1)),
        ([-3, -1, 2], (-1, 2 / 3, 2 / 3, 1 / 3, 3)),
        ([1, 1, 0], (1, 1 / 6, -2 / 3, 1 / 3, 3)),
        ([-1, 1], (0, 0.5, 0.0, 0.0, 2)),
        ([-1, 0], (0, 0.75, 0.5, 0.0, 2)),
    ],
)
def test_consensus_of_few_votes(verdicts, expected):
    found = summarise_verdicts(verdicts)
    assert found == Consensus(*expected, majority=expected[0], weight=len(verdicts))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_swapping_the_answers_mirrors_the_consensus(verdicts):
    here, there = summarise_verdicts(verdicts), summarise_verdicts([-v for v in verdicts])
    assert here is not None
    assert there is not None
    assert (here.label, here.margin, here.agreement) == (-there.label, -there.margin, there.agreement)
    assert here.probability == pytest.approx(1 - there.probability)


def test_no_verdicts_and_a_wrong_one():
    assert summarise_verdicts([]) is None
    with pytest.raises(ValueError, match="outside"):
        summarise_verdicts([1, 4])


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
    found = summarise_verdicts(verdicts, weights)
    assert (found.label, found.majority, found.votes) == (label, majority, len(verdicts))
    assert found.probability == pytest.approx(probability)
    assert found.weight == pytest.approx(sum(weights))


def test_weights_that_fit_no_verdicts_are_refused():
    for weights in ([1.0], [1.0, -0.1]):
        with pytest.raises(ValueError, match="weights"):
            summarise_verdicts([1, 2], weights)
