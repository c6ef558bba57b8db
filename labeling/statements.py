"""The statements of the path that matters, from a rater's answer to their next task, written by hand.

Django's query builder would take several times as long to spell them as PostgreSQL takes to answer. They are
run by labeling.assignment (a claim), labeling.submissions (a submission) and labeling.views.working.
"""
# ruff: noqa: S608  (the statements are put together from each other, never from what people send)

from accounts import rows
from labeling.models import Campaign, Slot, Task

# of a slot: when it was claimed is asked for by nobody who works on it
SLOT_COLUMNS = [field.attname for field in Slot._meta.concrete_fields if field.attname != "claimed_at"]
# of a task, as they come with a slot
TASK_COLUMNS = [
    "id",
    "campaign_id",
    "round_id",
    "prompt_id",
    "kind",
    "chat_id",
    "overlap",
    "counted",
    "priority",
    "gold",
    "repeats_id",
]
_SLOT = rows.columns(Slot, "slot", SLOT_COLUMNS)
_TASK = rows.columns(Task, "task", TASK_COLUMNS)

# of a campaign, what a submission is held against and what its raters' pages show
RATERS_COLUMNS = [
    "id", "slug", "status", "scale", "allow_ties", "overlap", "overlap_cap", "certainty", "chat_turns",
    "lease_minutes", "undo_minutes", "name", "description", "rater_limit", "daily_limit", "gold_share",
    "repeat_share", "edit_share", "rank_share", "chat_share", "red_team", "reasons", "display_rate",
    "pass_mark", "test_attempts", "show_figures", "loop_paused", "max_rounds",
]  # fmt: skip

# A campaign with its criteria, its newest guideline, the newest one that a rater has read, and the oldest
# word to them from it that they have not: submissions.read_campaign takes it in.
_CAMPAIGN = f"""{rows.columns(Campaign, "campaign", RATERS_COLUMNS)},
    (SELECT coalesce(jsonb_agg(to_jsonb(criterion) ORDER BY criterion.id), '[]')
        FROM labeling_criterion criterion WHERE criterion.campaign_id = campaign.id) AS graded,
    (SELECT max(number) FROM labeling_guideline WHERE campaign_id = campaign.id) AS guideline_number,
    (SELECT max(guideline.number) FROM labeling_guidelineread opened
        JOIN labeling_guideline guideline ON guideline.id = opened.guideline_id
        WHERE opened.user_id = %(rater)s AND guideline.campaign_id = campaign.id) AS guideline_read,
    (SELECT jsonb_build_object('id', word.id, 'text', left(word.text, 600), 'by', sender.username)
        FROM labeling_feedback word JOIN accounts_user sender ON sender.id = word.reviewer_id
        WHERE word.rater_id = %(rater)s AND word.read_at IS NULL AND word.campaign_id = campaign.id
        ORDER BY word.created_at LIMIT 1) AS word"""
_RATED = "campaign.status <> 'draft' AND campaign.archived_at IS NULL"

# a campaign that somebody rates in
MEMBERS_CAMPAIGN = f"""
SELECT {_CAMPAIGN}
FROM labeling_campaign campaign
WHERE campaign.slug = %(slug)s AND {_RATED} AND EXISTS (
    SELECT FROM labeling_membership
    WHERE labeling_membership.campaign_id = campaign.id AND labeling_membership.user_id = %(rater)s
        AND labeling_membership.role <> 'researcher')
"""

LOCK_MEMBER = """
SELECT id FROM labeling_membership WHERE user_id = %(rater)s AND campaign_id = %(campaign)s FOR NO KEY UPDATE
"""

# What the page of a slot shows; it comes with the slot, so that nothing needs to be read again.
_SHOWN = ", ".join(
    [
        *(f"(shown.slot).{name} AS slot_{name}" for name in SLOT_COLUMNS),
        *(f"(shown.task).{name} AS task_{name}" for name in TASK_COLUMNS),
        "shown.messages, shown.draft, shown.draft_at, shown.answers",
    ]
)

