"""Rows 1, 2, 3 and 11: how far to trust each rater, and what their votes say together.

Rows 1 to 3: 100 raters with 100 votes each (200 where said), a fifth of them on pairs that three vote on.
Goals are for the easy and the hard world; the others (preferences/worlds.py) are outside the model's family.
"""

import time
from collections import defaultdict

import numpy as np
from scipy.stats import spearmanr

from bench.report import Figure
from bench.statistics.naive import agreement, dawid_skene, gold, tally
from bench.statistics.summary import summarise
from preferences.ordinal import Fit, Votes, fit, label_pairs
from preferences.worlds import RECIPES, World, draw_world

ABLE = {"easy": 0.90, "hard": 0.82}  # row 1
PRECISE, FOUND, FOUND_LATER = 0.95, 0.85, 0.97  # row 2
LABELLED = {"easy": 0.88}  # row 3
SECONDS = {100_000: 5.0, 1_000_000: 30.0}  # row 11

Values = dict[str, list[float]]


def figures(seeds: int, small: bool) -> list[Figure]:
    """Measure the rows over seeds 0, 1, …; small worlds have 60 raters and no second visit."""
    measured: Values = defaultdict(list)
    for kind in RECIPES:
        for seed in range(seeds):
            _try(kind, seed, 60 if small else 100, measured)
            if not small:
                _try_later(kind, seed, measured)
    return [
        *(figure for kind in RECIPES for figure in _rows(kind, measured)),
        *(figure for votes in ([10_000] if small else SECONDS) for figure in _refit(votes)),
    ]


def _try(kind: str, seed: int, raters: int, measured: Values) -> None:
    world = draw_world(kind, seed, raters=raters)
    votes, able = world.votes, world.crowd.ability
    found = fit(world.features, world.lengths, votes)
    weighed = fit(_linear_part(world), world.lengths, votes)
    bare = fit(world.features[:, :0], world.lengths, votes)
    counted = tally(votes, len(world.lengths))
    agreed = agreement(world, counted)
    said_true, first_better = dawid_skene(votes, counted)

    def note(name: str, value: float) -> None:
        measured[f"{kind}: {name}"].append(float(value))

    for name, guess in (
        ("model", found.ability), ("model, features' weights known", weighed.ability),
        ("model without features", bare.ability), ("majority agreement", agreed),
        ("gold", gold(world, seed)), ("Dawid-Skene", said_true),
    ):  # fmt: skip
        note(f"ability, {name}", spearmanr(able, guess)[0])
    for name, flagged in (("model", found.unreliable), ("agreement < 60 %", agreed < 0.6)):
        precision, recall = _judge(flagged, world)
        note(f"precision, {name}", precision)
        note(f"recall, {name}", recall)
    labels = label_pairs(found, world.features, world.lengths, votes)
    bare_labels = label_pairs(bare, world.features[:, :0], world.lengths, votes)
    better = world.utility[labels.first] > world.utility[labels.second]
    three = labels.votes == 3
    prior = found.utility(world.features)
    for name, side in (
        ("model", labels.utility), ("model without features", bare_labels.utility),
        ("features alone", prior[labels.first] - prior[labels.second]),
        ("majority", counted.sums), ("Dawid-Skene", first_better - 0.5),
    ):  # fmt: skip
        note(f"labels, {name}", np.where(side == 0, 0.5, (side > 0) == better)[three].mean())


def _linear_part(world: World) -> np.ndarray:
    """Return the part of utility that is linear in the features: what no reward model of them can beat."""
    design = np.column_stack([world.features, np.ones(len(world.features))])
    return np.asarray(design @ np.linalg.lstsq(design, world.utility, rcond=None)[0])[:, None]


def _try_later(kind: str, seed: int, measured: Values) -> None:
    world = draw_world(kind, seed, each=200)
    precision, recall = _judge(fit(world.features, world.lengths, world.votes).unreliable, world)
    measured[f"{kind}: precision at 200, model"].append(precision)
    measured[f"{kind}: recall at 200, model"].append(recall)


def _judge(flagged: np.ndarray, world: World) -> tuple[float, float]:
    """Return precision and recall; precision is 1 where nobody is flagged."""
    spammers = world.crowd.spammers
    caught = (flagged & spammers).sum()
    return float(caught / flagged.sum()) if flagged.any() else 1.0, float(caught / spammers.sum())


def _rows(kind: str, measured: Values) -> list[Figure]:
    goals = {"ability, model": ABLE.get(kind), "labels, model": LABELLED.get(kind)}
    if kind in ABLE:
        goals |= {"precision, model": PRECISE, "recall, model": FOUND, "recall at 200, model": FOUND_LATER}
    rows = {"ability": "1 ability Spearman", "labels": "3 three-vote labels"}
    result = []
    for name, values in measured.items():
        if not name.startswith(f"{kind}: "):
            continue
        what, method = name.removeprefix(f"{kind}: ").split(", ", 1)
        row = rows.get(what, f"2 spammers' {what}")
        result += summarise(f"{row}, {kind}: {method}", values, at_least=goals.get(f"{what}, {method}"))
    return result


def _refit(n_votes: int) -> list[Figure]:
    """Time a fit of so many votes on 32 features, from nothing and from a fit to all but the last 1 %."""
    raters = max(50, n_votes // 200)
    world = draw_world("easy", 0, raters=raters, each=n_votes // raters, per_prompt=4)
    votes = world.votes
    seconds, cpu, _ = _time(world, votes, None)
    most = slice(0, len(votes) - n_votes // 100)
    earlier = Votes(
        votes.left[most], votes.right[most], votes.raters[most], votes.grades[most], votes.points, raters
    )
    _, _, before = _time(world, earlier, None)
    _, again, _ = _time(world, votes, before)
    limit = SECONDS.get(n_votes)
    name = f"11 refit of {n_votes:,} votes"
    return [
        Figure(name, cpu, "CPU s", f"<= {limit:g}" if limit else "", cpu <= limit if limit else None),
        Figure(f"{name}: by the clock", seconds, "s"),
        Figure(f"{name}: from a fit to 99 % of them", again, "CPU s"),
    ]


def _time(world: World, votes: Votes, start: Fit | None) -> tuple[float, float, Fit]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = fit(world.features, world.lengths, votes, start=start)
    return time.perf_counter() - wall, time.process_time() - cpu, found
