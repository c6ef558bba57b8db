"""Figures of reward models and policies: plain numbers in, plain JSON-ready figures out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preferences.calibration import calibration_error, reliability_table
from preferences.intervals import clustered_bootstrap
from preferences.types import Estimate

Floats = npt.NDArray[np.float64]

MIN_CALIBRATION_VOTES = 100  # fewer leave the bins of the calibration error to chance


def hits(probability: Floats, margin: Floats) -> Floats:
    """Score each non-tie vote: 1 where the margin's sign agrees, ½ at a margin of 0, else 0.

    `probability` is that of the first answer being preferred, `margin` its reward minus the other's.
    """
    clear = probability != 0.5
    agree = np.sign(margin[clear]) * np.sign(probability[clear] - 0.5)
    return (agree + 1) / 2


def accuracy(probability: Floats, margin: Floats, prompts: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Measure agreement with the votes that are no ties, with an interval clustered by prompt."""
    clusters = [prompt for prompt, p in zip(prompts, probability, strict=True) if p != 0.5]
    estimate = clustered_bootstrap(hits(probability, margin), clusters, seed)
    figures = {"n": estimate.n, "prompts": len(set(clusters)), **_figures(estimate, "accuracy")}
    if not estimate.n:
        figures["why"] = "there are no votes to test on yet"
    return figures


def expected_calibration_error(probability: Floats, margin: Floats) -> float | None:
    """Measure how far σ(margin) is from what the clear votes say; null below 100 of them."""
    clear = probability != 0.5
    if clear.sum() < MIN_CALIBRATION_VOTES:
        return None
    return calibration_error(reliability_table(margin[clear], (probability[clear] > 0.5).astype(np.float64)))


def length_baseline(
    train_probability: Floats,
    train_difference: Floats,
    probability: Floats,
    difference: Floats,
    prompts: Sequence[str],
) -> dict[str, Any]:
    """Measure how far "the longer wins" (or the shorter, as the training votes say) already gets.

    Differences are in words, first answer minus second.
    """
    trained = hits(train_probability, train_difference)
    longer = not len(trained) or float(trained.mean()) >= 0.5
    figures = accuracy(probability, difference if longer else -difference, prompts)
    return {"rule": "longer" if longer else "shorter", **figures}


def win_rate(candidate: Floats, parent: Floats, prompts: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Measure how often the candidate's answer has the higher reward (ties ½), clustered by prompt."""
    estimate = clustered_bootstrap((np.sign(candidate - parent) + 1) / 2, prompts, seed)
    return {**_figures(estimate, "win_rate"), "n": estimate.n}


def _figures(estimate: Estimate, name: str) -> dict[str, Any]:
    interval = None if estimate.interval is None else [round(end, 6) for end in estimate.interval]
    figures = {name: None if estimate.value is None else round(estimate.value, 6), "interval": interval}
    return {**figures, "why": estimate.why} if estimate.why else figures


def correlation(first: Floats, second: Floats) -> float | None:
    """Correlate two series (Pearson); null where one of them does not vary."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def normalise(text: str) -> str:
    """Drop case, punctuation and spacing, so that nearly identical answers become identical."""
    return " ".join(re.findall(r"\w+", text.lower()))


def distinct_share(texts: Sequence[str]) -> float | None:
    """Share of answers that differ from all the others after normalising, counting each kind once."""
    return len({normalise(text) for text in texts}) / len(texts) if texts else None


def words(texts: Sequence[str]) -> Floats:
    """Count the words of each text."""
    return np.array([len(text.split()) for text in texts], dtype=np.float64)
