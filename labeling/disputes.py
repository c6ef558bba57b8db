"""Disputes: comparisons worth a reviewer's final word, found in the rows and ranked by how much is in doubt.

A comparison is in dispute when nobody is asked about it any more and one of these says so, each from 0 to 1:

- disagreement: the variance of the votes' sides, v = Σ w s² / W − (Σ w s / W)² with s = −1, 0, 1 and w the
  rater's weight, times W / (W + 1). Opposite sides count 1, a side against a tie ¼; W is the sum of weights,
  so that a dispute between raters of little weight comes later.
- conflict: raters and the champion reward model are each sure of another side. With p the weighted share of
  the raters' side and q = σ(|margin| / T) the model's, T its temperature: (2p − 1) W / (W + 1) · (2q − 1),
  from p ≥ .75 with two votes and q ≥ .9 on.
- flag: F / (F + 1) with F the weights of those who flagged it.

The largest is its urgency and its reason; all figures are kept as evidence.
"""

from django.db import connection, transaction

from labeling.models import Adjudication, Campaign
from models_app import registry
from models_app.models import ModelVersion

SURE_PEOPLE = 0.75
SURE_MODEL = 0.9
FEWEST_VOTES = 2

# ruff: noqa: S608  (put together from what is written here)
_STANDING = """
NOT said.extra AND NOT said.withdrawn
    AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id)"""

_FOUND = f"""
votes AS MATERIALIZED (
    SELECT said.task_id, cardinality(said.flags) > 0 AS flagged,
        sign(said.verdict) * CASE said.order_shown[1] WHEN 0 THEN 1 ELSE -1 END AS side,
        CASE WHEN campaign.weigh_votes THEN coalesce(trust.weight, 1.0) ELSE 1.0 END AS weight
    FROM labeling_task task JOIN labeling_campaign campaign ON campaign.id = task.campaign_id
        JOIN labeling_judgment said ON said.task_id = task.id
        LEFT JOIN labeling_reliability trust
            ON trust.campaign_id = task.campaign_id AND trust.rater_id = said.rater_id
    WHERE task.campaign_id = %(campaign)s AND task.kind = 'compare' AND task.status <> 'open'
        AND NOT task.gold AND task.repeats_id IS NULL AND said.verdict IS NOT NULL AND {_STANDING}
), tallies AS (
    SELECT task_id, count(*) AS votes, sum(weight) AS whole,
        count(*) FILTER (WHERE side < 0) AS first, count(*) FILTER (WHERE side = 0) AS tied,
        count(*) FILTER (WHERE side > 0) AS second,
        sum(weight * side) / nullif(sum(weight), 0) AS mean,
        sum(weight * abs(side)) / nullif(sum(weight), 0) AS square,
        sum(weight) FILTER (WHERE side < 0) AS for_first, sum(weight) FILTER (WHERE side > 0) AS for_second,
        count(*) FILTER (WHERE flagged) AS flags, sum(weight) FILTER (WHERE flagged) AS flagging
    FROM votes GROUP BY task_id
), scored AS (
    SELECT tallies.*, greatest(for_first, for_second) / nullif(whole, 0) AS people,
        coalesce(for_first, 0) >= coalesce(for_second, 0) AS people_first,
        (SELECT score.value FROM labeling_taskresponse place JOIN labeling_score score
            ON score.response_id = place.response_id AND score.model_id = %(model)s
            WHERE place.task_id = tallies.task_id AND place.position = 0)
        - (SELECT score.value FROM labeling_taskresponse place JOIN labeling_score score
            ON score.response_id = place.response_id AND score.model_id = %(model)s
            WHERE place.task_id = tallies.task_id AND place.position = 1) AS margin
    FROM tallies
), sure AS (
    SELECT scored.*, 1 / (1 + exp(-least(abs(margin) / %(temperature)s, 30.0))) AS model_sure FROM scored
), doubts AS (
    SELECT sure.*, greatest(square - mean * mean, 0) * whole / (whole + 1) AS disagreement,
        CASE WHEN votes >= {FEWEST_VOTES} AND people >= {SURE_PEOPLE} AND model_sure >= {SURE_MODEL}
            AND people_first <> (margin > 0)
            THEN (2 * people - 1) * whole / (whole + 1) * (2 * model_sure - 1) ELSE 0 END AS conflict,
        coalesce(flagging, 0) / (coalesce(flagging, 0) + 1) AS flag
    FROM sure
), found AS MATERIALIZED (
    SELECT doubts.*, greatest(disagreement, conflict, flag) AS urgency FROM doubts
    WHERE greatest(disagreement, conflict, flag) > 1e-9 AND NOT EXISTS (
        SELECT FROM labeling_adjudication decided
        WHERE decided.task_id = doubts.task_id AND decided.decided_at IS NOT NULL)
)"""

