"""Words as edits are measured in: the page counts the same ones while a rater types (static/js/diff.js)."""

import re

_SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_SIGN = (
    r"!-\/:-@\[-^`{-~\xa1-\xbf\xd7\xf7\u05be\u05c0\u05c3\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965"
    r"\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2190-\u23ff\u3001-\u3004\u3008-\u3020\u30fb"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
_ALONE = r"\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_JOINED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_MARKS = (
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u17b4-\u17d3"
)
# Each character of scripts that write without spaces (with its marks), runs of anything else, and each sign.
# The ranges are written out, for two languages' own ideas of a letter and of white space differ.
WORD = re.compile(f"[{_ALONE}]|[{_JOINED}][{_MARKS}]*|[^{_SPACE}{_SIGN}{_ALONE}{_JOINED}]+|[{_SIGN}]")


def split(text: str) -> list[str]:
    """Return a text's words and signs."""
    return WORD.findall(text)


def distance(before: str, after: str) -> int:
    """Count the words inserted, deleted or replaced between two texts: the fewest that do (Levenshtein).

    H. Hyyrö, A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances, 2003: a column
    of the table in the bits of a number, so that two texts of 100,000 characters take a fraction of a second.
    """
    a, b = _without_ends(split(before), split(after))
    if not a or not b:
        return len(a) + len(b)
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    all_, last = (1 << len(a)) - 1, 1 << len(a) - 1
    up, down, count = all_, 0, len(a)
    for word in b:
        here = places.get(word, 0)
        across = (((here & up) + up) ^ up) | here | down
        more, less = down | all_ & ~(across | up), up & across
        count += bool(more & last) - bool(less & last)
        more, less = (more << 1 | 1) & all_, less << 1 & all_
        up, down = less | all_ & ~(across | more), more & across
    return count


def _without_ends(a: list[str], b: list[str]) -> tuple[list[str], list[str]]:
    """Drop what two lists have in common at their ends."""
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return a[start : len(a) - end], b[start : len(b) - end]
