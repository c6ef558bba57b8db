"""What several verdicts on one task say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preferences.types import STRONGEST


@dataclass(frozen=True)
class Consensus:
    """Hold what raters together said of a pair (first, second).

    `label` is −1 when most preferred the first, +1 the second, 0 when most called it a tie or no side has
    more votes than every other; `probability` that the first is better, a tie counting ½; `margin` the mean
    grade in favour of the first, −3…3; `agreement` the share of pairs of raters with the same label, None
    below two votes.
    """

    label: int
    probability: float
    margin: float
    agreement: float | None
    votes: int


def summarise_verdicts(verdicts: Sequence[int]) -> Consensus | None:
    """Summarise verdicts of −3 (first much better) … +3 (second much better); None when there are none.

    All verdicts must refer to the same order of the two answers. Raises ValueError out of range.
    """
    if not verdicts:
        return None
    grades = np.asarray(verdicts, dtype=np.int64)
    if np.abs(grades).max() > STRONGEST:
        raise ValueError(f"a verdict is outside −{STRONGEST}…{STRONGEST}")
    first, tied, second = (int((np.sign(grades) == side).sum()) for side in (-1, 0, 1))
    n = len(grades)
    label = 0
    if first > max(tied, second):
        label = -1
    elif second > max(tied, first):
        label = 1
    same = sum(k * (k - 1) for k in (first, tied, second))
    return Consensus(
        label=label,
        probability=(first + tied / 2) / n,
        margin=float(-grades.mean()) + 0.0,
        agreement=same / (n * (n - 1)) if n > 1 else None,
        votes=n,
    )
