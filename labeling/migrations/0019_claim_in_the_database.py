# ruff: noqa: S608  (the statements are put together from each other alone)
from django.db import migrations

# The first open slot, by priority and then in random order, of a task new to the rater. Whoever passed a task
# over or spoke on it holds a slot of it, or held one that is cancelled since: only these are looked into.
# Row locks skip what others are just claiming, and re-check `status` where they had to wait. OFFSET 0 keeps
# the look into the rater's slots a look by task, for the few slots tried: as a join it may be planned, while
# its table is small, to read the whole of it.
FIRST = """
        SELECT slot.id INTO chosen FROM labeling_slot slot
        WHERE slot.campaign_id = in_campaign AND slot.status = 'open' AND {which}
            AND NOT EXISTS (
                SELECT FROM (
                    SELECT rater_id, status FROM labeling_slot WHERE task_id = slot.task_id OFFSET 0) mine
                WHERE mine.rater_id = for_rater
                    AND (mine.status <> 'cancelled'
                        OR EXISTS (
                            SELECT FROM labeling_skip skip
                            WHERE skip.task_id = slot.task_id AND skip.rater_id = for_rater OFFSET 0)
                        OR labeling_said(slot.task_id, for_rater)))
        ORDER BY slot.priority DESC, slot.order_key LIMIT 1
        FOR UPDATE OF slot SKIP LOCKED;"""

# What the page of a slot shows: its task, the prompt, the answers in their places and what is typed so far.
SHOWN_COLUMNS = """
    slot labeling_slot, task labeling_task, messages jsonb, draft jsonb, draft_at timestamptz, answers jsonb
"""
SHOWN = f"""
CREATE FUNCTION labeling_shown(of_slot labeling_slot, for_rater bigint)
RETURNS TABLE ({SHOWN_COLUMNS}) LANGUAGE sql STABLE AS $$
    SELECT of_slot, task, prompt.messages, draft.data, draft.updated_at, (
        SELECT jsonb_agg(
            jsonb_build_object('text', response.text, 'turns', response.turns) ORDER BY place.position)
        FROM labeling_taskresponse place JOIN labeling_response response ON response.id = place.response_id
        WHERE place.task_id = task.id)
    FROM labeling_task task
        JOIN labeling_prompt prompt ON prompt.id = task.prompt_id
        LEFT JOIN labeling_draft draft ON draft.task_id = task.id AND draft.rater_id = for_rater
    WHERE task.id = of_slot.task_id
$$
"""

# Give a rater the slot that they hold in a campaign, oldest first, beside those whose leases are named; else one
# that a manager chose for them, a gold task when one was drawn, or any other. It returns the slot with all that
# its page shows, or no row. The turns of a live conversation are held through the conversation.
#
# One rater's claims follow each other: the first statement locks their membership, and each after it sees what
# is committed when it begins, as in no single statement. Plans are kept: PostgreSQL comes to plan each claim
# anew once its tables have grown, which takes longer than the claim.
CLAIM = f"""
CREATE FUNCTION labeling_claim(for_rater bigint, in_campaign bigint, besides uuid[])
RETURNS TABLE ({SHOWN_COLUMNS}) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    may record;
    had bigint;
    chosen bigint;
    claimed labeling_slot;
BEGIN
    SELECT campaign.lease_minutes * interval '1 minute' AS lease, random() < campaign.gold_share AS gold,
        campaign.rater_limit, campaign.daily_limit, EXISTS (
            SELECT FROM labeling_slot slot
            WHERE slot.reserved_for_id = for_rater AND slot.campaign_id = in_campaign
                AND slot.status = 'open') AS reserved
    INTO may
    FROM labeling_membership membership
        JOIN labeling_campaign campaign ON campaign.id = membership.campaign_id
    WHERE membership.user_id = for_rater AND campaign.id = in_campaign AND campaign.status = 'active'
        AND membership.role <> 'researcher'
        AND membership.paused_at IS NULL
        AND (membership.qualified_at IS NOT NULL OR campaign.pass_mark IS NULL)
        AND NOT EXISTS (
            SELECT FROM labeling_campaign_skills needed
            WHERE needed.campaign_id = campaign.id AND NOT EXISTS (
                SELECT FROM accounts_user_skills had
                WHERE had.user_id = for_rater AND had.skill_id = needed.skill_id))
    FOR NO KEY UPDATE OF membership;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    SELECT held.id INTO chosen FROM labeling_slot held
    WHERE held.rater_id = for_rater AND held.campaign_id = in_campaign AND held.status = 'claimed'
        AND NOT held.lease = ANY(besides)
        AND NOT EXISTS (
            SELECT FROM labeling_task task WHERE task.id = held.task_id AND task.chat_id IS NOT NULL)
    ORDER BY held.claimed_at LIMIT 1
    FOR UPDATE;
    IF FOUND THEN
        UPDATE labeling_slot SET lease_until = statement_timestamp() + may.lease
        WHERE id = chosen RETURNING * INTO claimed;
    ELSE
        IF may.rater_limit IS NOT NULL THEN
            SELECT count(*) INTO had FROM labeling_slot mine
            WHERE mine.rater_id = for_rater AND mine.campaign_id = in_campaign
                AND mine.status IN ('claimed', 'done');
            IF had >= may.rater_limit THEN
                RETURN;
            END IF;
        END IF;
        IF may.daily_limit IS NOT NULL THEN
            SELECT count(*) INTO had FROM labeling_slot mine
            WHERE mine.rater_id = for_rater AND mine.campaign_id = in_campaign
                AND mine.status IN ('claimed', 'done')
                AND mine.claimed_at >= date_trunc('day', now(), 'UTC');
            IF had >= may.daily_limit THEN
                RETURN;
            END IF;
        END IF;
        IF may.reserved THEN
{FIRST.format(which="slot.reserved_for_id = for_rater")}
        END IF;
        IF chosen IS NULL AND may.gold THEN
{FIRST.format(which="slot.reserved_for_id IS NULL AND slot.gold")}
        END IF;
        IF chosen IS NULL THEN
{FIRST.format(which="slot.reserved_for_id IS NULL AND NOT slot.gold")}
        END IF;
        UPDATE labeling_slot SET
            status = 'claimed',
            rater_id = for_rater,
            lease = gen_random_uuid(),
            lease_until = statement_timestamp() + may.lease,
            claimed_at = statement_timestamp(),
            order_shown = ARRAY(
                SELECT place.position FROM labeling_taskresponse place
                WHERE place.task_id = labeling_slot.task_id ORDER BY random())
        WHERE id = chosen RETURNING * INTO claimed;
    END IF;

    RETURN QUERY SELECT * FROM labeling_shown(claimed, for_rater);
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("labeling", "0018_leases_that_are_given")]

    operations = [
        migrations.RunSQL(SHOWN, "DROP FUNCTION labeling_shown(labeling_slot, bigint)"),
        migrations.RunSQL(CLAIM, "DROP FUNCTION labeling_claim(bigint, bigint, uuid[])"),
    ]
