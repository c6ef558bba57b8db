"""How far a rewrite is from the original."""

from __future__ import annotations

import numpy as np


def count_changed_words(before: str, after: str) -> int:
    """Count the words inserted, deleted or replaced between two texts (Levenshtein's distance over words).

    One row of the table at a time: with c the best cost without insertions, insertions make it
    min over k ≤ j of c[k] + (j − k), a running minimum of c[k] − k.
    """
    a, b = before.split(), after.split()
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    a, b = a[start:], b[start:]
    while a and b and a[-1] == b[-1]:
        a.pop()
        b.pop()
    if not a or not b:
        return max(len(a), len(b))
    number = {word: k for k, word in enumerate(dict.fromkeys([*a, *b]))}
    b_W = np.array([number[word] for word in b])
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for i, word in enumerate(a, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (b_W != number[word]))
        row = np.minimum.accumulate(np.concatenate(([i], best)) - steps) + steps
    return int(row[-1])
