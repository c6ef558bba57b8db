"""Repeats: comparisons that a rater meets a second time, unannounced, to see whether they say the same again.

A repeat is a task of its own, with the same answers in the same places, whose one slot is reserved for that
rater; the sides are drawn anew when they claim it. It is never a fresh vote.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from accounts.models import User
from labeling.models import Campaign, Round, Slot, Task, TaskResponse

LATER = 20  # comparisons that lie between the two times, at least
FURTHEST = 500  # newest comparisons from which one is chosen
BATCH = 100

# A rater's counted comparisons of their own in a campaign, newest first; and, as `again`, repeats among them.
_SAID = """
    SELECT task.id, task.repeats_id
    FROM labeling_judgment said JOIN labeling_task task ON task.id = said.task_id
    WHERE said.rater_id = member.user_id AND task.campaign_id = member.campaign_id AND task.kind = 'compare'
        AND task.chat_id IS NULL AND NOT task.gold AND said.verdict IS NOT NULL AND NOT said.imported
        AND NOT said.withdrawn AND NOT said.extra
        AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id)
        AND {which}
    ORDER BY said.created_at DESC"""
# Who is due: their newest `gap` comparisons hold no repeat, and none waits for them. With each, one of their
# earlier comparisons that they haven't met twice.
_OWN = _SAID.format(which="task.repeats_id IS NULL")
DUE = f"""
SELECT member.user_id, chosen.id FROM labeling_membership member
    CROSS JOIN LATERAL (
        SELECT count(*) AS n, count(repeats_id) AS again
        FROM ({_SAID.format(which="true")} LIMIT %(gap)s) newest
    ) recent
    CROSS JOIN LATERAL (
        SELECT id FROM ({_OWN} OFFSET %(later)s LIMIT %(furthest)s) own
        WHERE NOT EXISTS (
            SELECT FROM labeling_task repeat JOIN labeling_slot slot ON slot.task_id = repeat.id
            WHERE repeat.campaign_id = member.campaign_id AND repeat.repeats_id = own.id
                AND (slot.reserved_for_id = member.user_id OR slot.rater_id = member.user_id))
        ORDER BY random() LIMIT 1
    ) chosen
WHERE member.campaign_id = %(campaign)s AND recent.n = %(gap)s AND recent.again = 0
    AND NOT EXISTS (
        SELECT FROM labeling_slot waiting JOIN labeling_task task ON task.id = waiting.task_id
        WHERE waiting.reserved_for_id = member.user_id AND waiting.campaign_id = member.campaign_id
            AND waiting.status = 'open' AND task.repeats_id IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM labeling_slot held JOIN labeling_task task ON task.id = held.task_id
        WHERE held.rater_id = member.user_id AND held.campaign_id = member.campaign_id
            AND held.status = 'claimed' AND task.repeats_id IS NOT NULL)
"""  # noqa: S608  put together from texts of ours

COUNTS = "{0}.verdict IS NOT NULL AND NOT {0}.withdrawn AND NOT {0}.extra AND NOT EXISTS (" + (
    "SELECT FROM labeling_judgment later WHERE later.supersedes_id = {0}.id)"
)
_PLACED = "{0}.verdict * CASE {0}.order_shown[1] WHEN 0 THEN 1 ELSE -1 END"
_BOTH = f"""
FROM labeling_task repeat
    JOIN labeling_judgment again ON again.task_id = repeat.id
    JOIN labeling_judgment first ON first.task_id = repeat.repeats_id AND first.rater_id = again.rater_id
WHERE repeat.campaign_id = %(campaign)s AND repeat.repeats_id IS NOT NULL
    AND {COUNTS.format("first")} AND {COUNTS.format("again")}"""
CONSISTENCY = f"""
SELECT again.rater_id,
    count(*) FILTER (WHERE sign({_PLACED.format("first")}) = sign({_PLACED.format("again")})), count(*)
{_BOTH} GROUP BY again.rater_id"""
TWICE = f"""
SELECT repeat.repeats_id, {_PLACED.format("first")}, {_PLACED.format("again")}
{_BOTH} AND again.rater_id = %(rater)s ORDER BY again.id DESC LIMIT %(most)s"""


@dataclass(frozen=True)
class Twice:
    """What a rater said of a comparison both times, between its positions."""

    task: Task
    first: int
    again: int

    @property
    def same(self) -> bool:
        return (self.first > 0) - (self.first < 0) == (self.again > 0) - (self.again < 0)


def tend(campaign: Campaign) -> int:
    """Have raters who are due meet one of their own comparisons again; return how many are.

    One repeat waits for a rater at a time, so that they come as often as the campaign's share says, or less.
    """
    if campaign.status != Campaign.Status.ACTIVE or campaign.repeat_share <= 0:
        return 0
    due = find_due(campaign)
    asked = 0
    for start in range(0, len(due), BATCH):
        # the round waits for no more than a batch
        with transaction.atomic():
            rounds = Round.objects.select_for_update(no_key=True)
            newest = rounds.filter(campaign=campaign, status=Round.Status.OPEN).order_by("-number").first()
            if newest is None:
                break
            asked += len(repeat(due[start : start + BATCH], newest))
    return asked


def find_due(campaign: Campaign) -> list[tuple[int, int]]:
    """Return the raters to whom a repeat is due, each with the comparison that they meet again."""
    values: dict[str, Any] = {
        "campaign": campaign.pk,
        "gap": max(1, math.ceil(1 / campaign.repeat_share) - 1),
        "later": LATER,
        "furthest": FURTHEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(DUE, values)
        return [(rater, task) for rater, task in cursor.fetchall()]


def repeat(due: Sequence[tuple[int, int]], round_: Round) -> list[Task]:
    """Ask raters (their keys) comparisons (theirs) once more in an open round, which is locked."""
    tasks = Task.objects.prefetch_related("task_responses").in_bulk([task for _rater, task in due])
    again = Task.objects.bulk_create(
        Task(
            campaign_id=round_.campaign_id,
            round=round_,
            prompt_id=tasks[task].prompt_id,
            kind=tasks[task].kind,
            overlap=1,
            repeats=tasks[task],
            selection=tasks[task].selection,
            probability=tasks[task].probability,
        )
        for _rater, task in due
    )
    TaskResponse.objects.bulk_create(
        TaskResponse(task=task, response_id=place.response_id, position=place.position)
        for task in again
        for place in tasks[task.repeats_id or 0].task_responses.all()
    )
    Slot.objects.bulk_create(
        Slot(campaign_id=task.campaign_id, task=task, order_key=random.random(), reserved_for_id=rater)
        for task, (rater, _task) in zip(again, due, strict=True)
    )
    return again


def told_by(campaign: Campaign, rater: User, most: int = 20) -> list[Twice]:
    """Return what a rater said of the comparisons that they met twice, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(TWICE, {"campaign": campaign.pk, "rater": rater.pk, "most": most})
        rows = cursor.fetchall()
    tasks = Task.objects.select_related("prompt").in_bulk([row[0] for row in rows])
    return [Twice(tasks[task], first, again) for task, first, again in rows]


def consistency(campaign: Campaign) -> dict[int, tuple[int, int]]:
    """Return by rater how often they said the same the second time, of how many repeats.

    The same is: the same answer is better, or neither is.
    """
    with connection.cursor() as cursor:
        cursor.execute(CONSISTENCY, {"campaign": campaign.pk})
        return {rater: (same, asked) for rater, same, asked in cursor.fetchall()}
