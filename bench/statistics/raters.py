"""Rows 1, 2, 3 and 11: how far to trust each rater, and what their votes say together."""

from bench.report import Figure


def figures(seeds: int, small: bool) -> list[Figure]:
    """Measure the rows."""
    return []
