"""Choose a round's next comparisons by what their votes would teach a linear reward on frozen features.

Where it can't choose (no trunk, too few labels, the kill switch), pairs are drawn at random, and
Round.selection says why.
"""

import time
from collections import Counter
from typing import Any

import numpy as np
from django.core.cache import cache
from django.utils import timezone

from labeling import batches, scores
from labeling.batches import Pair, Pick
from labeling.models import Response, Round, Task
from labeling.words import split
from models_app.backends import BackendError
from models_app.models import ModelVersion
from models_app.registry import ModelError
from preferences.intervals import Floats
from preferences.selection import Candidates, Chosen, Posterior, choose
from training import payoff, runs, selection
from training.engine.config import EngineError
from training.frozen import Ints, Space, Votes, fit, keep_features, read_space, read_votes, unread

FEWEST = 50  # labels with features, below which pairs are drawn at random
RANDOM_SHARE = 0.2  # of the comparisons on training prompts
PER_PROMPT = 2  # chosen pairs in a batch
MOST = 20_000  # pairs to choose from, at most
READ = 256  # answers between two looks at whether raters run out
SECONDS = 60.0  # of reading answers in one visit
SHOWN = 12  # examples of the last batch
LOCK_SECONDS = 900


def tend(round_id: int) -> None:
    """Keep a round's raters in comparisons, read answers without features, and see whether choosing pays."""
    round_ = Round.objects.select_related("campaign").get(pk=round_id)
    if round_.status != Round.Status.OPEN or not round_.selection:
        return
    lock = f"choosing:{round_id}"
    if not cache.add(lock, 1, LOCK_SECONDS):
        return
    try:
        trunk = runs.first_checkpoint(round_.campaign)
        refill(round_, trunk)
        if "trunk" not in round_.selection:
            read_answers(round_, trunk)
        if trunk is not None:
            payoff.measure(round_, trunk)
    finally:
        cache.delete(lock)
        cache.delete(selection.sent(round_))


def refill(round_: Round, trunk: ModelVersion | None) -> int:
    """Open more comparisons where raters would run out, chosen by a fit to all that was said until now."""
    n = batches.lacking(round_)
    if not n:
        return 0
    began = time.process_time()
    why, votes, space, pairs = _grounds(round_, trunk)
    if why:
        selection.note(round_, why=why)
        return batches.ask_at_random(round_, n)
    assert space is not None
    tasks = list(batches.waiting(round_).select_related("prompt")[:n])
    head = fit(votes, space, votes.training & space.knows(votes.left, votes.right))
    picks, examples = pick(round_, tasks, pairs, space, head)
    refit = {
        "labels": int(np.sum(votes.training)),
        "seconds": round(time.process_time() - began, 3),
        "at": timezone.now().isoformat(),
    }
    n = batches.ask(round_, picks, give_up=tasks)
    selection.note(round_, why="", refit=refit, **({"examples": examples} if examples else {}))
    return n


def _grounds(round_: Round, trunk: ModelVersion | None) -> tuple[str, Votes, Space | None, list[Pair]]:
    """Return why pairs can't be chosen now, if so, with the votes, the features and the possible pairs."""
    votes = read_votes(round_.campaign)
    nothing: tuple[Votes, None, list[Pair]] = (votes, None, [])
    if not round_.campaign.choose_pairs:
        return "off", *nothing
    if round_.campaign.selection.get("stopped"):
        return "stopped", *nothing
    if trunk is None:
        return "no trunk", *nothing
    if "unreadable" in round_.selection:
        return "unreadable", *nothing
    pairs = batches.possible(round_)
    keys = np.array([key for pair in pairs for key in (pair.first, pair.second)], np.int64)
    space = read_space(trunk, np.unique(np.concatenate([votes.left, votes.right, keys])))
    known = space.knows(keys)
    if known.mean() < scores.COVERED if len(keys) else True:
        return "reading", *nothing
    if np.sum(votes.training & space.knows(votes.left, votes.right)) < FEWEST:
        return "few labels", *nothing
    return "", votes, space, [pair for k, pair in enumerate(pairs) if known[2 * k] and known[2 * k + 1]]


