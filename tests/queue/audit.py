"""What the database says about a campaign's queue, asked in plain SQL, through no code of the program.

Each check returns what contradicts it, so that an empty list is a pass.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import psycopg

# A judgment that counts: it came in time, was not taken back, and nothing replaces it.
STANDING = """
standing AS (
    SELECT said.* FROM labeling_judgment said JOIN labeling_task task ON task.id = said.task_id
    JOIN labeling_campaign campaign ON campaign.id = task.campaign_id
    WHERE campaign.slug = %(slug)s AND NOT said.extra AND NOT said.withdrawn
        AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id)
)"""

# Each done task's overlap, and the votes for its first answer, for its second, and for neither.
VOTES = f"""
WITH {STANDING}, voted AS (
    SELECT task_id,
        CASE WHEN verdict > 0 THEN order_shown[2] WHEN verdict < 0 THEN order_shown[1] END AS side
    FROM standing
)
SELECT task.overlap, count(*) FILTER (WHERE side = 0), count(*) FILTER (WHERE side = 1),
    count(*) FILTER (WHERE side IS NULL)
FROM labeling_task task JOIN voted ON voted.task_id = task.id WHERE task.status = 'done' GROUP BY task.id
"""

# In one statement, so of one moment, and true at each: the counters are what the rows say.
TASKS = f"""
WITH {STANDING}, said AS (
    SELECT task_id, count(*) AS judgments, count(DISTINCT rater_id) AS raters FROM standing GROUP BY task_id
), places AS (
    SELECT slot.task_id, count(*) FILTER (WHERE slot.status = 'done') AS done,
        count(*) FILTER (WHERE slot.status IN ('open', 'claimed', 'done')) AS live,
        count(*) FILTER (WHERE slot.status = 'done' AND standing.rater_id = slot.rater_id
            AND standing.task_id = slot.task_id) AS filled,
        count(*) FILTER (WHERE slot.status IN ('claimed', 'done')) - count(DISTINCT slot.rater_id)
            FILTER (WHERE slot.status IN ('claimed', 'done')) AS doubled
    FROM labeling_slot slot LEFT JOIN standing ON standing.slot_id = slot.id GROUP BY slot.task_id
)
SELECT task.id, task.status, task.counted, task.overlap, judgments, raters, done, filled, live, doubled
FROM labeling_task task JOIN labeling_campaign campaign ON campaign.id = task.campaign_id
LEFT JOIN said ON said.task_id = task.id LEFT JOIN places ON places.task_id = task.id
WHERE campaign.slug = %(slug)s AND (
    task.counted > task.overlap
    OR (task.status = 'done') <> (task.counted = task.overlap)
    OR task.counted <> coalesce(judgments, 0) OR task.counted <> coalesce(raters, 0)
    OR task.counted <> coalesce(done, 0) OR task.counted <> coalesce(filled, 0)
    OR task.overlap <> coalesce(live, 0) OR doubled > 0)
"""

UNFINISHED = """
SELECT task.id, task.status, task.counted FROM labeling_task task
JOIN labeling_campaign campaign ON campaign.id = task.campaign_id
WHERE campaign.slug = %(slug)s AND task.status <> 'done'
"""

# Beat gives back every 30 s what lapsed.
STUCK = """
SELECT slot.id, slot.rater_id, slot.lease_until FROM labeling_slot slot
JOIN labeling_campaign campaign ON campaign.id = slot.campaign_id
WHERE campaign.slug = %(slug)s AND slot.status = 'claimed'
    AND slot.lease_until < now() - make_interval(secs => %(grace)s)
"""

LOST = """
SELECT told.rater, told.key, told.verdict, said.verdict, said.task_id, slot.task_id
FROM unnest(%(raters)s::text[], %(keys)s::uuid[], %(leases)s::uuid[], %(verdicts)s::int[])
    AS told (rater, key, lease, verdict)
