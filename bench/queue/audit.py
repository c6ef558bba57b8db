"""Hold what raters were told against what the database has."""

from collections.abc import Iterator

from django.db import connection

from bench.queue.ledger import Ledger
from labeling.models import Campaign, Judgment, Skip, Slot

# Judgments that count: neither extra nor withdrawn, and nothing supersedes them.
OFF_OVERLAP = """
SELECT task.id, task.status, task.counted, count(said.id), count(DISTINCT said.rater_id)
FROM labeling_task task LEFT JOIN labeling_judgment said
    ON said.task_id = task.id AND NOT said.extra AND NOT said.withdrawn
    AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id)
WHERE task.campaign_id = %(campaign)s
GROUP BY task.id
HAVING count(said.id) <> task.overlap OR count(DISTINCT said.rater_id) <> task.overlap
    OR task.counted <> task.overlap OR task.status <> 'done'
"""

TOO_MANY = """
SELECT count(*) FROM (
    SELECT slot.task_id FROM labeling_slot slot JOIN labeling_task task ON task.id = slot.task_id
    WHERE slot.campaign_id = %(campaign)s AND slot.status IN ('claimed', 'done')
    GROUP BY slot.task_id, task.overlap
    HAVING count(*) > task.overlap OR count(DISTINCT slot.rater_id) < count(*)
) handed
"""


def duplicates(campaign: Campaign) -> int:
    """Count the tasks that more raters hold or have done than their overlap says, or one rater twice."""
    with connection.cursor() as cursor:
        cursor.execute(TOO_MANY, {"campaign": campaign.pk})
        return int(cursor.fetchone()[0])


def unfinished(campaign: Campaign) -> list[str]:
    """Say which tasks don't have exactly as many counted judgments, by as many raters, as they ask for."""
    with connection.cursor() as cursor:
        cursor.execute(OFF_OVERLAP, {"campaign": campaign.pk})
        return [
            f"task {pk} is {status}: counted {counted}, {judgments} judgments by {raters} raters"
            for pk, status, counted, judgments, raters in cursor.fetchall()
        ]


def imbalances(campaign: Campaign, ledger: Ledger) -> Iterator[str]:
    """Say what a ledger and the database don't agree on."""
    rows = Judgment.objects.filter(task__campaign=campaign).select_related("rater")
    stored = {str(j.idempotency_key): j for j in rows.filter(withdrawn=False).iterator()}
    tasks = dict(
        Slot.objects.filter(campaign=campaign, lease__isnull=False).values_list("lease", "task").iterator()
    )
    leases = {str(lease): task for lease, task in tasks.items()}
    for said in ledger.saved:
        found = stored.get(said.key)
        if found is None:
            yield f"{said.rater} was told that {said.key} is saved, and it is not"
        elif (found.rater.username, found.verdict, found.task_id) != (
            said.rater,
            said.verdict,
            leases.get(said.lease),
        ):
            yield f"{said.rater} said {said.verdict} in {said.key}, and stored is {found}"
    told = {said.key for said in [*ledger.saved, *ledger.untold]}
    yield from (f"nobody was told that {key} is saved" for key in stored.keys() - told)
    undone = rows.filter(withdrawn=True).count()
    if not ledger.retries and undone != ledger.undone:
        yield f"{undone} answers were taken back, and raters were told {ledger.undone}"
    skips = set(Skip.objects.filter(task__campaign=campaign).values_list("rater__username", "task"))
    for rater, lease in ledger.skipped:
        if (rater, leases.get(lease)) not in skips:
            yield f"{rater} was told that {lease} is passed over, and it is not"