def pick(
    round_: Round, tasks: list[Task], pairs: list[Pair], space: Space, head: Posterior
) -> tuple[list[Pick], list[dict[str, Any]]]:
    """Give planned comparisons their pairs, and return some examples of the chosen ones.

    Held-out prompts get random pairs of their own; the others share what the algorithm and its random arm
    choose among the pairs of training prompts, and random pairs where it chooses too few.
    """
    rng = batches.chance(round_, "batch")
    places = [task for task in tasks if task.prompt.split == "train"]
    offered = [pair for pair in pairs if pair.training]
    offered = rng.sample(offered, min(MOST, len(offered)))
    chosen = _choose(offered, space, head, len(places), rng.randrange(2**32)) if offered else None
    picks: list[Pick] = []
    examples: list[dict[str, Any]] = []
    if chosen is not None:
        gaps = space.gaps(*_ends([offered[k] for k in chosen.index]))
        likely = 1 / (1 + np.exp(-(gaps @ head.weights)))
        rng.shuffle(places)
        rows = zip(places, chosen.index, chosen.arm, chosen.probability, chosen.gain, likely, strict=False)
        for task, index, arm, probability, gain, p in rows:
            how = Task.Selection.ACTIVE if arm == "active" else Task.Selection.RANDOM
            picks.append(Pick(task.pk, offered[index], how, float(probability)))
            if how == Task.Selection.ACTIVE:
                examples.append(
                    {"task": task.pk, "likely": round(float(p), 4), "gain": round(float(gain), 4)}
                )
    taken = {pick.pair for pick in picks}
    given = {pick.task for pick in picks}
    rest = [pair for pair in pairs if pair not in taken]
    picks += batches.draw([task for task in tasks if task.pk not in given], rest, rng)
    examples.sort(key=lambda example: -example["gain"])
    return picks, examples[:SHOWN]


def _choose(offered: list[Pair], space: Space, head: Posterior, n: int, seed: int) -> Chosen:
    first, second = _ends(offered)
    candidates = Candidates(
        prompt=np.array([pair.prompt for pair in offered]),
        gap=space.gaps(first, second),
        ties=np.zeros(len(offered), np.int64),  # no pair is asked twice
        closeness=closeness(offered),
    )
    return choose(
        candidates,
        head.weights,
        head.covariance,
        n,
        seed,
        per_prompt=PER_PROMPT,
        random_share=RANDOM_SHARE,
    )


def _ends(pairs: list[Pair]) -> tuple[Ints, Ints]:
    return (
        np.array([pair.first for pair in pairs], np.int64),
        np.array([pair.second for pair in pairs], np.int64),
    )


def closeness(pairs: list[Pair]) -> Floats:
    """Return the share of words that the two answers of each pair have in common, 0…1."""
    keys = {key for pair in pairs for key in (pair.first, pair.second)}
    texts = Response.objects.filter(pk__in=keys).values_list("pk", "text")
    words = {pk: Counter(split(text)) for pk, text in texts}
    shares = []
    for pair in pairs:
        one, other = words[pair.first], words[pair.second]
        both = sum(one.values()) + sum(other.values())
        shares.append(2 * sum((one & other).values()) / both if both else 1.0)
    return np.array(shares)


def read_answers(round_: Round, trunk: ModelVersion | None) -> None:
    """Read answers with the trunk for some time, seeing in between that raters don't run out. Loads torch."""
    until = time.monotonic() + SECONDS
    if trunk is None:
        selection.note(round_, trunk=None, why="no trunk")
        return
    while batch := list(unread(round_, trunk)[:READ]):
        try:
            keep_features(trunk, batch)
        except (BackendError, EngineError, ModelError) as error:
            selection.note(round_, trunk=None, why="unreadable", unreadable=str(error)[:500])
            return
        refill(round_, trunk)
        if time.monotonic() > until:
            return
    selection.note(round_, trunk=trunk.pk)
