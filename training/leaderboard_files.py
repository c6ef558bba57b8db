"""Leaderboards as tables for programs: the rows of a page, figures with their ends, n and why not."""

import csv
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TextIO

from accounts.spreadsheets import harmless
from preferences.types import Estimate
from training.boards import Leaderboards
from training.outlook import Ahead

TABLES = ("policies", "rounds", "reward-models", "more-labels")
_NONE = Estimate(None, None, 0)


def rows_of(boards: Leaderboards, table: str) -> Sequence[Any]:
    """Return the rows of one table; KeyError for another."""
    gains = boards.rounds
    tables: dict[str, Sequence[Any]] = {
        "policies": boards.policies.places,
        "rounds": [*gains.steps, *([gains.total] if gains.total else [])],
        "reward-models": boards.reward_models,
        "more-labels": [
            *(Ahead(votes, estimate, _NONE) for votes, estimate in boards.more_labels.points),
            *boards.more_labels.ahead,
        ],
    }
    return tables[table]


def write_csv(boards: Leaderboards, table: str, to: TextIO) -> None:
    """Write a table; the line of `rounds` from the base to the champion comes last.

    In `more-labels` a line without a gain was measured, one with a gain is foretold.
    """
    rows = [_flatten(row) for row in rows_of(boards, table)]
    lines = csv.writer(to)
    if rows:
        lines.writerow(rows[0])
    lines.writerows(map(harmless, row.values()) for row in rows)


def _flatten(row: Any) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if isinstance(value, Estimate):
            low, high = value.interval or (None, None)
            ends = {"": value.value, "_low": low, "_high": high}
            flat |= {field.name + end: None if x is None else round(x, 6) for end, x in ends.items()}
            flat |= {f"{field.name}_n": value.n, f"{field.name}_why": value.why}
        else:
            flat[field.name] = " ".join(map(str, value)) if isinstance(value, list) else value
    return flat
