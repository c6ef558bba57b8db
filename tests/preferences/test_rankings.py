from preferences.rankings import expand


def test_a_ranking_says_something_of_each_pair():
    assert list(expand([[2], [0, 1], [3]])) == [
        (0, 1, 0),
        (0, 2, 2),
        (0, 3, -2),
        (1, 2, 2),
        (1, 3, -2),
        (2, 3, -2),
    ]


def test_all_equal_and_alone():
    assert [verdict for _, _, verdict in expand([[0, 1, 2]])] == [0, 0, 0]
    assert list(expand([[0]])) == []
