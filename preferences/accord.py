"""Which side and which length votes went for, and how far each goes along with what others said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from preferences.intervals import Floats
from preferences.ordinal import Votes

UNEQUAL = float(np.log(1.1))  # lengths that differ by less are called equal


def chose_left(votes: Votes) -> Floats:
    """Return for each vote 1 where the left side was preferred, 0 the right one, ½ a tie."""
    return np.asarray((1 + np.sign(2 * np.asarray(votes.grades) - (votes.points - 1))) / 2)


def chose_longer(votes: Votes, words: npt.ArrayLike) -> Floats:
    """Return 1 where the longer answer was preferred, 0 the shorter, ½ a tie, NaN where they are about equal.

    `words` holds each answer's length; lengths within a tenth of each other are equal.
    """
    length = np.log(np.asarray(words, np.float64) + 1)
    apart = length[votes.left] - length[votes.right]
    left = chose_left(votes)
    return np.where(np.abs(apart) < UNEQUAL, np.nan, np.where(apart > 0, left, 1 - left))


def number_pairs(votes: Votes) -> npt.NDArray[np.int64]:
    """Number the pair of answers that each vote is on, whatever their sides."""
    low, high = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    keys = low.astype(np.int64) * (int(high.max(initial=0)) + 1) + high
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Accord:
    """Hold for each vote how clear the others were and how far it went along with them; NaN where none were.

    With m the mean of the signs of the other raters' votes on the pair, `clarity` is |m| and `score` is
    sign(own)·m. Its mean is 0 for whoever doesn't look, since sides are shuffled, whatever the others said.
    """

    score: Floats
    clarity: Floats

    def ratios(
        self, groups: npt.NDArray[np.integer], n_groups: int
    ) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
        """Return by group (of each vote) Σ score / Σ clarity, its standard error, and how many votes say so.

        1 always goes with the others' majority, 0 is chance, −1 always against. The error is that of a ratio
        estimator, √Σ(score − ratio·clarity)²/Σ clarity (Cochran 1977, Sampling Techniques, sec. 2.11); both
        are NaN for a group without such votes.
        """
        clear = self.clarity > 0  # NaN is not
        score, clarity, codes = self.score[clear], self.clarity[clear], groups[clear]
        total = np.bincount(codes, clarity, n_groups)
        with np.errstate(invalid="ignore"):
            ratio = np.bincount(codes, score, n_groups) / total
            squares = np.bincount(codes, (score - ratio[codes] * clarity) ** 2, n_groups)
            return ratio, np.sqrt(squares) / total, np.bincount(codes, minlength=n_groups)


def measure_accord(votes: Votes) -> Accord:
    """Hold every vote against those of the other raters on its pair."""
    signs = 2 * chose_left(votes) - 1
    signs = np.where(votes.left < votes.right, signs, -signs)  # 1: the pair's first answer
    pairs = number_pairs(votes)
    cells = np.unique(pairs * votes.n_raters + votes.raters, return_inverse=True)[1]
    others = np.bincount(pairs, signs)[pairs] - np.bincount(cells, signs)[cells]
    count = np.bincount(pairs)[pairs] - np.bincount(cells)[cells]
    mean = np.full(len(votes), np.nan)
    np.divide(others, count, out=mean, where=count > 0)
    return Accord(signs * mean, np.abs(mean))
