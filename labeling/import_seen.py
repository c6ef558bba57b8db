"""Which prompts and ids an import has met so far, so that it asks the database only for those."""

from collections.abc import Iterable

PLACES = 1 << 24  # of a byte each; after a million records one new key in 20 is asked for in vain


class Seen:
    """Keys, each by two marks (Bloom 1970): one that was never met may seem so, but not the other way."""

    def __init__(self) -> None:
        self._marks = bytearray(PLACES)

    def meet(self, keys: Iterable[str]) -> list[str]:
        """Take keys in; return those that may have been met before."""
        marks, last, met = self._marks, PLACES - 1, []
        for key in keys:
            number = hash(key)
            first, second = number & last, number >> 24 & last
            if marks[first] and marks[second]:
                met.append(key)
            else:
                marks[first] = marks[second] = 1
        return met
