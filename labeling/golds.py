"""Gold tasks: comparisons whose right verdict is known, mixed among the others so that nobody can tell them.

A gold task is moved on from round to round while it is in use, so that it can be undone, timed and explained
like the rest; `tend` does that, keeps slots of it open, and retires it when it has got about.
"""
# ruff: noqa: S608  (the statements are put together from each other, never from what people send)

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.models import User
from labeling.members import RATES
from labeling.models import Campaign, Gold, Membership, QualityReport, Round, Skip, Slot, Task
from labeling.submissions import SubmissionError, clean_text
from models_app import registry
from models_app.models import ModelVersion

LIVE = [Slot.Status.OPEN, Slot.Status.CLAIMED]
TAKEN = [Slot.Status.CLAIMED, Slot.Status.DONE]
RESERVE = 20  # slots of each gold task that are open at once
# A gold task has got about when the last so many are all right, after at most half of as many before them.
# A task that 75 % get right is taken for one at 2 of 1,000 further answers, one that 90 % do at 1 of 7,000.
LATEST = 12
UNASKED = gettext_noop("nobody has answered it yet")
LEAKED = gettext_noop("Its answer seems to have got about: everybody is right at once.")

# What a judgment of a gold task says between the task's positions, and whether that is right.
RIGHT = """
    CASE WHEN gold.tolerance IS NULL THEN sign(said.verdict * said.side) = sign(gold.verdict)
        ELSE abs(said.verdict * said.side - gold.verdict) <= gold.tolerance END"""
SAID = f"""
SELECT gold.id AS gold, said.rater_id AS rater, said.id AS judgment, {RIGHT} AS "right",
    said.verdict * said.side AS verdict
FROM labeling_gold gold JOIN labeling_task task ON task.id = gold.task_id
    JOIN LATERAL (
        SELECT id, rater_id, verdict, CASE order_shown[1] WHEN 0 THEN 1 ELSE -1 END AS side
        FROM labeling_judgment judgment
        WHERE judgment.task_id = gold.task_id AND judgment.created_at >= gold.created_at
            AND verdict IS NOT NULL AND NOT withdrawn AND NOT extra
            AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = judgment.id)
    ) said ON true
WHERE task.gold AND task.campaign_id = %(campaign)s"""

SCORES = f"""
SELECT rater, count(*) FILTER (WHERE "right"), count(*) FROM (
    {SAID} AND gold.retired_why <> %(leaked)s
        AND (%(raters)s::bigint[] IS NULL OR said.rater_id = ANY(%(raters)s))
) told GROUP BY rater"""
TOLD = f"""
SELECT gold, verdict, "right" FROM ({SAID} AND said.rater_id = %(rater)s) told
ORDER BY judgment DESC LIMIT %(most)s"""
# the newest answers to each, and how many there are
ANSWERS = f"""
SELECT gold, "right" FROM (
    SELECT told.*, row_number() OVER (PARTITION BY gold ORDER BY judgment DESC) AS place FROM ({SAID}) told
) numbered WHERE place <= %(most)s ORDER BY judgment"""
COUNTS = f'SELECT gold, count(*) FILTER (WHERE "right"), count(*) FROM ({SAID}) told GROUP BY gold'

FEWEST = 3  # raters who agree
PROPOSED = 20
PROPOSALS = """
WITH sure AS (
    SELECT task.id, count(*) AS votes, avg(said.verdict * said.side) AS mean
    FROM labeling_task task JOIN LATERAL (
        SELECT verdict, CASE order_shown[1] WHEN 0 THEN 1 ELSE -1 END AS side
        FROM labeling_judgment judgment
        WHERE judgment.task_id = task.id AND verdict IS NOT NULL AND NOT withdrawn AND NOT extra
            AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = judgment.id)
    ) said ON true
    WHERE task.campaign_id = %(campaign)s AND task.kind = 'compare' AND task.chat_id IS NULL
        AND NOT task.gold AND task.repeats_id IS NULL AND task.counted >= %(fewest)s
    GROUP BY task.id
    HAVING count(*) >= %(fewest)s AND abs(sum(sign(said.verdict * said.side))) = count(*)
), scored AS (
    SELECT sure.*, (SELECT sum(score.value * CASE place.position WHEN 0 THEN -1 ELSE 1 END)
        FROM labeling_taskresponse place JOIN labeling_score score ON score.response_id = place.response_id
        WHERE place.task_id = sure.id AND score.model_id = %(model)s HAVING count(*) = 2) AS margin
    FROM sure
)
SELECT id, (sign(mean) * greatest(1, round(abs(mean))))::int, votes, margin FROM scored
WHERE %(model)s::bigint IS NULL OR margin IS NULL OR sign(margin) = sign(mean)
ORDER BY abs(margin) DESC NULLS LAST, votes DESC, abs(mean) DESC, id LIMIT %(most)s
"""


