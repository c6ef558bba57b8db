"""Rehearse a campaign: simulated raters with a hidden taste work through rounds as people would.

They claim and submit through the same functions, and the conductor does the rest. Every call is safe to
repeat, so a rehearsal outlives a database, a worker or an engine that is killed meanwhile.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import combinations, cycle
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from django.db.models import Sum

from accounts.models import Role, User
from labeling import assignment, batches, campaigns, judgments, rankings, rounds
from labeling.assignment import LeaseError
from labeling.judgments import JudgmentError
from labeling.models import Campaign, Round, Slot, Task
from labeling.models.task import fresh
from labeling.rounds import StateError
from preferences.simulation import TASTES, CoinFlipRater, SimulatedRater, Taste, embody
from preferences.worlds import draw_crowd
from training import contest, loop
from training.models import Run
from training.reconnecting import insist

RATERS = 10
SHARPNESS = 4.0  # of a usual rater for a taste's utilities
SPARE = 1.06  # tasks per judgment: a pair of equal answers is dropped
POLL = 0.5  # seconds
RECOUNT = 10  # judgments between two looks at the round
STILL = 300.0  # seconds without any change after which a rehearsal gives up

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
Rater = SimulatedRater | CoinFlipRater
Cast = list[tuple[User, Rater]]


class RehearsalError(Exception):
    """Say in one plain sentence why a rehearsal cannot go on."""


@dataclass(frozen=True)
class Plan:
    """What is rehearsed; `noise` is the share of judgments that are reversed.

    With `faulty` the first four raters are weak, click at random, click one side, and take the longer.
    """

    campaign: Campaign
    taste: Taste = TASTES["kind-brief"]
    rounds: int = 3
    judgments: int = 400
    noise: float = 0.15
    coin_flips: bool = False
    faulty: bool = False
    seed: int = 0


@dataclass(frozen=True)
class RoundReport:
    """What one round came to; shares are of 1, intervals 95 %, `win_rate` against the base by the taste."""

    round: int
    judgments: int
    reward_accuracy: float | None
    reward_accuracy_interval: list[float] | None
    win_rate: float | None
    win_rate_interval: list[float] | None
    distinct: float | None
    mean_words: float | None
    seconds: float


@contextmanager
def staged(plan: Plan) -> Iterator[Cast]:
    """Set the campaign up for a rehearsal, give its raters, and put the settings back at the end.

    A round that is under way is cancelled: its labels stay. Raises RehearsalError when nobody manages.
    """
    campaign, manager = plan.campaign, insist(lambda: _manager(plan.campaign))
    settings = ("tasks_per_round", "retrain_after", "edit_share", "chat_share", "max_rounds")
    before = {name: getattr(campaign, name) for name in settings}
    done = insist(lambda: _make_way(campaign, manager))
    wanted = {
        "tasks_per_round": math.ceil(plan.judgments * SPARE / campaign.overlap) + 1,
        "retrain_after": plan.judgments,
        "edit_share": 0.0,
        "chat_share": 0.0,
        "max_rounds": done + plan.rounds,
    }
    insist(lambda: campaigns.update(campaign, manager, **wanted))
    try:
        yield insist(lambda: _raters(plan, manager))
    finally:
        insist(lambda: campaigns.update(campaign, manager, **before))


def rehearse(plan: Plan, raters: Cast, progress: Progress) -> Iterator[RoundReport]:
    """Yield a report after each round; the campaign must be staged, and the workers must run.

    Raises RehearsalError when the loop pauses or stands still.
    """
    last = 0
    for _ in range(plan.rounds):
        report = _play(plan, last, raters, progress)
        yield report
        last = report.round


def _play(plan: Plan, last: int, raters: Cast, progress: Progress) -> RoundReport:
    """Take the first round after round `last` from its opening to its policy."""
    began = time.monotonic()
    round_ = _await(plan, progress, lambda: _opened(plan.campaign, last))
    labels = _vote(plan, round_, raters, progress)
    _await(plan, progress, lambda: _turned(plan.campaign, round_))
    return _report(plan, round_, labels, began, progress)


def _manager(campaign: Campaign) -> User:
    manager = campaign.created_by or User.objects.filter(role=Role.MANAGER, is_active=True).first()
    if manager is None:
        raise RehearsalError("There is no manager on whose behalf the campaign could be set up.")
    return manager


def _make_way(campaign: Campaign, manager: User) -> int:
    """Let the loop begin a round of its own; returns how many it has finished."""
    live = loop.loop_rounds(campaign).exclude(status=Round.Status.CLOSED).first()
    if campaign.status != Campaign.Status.ACTIVE:
        campaigns.set_status(campaign, Campaign.Status.ACTIVE, manager)
    if live is not None:
        try:
            rounds.cancel(live, by=manager, reason="A rehearsal begins.")
        except StateError:
            live.refresh_from_db()  # it closed at this moment
    if campaign.loop_paused:
        campaigns.resume_loop(campaign, manager)
    return loop.loop_rounds(campaign).count()


def _raters(plan: Plan, manager: User) -> Cast:
    rng = np.random.default_rng([plan.seed, 1])
    found: Cast = []
    for number in range(1, RATERS + 1):
        user, _ = User.objects.get_or_create(
            username=f"simulated-{number}", defaults={"role": Role.RATER, "simulated": True}
        )
        campaigns.add_rater(plan.campaign, user, manager)
        ability = float(np.exp(rng.normal(math.log(SHARPNESS), 0.3)))
        if plan.coin_flips:
            found.append((user, CoinFlipRater(user.username)))
        else:
            found.append((user, SimulatedRater(user.username, ability=ability, noise=plan.noise)))
    if plan.faulty:
        crowd = draw_crowd(4, rng, weak=0.25, random=0.25, one_sided=0.25, length_only=0.25)
        names = [user.username for user, _ in found[: len(crowd)]]
        faulty = embody(crowd, names, sharpness=SHARPNESS, noise=plan.noise)
        found[: len(crowd)] = [(user, rater) for (user, _), rater in zip(found, faulty, strict=False)]
    return found


def _opened(campaign: Campaign, last: int) -> Round | None:
    return loop.loop_rounds(campaign).filter(status=Round.Status.OPEN, number__gt=last).first()


def _turned(campaign: Campaign, round_: Round) -> bool:
    """Tell whether the loop is through with a round."""
    now_at = loop.last_round(campaign)
    if now_at is not None and now_at != round_:
        return True
    facts = loop.read_facts(campaign)
    if facts.round != Round.Status.CLOSED or facts.reward is None or not facts.reward.gated:
        return False
    return facts.policy_run.gated if facts.policy_run else not facts.improvable


def _vote(plan: Plan, round_: Round, raters: Cast, progress: Progress) -> int:
    """Let raters take turns until the round has its labels; returns how many it has."""
    allowed = judgments.verdicts(plan.campaign)
    labels, idle = 0, 0
    for turn, (user, rater) in enumerate(cycle(raters)):
        if turn % RECOUNT == 0 or idle:
            labels, status = insist(lambda: _labels(round_))
            if status != Round.Status.OPEN or (idle >= len(raters) and not _more_to_come(round_, idle)):
                break
        if labels >= plan.judgments:
            break
        slot = insist(partial(assignment.claim, user, plan.campaign))
        idle = 0 if slot else idle + 1
        if slot and _submit(user, slot, plan, rater, allowed):
            labels += 1
            progress(f"round {round_.number}: judging", labels, plan.judgments)
    return insist(lambda: _labels(round_))[0]


def _more_to_come(round_: Round, idle: int) -> bool:
    """Wait a moment where comparisons are still to be chosen; False when none are, or none ever come."""
    if idle * POLL > STILL or not insist(lambda: batches.waiting(round_).exists()):
        return False
    time.sleep(POLL)
    return True


def _labels(round_: Round) -> tuple[int, str]:
    labels = round_.tasks.filter(fresh()).aggregate(labels=Sum("counted"))["labels"] or 0
    return labels, Round.objects.values_list("status", flat=True).get(pk=round_.pk)


def _votes(plan: Plan, slot: Slot, rater: Rater) -> dict[tuple[int, int], int]:
    """Return a rater's verdict on each two of the displayed sides."""
    places = insist(lambda: list(slot.task.task_responses.select_related("response__prompt")))
    asked = places[0].response.prompt.messages[-1]["content"]
    texts = [places[position].response.text for position in slot.order_shown]
    liked = [(plan.taste.utility(asked, text), len(text.split())) for text in texts]
    rng = np.random.default_rng([plan.seed, slot.task_id, slot.pk])
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


