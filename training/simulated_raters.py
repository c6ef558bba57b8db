"""Raters that are simulated: who they are, what each is given to judge, and how they answer.

Who judges what, which answer they see on which side, and what they say depend on the rehearsal's seed and on
texts alone, never on keys or on timing. So a rehearsal in which anything is killed gets the same labels.
"""

import hashlib
import json
import math
from collections import Counter
from functools import partial
from itertools import combinations
from typing import Any
from uuid import uuid4

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import Role, User
from labeling import assignment, campaigns, judgments, rankings
from labeling.assignment import LeaseError
from labeling.judgments import JudgmentError
from labeling.models import Campaign, Round, Slot, Task, TaskResponse
from labeling.models.task import fresh
from preferences.simulation import CoinFlipRater, SimulatedRater, Taste, embody
from preferences.worlds import draw_crowd
from training.reconnecting import insist

RATERS = 10
SHARPNESS = 4.0  # of a usual rater for a taste's utilities

Rater = SimulatedRater | CoinFlipRater
Cast = list[tuple[User, Rater]]


def assemble(
    campaign: Campaign, manager: User, *, seed: int, noise: float, coin_flips: bool, faulty: bool
) -> Cast:
    """Give a campaign its simulated raters; with `faulty` the first four have faults to be found."""
    rng = np.random.default_rng([seed, 1])
    found: Cast = []
    for number in range(1, RATERS + 1):
        name = f"simulated-{number}"
        # datasets name raters by pseudonym: a fixed one makes two rehearsals' datasets the same
        known = {"role": Role.RATER, "simulated": True, "pseudonym": f"rater-{name}"}
        user, _ = User.objects.get_or_create(username=name, defaults=known)
        campaigns.add_rater(campaign, user, manager)
        ability = float(np.exp(rng.normal(math.log(SHARPNESS), 0.3)))
        if coin_flips:
            found.append((user, CoinFlipRater(name)))
        else:
            found.append((user, SimulatedRater(name, ability=ability, noise=noise)))
    if faulty:
        crowd = draw_crowd(4, rng, weak=0.25, random=0.25, one_sided=0.25, length_only=0.25)
        names = [user.username for user, _ in found[: len(crowd)]]
        with_faults = embody(crowd, names, sharpness=SHARPNESS, noise=noise)
        found[: len(crowd)] = [(user, rater) for (user, _), rater in zip(found, with_faults, strict=False)]
    return found


def asked_of_people(round_: Round) -> QuerySet[Task]:
    """Return the tasks of a round that fill it.

    Those that watch over-optimisation are not among them: they come when a worker has drawn their answers,
    and who judges a watch or not must not change what a rehearsal finds.
    """
    return round_.tasks.filter(fresh(), kind__in=[Task.Kind.COMPARE, Task.Kind.RANK]).exclude(
        selection=Task.Selection.WATCH
    )


def deal(round_: Round, raters: Cast, labels: int, seed: int) -> Counter[int]:
    """Reserve a round's first `labels` places, in the order of a hash of their texts, for the raters.

    What is dealt stays dealt. Returns by rater how many places are still theirs to fill.
    """
    users = [user for user, _ in raters]
    with transaction.atomic():
        if not Round.objects.select_for_update(no_key=True).filter(pk=round_.pk, status="open").exists():
            return Counter()
        places = Slot.objects.filter(task__in=asked_of_people(round_)).exclude(status=Slot.Status.CANCELLED)
        dealt = places.filter(Q(reserved_for__in=users) | Q(rater__in=users)).count()
        free = list(places.filter(status=Slot.Status.OPEN, reserved_for=None).order_by("pk"))
        keys = _keys({slot.task_id for slot in free}, seed) if dealt < labels else {}
        taken: Counter[int] = Counter()
        free = sorted(free, key=lambda slot: keys.get(slot.task_id, ""))[: max(0, labels - dealt)]
        for slot in free:
            first = int(keys[slot.task_id][:8], 16)
            slot.reserved_for = users[(first + taken[slot.task_id]) % len(users)]
            taken[slot.task_id] += 1
        Slot.objects.bulk_update(free, ["reserved_for"], batch_size=500)
        waiting = places.filter(reserved_for__in=users, status__in=[Slot.Status.OPEN, Slot.Status.CLAIMED])
        return Counter(waiting.values_list("reserved_for", flat=True))


