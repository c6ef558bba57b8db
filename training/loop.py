"""The conductor: what a campaign's loop does next, decided from facts and done idempotently.

`decide` is pure. Two conductors at once, or one that dies in the middle, do no harm: every step is guarded by
the state machines and by unique constraints, and the next tick starts from the facts again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial

from celery import current_app
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import campaigns, planning, rounds, superseding
from labeling.models import Campaign, Round, Task
from labeling.models.task import fresh
from labeling.rounds import StateError
from models_app import registry
from models_app.models import ModelVersion
from training import alarms, runs, snapshots
from training.models import Run, RunEvent
from training.runs import RunError
from training.snapshots import SnapshotError

EXECUTE = "training.tasks.execute_run"
STEPS = 8  # steps of one tick at most
STALE = timedelta(seconds=30)  # without a worker's heartbeat
WAITING = timedelta(seconds=20)  # in the queue before the message counts as lost
AGAIN = 20  # seconds before the same message is sent again
MAX_STARTS = 6  # of one run, whose workers died


class Action(StrEnum):
    """What can be done next."""

    WAIT = "wait"
    CREATE_ROUND = "create round"
    START_GENERATING = "start generating"
    GENERATE = "generate"
    CLOSE_ROUND = "close round"
    QUEUE_REWARD = "queue reward run"
    GATE_REWARD = "gate reward model"
    QUEUE_POLICY = "queue policy run"
    GATE_POLICY = "gate policy"
    RETRY = "retry run"
    PAUSE = "pause"
    PAUSE_FOR_ALARM = "pause for an alarm"


@dataclass(frozen=True)
class Step:
    """The next step, and in words why, or what is waited for."""

    action: Action
    says: str


@dataclass(frozen=True)
class RunFacts:
    """The newest run of a kind for the last round; `reported` says that the loop paused for its failure."""

    status: str
    gated: bool = False
    reported: bool = False
    error: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that decides a campaign's next step."""

    status: str = "active"
    paused: str = ""
    prompts: bool = True
    policy: bool = True  # a champion policy that can answer
    more_rounds: bool = True
    round: str | None = None  # status of the last loop round that was not cancelled
    generating: bool = False  # its worker is believed alive
    labels: int = 0  # counted in that round
    retrain_after: int = 1
    asked: bool = True  # somebody is still asked something in that round
    reward: RunFacts | None = None
    improvable: bool = True  # some stage has a checkpoint and something to learn from
    policy_run: RunFacts | None = None
    alarm: str = ""  # the sentence of one that hasn't paused the loop yet


def decide(facts: Facts) -> Step:
    """Return the one next step."""
    if facts.status != Campaign.Status.ACTIVE:
        return Step(
            Action.WAIT,
            _("The campaign is %(status)s.") % {"status": Campaign.Status(facts.status).label.lower()},
        )
    if facts.paused:
        return Step(Action.WAIT, facts.paused)
    if facts.alarm:
        return Step(Action.PAUSE_FOR_ALARM, facts.alarm)
    labels = {"labels": facts.labels, "wanted": facts.retrain_after}
    match facts.round:
        case None:
            return _next_round(facts)
        case Round.Status.DRAFT:
            return Step(Action.START_GENERATING, _("The round is planned."))
        case Round.Status.GENERATING if facts.generating:
            return Step(Action.WAIT, _("Answers are being sampled."))
        case Round.Status.GENERATING:
            return Step(Action.GENERATE, _("Nobody samples the round's answers."))
        case Round.Status.OPEN if facts.labels >= facts.retrain_after:
            return Step(Action.CLOSE_ROUND, _("The round has %(labels)s of %(wanted)s labels.") % labels)
        case Round.Status.OPEN if not facts.asked:
            return Step(Action.CLOSE_ROUND, _("All tasks of the round are done."))
        case Round.Status.OPEN:
            return Step(Action.WAIT, _("Waiting for labels: %(labels)s of %(wanted)s.") % labels)
        case _:
            return _after_closing(facts)


def _after_closing(facts: Facts) -> Step:
    if facts.reward is None:
        return Step(Action.QUEUE_REWARD, _("The round is closed."))
    step = _follow(facts.reward, _("reward model"), Action.GATE_REWARD)
    if step is not None:
        return step
    if facts.policy_run is None and facts.improvable:
        return Step(Action.QUEUE_POLICY, _("The reward model is checked."))
    if facts.policy_run is not None:
        step = _follow(facts.policy_run, _("policy"), Action.GATE_POLICY)
    return step or _next_round(facts)


