"""How often a rater agrees with the others who judged the same comparisons."""

from collections.abc import Sequence

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from labeling.models import Campaign
from preferences.intervals import wilson
from preferences.types import Estimate

# A figure over fewer would give away what another said about one of them.
FEWEST = 5

# One row a campaign: on how many of one's comparisons others have a verdict too, and the sum over these of
# the share of the others who preferred the same answer, or neither too. `order_shown[1]` is what stood left.
SHARED = """
SELECT campaign_id, count(*), sum(share) FROM (
    SELECT task.campaign_id, task.id, avg(CASE
        WHEN sign(mine.verdict) * CASE mine.order_shown[1] WHEN 0 THEN 1 ELSE -1 END
            = sign(other.verdict) * CASE other.order_shown[1] WHEN 0 THEN 1 ELSE -1 END
        THEN 1.0 ELSE 0.0 END) AS share
    FROM labeling_judgment mine
    JOIN labeling_task task ON task.id = mine.task_id
    JOIN labeling_judgment other ON other.task_id = mine.task_id AND other.rater_id <> mine.rater_id
    WHERE mine.rater_id = %(rater)s AND task.campaign_id = ANY(%(campaigns)s)
        AND NOT task.gold AND task.repeats_id IS NULL
        AND mine.verdict IS NOT NULL AND NOT mine.extra AND NOT mine.withdrawn
        AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = mine.id)
        AND other.verdict IS NOT NULL AND NOT other.extra AND NOT other.withdrawn
        AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = other.id)
    GROUP BY task.campaign_id, task.id
) shared GROUP BY campaign_id
"""


def of_rater(rater: User, campaigns: Sequence[Campaign]) -> dict[int, Estimate]:
    """Return for each campaign's key the share of others' verdicts that agree with the rater's.

    Agreeing is preferring the same answer, or neither; every comparison weighs the same, whatever the number
    of its raters. `n` counts the comparisons; the interval is Wilson's. Undefined with fewer than FEWEST.
    """
    with connection.cursor() as cursor:
        cursor.execute(SHARED, {"rater": rater.pk, "campaigns": [c.pk for c in campaigns]})
        shared = {pk: (int(n), float(agreeing)) for pk, n, agreeing in cursor.fetchall()}
    return {campaign.pk: estimate(*shared.get(campaign.pk, (0, 0.0))) for campaign in campaigns}


def estimate(n: int, agreeing: float) -> Estimate:
    """Estimate a share of `n` comparisons, or say why there is none yet."""
    if n == 0:
        return Estimate(None, None, 0, _("Nobody else has judged your comparisons yet."))
    if n < FEWEST:
        few = ngettext(
            "Only %(n)s of your comparisons has another verdict yet; this is shown from %(fewest)s on.",
            "Only %(n)s of your comparisons have another verdict yet; this is shown from %(fewest)s on.",
            n,
        )
        return Estimate(None, None, n, few % {"n": n, "fewest": FEWEST})
    return Estimate(agreeing / n, wilson(min(agreeing, n), n), n)