class GoldError(SubmissionError):
    """A task can't be made a gold task so; `field` names what is wrong."""


def make(
    task: Task,
    by: User | None,
    verdict: int,
    *,
    tolerance: int | None = None,
    explanation: str = "",
    source: str = Gold.Source.MANAGER,
) -> Gold:
    """Make a comparison a gold task; `verdict` is between its positions, below 0 the first is better.

    With a tolerance, verdicts so far from it are right; without, those for the same side. Only judgments from
    now on are held against it. Raises GoldError.
    """
    check(task, verdict, tolerance)
    try:
        explanation = clean_text("explanation", explanation).strip()
    except SubmissionError as error:
        raise GoldError(error.field, str(error)) from error
    with transaction.atomic():
        # whoever gives a slot back meanwhile waits here, and then copies the mark
        Round.objects.select_for_update(no_key=True).get(pk=task.round_id)
        if Gold.objects.filter(task=task).exists():
            raise GoldError("task", _("This is a gold task already, or was one."))
        Slot.objects.filter(task=task, status__in=LIVE).update(gold=True)
        Task.objects.filter(pk=task.pk).update(gold=True)
        gold = Gold.objects.create(
            task=task, verdict=verdict, tolerance=tolerance, explanation=explanation, source=source, by=by
        )
        audit.record(by, "make gold", task, verdict=verdict, tolerance=tolerance, source=str(source))
    top_up(task.campaign, [gold])
    return gold


def check(task: Task, verdict: object, tolerance: object) -> None:
    """Refuse what can't be asked as a gold task, and verdicts that the scale doesn't have."""
    if task.kind != Task.Kind.COMPARE or task.chat_id is not None:
        raise GoldError("task", _("Only a comparison of two answers can be a gold task."))
    if task.repeats_id is not None or task.task_responses.count() != 2:
        raise GoldError("task", _("This comparison can't be asked of everybody."))
    if isinstance(verdict, bool) or not isinstance(verdict, int) or not -3 <= verdict <= 3:
        raise GoldError("verdict", _("The verdict must be a whole number from −3 to 3."))
    if verdict == 0 and not task.campaign.allow_ties:
        raise GoldError("verdict", _("This campaign has no ties, so nobody could be right."))
    if tolerance is None:
        return
    if isinstance(tolerance, bool) or not isinstance(tolerance, int) or not 0 <= tolerance <= 3:
        raise GoldError("tolerance", _("The tolerance must be a whole number from 0 to 3, or empty."))


def retire(gold: Gold, by: User | None, why: str) -> None:
    """Ask a gold task no more; what was answered stays, and the task stays out of datasets."""
    why = why.strip()
    if not why:
        raise GoldError("why", _("Say why this gold task is retired."))
    with transaction.atomic():
        Round.objects.select_for_update(no_key=True).get(pk=gold.task.round_id)
        changed = Gold.objects.filter(pk=gold.pk, retired_at=None)
        if changed.update(retired_at=timezone.now(), retired_why=why[:500]):
            Slot.objects.filter(task=gold.task_id, status=Slot.Status.OPEN).update(
                status=Slot.Status.CANCELLED
            )
            Task.objects.filter(pk=gold.task_id, status=Task.Status.OPEN).update(status=Task.Status.DONE)
            audit.record(by, "retire gold", gold.task, why=why)


