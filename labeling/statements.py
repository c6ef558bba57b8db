"""The statements of the path that matters, from a rater's answer to their next task, written by hand.

Django's query builder would take several times as long to spell them as PostgreSQL takes to answer. They are
run by labeling.assignment (a claim), labeling.submissions (a submission) and labeling.views.working.
"""
# ruff: noqa: S608  (the statements are put together from each other, never from what people send)

from functools import cache

from psycopg import _queries

from accounts import rows
from labeling.models import Campaign, Slot, Task

# psycopg keeps what it parsed of statements up to a length, which is 4,096 characters. The longest here have
# twice as many, and parsing one takes a twentieth of a judgment's time.
_queries.MAX_CACHED_STATEMENT_LENGTH = 16_384

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

# After it the transaction's prepared statements keep their plans. Left to itself, PostgreSQL comes to plan
# each claim anew once its tables have grown, which takes longer than the claim.
_KEEP_PLANS = "set_config('plan_cache_mode', 'force_generic_plan', true)"

LOCK_MEMBER = f"""
SELECT id, {_KEEP_PLANS} FROM labeling_membership
WHERE user_id = %(rater)s AND campaign_id = %(campaign)s FOR NO KEY UPDATE
"""

# Whether somebody has had as many tasks as a campaign's limits allow.
_LIMITED = """
        CASE WHEN campaign.rater_limit IS NULL THEN false ELSE campaign.rater_limit <= (
            SELECT count(*) FROM labeling_slot mine
            WHERE mine.rater_id = %(rater)s AND mine.campaign_id = campaign.id
                AND mine.status IN ('claimed', 'done')) END
        OR CASE WHEN campaign.daily_limit IS NULL THEN false ELSE campaign.daily_limit <= (
            SELECT count(*) FROM labeling_slot mine
            WHERE mine.rater_id = %(rater)s AND mine.campaign_id = campaign.id
                AND mine.status IN ('claimed', 'done')
                AND mine.claimed_at >= date_trunc('day', now(), 'UTC')) END"""
# Who may claim in an active campaign, with its share of gold tasks drawn for this claim.
_MEMBER = """
member AS MATERIALIZED (
    SELECT campaign.lease_minutes * interval '1 minute' AS lease, random() < campaign.gold_share AS gold,
        {limited} AS limited
    FROM labeling_membership membership
        JOIN labeling_campaign campaign ON campaign.id = membership.campaign_id
    WHERE membership.user_id = %(rater)s AND campaign.id = %(campaign)s AND campaign.status = 'active'
        AND membership.role <> 'researcher'
        AND membership.paused_at IS NULL
        AND (membership.qualified_at IS NOT NULL OR campaign.pass_mark IS NULL)
        AND NOT EXISTS (
            SELECT FROM labeling_campaign_skills needed
            WHERE needed.campaign_id = campaign.id AND NOT EXISTS (
                SELECT FROM accounts_user_skills had
                WHERE had.user_id = %(rater)s AND had.skill_id = needed.skill_id))
)"""

# The first open slot, by priority and then in random order, of a task new to the rater. Whoever passed a task
# over or spoke on it holds a slot of it, or held one that is cancelled since: only these are looked into.
# That somebody spoke on a task and has but a cancelled slot of it is rare, and asked by a function: what is
# spelt here is made ready for each claim.
# Row locks skip what others are just claiming, and re-check `status` where they had to wait. OFFSET 0 keeps
# the look into the rater's slots a look by task, for the few slots tried: as a join it may be planned, while
# its table is small, to read the whole of it.
_FIRST = """
    SELECT slot.id FROM labeling_slot slot
    WHERE slot.campaign_id = %(campaign)s AND slot.status = 'open'
        AND NOT EXISTS (
            SELECT FROM (
                SELECT rater_id, status FROM labeling_slot WHERE task_id = slot.task_id OFFSET 0) mine
            WHERE mine.rater_id = %(rater)s
                AND (mine.status <> 'cancelled'
                    OR EXISTS (
                        SELECT FROM labeling_skip skip
                        WHERE skip.task_id = slot.task_id AND skip.rater_id = %(rater)s OFFSET 0)
                    OR labeling_said(slot.task_id, %(rater)s)))
        AND {which}
    ORDER BY slot.priority DESC, slot.order_key LIMIT 1
    FOR UPDATE OF slot SKIP LOCKED"""
_FREE = "slot.reserved_for_id IS NULL AND"

# What the page of a slot shows; it comes with the claim, so that nothing needs to be read again.
_SHOWN = f"""
SELECT {_SLOT}, {_TASK}, prompt.messages, draft.data, draft.updated_at,
    (SELECT jsonb_agg(
            jsonb_build_object('text', response.text, 'turns', response.turns) ORDER BY place.position)
        FROM labeling_taskresponse place JOIN labeling_response response ON response.id = place.response_id
        WHERE place.task_id = slot.task_id) AS answers
FROM claimed slot JOIN labeling_task task ON task.id = slot.task_id
    JOIN labeling_prompt prompt ON prompt.id = task.prompt_id
    LEFT JOIN labeling_draft draft ON draft.task_id = slot.task_id AND draft.rater_id = %(rater)s
"""


