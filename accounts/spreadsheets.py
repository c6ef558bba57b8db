"""CSV files that somebody opens in a spreadsheet, which takes some texts for formulas."""

from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cell: T) -> T | str:
    """Return a cell that no spreadsheet computes: a text that would be a formula gets a quote before it."""
    if not isinstance(cell, str) or not cell.startswith(FORMULA):
        return cell
    with suppress(ValueError):
        float(cell)
        return cell
    return f"'{cell}"
