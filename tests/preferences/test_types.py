import pytest

from preferences.types import Pair, Vote


def test_a_swapped_vote_says_the_same():
    vote = Vote("alice", Pair("p", "a", "b"), -2)
    assert vote.swap() == Vote("alice", Pair("p", "b", "a"), 2)
    assert vote.swap().swap() == vote


@pytest.mark.parametrize(("verdict", "share"), [(-3, 1.0), (-1, 1.0), (0, 0.5), (2, 0.0)])
def test_left_share(verdict, share):
    assert Vote("alice", Pair("p", "a", "b"), verdict).left_share == share


@pytest.mark.parametrize("verdict", [-4, 4])
def test_a_verdict_out_of_range_is_refused(verdict):
    with pytest.raises(ValueError, match="outside"):
        Vote("alice", Pair("p", "a", "b"), verdict)
