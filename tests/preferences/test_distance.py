import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.distance import count_changed_words


@pytest.mark.parametrize(
    ("before", "after", "distance"),
    [
        ("", "", 0),
        ("same words", "same  words", 0),
        ("", "two words", 2),
        ("a b c", "a x c", 1),
        ("a b c d", "b c d e", 2),
        ("the cat sat", "the big cat sat down", 2),
    ],
)
def test_distance_counts_words(before, after, distance):
    assert count_changed_words(before, after) == distance


def _table(a, b):
    rows = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            replaced = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced)
    return rows[-1][-1]


words = st.lists(st.sampled_from("abcd"), max_size=9)


@given(words, words)
def test_distance_equals_the_textbook_table(a, b):
    assert count_changed_words(" ".join(a), " ".join(b)) == _table(a, b)
