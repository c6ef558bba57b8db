"""What a dataset's card and datasheet draw of its statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from preferences.intervals import wilson
from preferences.types import Estimate, Interval
from training.dataset_statistics import RATIOS
from training.plot_files import Bars
from training.plots import Level, Mark, Plot, Series

WEIGHTS = 10  # bars of the raters' reliability


@dataclass(frozen=True)
class Shown:
    """A plot with its title; `key` names its file."""

    key: str
    title: str
    plot: Plot | Bars

    @property
    def is_bars(self) -> bool:
        return isinstance(self.plot, Bars)


def estimate(stored: dict[str, Any]) -> Estimate:
    """Read an estimate as statistics keep it."""
    interval = stored.get("interval")
    return Estimate(stored["value"], Interval(*interval) if interval else None, stored["n"], stored["why"])


def plots(statistics: dict[str, Any]) -> list[Shown]:
    """Return the plots that there are figures for."""
    found = [
        _votes(statistics),
        _verdicts(statistics),
        _agreement(statistics),
        _lengths(statistics),
        _reliability(statistics),
    ]
    return [shown for shown in found if shown is not None]


def _votes(statistics: dict[str, Any]) -> Shown | None:
    rounds: dict[int, int] = {}
    for kind in ("judgments", "edits"):
        for number, n in statistics.get(f"{kind}_by_round", {}).items():
            rounds[int(number)] = rounds.get(int(number), 0) + n
    if not rounds:
        return None
    counts = [(str(number), n) for number, n in sorted(rounds.items())]
    return Shown("votes", _("Judgments and edits by round"), Bars("votes", _("round"), _("said"), counts))


def _verdicts(statistics: dict[str, Any]) -> Shown | None:
    verdicts = statistics["verdicts"]
    if not sum(verdicts.values()):
        return None
    labels = {"-3": "−3", "-2": "−2", "-1": "−1", "0": "0", "1": "+1", "2": "+2", "3": "+3"}
    counts = [(label, verdicts[key]) for key, label in labels.items()]
    axis = _("verdict: − the left answer is better, + the right one")
    return Shown("verdicts", _("Verdicts as displayed"), Bars("verdicts", axis, _("judgments"), counts))


def _agreement(statistics: dict[str, Any]) -> Shown | None:
    marks = [
        Mark(int(number), number, estimate(of["pairs"]))
        for number, of in statistics["agreement_by_round"].items()
        if of["pairs"]["value"] is not None
    ]
    if not marks:
        return None
    marks.sort(key=lambda mark: mark.x)
    plot = Plot("agreement", _("round"), [Series(_("pairs of votes that agree"), marks, joined=True)])
    return Shown("agreement", _("Agreement by round, with intervals (95 %)"), plot)


def _lengths(statistics: dict[str, Any]) -> Shown | None:
    ends = [*(f"{ratio:g}×" for ratio in RATIOS), ""]
    marks = [
        Mark(at, f"{ends[at]}–{ends[at + 1]}" if ends[at + 1] else f"> {ends[at]}", estimate(stored))
        for at, stored in enumerate(statistics["longer_by_ratio"])
        if stored["value"] is not None
    ]
    if not marks:
        return None
    series = [Series(_("the longer answer wins"), marks)]
    levels = [Level(_("no pull of length"), 0.5)]
    plot = Plot("length", _("how much longer, in words"), series, levels)
    return Shown("length", _("Votes for the longer answer, with intervals (95 %)"), plot)


def _reliability(statistics: dict[str, Any]) -> Shown | None:
    known = [
        rater["reliability"]
        for rater in statistics["raters"].values()
        if rater["reliability"] is not None and rater["judgments"]
    ]
    if not known:
        return None
    bars = [0] * WEIGHTS
    for value in known:
        bars[min(WEIGHTS - 1, int(value * WEIGHTS))] += 1
    counts = [(f"{at / WEIGHTS:.1f}", n) for at, n in enumerate(bars)]
    axis = _("what a vote counts for, from this up")
    return Shown("reliability", _("Raters by reliability"), Bars("reliability", axis, _("raters"), counts))


def share(n: int, of: int) -> Estimate:
    """Return n of so many as a share, with its interval by Wilson's score."""
    if not of:
        return Estimate(None, None, 0, "there are no votes yet")
    return Estimate(n / of, wilson(n, of), of)
