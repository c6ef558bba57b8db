"""Rehearse a campaign: simulated raters with a hidden taste work through rounds as people would.

They claim and submit through the same functions, and the conductor does the rest. Every call is safe to
repeat, so a rehearsal outlives a database, a worker or an engine that is killed meanwhile; and what is found
depends on the plan alone, so it is the same as if nothing had been killed.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.db.models import Sum

from accounts.models import Role, User
from labeling import batches, campaigns, judgments, rounds, states
from labeling.models import Campaign, Round
from labeling.rounds import StateError
from preferences.simulation import TASTES, Taste
from preferences.types import Estimate
from training import contest, loop, simulated_raters
from training.models import Run
from training.reconnecting import insist
from training.simulated_raters import Cast

SPARE = 1.06  # tasks per judgment: a pair of equal answers is dropped
POLL = 0.5  # seconds
STILL = 300.0  # seconds without any change after which a rehearsal gives up

# a taste for long answers is stated: what keeps length in bounds lets it grow
LONG_ANSWERS = {
    "thorough-cautious": {"length": [0.4, 2.5], "length_step": [None, 1.6], "longer": [0.2, 0.95]},
}

T = TypeVar("T")
Progress = Callable[[str, int, int], None]


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
    stages: tuple[str, ...] = ()  # of policy runs; none: the campaign's own


@dataclass(frozen=True)
class Start:
    """What a rehearsal found: the last round before it, rounds that there were, settings to be put back."""

    last: int
    rounds: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class RoundReport:
    """What one round came to; shares are of 1, intervals 95 %, `win_rate` against the base by the taste.

    `right`, `wrong` and `evasive` are shares of the champion's answers, and `right_gain` how many more are
    right than of the base's; None where nobody knows what is right. `snapshot` and `weights`, by kind, are
    SHA-256 of the labels and of the models made from them: where they are the same, everything is.
    """

    round: int
    judgments: int
    reward_accuracy: float | None
    reward_accuracy_interval: list[float] | None
    win_rate: float | None
    win_rate_interval: list[float] | None
    distinct: float | None
    mean_words: float | None
    base_words: float | None
    right: float | None
    wrong: float | None
    evasive: float | None
    right_gain: float | None
    right_gain_interval: list[float] | None
    snapshot: str
    weights: dict[str, str]
    seconds: float


def begin(plan: Plan) -> Start:
    """Note what a campaign is like before a rehearsal changes it."""
    campaign = plan.campaign
    insist(campaign.refresh_from_db)
    known = insist(lambda: list(campaign.rounds.values_list("number", flat=True)))
    done = insist(lambda: loop.loop_rounds(campaign).filter(status=Round.Status.CLOSED).count())
    return Start(max(known, default=0), done, {name: getattr(campaign, name) for name in SETTINGS})


SETTINGS = (
    "tasks_per_round", "retrain_after", "edit_share", "chat_share", "max_rounds", "weigh_votes", "stages",
    "bands",
)  # fmt: skip


@contextmanager
def staged(plan: Plan, start: Start) -> Iterator[Cast]:
    """Set the campaign up for a rehearsal, give its raters, and put the settings back at the end.

    A round that was under way is cancelled: its labels stay. Raises RehearsalError when nobody manages.
    """
    campaign, manager = plan.campaign, insist(lambda: manager_of(plan.campaign))
    tasks = math.ceil(plan.judgments * SPARE / campaign.overlap) + 1
    wanted = {
        "tasks_per_round": tasks,
        "retrain_after": plan.judgments,
        "edit_share": 0.0,
        "chat_share": 0.0,
        "max_rounds": start.rounds + plan.rounds,
        # raters are fitted every minute: what a vote weighs depends on when
        "weigh_votes": plan.faulty and start.settings["weigh_votes"],
        "stages": list(plan.stages) or start.settings["stages"],
        "bands": {**start.settings["bands"], **LONG_ANSWERS.get(plan.taste.name, {})},
    }
    insist(lambda: campaigns.update(campaign, manager, **wanted))
    insist(lambda: _make_way(campaign, manager, start, tasks))
    how: dict[str, Any] = {"seed": plan.seed, "noise": plan.noise}
    how |= {"coin_flips": plan.coin_flips, "faulty": plan.faulty}
    try:
        yield insist(lambda: simulated_raters.assemble(campaign, manager, **how))
    finally:
        insist(lambda: campaigns.update(campaign, manager, **start.settings))


def rehearse(
    plan: Plan, start: Start, raters: Cast, progress: Progress, done: Sequence[RoundReport] = ()
) -> Iterator[RoundReport]:
    """Yield a report after each round; the campaign must be staged, and the workers must run.

    `done` are the rounds that were reported before the rehearsal was interrupted. Raises RehearsalError when
    the loop pauses or stands still.
    """
    last = done[-1].round if done else start.last
    for _ in range(plan.rounds - len(done)):
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


def manager_of(campaign: Campaign) -> User:
    """Return on whose behalf a campaign is set up; raises RehearsalError when nobody manages."""
    manager = campaign.created_by or User.objects.filter(role=Role.MANAGER, is_active=True).first()
    if manager is None:
        raise RehearsalError("There is no manager on whose behalf the campaign could be set up.")
    return manager


def _make_way(campaign: Campaign, manager: User, start: Start, tasks: int) -> None:
    """Let the loop begin a round of its own, with the settings that are there now."""
    live = loop.loop_rounds(campaign).exclude(status=Round.Status.CLOSED).first()
    if campaign.status != Campaign.Status.ACTIVE:
        states.change(campaign, Campaign.Status.ACTIVE, manager)
    # one that the rehearsal began is gone on with; one that began just before has the old settings
    if live is not None and (live.number <= start.last or live.task_target != tasks):
        try:
            rounds.cancel(live, by=manager, reason="A rehearsal begins.")
        except StateError:
            live.refresh_from_db()  # it closed at this moment
    if campaign.loop_paused:
        campaigns.resume_loop(campaign, manager)


def _opened(campaign: Campaign, last: int) -> Round | None:
    """Return the round after round `last` once raters can work in it, or could."""
    reached = loop.loop_rounds(campaign).filter(status__in=[Round.Status.OPEN, Round.Status.CLOSED])
    return reached.filter(number__gt=last).order_by("number").first()


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
    idle = 0
    while True:
        labels, status = insist(lambda: _labels(round_))
        if status != Round.Status.OPEN or labels >= plan.judgments:
            return labels
        waiting = insist(lambda: simulated_raters.deal(round_, raters, plan.judgments, plan.seed))
        idle = 0 if waiting else idle + 1
        if idle and not _more_to_come(round_, idle):
            return labels
        while +waiting:
            for user, rater in raters:
                waiting[user.pk] -= 1
                if waiting[user.pk] >= 0 and simulated_raters.work(
                    user, rater, plan.campaign, plan.taste, allowed, plan.seed
                ):
                    labels += 1
                    progress(f"round {round_.number}: judging", labels, plan.judgments)


def _more_to_come(round_: Round, idle: int) -> bool:
    """Wait a moment where comparisons are still to be chosen; False when none are, or none ever come."""
    if idle * POLL > STILL or not insist(lambda: batches.waiting(round_).exists()):
        return False
    time.sleep(POLL)
    return True


def _labels(round_: Round) -> tuple[int, str]:
    asked = simulated_raters.asked_of_people(round_)
    labels = asked.aggregate(labels=Sum("counted"))["labels"] or 0
    return labels, Round.objects.values_list("status", flat=True).get(pk=round_.pk)


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
    campaign = plan.campaign
    reward = insist(lambda: loop.last_run(round_, Run.Kind.REWARD))
    test = (reward.result if reward else {}).get("test") or {}
    champion = contest.champion(campaign)
    found = contest.hold(
        campaign, champion, plan.taste, lambda n, of: progress("comparing with the base", n, of)
    )
    return RoundReport(
        round=round_.number,
        judgments=labels,
        reward_accuracy=test.get("accuracy"),
        reward_accuracy_interval=test.get("interval"),
        snapshot=reward.snapshot.digest if reward else "",
        weights=insist(lambda: _weights(round_)),
        seconds=round(time.monotonic() - began, 1),
        **figures(found),
    )


def figures(found: contest.Contest) -> dict[str, Any]:
    """Return a contest's figures under the names that a report has for them."""
    right = found.correctness
    return {
        "win_rate": found.win_rate.value,
        "win_rate_interval": _bounds(found.win_rate),
        "distinct": found.distinct,
        "mean_words": found.mean_words,
        "base_words": found.base_words,
        "right": right and right.right,
        "wrong": right and right.wrong,
        "evasive": right and right.evasive,
        "right_gain": right and right.gain.value,
        "right_gain_interval": right and _bounds(right.gain),
    }


def _bounds(estimate: Estimate) -> list[float] | None:
    return list(estimate.interval) if estimate.interval else None


def _weights(round_: Round) -> dict[str, str]:
    """Hash the weights of the models that a round's runs made."""
    made = round_.runs.filter(produced__isnull=False).select_related("produced").order_by("pk")
    return {run.kind: hash_weights(Path(run.produced.location)) for run in made if run.produced}


def hash_weights(folder: Path) -> str:
    """Hash the weights in a model's folder; empty where there are none."""
    digest = hashlib.sha256()
    files = sorted(folder.glob("*.safetensors"))
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest() if files else ""
