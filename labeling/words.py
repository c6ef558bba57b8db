"""Words as edits are measured in: the page counts the same ones while a rater types (static/js/diff.js)."""

import re
from collections.abc import Sequence
from itertools import groupby

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
_PIECE = re.compile(f"[{_SPACE}]+|{WORD.pattern}")
MOST_STEPS = 800  # the work grows with the square of the difference


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


def compare(before: str, after: str) -> list[tuple[str, str]] | None:
    """Return how a text has changed word by word: ("=" kept, "-" removed or "+" added, text).

    None when the texts differ in more than 800 words and spaces. E. Myers, An O(ND) Difference Algorithm and
    Its Variations, 1986.
    """
    a, b = _PIECE.findall(before), _PIECE.findall(after)
    from_, to = _without_ends(a, b)
    start = _common(a, b)
    reached = _furthest(from_, to)
    if reached is None:
        return None
    steps = [("=", piece) for piece in a[:start]]
    steps += _walk_back(from_, to, reached)
    steps += [("=", piece) for piece in a[start + len(from_) :]]
    runs = groupby(steps, lambda step: step[0])
    return _join([(kind, "".join(piece for _, piece in run)) for kind, run in runs])


def _join(runs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Make changes that only a space parts one change: what was removed, then what was added."""
    joined: list[tuple[str, str]] = []
    removed = added = ""
    for number, (kind, text) in enumerate(runs):
        between = bool(removed or added) and text.isspace() and "\n" not in text and number + 1 < len(runs)
        if kind != "=" or between:
            removed += text if kind != "+" else ""
            added += text if kind != "-" else ""
            continue
        joined += [change for change in (("-", removed), ("+", added)) if change[1]]
        joined.append((kind, text))
        removed = added = ""
    return joined + [change for change in (("-", removed), ("+", added)) if change[1]]


def _furthest(a: Sequence[str], b: Sequence[str]) -> list[dict[int, int]] | None:
    """Return, for each number of changes, how far in `a` each diagonal had come before them."""
    ends, kept = {1: 0}, []
    for changes in range(min(len(a) + len(b), MOST_STEPS) + 1):
        kept.append(ends.copy())
        for k in range(-changes, changes + 1, 2):
            x = ends[k + 1] if _adds(ends, k, changes) else ends[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            ends[k] = x
            if x >= len(a) and x - k >= len(b):
                return kept
    return None


def _adds(ends: dict[int, int], k: int, changes: int) -> bool:
    """Tell whether a diagonal is best reached by adding a word, rather than by removing one."""
    return k == -changes or (k != changes and ends[k - 1] < ends[k + 1])


def _walk_back(a: Sequence[str], b: Sequence[str], reached: list[dict[int, int]]) -> list[tuple[str, str]]:
    steps, x, y = [], len(a), len(b)
    for changes in range(len(reached) - 1, 0, -1):
        ends, k = reached[changes], x - y
        adds = _adds(ends, k, changes)
        before = ends[k + 1] if adds else ends[k - 1]
        while x > before + (not adds):
            x, y = x - 1, y - 1
            steps.append(("=", a[x]))
        if adds:
            y -= 1
            steps.append(("+", b[y]))
        else:
            x -= 1
            steps.append(("-", a[x]))
    steps += [("=", piece) for piece in reversed(a[:x])]
    return steps[::-1]


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Count what two lists have in common at their beginnings."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _without_ends(a: list[str], b: list[str]) -> tuple[list[str], list[str]]:
    """Drop what two lists have in common at their ends."""
    start = _common(a, b)
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return a[start : len(a) - end], b[start : len(b) - end]