def in_use(campaign: Campaign) -> QuerySet[Gold]:
    """Return the gold tasks of a campaign that are asked."""
    return Gold.objects.filter(task__campaign=campaign, task__gold=True, retired_at=None)


def tend(campaign: Campaign) -> None:
    """Retire what has got about, and keep slots of the rest open while there is other work, too."""
    retire_leaked(campaign)
    if campaign.status != Campaign.Status.ACTIVE or campaign.gold_share <= 0:
        return
    others = Slot.objects.filter(campaign=campaign, status=Slot.Status.OPEN, reserved_for=None, gold=False)
    if others.exists():
        top_up(campaign, in_use(campaign).select_related("task"))
    else:
        # alone they would be told; they come back with the next work
        alone = Slot.objects.filter(campaign=campaign, status=Slot.Status.OPEN, gold=True)
        alone.update(status=Slot.Status.CANCELLED)


def top_up(campaign: Campaign, golds: Iterable[Gold]) -> None:
    """Open slots for who hasn't answered some gold tasks yet, moving the tasks into the newest open round."""
    for gold in golds:
        with transaction.atomic():
            task = place(gold)
            if task is not None:
                open_slots(task)


def place(gold: Gold) -> Task | None:
    """Lock a gold task, moved to the newest open round where its own is over; None when no round is open.

    Between rounds it would be the only task, and so be told.
    """
    rounds = Round.objects.filter(campaign=gold.task.campaign_id, status=Round.Status.OPEN)
    newest = rounds.order_by("-number").first()
    if newest is None:
        return None
    both = Round.objects.select_for_update(no_key=True).filter(pk__in=[gold.task.round_id, newest.pk])
    live = [round_.pk for round_ in both.order_by("pk") if round_.status == Round.Status.OPEN]
    task = Task.objects.select_for_update(no_key=True).get(pk=gold.task_id)
    if task.round_id not in live:
        if not live:
            return None
        task.round_id = live[0]
        task.save(update_fields=["round"])
    return task


def open_slots(task: Task) -> None:
    """Let as many more raters have a locked gold task as haven't met it, RESERVE at a time."""
    met = Slot.objects.filter(task=task, rater=OuterRef("user"), status__in=TAKEN)
    passed = Skip.objects.filter(task=task, rater=OuterRef("user"))
    members = Membership.objects.filter(campaign=task.campaign_id, role__in=RATES)
    new = members.filter(~Exists(met), ~Exists(passed)).count()
    live = Slot.objects.filter(task=task, status__in=LIVE)
    there = live.filter(status=Slot.Status.OPEN).count()
    more = max(0, min(RESERVE, new) - there)
    overlap = task.counted + live.count() + more
    status = Task.Status.OPEN if overlap > task.counted else Task.Status.DONE
    Task.objects.filter(pk=task.pk).update(overlap=max(1, overlap), status=status)
    Slot.objects.bulk_create(
        Slot(
            campaign_id=task.campaign_id,
            task_id=task.pk,
            order_key=random.random(),
            priority=task.priority,
            gold=True,
        )
        for _more in range(more)
    )


# -- proposals ----------------------------------------------------------------------------------------


def propose(campaign: Campaign) -> list[dict[str, Any]]:
    """Store which comparisons could become gold tasks, the surest first, and return them.

    FEWEST or more raters all prefer the same answer; where the champion reward model has scored both, it
    prefers that one too, and the wider its margin the surer. Each is {"task", "verdict" (their mean, rounded
    away from a tie), "votes", "margin"}; `margin` is None without a model.
    """
    champion = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    with connection.cursor() as cursor:
        cursor.execute(
            PROPOSALS,
            {
                "campaign": campaign.pk,
                "fewest": FEWEST,
                "most": PROPOSED,
                "model": champion.pk if champion else None,
            },
        )
        found = [
            {"task": task, "verdict": verdict, "votes": votes, "margin": margin}
            for task, verdict, votes, margin in cursor.fetchall()
        ]
    QualityReport.objects.update_or_create(campaign=campaign, defaults={"proposals": found})
    return found