# A function of the database gives the next slot (migration 0019).
CLAIM = f"SELECT {_SHOWN} FROM labeling_claim(%(rater)s, %(campaign)s, %(besides)s::uuid[]) shown"

HELD = f"""
SELECT {_SHOWN} FROM labeling_slot slot CROSS JOIN LATERAL labeling_shown(slot, %(rater)s) shown
WHERE slot.lease = %(lease)s AND slot.rater_id = %(rater)s AND slot.campaign_id = %(campaign)s
    AND slot.status = 'claimed'
"""

# The slots of a round's open tasks, which have none yet, in an order drawn now. A comparison whose answers
# are still to be chosen (labeling.batches) gets its slots with them. Imports write the same slots by
# themselves: labeling.import_loading, _write_tasks.
OPEN_SLOTS = """
INSERT INTO labeling_slot (campaign_id, task_id, status, order_key, priority, gold, order_shown)
SELECT task.campaign_id, task.id, 'open', random(), task.priority, task.gold, '{}'
FROM labeling_task task CROSS JOIN LATERAL generate_series(1, task.overlap)
WHERE task.round_id = %(round)s AND task.status = 'open'
    AND NOT EXISTS (SELECT FROM labeling_slot slot WHERE slot.task_id = task.id)
    AND (task.kind <> 'compare'
        OR EXISTS (SELECT FROM labeling_taskresponse place WHERE place.task_id = task.id))
"""

# Of a rater's slot by its lease: the slot, its task, its campaign and whether they rate there, the guideline
# shown, whether the rater had another slot of the task before, and the task's version. OFFSET 0 keeps
# PostgreSQL from looking by the rater, through all that they ever did, by a plan as old as their first day.
_FOUND = f"""
{_SLOT}, {_TASK}, {_CAMPAIGN},
    (SELECT guideline.id FROM labeling_guideline guideline
        WHERE guideline.campaign_id = slot.campaign_id
            AND (%(guideline)s::int IS NULL OR guideline.number = %(guideline)s)
        ORDER BY guideline.number DESC LIMIT 1) AS shown_guideline,
    coalesce({_RATED} AND member.role <> 'researcher', false) AS rated,
    EXISTS (SELECT FROM (SELECT id, rater_id FROM labeling_slot WHERE task_id = slot.task_id OFFSET 0) other
        WHERE other.rater_id = %(rater)s AND other.id <> slot.id) AS had_before,
    task.xmin::text AS task_version"""

# psycopg keeps what it parsed of statements up to 4,096 characters, and this is one
FIND = f"""
SELECT {_FOUND}
FROM (SELECT * FROM labeling_slot WHERE lease = %(lease)s OFFSET 0) slot
    JOIN labeling_task task ON task.id = slot.task_id
    JOIN labeling_campaign campaign ON campaign.id = slot.campaign_id
    LEFT JOIN labeling_membership member ON member.campaign_id = campaign.id AND member.user_id = %(rater)s
WHERE slot.rater_id = %(rater)s
"""

# The same locked, and then its task, after the rater's membership (and, where the overlap adapts, after a
# share of the round, which can't close meanwhile).
LOCK = f"""
WITH given AS MATERIALIZED (
    SELECT slot.id, slot.campaign_id, task.round_id, campaign.overlap_cap IS NOT NULL AS adapts
    FROM (SELECT id, task_id, campaign_id, rater_id FROM labeling_slot WHERE lease = %(lease)s OFFSET 0) slot
        JOIN labeling_task task ON task.id = slot.task_id
        JOIN labeling_campaign campaign ON campaign.id = slot.campaign_id
    WHERE slot.rater_id = %(rater)s
), member AS MATERIALIZED (
    SELECT membership.role FROM given
        JOIN labeling_membership membership ON membership.campaign_id = given.campaign_id
    WHERE membership.user_id = %(rater)s
    FOR NO KEY UPDATE OF membership
), live AS MATERIALIZED (
    SELECT round.id FROM given JOIN labeling_round round ON round.id = given.round_id
    WHERE given.adapts AND (SELECT count(*) FROM member) >= 0
    FOR SHARE OF round
)
SELECT {_FOUND}
FROM given JOIN labeling_slot slot ON slot.id = given.id
    JOIN labeling_task task ON task.id = slot.task_id
    JOIN labeling_campaign campaign ON campaign.id = slot.campaign_id
    LEFT JOIN member ON true LEFT JOIN live ON true
FOR UPDATE OF slot FOR NO KEY UPDATE OF task
"""


