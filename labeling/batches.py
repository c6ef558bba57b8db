"""Rounds whose comparisons get their pairs of answers batch by batch: what raters said decides the next.

Such a round (`Round.selection` isn't empty) plans its comparisons like any other and draws several answers
for each of their prompts. Of the planned comparisons, which wait without answers, only a batch is asked at
first, at random; training.choosing keeps so many open that no rater runs out. A comparison on a held-out
prompt is always a random pair of its own prompt's answers, so that evaluation rests on a random stream; the
others are places for whatever pair of a training prompt is chosen.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet

from labeling.models import Prompt, Response, Round, Task, TaskResponse
from labeling.models.task import fresh
from labeling.statements import OPEN_SLOTS

LARGEST, SMALLEST = 200, 20  # comparisons in a batch
SHARE = 10  # a batch is this part of a round's comparisons, within these limits
EACH = 4  # comparisons open for every rater at work, at least

# Of the comparisons that are open, those that the rater at work who has met most of them has not met.
SUPPLY = """
WITH available AS MATERIALIZED (
    SELECT DISTINCT slot.task_id FROM labeling_slot slot JOIN labeling_task task ON task.id = slot.task_id
    WHERE slot.campaign_id = %(campaign)s AND slot.status = 'open' AND NOT slot.gold
        AND slot.reserved_for_id IS NULL AND task.round_id = %(round)s AND task.kind = 'compare'
), working AS (
    SELECT DISTINCT rater_id FROM labeling_slot WHERE campaign_id = %(campaign)s AND status = 'claimed'
), met AS (
    SELECT mine.rater_id, mine.task_id FROM available JOIN labeling_slot mine USING (task_id)
    WHERE mine.status IN ('claimed', 'done')
    UNION
    SELECT skip.rater_id, skip.task_id FROM available JOIN labeling_skip skip USING (task_id)
)
SELECT (SELECT count(*) FROM available) - coalesce((
        SELECT max(n) FROM (
            SELECT count(*) AS n FROM met JOIN working USING (rater_id) GROUP BY rater_id) each), 0),
    (SELECT count(*) FROM working)
"""


class Pair(NamedTuple):
    """Two different answers to a prompt of a round, by their keys."""

    prompt: int
    training: bool  # whether the prompt is in the training split
    first: int
    second: int


class Pick(NamedTuple):
    """A pair for a planned comparison, how it was chosen, and with which probability."""

    task: int
    pair: Pair
    selection: Task.Selection
    probability: float


def waiting(round_: Round) -> QuerySet[Task]:
    """Return the planned comparisons of a round that have no answers yet, in the order planned."""
    planned = round_.tasks.filter(fresh(), kind=Task.Kind.COMPARE, chat=None, status=Task.Status.OPEN)
    return planned.filter(task_responses=None).order_by("pk")


def batch_size(round_: Round) -> int:
    """Return how many comparisons of a round are chosen at a time."""
    comparisons = round_.tasks.filter(fresh(), kind=Task.Kind.COMPARE, chat=None).count()
    return max(SMALLEST, min(LARGEST, comparisons // SHARE))


def lacking(round_: Round) -> int:
    """Return how many comparisons to open now: 0 while half of what is wanted is still open.

    Wanted is a batch, or EACH for every rater at work where that is more.
    """
    with connection.cursor() as cursor:
        cursor.execute(SUPPLY, {"campaign": round_.campaign_id, "round": round_.pk})
        there, raters = cursor.fetchone()
    wanted = max(batch_size(round_), EACH * raters)
    return 0 if 2 * there > wanted else wanted - there


def possible(round_: Round) -> list[Pair]:
    """Return the pairs of different answers to a round's prompts that nobody was asked about yet.

    They come in the order of the prompts' hashes and of the draws' numbers. Answers to evaluation prompts and
    those of policies that only meet the champion are not among them.
    """
    drawn = round_.responses.filter(
        origin=Response.Origin.SAMPLED, policy__in=round_.policies.all(), prompt__purpose=Prompt.Purpose.NONE
    ).order_by("prompt__content_hash", "copy")
    answers: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for pk, prompt, split, text in drawn.values_list("pk", "prompt", "prompt__split", "text_hash"):
        answers[prompt, split].setdefault(text, pk)
    gone = asked(round_)
    return [
        Pair(prompt, split == Prompt.Split.TRAIN, first, second)
        for (prompt, split), texts in answers.items()
        for first, second in combinations(texts.values(), 2)
        if frozenset((first, second)) not in gone
    ]


def asked(round_: Round) -> set[frozenset[int]]:
    """Return the pairs of answers that a round's comparisons have."""
    places = TaskResponse.objects.filter(task__round=round_, task__kind=Task.Kind.COMPARE)
    of_task: dict[int, set[int]] = defaultdict(set)
    for task, response in places.values_list("task", "response"):
        of_task[task].add(response)
    return {frozenset(pair) for pair in of_task.values()}