@cache
def _claimed(*, gold: bool, limited: bool) -> str:
    """Spell out what a claim gives: each of these where those before it give nothing.

    What the rater already holds, oldest first; what a manager chose for them; a gold task when one was drawn;
    any other. The turns of a live conversation are held through the conversation.
    """
    given = ["held"]
    parts = [
        _MEMBER.format(limited=_LIMITED if limited else "false"),
        """held AS (
    SELECT id FROM labeling_slot
    WHERE rater_id = %(rater)s AND campaign_id = %(campaign)s AND status = 'claimed'
        AND NOT lease = ANY(%(besides)s::uuid[]) AND EXISTS (SELECT FROM member)
        AND NOT EXISTS (
            SELECT FROM labeling_task task WHERE task.id = task_id AND task.chat_id IS NOT NULL)
    ORDER BY claimed_at LIMIT 1
    FOR UPDATE
)""",
    ]
    for name, which in {
        "reserved": "slot.reserved_for_id = %(rater)s",
        **({"gold": f"{_FREE} slot.gold AND EXISTS (SELECT FROM member WHERE gold)"} if gold else {}),
        "fresh": f"{_FREE} NOT slot.gold",
    }.items():
        nothing = "".join(f" AND NOT EXISTS (SELECT FROM {before})" for before in given)
        allowed = f"EXISTS (SELECT FROM member WHERE NOT limited){nothing}"
        parts.append(f"{name} AS ({_FIRST.format(which=f'{which} AND {allowed}')})")
        given.append(name)
    chosen = " UNION ALL ".join(f"SELECT id FROM {name}" for name in given)
    parts.append(f"""claimed AS (
    UPDATE labeling_slot SET
        status = 'claimed',
        rater_id = %(rater)s,
        lease_until = statement_timestamp() + member.lease,
        lease = CASE status WHEN 'claimed' THEN labeling_slot.lease ELSE gen_random_uuid() END,
        claimed_at = CASE status WHEN 'claimed' THEN claimed_at ELSE statement_timestamp() END,
        order_shown = CASE status WHEN 'claimed' THEN order_shown ELSE ARRAY(
            SELECT place.position FROM labeling_taskresponse place
            WHERE place.task_id = labeling_slot.task_id ORDER BY random()) END
    FROM member
    WHERE labeling_slot.id = ({chosen})
    RETURNING labeling_slot.*
)""")
    return ", ".join(part.strip() for part in parts)


@cache
def claim(*, gold: bool, limited: bool) -> str:
    """Spell out a claim: by whether the campaign asks gold tasks, and whether it limits how many one gets.

    What a statement holds is made ready each time it runs, needed or not.
    """
    return f"WITH {_claimed(gold=gold, limited=limited)}{_SHOWN}"


HELD = f"""
WITH claimed AS (
    SELECT * FROM labeling_slot
    WHERE lease = %(lease)s AND rater_id = %(rater)s AND campaign_id = %(campaign)s AND status = 'claimed'
)
{_SHOWN}"""

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

# A rater's slot by its lease, locked after their membership (and, where the overlap adapts, after a share of
# the round, which can't close meanwhile), with its task, its campaign and whether they rate there, the
# guideline shown, and whether the rater had another slot of the task before. OFFSET 0 keeps PostgreSQL from
# looking by the rater, through all that they ever did, by a plan as old as their first day.
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
SELECT {_SLOT}, {_TASK}, {_CAMPAIGN},
    (SELECT guideline.id FROM labeling_guideline guideline
        WHERE guideline.campaign_id = slot.campaign_id
            AND (%(guideline)s::int IS NULL OR guideline.number = %(guideline)s)
        ORDER BY guideline.number DESC LIMIT 1) AS shown_guideline,
    coalesce({_RATED} AND member.role <> 'researcher', false) AS rated,
    EXISTS (SELECT FROM (SELECT id, rater_id FROM labeling_slot WHERE task_id = slot.task_id OFFSET 0) other
        WHERE other.rater_id = %(rater)s AND other.id <> slot.id) AS had_before,
    {_KEEP_PLANS}
FROM given JOIN labeling_slot slot ON slot.id = given.id
    JOIN labeling_task task ON task.id = slot.task_id
    JOIN labeling_campaign campaign ON campaign.id = slot.campaign_id
    LEFT JOIN member ON true LEFT JOIN live ON true
FOR UPDATE OF slot
"""

# Mark a slot done and count it in its task; the draft goes, too.
_FILLED = """
filled AS (
    UPDATE labeling_slot SET status = 'done', rater_id = %(rater)s, order_shown = %(order_shown)s::smallint[]
    WHERE id = %(slot)s
), counted AS (
    UPDATE labeling_task SET counted = counted + 1,
        status = CASE WHEN status = 'open' AND counted >= overlap - 1 THEN 'done' ELSE status END
    WHERE id = %(task)s
    RETURNING counted, overlap
), forgotten AS (
    DELETE FROM labeling_draft WHERE task_id = %(task)s AND rater_id = %(rater)s
)"""


def fill(insert: str) -> str:
    """Spell out how what was said is stored, which `insert` does and returns, and its slot filled."""
    return f"WITH {_FILLED}, stored AS ({insert})\nSELECT * FROM stored, counted"


def fill_and_claim(insert: str, *, gold: bool, limited: bool) -> str:
    """Spell out the same, and the claim of the next slot, where neither waits for the other.

    The claim sees the slot as it was before, so `besides` must name its lease, too.
    """
    return (
        f"WITH {_FILLED}, stored AS ({insert}), {_claimed(gold=gold, limited=limited)}\n"
        f"SELECT * FROM stored, counted LEFT JOIN ({_SHOWN}) shown ON true"
    )
