"""Every count of a snapshot has a name for people."""

from training import canonical_rows, snapshot_names


def test_every_count_has_a_name():
    assert {*canonical_rows.COUNTS, "raters"} == set(snapshot_names.COUNTS)


def test_the_most_come_first_and_what_is_unknown_is_told_as_it_is():
    counts = {"prompts": 2, "not_counted": 0, "tasks": 7, "of_old": 3}
    assert snapshot_names.told(counts) == [("tasks", 7), ("of_old", 3), ("prompts", 2), ("not counted", 0)]