def chance(round_: Round, what: str) -> random.Random:
    """Return random numbers for the next batch, the same however often a worker died before."""
    places = TaskResponse.objects.filter(task__round=round_, task__kind=Task.Kind.COMPARE, position=0)
    slug, so_far = round_.campaign.slug, places.count()
    return random.Random(f"{what} {slug} {round_.number} {round_.seed} {so_far}")


def draw(tasks: Sequence[Task], pairs: Iterable[Pair], rng: random.Random) -> list[Pick]:
    """Give planned comparisons random pairs of their own prompts' answers, or else of another's.

    A training prompt makes way for training prompts only, a held-out one for held-out ones. Those for which
    nothing is left get nothing.
    """
    left: dict[bool, dict[int, list[Pair]]] = {True: {}, False: {}}
    for pair in pairs:
        left[pair.training].setdefault(pair.prompt, []).append(pair)
    picks = []
    for task in tasks:
        own = left[task.prompt.split == Prompt.Split.TRAIN]
        prompt, chance = task.prompt_id, task.probability or 1.0
        if prompt not in own:
            if not own:
                continue
            prompt, chance = rng.choice(list(own)), 1 / len(own)
        offered = own[prompt]
        pair = offered.pop(rng.randrange(len(offered)))
        picks.append(Pick(task.pk, pair, Task.Selection.RANDOM, chance / (len(offered) + 1)))
        if not offered:
            del own[prompt]
    return picks


def ask_at_random(round_: Round, n: int) -> int:
    """Ask a round's next n planned comparisons about random pairs; return how many were asked.

    Those for which no pair is left are cancelled: the round isn't held up by them.
    """
    tasks = list(waiting(round_).select_related("prompt")[:n])
    return ask(round_, draw(tasks, possible(round_), chance(round_, "pairs")), give_up=tasks)


def ask(round_: Round, picks: Iterable[Pick], give_up: Iterable[Task] = ()) -> int:
    """Give planned comparisons their pairs, and slots if the round is open; return how many were asked.

    In one transaction that holds the round: it can't close meanwhile, and no pair is asked twice. Of
    `give_up`, those that got no pair are cancelled.
    """
    with transaction.atomic():
        live = Round.objects.select_for_update(no_key=True).get(pk=round_.pk)
        if live.status not in {Round.Status.GENERATING, Round.Status.OPEN}:
            return 0
        free = set(waiting(live).values_list("pk", flat=True))
        gone = asked(live)
        kept: dict[int, Pick] = {}
        for pick in picks:
            pair = frozenset((pick.pair.first, pick.pair.second))
            if pick.task in free and pick.task not in kept and pair not in gone:
                kept[pick.task] = pick
                gone.add(pair)
        _store(kept)
        idle = [task.pk for task in give_up if task.pk in free and task.pk not in kept]
        Task.objects.filter(pk__in=idle).update(status=Task.Status.CANCELLED)
        if live.status == Round.Status.OPEN:
            with connection.cursor() as cursor:
                cursor.execute(OPEN_SLOTS, {"round": live.pk})
    return len(kept)


def _store(picks: dict[int, Pick]) -> None:
    Task.objects.bulk_update(
        (
            Task(
                pk=pick.task,
                prompt_id=pick.pair.prompt,
                selection=pick.selection,
                probability=pick.probability,
            )
            for pick in picks.values()
        ),
        ["prompt", "selection", "probability"],
        batch_size=500,
    )
    TaskResponse.objects.bulk_create(
        TaskResponse(task_id=pick.task, response_id=response, position=position)
        for pick in picks.values()
        for position, response in enumerate((pick.pair.first, pick.pair.second))
    )