def _keys(tasks: set[int], seed: int) -> dict[int, str]:
    """Return a hash of each task's prompt and answers."""
    texts: dict[int, list[str]] = {}
    places = TaskResponse.objects.filter(task__in=tasks).order_by("task", "position")
    for task, prompt, text in places.values_list("task", "task__prompt__content_hash", "response__text_hash"):
        texts.setdefault(task, [prompt]).append(text)
    return {task: _digest("place", seed, said) for task, said in texts.items()}


def _digest(*what: Any) -> str:
    return hashlib.sha256(json.dumps(what, ensure_ascii=False).encode()).hexdigest()


def work(
    user: User, rater: Rater, campaign: Campaign, taste: Taste, allowed: tuple[int, ...], seed: int
) -> bool:
    """Claim a place and fill it, as a person would; tell whether that made a label that counts."""
    slot = insist(partial(assignment.claim, user, campaign))
    if slot is None:
        return False
    key, lease = uuid4(), slot.lease
    assert lease is not None
    said: dict[str, Any] = {"idempotency_key": key, "active_ms": 1000}
    try:
        if slot.task.kind not in (Task.Kind.COMPARE, Task.Kind.RANK):
            insist(lambda: judgments.skip(user, lease, reason="Simulated raters only compare."))
            return False
        order = _sides(slot, rater, seed)
        votes = _votes(slot, order, rater, taste, seed)
        if slot.task.kind == Task.Kind.RANK:
            made = insist(lambda: rankings.submit(user, lease, ranking=_in_order(votes), **said))
        else:
            verdict = _nearest(votes[0, 1], allowed)
            made = insist(lambda: judgments.submit(user, lease, verdict=verdict, **said))
    except (JudgmentError, LeaseError):
        return False  # the round closed meanwhile
    return not made.extra


def _sides(slot: Any, rater: Rater, seed: int) -> list[int]:
    """Show a claimed place's answers in an order that its texts decide, in place of the one just drawn."""
    rng = _draws("sides", slot, rater, seed)
    order = [int(position) for position in rng.permutation(len(slot.answers))]
    insist(lambda: Slot.objects.filter(pk=slot.pk, status=Slot.Status.CLAIMED).update(order_shown=order))
    return order


def _draws(what: str, slot: Any, rater: Rater, seed: int) -> np.random.Generator:
    texts = [answer["text"] for answer in slot.answers]
    return np.random.default_rng(int(_digest(what, seed, rater.name, slot.prompt_messages, texts)[:16], 16))


def _votes(slot: Any, order: list[int], rater: Rater, taste: Taste, seed: int) -> dict[tuple[int, int], int]:
    """Return a rater's verdict on each two of the displayed sides."""
    asked = slot.prompt_messages[-1]["content"]
    texts = [slot.answers[position]["text"] for position in order]
    liked = [(taste.utility(asked, text), len(text.split())) for text in texts]
    rng = _draws("votes", slot, rater, seed)
    return {
        (a, b): rater.vote(liked[a][0], liked[b][0], rng, left_words=liked[a][1], right_words=liked[b][1])
        for a, b in combinations(range(len(texts)), 2)
    }


def _in_order(votes: dict[tuple[int, int], int]) -> list[list[int]]:
    """Order sides by their wins less their losses; those with as many are equals."""
    wins: Counter[int] = Counter()
    for (a, b), verdict in votes.items():
        sign = (verdict > 0) - (verdict < 0)
        wins.update({a: -sign, b: sign})
    return [
        [side for side in sorted(wins) if wins[side] == sum_] for sum_ in sorted(set(wins.values()))[::-1]
    ]


def _nearest(verdict: int, allowed: tuple[int, ...]) -> int:
    """Fit a verdict on seven points to the campaign's scale, on its own side."""
    return min(allowed, key=lambda offered: (abs(offered - verdict), -abs(offered)))