def _submit(user: User, slot: Slot, plan: Plan, rater: Rater, allowed: tuple[int, ...]) -> bool:
    key, lease = uuid4(), slot.lease
    assert lease is not None
    said: dict[str, Any] = {"idempotency_key": key, "active_ms": 1000}
    try:
        if slot.task.kind not in (Task.Kind.COMPARE, Task.Kind.RANK):
            insist(lambda: judgments.skip(user, lease, reason="Simulated raters only compare."))
            return False
        votes = _votes(plan, slot, rater)
        if slot.task.kind == Task.Kind.RANK:
            made = insist(lambda: rankings.submit(user, lease, ranking=_in_order(votes), **said))
        else:
            verdict = _nearest(votes[0, 1], allowed)
            made = insist(lambda: judgments.submit(user, lease, verdict=verdict, **said))
    except (JudgmentError, LeaseError):
        return False  # the round closed meanwhile
    return not made.extra


def _await(plan: Plan, progress: Progress, look: Callable[[], T | None]) -> T:
    """Wait for the conductor and its workers until `look` finds something; show what they do meanwhile."""
    shown: object = None
    since = time.monotonic()
    while True:
        if found := insist(look):
            return found
        stage = insist(lambda: _stage(plan.campaign))
        if stage != shown:
            shown, since = stage, time.monotonic()
            progress(*stage)
        if time.monotonic() - since > STILL:
            raise RehearsalError(f"Nothing has moved for {STILL / 60:.0f} minutes: {stage[0]}")
        time.sleep(POLL)


