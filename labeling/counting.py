"""Count in the background what raters send, by hour, by rater and by round; pages read the counts.

A count holds all rows up to a key (`CountedTo`); what came since is few enough to be counted for the page.
Rows younger than SETTLED seconds wait, because a transaction that is still open may hold a lower key.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, F, Max, Min, Q, Sum
from django.utils import timezone

from labeling.models import CountedTo, Edit, Judgment, Round, RoundCount, Task
from labeling.models.task import fresh

SETTLED = 60  # seconds
CHUNK = 100_000  # rows of one transaction
MANY = 10_000  # tasks of a round that are no longer counted for each page
ANEW = timedelta(hours=1)  # after which closed rounds are counted once more: work may have been reopened
TABLES: dict[str, type[Judgment] | type[Edit]] = {"judgment": Judgment, "edit": Edit}

# what was sent for its own sake: corrections, undos and imports are no new work
_SENT = """
    SELECT said.id, task.campaign_id, said.rater_id, said.created_at, said.active_ms, {pasted} AS pasted,
        {typed} AS typed, NOT task.gold AND task.repeats_id IS NULL AS fresh
    FROM labeling_{what} said JOIN labeling_task task ON task.id = said.task_id
    WHERE said.id > %(first)s AND said.id <= %(last)s AND NOT said.extra AND NOT said.withdrawn
        AND NOT said.imported AND said.supersedes_id IS NULL
"""
_HOURS = """
INSERT INTO labeling_hourcount AS kept (campaign_id, hour, judgments, edits, first_at)
SELECT campaign_id, date_trunc('hour', created_at, 'UTC'), {judgments}, {edits}, min(created_at)
FROM ({sent}) sent WHERE fresh GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (campaign_id, hour) DO UPDATE SET judgments = kept.judgments + excluded.judgments,
    edits = kept.edits + excluded.edits, first_at = least(kept.first_at, excluded.first_at)
"""
_RATERS = """
INSERT INTO labeling_ratercount AS kept
    (campaign_id, rater_id, judgments, edits, timed, active_ms, pasted, typed, last_at)
SELECT campaign_id, rater_id, {judgments}, {edits}, count(active_ms), coalesce(sum(active_ms), 0),
    sum(pasted), sum(typed), max(created_at)
FROM ({sent}) sent GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (campaign_id, rater_id) DO UPDATE SET judgments = kept.judgments + excluded.judgments,
    edits = kept.edits + excluded.edits, timed = kept.timed + excluded.timed,
    active_ms = kept.active_ms + excluded.active_ms, pasted = kept.pasted + excluded.pasted,
    typed = kept.typed + excluded.typed, last_at = greatest(kept.last_at, excluded.last_at)
