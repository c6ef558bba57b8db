"""Signals of how much attention or own work went into something: speed of reading, pasting, typing.

Each is a hint for a reviewer and never a verdict. How often they are wrong nobody knows for a given crowd:
many people draft elsewhere, dictate or have text completed. In two studies 30 to 46 % of crowd workers used a
language model where nothing spoke against it, and asking them not to halved that (Veselovsky et al. 2023,
arXiv 2306.07899 and 2310.15683); what share of pasted texts came from one is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from preferences.intervals import wilson
from preferences.types import Estimate

SKIMMED = 950  # words a minute; people read about 240 (Brysbaert 2019, J. Memory and Language 109:104047)
SKIMMED_SHARE = 0.2
FEWEST_TIMED = 20
PASTED = 0.5
KEYED = 0.3
FEWEST_CHARACTERS = 40  # put in; a word pasted says nothing


@dataclass(frozen=True)
class Typing:
    """Hold what an edit's counts say: shares (None where unknown) and which of the two rules they meet.

    `paste_share` is foreign paste (what was not copied from the task itself) of all that was pasted or typed;
    `key_share` is keystrokes of the characters that the text gained.
    """

    paste_share: float | None
    key_share: float | None
    pasted: bool
    unkeyed: bool


def weigh_typing(pasted: int, typed: int, gained: int | None = None) -> Typing:
    """Judge characters pasted and typed against those that the text gained (`gained`, if known).

    Signals: foreign paste above half of what was put in; keystrokes below 30 % of what was gained. Fewer
    than forty characters say nothing. Raises ValueError for negative counts.
    """
    if min(pasted, typed, gained or 0) < 0:
        raise ValueError("characters can't be fewer than none")
    put_in = pasted + typed
    gained = put_in if gained is None else gained
    paste_share = pasted / put_in if put_in >= FEWEST_CHARACTERS else None
    key_share = min(1.0, typed / gained) if gained >= FEWEST_CHARACTERS else None
    return Typing(
        paste_share,
        key_share,
        pasted=paste_share is not None and paste_share > PASTED,
        unkeyed=key_share is not None and key_share < KEYED,
    )


def skimming(words: npt.ArrayLike, milliseconds: npt.ArrayLike) -> Estimate:
    """Return a rater's share of judgments given faster than 950 words a minute, by Wilson's interval.

    `words` is all that was to be read for each, `milliseconds` its active time (NaN or 0 where unknown, which
    are left out). Undefined below twenty judgments with a time.
    """
    read, time = np.asarray(words, np.float64), np.asarray(milliseconds, np.float64)
    timed = time > 0
    n = int(timed.sum())
    if n < FEWEST_TIMED:
        return Estimate(None, None, n, "too few judgments with a time yet")
    fast = int((read[timed] > SKIMMED * time[timed] / 60_000).sum())
    return Estimate(fast / n, wilson(fast, n), n)


def skims(share: Estimate) -> bool:
    """Tell whether more than a fifth of the judgments were skimmed."""
    return share.value is not None and share.value > SKIMMED_SHARE