def _stage(campaign: Campaign) -> tuple[str, int, int]:
    """Say what the loop is doing, and how far that is."""
    facts = loop.read_facts(campaign)
    if facts.paused:
        raise RehearsalError(f"The loop has paused: {facts.paused}")
    round_ = loop.last_round(campaign)
    if round_ is None:
        return loop.decide(facts).says, 0, 0
    name = f"round {round_.number}: "
    if round_.status == Round.Status.GENERATING:
        if round_.error:
            raise RehearsalError(f"Answers cannot be sampled: {round_.error}")
        return name + "sampling", round_.responses_done, round_.responses_total
    run = round_.runs.filter(status=Run.Status.RUNNING).first()
    if run is None:
        return name + loop.decide(facts).says, 0, 0
    stage = f"{run.kind}, {run.progress.get('stage', 'starting')}"
    return name + stage, run.progress.get("done", 0), run.progress.get("total", 0)


def _report(plan: Plan, round_: Round, labels: int, began: float, progress: Progress) -> RoundReport:
    """Hold the champion's answers against the base's, by the noiseless taste."""
    reward = insist(lambda: loop.last_run(round_, Run.Kind.REWARD))
    test = (reward.result if reward else {}).get("test") or {}
    found = contest.hold(plan.campaign, plan.taste, lambda n, of: progress("comparing with the base", n, of))
    return RoundReport(
        round=round_.number,
        judgments=labels,
        reward_accuracy=test.get("accuracy"),
        reward_accuracy_interval=test.get("interval"),
        win_rate=found.win_rate.value,
        win_rate_interval=list(found.win_rate.interval) if found.win_rate.interval else None,
        distinct=found.distinct,
        mean_words=found.mean_words,
        seconds=round(time.monotonic() - began, 1),
    )
