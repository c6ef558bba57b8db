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
    mean_at_least: float | None = None,
) -> list[Figure]:
    """Return the worst and the mean over seeds; `at_least` and `at_most` are goals of the worst seed."""
    mean = sum(values) / len(values)
    worst = max(values) if at_most is not None else min(values)
    goal, holds = "", None
    if at_least is not None:
        goal, holds = f">= {at_least:g}", worst >= at_least
    elif at_most is not None:
        goal, holds = f"<= {at_most:g}", worst <= at_most
    aim, reached = ("", None) if mean_at_least is None else (f">= {mean_at_least:g}", mean >= mean_at_least)
    return [
        Figure(f"{name}, worst", worst, unit, goal, holds),
        Figure(f"{name}, mean", mean, unit, aim, reached),
    ]