def _follow(run: RunFacts, what: str, gate: Action) -> Step | None:
    words = {"what": what, "status": Run.Status(run.status).label.lower()}
    match run.status:
        case Run.Status.QUEUED:
            return Step(Action.WAIT, _("The %(what)s run waits for a worker.") % words)
        case Run.Status.RUNNING:
            return Step(Action.WAIT, _("The %(what)s run is training.") % words)
        case Run.Status.SUCCEEDED:
            return None if run.gated else Step(gate, _("The %(what)s is not checked yet.") % words)
        case _ if run.reported:
            return Step(
                Action.RETRY, _("Somebody resumed the loop after the %(what)s run %(status)s.") % words
            )
        case _:
            return Step(
                Action.PAUSE,
                (_("The %(what)s run %(status)s: %(error)s") % {**words, "error": run.error}).rstrip(": "),
            )


def _next_round(facts: Facts) -> Step:
    if not facts.more_rounds:
        return Step(Action.WAIT, _("All rounds are finished."))
    if not facts.policy:
        return Step(Action.WAIT, _("Waiting for a champion policy that can answer prompts."))
    if not facts.prompts:
        return Step(Action.WAIT, _("Waiting for prompts."))
    return Step(Action.CREATE_ROUND, _("The next round can begin."))


def read_facts(campaign: Campaign) -> Facts:
    """Gather the facts of a campaign from the database."""
    campaign.refresh_from_db()
    round_ = last_round(campaign)
    policy = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    known = Facts(
        status=campaign.status,
        paused=campaign.loop_paused,
        alarm=alarms.pending(campaign),
        prompts=planning.askable(campaign).exists(),
        policy=policy is not None and policy.backend != ModelVersion.Backend.IMPORTED,
        more_rounds=campaign.max_rounds is None or loop_rounds(campaign).count() < campaign.max_rounds,
        retrain_after=campaign.retrain_after,
    )
    if round_ is None:
        return known
    lease = round_.generation_lease_until
    # a watch neither fills a round nor holds it up
    tasks = round_.tasks.filter(fresh()).exclude(selection=Task.Selection.WATCH)
    reward = last_run(round_, Run.Kind.REWARD)
    return replace(
        known,
        round=round_.status,
        generating=lease is not None and lease > timezone.now(),
        # a live conversation's labels are its picks
        labels=tasks.exclude(kind=Task.Kind.CHAT).aggregate(labels=Sum("counted"))["labels"] or 0,
        asked=tasks.filter(status=Task.Status.OPEN).exists(),
        reward=_run_facts(reward),
        improvable=reward is not None and _improvable(campaign, reward, policy),
        policy_run=_run_facts(last_run(round_, Run.Kind.POLICY)),
    )


def describe(campaign: Campaign) -> str:
    """Say what a campaign's loop does or waits for."""
    return decide(read_facts(campaign)).says


def loop_rounds(campaign: Campaign) -> QuerySet[Round]:
    """Return the rounds of a campaign's loop, cancelled ones left out."""
    return campaign.rounds.filter(origin=Round.Origin.LOOP).exclude(status=Round.Status.CANCELLED)


def last_round(campaign: Campaign) -> Round | None:
    """Return the round that the loop is at."""
    return loop_rounds(campaign).order_by("-number").first()


def last_run(round_: Round, kind: str) -> Run | None:
    """Return the newest run that a round called for."""
    return round_.runs.filter(kind=kind).order_by("-pk").first()


def tick(campaign: Campaign) -> Step:
    """Take a campaign as far as it goes without waiting; returns the step that it stopped at."""
    superseding.expire(campaign)
    step = decide(read_facts(campaign))
    for _tried in range(STEPS):
        if step.action is Action.WAIT:
            break
        if not perform(campaign, step):
            break
        step = decide(read_facts(campaign))
    return step


def perform(campaign: Campaign, step: Step) -> bool:
    """Do a step; True when the facts are new at once, False when a worker or another conductor has it."""
    try:
        return _perform(campaign, step)
    except (RunError, SnapshotError) as error:
        campaigns.pause_loop(campaign, str(error))
        return True
    except (StateError, IntegrityError):
        return False  # another conductor was first


