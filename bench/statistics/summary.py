"""Turn one value a seed into figures: the worst and the mean."""

from collections.abc import Sequence

from bench.report import Figure


def summarise(
    name: str,
    values: Sequence[float],
    unit: str = "",
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> list[Figure]:
    """Return the worst and the mean over seeds, each with the verdict on the goal."""
    mean = sum(values) / len(values)
    worst = max(values) if at_most is not None else min(values)

    def judge(value: float) -> tuple[str, bool | None]:
        if at_least is not None:
            return f">= {at_least:g}", value >= at_least
        return ("", None) if at_most is None else (f"<= {at_most:g}", value <= at_most)

    return [
        Figure(f"{name}, {which}", value, unit, *judge(value))
        for which, value in (("worst", worst), ("mean", mean))
    ]