# Nobody's hands are on a row whose hold is over; one that a reviewer has before them is left as it was.
_FREE = "adjudication.decided_at IS NULL AND coalesce(adjudication.held_until < now(), true)"

REFRESH = f"""
WITH {_FOUND}, settled AS (
    DELETE FROM labeling_adjudication adjudication
    WHERE adjudication.campaign_id = %(campaign)s AND adjudication.reason <> 'sampled' AND {_FREE}
        AND NOT EXISTS (SELECT FROM found WHERE found.task_id = adjudication.task_id)
), opened AS (
    INSERT INTO labeling_adjudication AS adjudication
        (campaign_id, task_id, reason, evidence, urgency, opened_at, both_bad, cause, note)
    SELECT %(campaign)s, task_id,
        CASE urgency WHEN conflict THEN 'conflict' WHEN flag THEN 'flag' ELSE 'disagreement' END,
        jsonb_build_object('votes', votes, 'first', first, 'tied', tied, 'second', second,
            'mean', round(mean::numeric, 4), 'weights', round(whole::numeric, 4), 'margin', margin,
            'model', CASE WHEN margin IS NULL THEN NULL ELSE %(name)s END, 'flags', flags,
            'temperature', %(temperature)s),
        urgency, now(), false, '', ''
    FROM found
    ON CONFLICT (task_id) WHERE decided_at IS NULL DO UPDATE
        SET urgency = excluded.urgency, reason = excluded.reason, evidence = excluded.evidence
        WHERE adjudication.reason <> 'sampled' AND {_FREE}
        AND (adjudication.urgency, adjudication.reason) <> (excluded.urgency, excluded.reason)
    RETURNING (xmax = 0) AS fresh
)
SELECT count(*) FILTER (WHERE fresh) FROM opened
"""

# A decision may come between looking and opening: its row then no longer stands in the way of a second one.
DROP_DECIDED = """
DELETE FROM labeling_adjudication adjudication
WHERE campaign_id = %(campaign)s AND decided_at IS NULL AND EXISTS (
    SELECT FROM labeling_adjudication decided
    WHERE decided.task_id = adjudication.task_id AND decided.decided_at IS NOT NULL)
"""


def refresh(campaign: Campaign) -> int:
    """Open an adjudication for each comparison in dispute, and close what is none any more.

    One that a reviewer holds or has decided stays as it is. Returns how many are new; running it again
    changes nothing.
    """
    champion = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    values = {
        "campaign": campaign.pk,
        "model": champion.pk if champion else None,
        "name": champion.name if champion else None,
        "temperature": float(champion.options.get("temperature", 1.0)) if champion else 1.0,
    }
    with transaction.atomic():
        # two refreshes of a campaign follow each other
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        with connection.cursor() as cursor:
            cursor.execute(REFRESH, values)
            fresh: int = cursor.fetchone()[0]
            cursor.execute(DROP_DECIDED, values)
            decided: int = cursor.rowcount
    return fresh - decided


def count_open(campaign: Campaign) -> dict[str, int]:
    """Count the open adjudications of a campaign by reason."""
    counts = dict.fromkeys(Adjudication.Reason.values, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reason, count(*) FROM labeling_adjudication "
            "WHERE campaign_id = %s AND decided_at IS NULL GROUP BY reason",
            [campaign.pk],
        )
        counts.update(cursor.fetchall())
    return counts