def fill(insert: str, *, claim: bool, adapts: bool = False) -> str:
    """Spell out how what was said is stored, its slot filled and, if so wanted, the next one claimed.

    `insert` stores it, FROM filled, and returns it. The slot is marked done and counted in its task; the
    draft goes, too. Nothing happens, and no row comes back, where the slot's status isn't the one that was
    read. The rater's membership is locked before their slot, as by a claim. A task that `adapts` must be of
    the version that was read, and is asked of one more rater if so wanted and its round is still open.
    """
    return f"""
WITH member AS MATERIALIZED ({LOCK_MEMBER}), {_SAME if adapts else ""}filled AS (
    UPDATE labeling_slot SET status = 'done', rater_id = %(rater)s, order_shown = %(order_shown)s::smallint[]
    WHERE id = %(slot)s AND status = %(status)s AND {_ONLY_SAME if adapts else _AFTER_MEMBER}
    RETURNING rater_id, campaign_id
), counted AS (
    UPDATE labeling_task SET counted = counted + 1, {"overlap = overlap + " + _MORE + "," if adapts else ""}
        status = CASE WHEN status = 'open' AND counted >= overlap - 1 {"+ " + _MORE if adapts else ""}
            THEN 'done' ELSE status END
    WHERE id = %(task)s AND EXISTS (SELECT FROM filled)
    RETURNING id, campaign_id, priority, gold
), forgotten AS (
    DELETE FROM labeling_draft
    WHERE task_id = %(task)s AND rater_id = %(rater)s AND EXISTS (SELECT FROM filled)
), {_ASKED if adapts else ""}stored AS ({insert})
SELECT stored.*{f", {_SHOWN}" if claim else ""}
FROM filled, stored, counted{_AND_CLAIM if claim else ""}"""


_AFTER_MEMBER = "(SELECT count(*) FROM member) >= 0"
# who judges the same task at the same moment is waited for, and the task is another then
_SAME = f"""live AS MATERIALIZED (
    SELECT id FROM labeling_round
    WHERE id = %(round)s AND status = 'open' AND %(more)s AND {_AFTER_MEMBER}
    FOR SHARE
), place AS MATERIALIZED (
    SELECT id FROM labeling_slot
    WHERE id = %(slot)s AND status = %(status)s AND (SELECT count(*) FROM live) >= 0 AND {_AFTER_MEMBER}
    FOR UPDATE
), same AS MATERIALIZED (
    SELECT id FROM labeling_task
    WHERE id = %(task)s AND xmin = %(version)s::xid AND EXISTS (SELECT FROM place)
    FOR NO KEY UPDATE
), """
_ONLY_SAME = "EXISTS (SELECT FROM same)"
_MORE = "(SELECT count(*) FROM live)"
# as assignment.ask_once_more does for a manager
_ASKED = """asked AS (
    INSERT INTO labeling_slot (campaign_id, task_id, status, order_key, priority, gold, order_shown)
    SELECT counted.campaign_id, counted.id, 'open', random(), counted.priority, counted.gold, '{}'
    FROM counted, live
), """
_AND_CLAIM = """
    LEFT JOIN labeling_claim(filled.rater_id, filled.campaign_id, %(besides)s::uuid[]) shown ON true"""