"""


@dataclass(frozen=True)
class Tally:
    """How far a round is: fresh tasks, those done, labels had and labels wanted."""

    tasks: int = 0
    done: int = 0
    labels: int = 0
    wanted: int = 0


def catch_up() -> None:
    """Count everything that has settled since the last time, and the rounds that may have changed."""
    settled = timezone.now() - timedelta(seconds=SETTLED)
    for what, model in TABLES.items():
        # walks back over the young ones only
        old = model._default_manager.filter(created_at__lte=settled)
        last = old.order_by("-pk").values_list("pk", flat=True).first() or 0
        while _count_chunk(what, last):
            pass
    rounds, now = _changed_rounds(), timezone.now()
    tallies = count_rounds(rounds)
    RoundCount.objects.bulk_create(
        [RoundCount(round=each, counted_at=now, **vars(tallies.get(each.pk, Tally()))) for each in rounds],
        update_conflicts=True,
        unique_fields=["round"],
        update_fields=["tasks", "done", "labels", "wanted", "counted_at"],
    )


def _count_chunk(what: str, last: int) -> bool:
    """Count the next rows up to a key in one transaction; tell whether there may be more."""
    with transaction.atomic():
        CountedTo.objects.get_or_create(what=what)
        # two workers at once count a row once
        kept = CountedTo.objects.select_for_update().get(what=what)
        if kept.seen_to >= last:
            return False
        new = TABLES[what]._default_manager.filter(pk__gt=kept.seen_to, pk__lte=last).order_by("pk")
        # keys have gaps, so that as many keys may hold few rows
        to = new.values_list("pk", flat=True)[CHUNK - 1 : CHUNK].first() or last
        _add(what, kept.seen_to, to)
        CountedTo.objects.filter(what=what).update(seen_to=to)
    return True


def _add(what: str, first: int, last: int) -> None:
    edits = what == "edit"
    texts = {
        name: f"coalesce((said.signals->>'{name}')::bigint, 0)" if edits else "0"
        for name in ("pasted", "typed")
    }
    sent = _SENT.format(what=what, **texts)
    columns = {"judgments": "0" if edits else "count(*)", "edits": "count(*)" if edits else "0"}
    with connection.cursor() as cursor:
        for statement in (_HOURS, _RATERS):
            cursor.execute(statement.format(sent=sent, **columns), {"first": first, "last": last})


def seen_to() -> dict[str, int]:
    """Return the last key that the counts hold, of judgments and of edits."""
    kept = dict(CountedTo.objects.values_list("what", "seen_to"))
    return {what: kept.get(what, 0) for what in TABLES}


def count_rounds(rounds: Iterable[Round]) -> dict[int, Tally]:
    """Count rounds by their tasks as they are, in one query; those without a task are left out."""
    kept = Task.objects.filter(fresh(), round__in=list(rounds)).exclude(status=Task.Status.CANCELLED)
    votes = ~Q(selection=Task.Selection.WATCH) & ~Q(kind=Task.Kind.CHAT)
    found = kept.values("round").annotate(
        tasks=Count("pk"),
        done=Count("pk", filter=Q(status=Task.Status.DONE)),
        labels=Sum("counted", filter=votes, default=0),
        wanted=Sum("overlap", filter=votes, default=0),
    )
    names = ("round", "tasks", "done", "labels", "wanted")
    return {pk: Tally(*figures) for pk, *figures in found.values_list(*names)}


def of_rounds(rounds: Iterable[Round]) -> dict[int, Tally]:
    """Return how far rounds are: small ones that are open as they are now, the others as last counted."""
    rounds = list(rounds)
    kept = Q(tasks__gte=MANY) | Q(round__status=Round.Status.CLOSED)
    stored = RoundCount.objects.filter(kept, round__in=rounds)
    found = {row.round_id: Tally(row.tasks, row.done, row.labels, row.wanted) for row in stored}
    small = [round_ for round_ in rounds if round_.pk not in found]
    counted = count_rounds(small) if small else {}
    return {**{round_.pk: Tally() for round_ in small}, **found, **counted}


def _changed_rounds() -> list[Round]:
    """Return the rounds to count: open ones, those never counted, and others that may have changed."""
    rounds = Round.objects.exclude(status__in=[Round.Status.DRAFT, Round.Status.GENERATING])
    old = Q(count__counted_at__lt=timezone.now() - ANEW)
    moved = Q(moved_at__gt=F("count__counted_at"))
    due = rounds.annotate(moved_at=Max("events__created_at")).filter(
        Q(status=Round.Status.OPEN) | Q(count=None) | old | moved
    )
    return list(due.order_by("pk"))


def since(campaign_id: int) -> list[tuple[datetime, int, int, datetime]]:
    """Count a campaign's labels since the counts, by hour: (hour, judgments, edits, the first one)."""
    keys = seen_to()
    rows: dict[datetime, tuple[int, int, datetime]] = {}
    for what, model in TABLES.items():
        new = model._default_manager.filter(
            fresh("task__"),
            pk__gt=keys[what],
            task__campaign=campaign_id,
            extra=False,
            withdrawn=False,
            imported=False,
            supersedes=None,
        )
        hours = new.values("created_at__date", "created_at__hour").annotate(
            n=Count("pk"), first=Min("created_at")
        )
        for row in hours:
            hour = row["first"].replace(minute=0, second=0, microsecond=0)
            judgments, edits, first = rows.get(hour, (0, 0, row["first"]))
            more = (0, row["n"]) if what == "edit" else (row["n"], 0)
            rows[hour] = judgments + more[0], edits + more[1], min(first, row["first"])
    return [(hour, *rest) for hour, rest in sorted(rows.items())]
