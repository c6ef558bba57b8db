"""Votes as arrays, for what must read a million of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from preferences.intervals import encode_clusters
from preferences.types import Vote

Codes = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Ballots:
    """Hold N votes between policies as arrays of length N; `policies` names the codes of `left` and `right`.

    `outcome` is 1 where the left side won, −1 where the right did, 0 a tie; raters and prompts are any whole
    numbers from 0 that tell them apart. Raises ValueError where lengths differ or a policy meets itself.
    """

    policies: tuple[str, ...]
    left: Codes
    right: Codes
    outcome: Codes
    raters: Codes
    prompts: Codes

    def __post_init__(self) -> None:
        if (
            len({len(column) for column in (self.left, self.right, self.outcome, self.raters, self.prompts)})
            > 1
        ):
            raise ValueError("a vote needs a left and a right side, an outcome, a rater and a prompt")
        itself = np.flatnonzero(np.asarray(self.left) == np.asarray(self.right))
        if len(itself):
            raise ValueError(f"a vote compares {self.policies[int(self.left[itself[0]])]} with itself")

    def __len__(self) -> int:
        return len(self.left)


def collect(votes: Sequence[Vote]) -> Ballots:
    """Put votes into arrays; policies are numbered by name, raters and prompts as they appear."""
    names = tuple(sorted({side for vote in votes for side in (vote.pair.left, vote.pair.right)}))
    number = {name: k for k, name in enumerate(names)}
    return Ballots(
        names,
        np.array([number[vote.pair.left] for vote in votes], dtype=np.intp),
        np.array([number[vote.pair.right] for vote in votes], dtype=np.intp),
        -np.sign(np.array([vote.verdict for vote in votes], dtype=np.int8)),
        encode_clusters([vote.rater for vote in votes])[0],
        encode_clusters([vote.pair.prompt for vote in votes])[0],
    )
