"""Whether choosing comparisons pays: heads fitted to as many chosen as random labels are compared.

Both foretell the votes on held-out prompts, which are always random pairs. Of either arm the first labels are
taken, as they came: chosen ones complete each other, and a draw from among them would not. What decides is
the log likelihood of those votes, each head's margins at their own best temperature, so that no head gains by
its scale. It tells small differences apart that shares of votes foretold don't (docs/methods.md).
"""

from typing import Any, NamedTuple

import numpy as np
from django.utils import timezone

from labeling.models import Round
from models_app.models import ModelVersion
from preferences.calibration import fit_temperature
from preferences.intervals import Floats, clustered_bootstrap, paired_difference
from preferences.selection import ENOUGH, pays
from preferences.types import Estimate
from training import selection
from training.frozen import ACTIVE, RANDOM, Ints, Space, Votes, fit, read_space, read_votes

SMALLEST = 25  # labels of either arm, below which nothing is compared
GROWTH = 1.1  # of the labels before they are compared again


def measure(round_: Round, trunk: ModelVersion) -> None:
    """Compare the arms where enough was said since the last time, and stop choosing if it doesn't pay.

    It is decided at 1,000 labels and at each doubling, so that chance has few tries.
    """
    votes = read_votes(round_.campaign)
    mine = _mine(votes, round_)
    labels = int(mine.sum())
    known = round_.selection.get("payoff", {})
    if labels < max(2 * SMALLEST, GROWTH * known.get("labels", 0)):
        return
    space = read_space(trunk, np.unique(np.concatenate([votes.left, votes.right])))
    found = compare(votes, space, mine)
    looked = round_.campaign.selection.get("looked", ENOUGH / 2)
    payoff = found.pop("payoff", None)
    selection.note(round_, payoff={"labels": labels, "at": timezone.now().isoformat(), **found})
    if payoff is None or payoff.verdict == "early" or labels < 2 * looked:
        return
    selection.look(round_.campaign, labels)
    if payoff.verdict == "no better":
        selection.stop(round_.campaign, {"labels": labels, **_figure(payoff.gain)})


def _mine(votes: Votes, round_: Round) -> Any:
    """Select the labels by which the arms are compared: of rounds that choose, since it began."""
    since = round_.campaign.selection.get("since", 0)
    return votes.training & votes.chosen & (votes.arm > 0) & (votes.task > since)


def compare(votes: Votes, space: Space, mine: Any) -> dict[str, Any]:
    """Fit either arm to ever more of its labels; return the curve, what was saved, and the payoff.

    `curve` is [{"labels", "active", "random", "likelihood": [of both]}] with shares of held-out votes
    foretold, `gain` their difference at the end, `everything` the share with all labels. `evidence` is the
    difference of log likelihoods, and `saved` how many fewer chosen labels do as well, where there are enough
    and chance is excluded.
    """
    usable = space.knows(votes.left, votes.right)
    held_out = np.flatnonzero(usable & ~votes.training & (votes.arm == RANDOM) & (votes.says != 0.5))
    arms = {arm: np.flatnonzero(usable & mine & (votes.arm == arm)) for arm in (ACTIVE, RANDOM)}
    fewest = min(len(rows) for rows in arms.values())
    found: dict[str, Any] = {
        "held_out": len(held_out),
        "active": len(arms[ACTIVE]),
        "random": len(arms[RANDOM]),
    }
    if fewest < SMALLEST or not len(held_out):
        return found
    prompts = votes.prompt[held_out]
    curve: list[dict[str, Any]] = []
    for n in sizes(fewest):
        active, random = (_score(votes, space, arms[arm][:n], held_out) for arm in (ACTIVE, RANDOM))
        curve.append(
            {
                "labels": n,
                "active": _figure(clustered_bootstrap(active.hits, prompts)),
                "random": _figure(clustered_bootstrap(random.hits, prompts)),
                "likelihood": [float(active.likelihood.mean()), float(random.likelihood.mean())],
            }
        )
    everything = _score(votes, space, np.flatnonzero(usable & votes.training), held_out)
    verdict = pays(active.likelihood, random.likelihood, prompts, int(mine.sum()))
    interval = verdict.gain.interval
    shown = verdict.verdict == "pays" and interval is not None and interval.low > 0
    return found | {
        "curve": curve,
        "everything": _figure(clustered_bootstrap(everything.hits, prompts)),
        "gain": _figure(paired_difference(active.hits, random.hits, prompts)),
        "evidence": _figure(verdict.gain),
        "verdict": verdict.verdict,
        "saved": saved(curve) if shown else None,
        "payoff": verdict,
    }


def sizes(fewest: int) -> list[int]:
    """Return how many labels the arms are compared at: doubling up to all of the smaller arm."""
    found = [fewest]
    while found[-1] >= 2 * SMALLEST:
        found.append(found[-1] // 2)
    return found[::-1]


def saved(curve: list[dict[str, Any]]) -> float | None:
    """Return by which share fewer chosen labels give as high a likelihood as the random ones at the end.

    Read off the curve between its points; None where the chosen ones never do as well.
    """
    goal, most = curve[-1]["likelihood"][1], curve[-1]["labels"]
    before = None
    for point in curve:
        labels, value = point["labels"], point["likelihood"][0]
        if value >= goal:
            if before is not None and value > before[1]:
                labels = before[0] + (goal - before[1]) / (value - before[1]) * (labels - before[0])
            return float(1 - labels / most)
        before = (labels, value)
    return None


class _Scores(NamedTuple):
    """How well a head foretells held-out votes: arrays of 1, ½, 0, and of log likelihoods."""

    hits: Floats
    likelihood: Floats


def _score(votes: Votes, space: Space, rows: Ints, held_out: Ints) -> _Scores:
    head = fit(votes, space, rows)
    margin = np.dot(space.gaps(votes.left[held_out], votes.right[held_out]), head.weights)
    side = np.sign(votes.says[held_out] - 0.5)
    margin = margin / fit_temperature(margin, (1 + side) / 2)
    return _Scores(0.5 + 0.5 * np.sign(margin) * side, -np.logaddexp(0, -margin * side))


def _figure(estimate: Estimate) -> dict[str, Any]:
    interval = estimate.interval
    return {
        "value": estimate.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "n": estimate.n,
    }