def proposals(campaign: Campaign) -> list[tuple[Task, dict[str, Any]]]:
    """Return the comparisons that could become gold tasks, as last found, which aren't gold yet."""
    report = QualityReport.objects.filter(campaign=campaign).only("proposals").first()
    found = {row["task"]: row for row in (report.proposals if report else [])}
    tasks = Task.objects.filter(pk__in=found, campaign=campaign, gold=False, known=None)
    rows = tasks.select_related("prompt").prefetch_related("task_responses__response")
    places = list(found)
    return [(task, found[task.pk]) for task in sorted(rows, key=lambda task: places.index(task.pk))]


def accept(campaign: Campaign, task: Task, by: User) -> Gold:
    """Make a proposed comparison a gold task with the verdict that its raters gave. Raises GoldError."""
    found = {known.pk: row for known, row in proposals(campaign)}.get(task.pk)
    if found is None:
        raise GoldError("task", _("This comparison isn't proposed any more."))
    return make(task, by, found["verdict"], source=Gold.Source.PROPOSED)


# -- what came of them --------------------------------------------------------------------------------


def scores(campaign: Campaign, raters: Sequence[int] | None = None) -> dict[int, tuple[int, int]]:
    """Return by rater how many gold tasks they got right, of how many; those that got about don't count."""
    values: dict[str, Any] = {
        "campaign": campaign.pk,
        "leaked": LEAKED,
        "raters": None if raters is None else list(raters),
    }
    with connection.cursor() as cursor:
        cursor.execute(SCORES, values)
        return {rater: (right, asked) for rater, right, asked in cursor.fetchall()}


@dataclass(frozen=True)
class Told:
    """What a rater said on a gold task, between its positions, and whether that was right."""

    gold: Gold
    verdict: int
    right: bool


def told_by(campaign: Campaign, rater: User, most: int = 20) -> list[Told]:
    """Return a rater's newest answers to gold tasks."""
    with connection.cursor() as cursor:
        cursor.execute(TOLD, {"campaign": campaign.pk, "rater": rater.pk, "most": most})
        rows = cursor.fetchall()
    known = Gold.objects.select_related("task__prompt", "task__campaign").in_bulk([row[0] for row in rows])
    return [Told(known[gold], verdict, right) for gold, verdict, right in rows]


def answers(campaign: Campaign) -> dict[int, list[bool]]:
    """Return by gold task whether its newest judgments were right, oldest first: what has_leaked reads."""
    found: dict[int, list[bool]] = {}
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, {"campaign": campaign.pk, "most": 2 * LATEST})
        for gold, right in cursor.fetchall():
            found.setdefault(gold, []).append(right)
    return found


def has_leaked(right: Sequence[bool]) -> bool:
    """Tell whether answers are suddenly all right: LATEST in a row, after at most half of as many before."""
    before, latest = right[-2 * LATEST : -LATEST], right[-LATEST:]
    return len(before) == LATEST and all(latest) and 2 * sum(before) <= LATEST


def retire_leaked(campaign: Campaign) -> list[Gold]:
    """Retire the gold tasks whose answer has got about; return them."""
    told = answers(campaign)
    gone = [
        gold
        for gold in in_use(campaign).select_related("task").order_by("pk")
        if has_leaked(told.get(gold.pk, []))
    ]
    for gold in gone:
        retire(gold, None, LEAKED)
    return gone


def listed(campaign: Campaign) -> QuerySet[Gold]:
    """Return a campaign's gold tasks, those in use first, newest first."""
    rows = Gold.objects.filter(task__campaign=campaign).select_related("task__prompt", "task__campaign", "by")
    return rows.order_by(F("retired_at").desc(nulls_first=True), "-pk")


def answered(campaign: Campaign) -> dict[int, tuple[int, int]]:
    """Return by gold task how many of its answers were right, of how many; those without one are left out."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"campaign": campaign.pk})
        return {gold: (right, asked) for gold, right, asked in cursor.fetchall()}
