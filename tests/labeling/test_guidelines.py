"""What has changed between two versions of a guideline, as their reader sees it."""

from labeling.guidelines import changes_since


def say(changes):
    marks = {"same": "{}", "added": "+{}+", "removed": "-{}-", "gap": "⋯"}
    return "".join(marks[change.kind].format(change.text) for change in changes)


def test_words_that_changed_are_marked_in_their_lines():
    old = "Be kind.\nPrefer the better answer.\n"
    new = "Be kind.\nPrefer the plainer answer.\n"
    assert say(changes_since(old, new)) == "Be kind.\nPrefer the -better-+plainer+ answer.\n"


def test_what_stayed_the_same_for_long_is_left_out():
    lines = [f"{number}.\n" for number in range(20)]
    new = [*lines[:10], "New.\n", *lines[10:]]
    assert say(changes_since("".join(lines), "".join(new))) == "⋯8.\n9.\n+New.\n+10.\n11.\n⋯"


def test_first_words_and_last_words_count_too():
    assert say(changes_since("", "All new.")) == "+All new.+"
    assert say(changes_since("All old.", "")) == "-All old.-"
    assert say(changes_since("Same.", "Same.")) == "Same."


def test_texts_of_many_equal_words_count_as_rewritten_at_once():
    old, new = "- a\n" * 5000, "a line\n" * 5000
    assert say(changes_since(old, new)) == f"-{old}-+{new}+"