def _perform(campaign: Campaign, step: Step) -> bool:
    if step.action is Action.CREATE_ROUND:
        rounds.create_next(campaign)
        return True
    if step.action is Action.PAUSE_FOR_ALARM:
        alarms.pause(campaign, step.says)
        return True
    round_ = last_round(campaign)
    if round_ is None or step.action is Action.WAIT:
        return False
    match step.action:
        case Action.START_GENERATING:
            rounds.start_generating(round_)
        case Action.GENERATE:
            send("labeling.tasks.generate_round", round_.pk)
            return False
        case Action.CLOSE_ROUND:
            rounds.close(round_, reason=step.says)
        case Action.QUEUE_REWARD:
            _send_run(runs.queue_reward(campaign, snapshots.cut(campaign), round=round_))
        case Action.QUEUE_POLICY:
            reward = last_run(round_, Run.Kind.REWARD)
            assert reward is not None
            _send_run(runs.queue_policy(campaign, snapshots.standing(reward.snapshot), round=round_))
        case Action.GATE_REWARD | Action.GATE_POLICY:
            kind = Run.Kind.REWARD if step.action is Action.GATE_REWARD else Run.Kind.POLICY
            run = last_run(round_, kind)
            assert run is not None
            # the worker that trained checks at once; this is for when it died in between
            if run.finished_at is not None and run.finished_at < timezone.now() - WAITING:
                send("training.tasks.evaluate_run", run.pk)
            return False
        case Action.RETRY:
            _send_run(runs.retry(_troubled_run(round_)))
        case Action.PAUSE:
            _pause_for(campaign, _troubled_run(round_), step.says)
    return True


def recover_runs() -> None:
    """Put back runs whose worker is gone, and send again what waits for one for too long.

    Every run, whether a loop or a person queued it, and even where the loop is paused.
    """
    now = timezone.now()
    for run in Run.objects.filter(status=Run.Status.RUNNING, heartbeat_at__lt=now - STALE):
        try:
            if run.attempts >= MAX_STARTS:
                runs.fail(run, f"Its worker was lost {run.attempts} times.")
            elif run.cancel_requested:
                runs.cancelled(run)
            else:
                runs.requeue(run, "Its worker is gone.")
                cache.delete(f"sent:{EXECUTE}:{run.pk}")
                _send_run(run)
        except StateError:
            continue  # its worker was only slow, or another conductor was first
    waiting = Run.objects.filter(status=Run.Status.QUEUED).exclude(
        Q(created_at__gt=now - WAITING) | Q(events__created_at__gt=now - WAITING)
    )
    for run in waiting:
        _send_run(run)


def send(task: str, pk: int) -> None:
    """Send a message to a worker once the transaction is over, and not again for some seconds."""
    if cache.add(f"sent:{task}:{pk}", 1, AGAIN):
        transaction.on_commit(partial(current_app.send_task, task, args=[pk]))


def _send_run(run: Run) -> None:
    send(EXECUTE, run.pk)


def _run_facts(run: Run | None) -> RunFacts | None:
    if run is None:
        return None
    reported = run.events.filter(before=F("after")).exists()
    return RunFacts(run.status, hasattr(run, "evaluation"), reported, run.error)


def _improvable(campaign: Campaign, reward: Run, policy: ModelVersion | None) -> bool:
    if policy is None or policy.backend != ModelVersion.Backend.TRANSFORMERS:
        return False
    champion = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    return bool(runs.usable_stages(campaign, reward.snapshot, champion))


def _troubled_run(round_: Round) -> Run:
    for kind in (Run.Kind.POLICY, Run.Kind.REWARD):
        run = last_run(round_, kind)
        if run is not None and run.status in {Run.Status.FAILED, Run.Status.CANCELLED}:
            return run
    raise StateError("No run of the round failed.")


def _pause_for(campaign: Campaign, run: Run, reason: str) -> None:
    """Pause, and note on the run that its failure is reported: whoever resumes wants it tried again."""
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)
        if not run.events.filter(before=F("after")).exists():
            RunEvent.objects.create(
                run=run, before=run.status, after=run.status, reason="The loop was paused."
            )
            campaigns.pause_loop(campaign, reason)


def active_campaigns() -> Iterator[Campaign]:
    """Yield the campaigns whose loop may move."""
    yield from Campaign.objects.filter(status=Campaign.Status.ACTIVE, loop_paused="").order_by("pk")
