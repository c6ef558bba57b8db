"""Which prompts and ids an import has met so far, so that it asks the database only for those."""

from array import array
from collections.abc import Iterable

PLACES = 1 << 23  # of two bytes each


class Seen:
    """Keys, each by a mark of 16 bits in the first place that is free from one that its hash names.

    A few of a million keys that were never met seem so while a quarter of the places is taken, and never the
    other way; beyond three quarters every key does.
    """

    def __init__(self, places: int = PLACES) -> None:
        self._marks = array("H", bytes(2 * places))
        self._left = places // 4 * 3

    def meet(self, keys: Iterable[str]) -> list[str]:
        """Take keys in; return those that may have been met before."""
        marks, last, met = self._marks, len(self._marks) - 1, []
        for key in keys:
            number = hash(key)
            place, mark = number & last, number >> 32 & 0xFFFF or 1
            while (there := marks[place]) and there != mark:
                place = place + 1 & last
            if there or not self._left:
                met.append(key)
            else:
                marks[place] = mark
                self._left -= 1
        return met
