"""How an edited text came about: pastes and typing, a hint for reviewers and never a verdict."""

from collections.abc import Mapping
from typing import Any

from labeling.submissions import clean_number

# As the page counts them: pastes and their characters, characters typed, and the time from the first to the
# last key in milliseconds.
NUMBERS = ("pastes", "pasted", "typed", "typing_ms")


def clean(signals: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the counts that were sent, without anything else; SubmissionError when one is no count."""
    given = signals if isinstance(signals, Mapping) else {}
    return {name: clean_number("signals", given[name]) or 0 for name in NUMBERS if name in given}
