"""An import asks for what it may have met, and may not overlook what it has."""

from labeling.import_seen import Seen


def test_what_was_met_is_never_taken_for_new_and_what_is_new_seldom_for_met():
    seen = Seen()
    first, second = ([f"{name}-{n}" for n in range(50_000)] for name in ("one", "two"))
    assert len(seen.meet(first)) < 5
    assert seen.meet(first[::-1]) == first[::-1]
    assert len(seen.meet(second)) < 5


def test_a_key_that_comes_twice_at_once_is_met_the_second_time():
    assert Seen().meet(["a", "b", "a"]) == ["a"]


def test_when_its_places_are_taken_everything_seems_met():
    seen = Seen(4)
    keys = [f"key-{n}" for n in range(9)]
    assert seen.meet(keys[:3]) == []
    assert seen.meet(keys) == keys