LEFT JOIN accounts_user person ON person.username = told.rater
LEFT JOIN labeling_judgment said ON said.idempotency_key = told.key AND said.rater_id = person.id
LEFT JOIN labeling_slot slot ON slot.lease = told.lease AND slot.rater_id = person.id
WHERE (said.task_id = slot.task_id AND said.verdict = told.verdict) IS NOT TRUE
"""

# An undo is a row of the server's own, with a key of its own.
INVENTED = """
SELECT said.id, said.idempotency_key, said.rater_id FROM labeling_judgment said
JOIN labeling_task task ON task.id = said.task_id
JOIN labeling_campaign campaign ON campaign.id = task.campaign_id
WHERE campaign.slug = %(slug)s AND NOT said.withdrawn AND NOT said.idempotency_key = ANY(%(sent)s)
"""

# But for what they took back: that comes on top of the two tasks on their page.
HELD = """
SELECT person.username, slot.lease::text FROM labeling_slot slot
JOIN labeling_campaign campaign ON campaign.id = slot.campaign_id
JOIN accounts_user person ON person.id = slot.rater_id
WHERE campaign.slug = %(slug)s AND slot.status = 'claimed' AND NOT EXISTS (
    SELECT FROM labeling_judgment said
    WHERE said.task_id = slot.task_id AND said.rater_id = slot.rater_id AND said.withdrawn)
"""

# Time goes by for these leases, and for nothing else.
LAPSE = """
UPDATE labeling_slot SET lease_until = now() - interval '1 s'
WHERE lease = ANY(%(leases)s::uuid[]) AND status = 'claimed'
RETURNING id
"""


class Told(Protocol):
    """A judgment of which a rater was told that it is saved."""

    @property
    def rater(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def lease(self) -> str: ...
    @property
    def verdict(self) -> int: ...


class Audit:
    """One campaign's queue, as its database has it."""

    def __init__(self, database: str, slug: str) -> None:
        self._database = database
        self._slug = slug

    def ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Ask in a transaction of its own. Raise psycopg.OperationalError while the database is away."""
        with psycopg.connect(self._database, connect_timeout=5, autocommit=True) as connection:
            return connection.execute(query, {"slug": self._slug, **values}).fetchall()

    def wrong_tasks(self) -> list[tuple[Any, ...]]:
        """Return tasks whose counter, judgments, raters and slots don't agree, or exceed the overlap."""
        return self.ask(TASKS)

    def unfinished(self) -> list[tuple[Any, ...]]:
        """Return tasks that still want judgments."""
        return self.ask(UNFINISHED)

    def stuck(self, grace: float) -> list[tuple[Any, ...]]:
        """Return slots that are claimed although their lease ran out more than `grace` seconds ago."""
        return self.ask(STUCK, grace=grace)

    def held(self) -> list[tuple[str, str]]:
        """Return who holds which lease, but for tasks that they took back."""
        return [(rater, lease) for rater, lease in self.ask(HELD)]

    def let_lapse(self, leases: Iterable[str]) -> int:
        """Let the time of claimed slots run out, and return how many there were."""
        return len(self.ask(LAPSE, leases=list(leases)))

    def lost(self, told: Iterable[Told]) -> list[tuple[Any, ...]]:
        """Return what raters were told was saved and isn't, or not as they said it."""
        rows = list(told)
        return self.ask(
            LOST,
            raters=[row.rater for row in rows],
            keys=[row.key for row in rows],
            leases=[row.lease for row in rows],
            verdicts=[row.verdict for row in rows],
        )

    def invented(self, sent: Iterable[str]) -> list[tuple[Any, ...]]:
        """Return judgments that nobody sent; `sent` are the keys of all that was, answered or not."""
        return self.ask(INVENTED, sent=list(sent))

    def votes(self) -> list[tuple[int, int, int, int]]:
        """Return each done task's overlap, and the votes for its first answer, its second, and neither."""
        return [(asked, *votes) for asked, *votes in self.ask(VOTES)]

    def count(self) -> int:
        """Count the judgments that stand."""
        return int(self.ask(f"WITH {STANDING} SELECT count(*) FROM standing")[0][0])
