"""Reward models on debates that they never saw: accuracy, calibration, and what knowing raters brings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.report import Figure
from bench.reward import arguments, parity
from bench.reward.arguments import Comparison
from bench.reward.programs import ENGINE, lower_layers, run, write_run
from preferences.calibration import calibration_error, fit_temperature, reliability_table
from preferences.intervals import clustered_bootstrap, paired_difference

Floats = npt.NDArray[np.float64]

FOLDS = 5
GOAL_ACCURACY, GOAL_ERROR, MARGIN = 0.73, 0.03, 0.01
WAYS = {"plain": {"loss": "binary"}, "rater-aware": {"loss": "ordinal"}}


@dataclass
class Seen:
    """Gather, over folds, hits on the majorities and claims on the votes of debates that were held out."""

    hits: list[Floats] = field(default_factory=list)
    margins: list[Floats] = field(default_factory=list)  # of votes, divided by the fold's temperature
    said: list[Floats] = field(default_factory=list)
    seconds: float = 0.0


def figures(folder: Path, threads: int, small: bool) -> list[Figure]:
    """Hold out each fold of debates in turn; choose the temperature on another's, and train on the rest."""
    comparisons = arguments.read()
    # what raters like of length stays in the reward: longer arguments are the better ones here
    how = parity.config(threads, "frozen", length_preference=None)
    how["trunk"] = lower_layers(parity.TRUNK, parity.LOWER, folder / "lower")
    fold = arguments.folds(comparisons, FOLDS)
    seen = {name: Seen() for name in ("longer", "words", *WAYS)}
    stances: list[str] = []
    for k in range(1 if small else FOLDS):
        part = {
            name: [each for each, chosen in zip(comparisons, where, strict=True) if chosen]
            for name, where in (
                ("test", fold == k),
                ("validation", fold == (k + 1) % FOLDS),
                ("train", (fold != k) & (fold != (k + 1) % FOLDS)),
            )
        }
        clear = [each for each in part["test"] if each.majority]
        stances += [each.stance for each in clear]
        seen["longer"].hits.append(arguments.hits(clear, _longer(clear)))
        words = arguments.word_margins(part["train"] + part["validation"], clear)
        seen["words"].hits.append(arguments.hits(clear, words))
        rows = arguments.vote_rows(part["train"], "train")
        for name, loss in WAYS.items():
            path = write_run(folder / f"{k} {name}", rows, {**how, **loss})
            cost = run(ENGINE, path, len(rows), threads)
            _look(seen[name], path / "model", part, clear)
            seen[name].seconds += cost.cpu_seconds
            print(f"fold {k}, {name}: {seen[name].hits[-1].mean():.3f}, {cost}", flush=True)
    return _report({name: each for name, each in seen.items() if each.hits}, stances)


def _look(seen: Seen, model: Path, part: dict[str, list[Comparison]], clear: Sequence[Comparison]) -> None:
    found = {name: parity.margins(model, part[name]) for name in ("validation", "test")}
    at = dict(zip(map(id, part["test"]), found["test"], strict=True))
    seen.hits.append(arguments.hits(clear, np.array([at[id(each)] for each in clear])))
    temperature = fit_temperature(*_votes(part["validation"], found["validation"]))
    margins, said = _votes(part["test"], found["test"])
    seen.margins.append(margins / temperature)
    seen.said.append(said)


def _votes(comparisons: Sequence[Comparison], margins: Floats) -> tuple[Floats, Floats]:
    """Give each vote that is no tie its comparison's margin, and 1 where it is for the first argument."""
    each = [(m, (v + 1) / 2) for m, c in zip(margins, comparisons, strict=True) for _, v in c.votes if v]
    found = np.array(each, dtype=np.float64)
    return found[:, 0], found[:, 1]


def _longer(comparisons: Sequence[Comparison]) -> Floats:
    return np.array([len(each.first.split()) - len(each.second.split()) for each in comparisons], dtype=float)


def _report(seen: dict[str, Seen], stances: Sequence[str]) -> list[Figure]:
    found = []
    hits = {name: np.concatenate(each.hits) for name, each in seen.items()}
    best = max((name for name in WAYS if name in hits), key=lambda name: hits[name].mean())
    for name, each in seen.items():
        label = f"arguments: {name}"
        estimate = clustered_bootstrap(hits[name], stances)
        assert estimate.value is not None
        assert estimate.interval is not None
        goal = (f">= {GOAL_ACCURACY:g}", estimate.value >= GOAL_ACCURACY) if name == best else ("", None)
        found += [
            Figure(f"{label}: held-out accuracy", estimate.value, f"of {estimate.n:,}", *goal),
            Figure(f"{label}: lower end", estimate.interval.low, "share"),
            Figure(f"{label}: upper end", estimate.interval.high, "share"),
        ]
        if each.margins:
            table = reliability_table(np.concatenate(each.margins), np.concatenate(each.said))
            error = calibration_error(table)
            found += [
                Figure(
                    f"{label}: calibration error", error, "share", f"<= {GOAL_ERROR:g}", error <= GOAL_ERROR
                ),
                Figure(f"{label}: all folds", each.seconds, "CPU s"),
            ]
    gain = paired_difference(hits["rater-aware"], hits["plain"], stances)
    assert gain.value is not None
    assert gain.interval is not None
    goal = f">= -{MARGIN:g}", gain.value >= -MARGIN
    return [
        *found,
        Figure("arguments: rater-aware less plain", gain.value, "share", *goal),
        Figure("arguments: the same, lower end", gain.interval.low, "share"),
        Figure("arguments: the same, upper end", gain.interval.high, "share"),
    ]
