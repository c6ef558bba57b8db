"""A campaign's figures as stored: a worker computes them, and pages read one row.

`tend` sees what is due, `refresh` computes and stores, `latest` reads.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, F, Max, QuerySet
from django.utils import timezone

from labeling.figures import Figures, load
from labeling.models import Campaign, Edit, Judgment, QualityReport
from labeling.models.judgment import counting
from labeling.models.task import fresh
from preferences.types import Estimate

SOONEST = 20  # new judgments before figures are computed again …
SHARE = 0.05  # … or this share of those that they were computed from, whichever is more
OLDEST = timedelta(minutes=10)  # … or this old, and anything new
LOCK_SECONDS = 900
SHAPE = 2  # of the figures as stored; those of another shape are computed anew
MANY = 10_000  # judgments that are no longer counted for each page
NOT_YET = "it is computed within a minute of the first judgments"


@dataclass(frozen=True)
class Report:
    """Figures with what they were computed from and when; `computed_at` is None before the first time."""

    figures: Figures
    judgments: int
    fresh: int  # judgments since
    computed_at: datetime | None


def counted(campaign: Campaign) -> QuerySet[Judgment]:
    """Return the judgments that count: neither extra nor withdrawn nor superseded, nor checks of raters."""
    return Judgment.objects.filter(counting(), fresh("task__"), task__campaign=campaign).order_by("pk")


def count(campaign: Campaign, report: Report) -> int:
    """Count a campaign's judgments; of very many, those of the last look, half a minute ago at most."""
    return report.judgments + report.fresh if report.judgments >= MANY else counted(campaign).count()


def counts(campaigns: Iterable[Campaign]) -> dict[int, int]:
    """Count several campaigns' judgments, as `count` does for one, in two queries however many they are."""
    wanted = [campaign.pk for campaign in campaigns]
    many = QualityReport.objects.filter(campaign__in=wanted, judgments__gte=MANY)
    found = {pk: judgments + new for pk, judgments, new in many.values_list("campaign", "judgments", "fresh")}
    # named in the statement, so that PostgreSQL knows that they have few tasks
    small = [pk for pk in wanted if pk not in found]
    rows = Judgment.objects.filter(counting(), fresh("task__"), task__campaign__in=small)
    return dict.fromkeys(small, 0) | found | _by_campaign(rows)


def edits(campaigns: Iterable[Campaign]) -> dict[int, int]:
    """Count the edits that count of those campaigns that have some."""
    wanted = [campaign.pk for campaign in campaigns]
    return _by_campaign(Edit.objects.filter(counting(), task__campaign__in=wanted))


def _by_campaign(rows: QuerySet[Any]) -> dict[int, int]:
    return dict(rows.order_by().values_list("task__campaign").annotate(n=Count("pk")))


def latest(campaign: Campaign) -> Report:
    """Return a campaign's figures as last computed: one row, however many judgments there are."""
    return _read(QualityReport.objects.filter(campaign=campaign).first())


def latest_of(campaigns: Iterable[Campaign]) -> dict[int, Report]:
    """Return the figures of several campaigns, by their keys."""
    rows = {row.campaign_id: row for row in QualityReport.objects.filter(campaign__in=campaigns)}
    return {campaign.pk: _read(rows.get(campaign.pk)) for campaign in campaigns}


def _read(row: QualityReport | None) -> Report:
    if row is not None and row.figures.get("shape") == SHAPE:
        return Report(load(row.figures), row.judgments, row.fresh, row.computed_at)
    unknown = Estimate(None, None, 0, NOT_YET)
    figures = Figures(unknown, unknown, unknown, unknown, unknown, unknown, policies_why=NOT_YET)
    return Report(figures, 0, row.fresh if row else 0, None)


def refresh(campaign: Campaign) -> bool:
    """Compute a campaign's figures and store them; False when that is under way elsewhere."""
    from labeling.measuring import measure  # SciPy comes with it, which nothing else here needs

    key = f"measuring:{campaign.pk}"
    if not cache.add(key, 1, LOCK_SECONDS):
        return False
    try:
        last = last_judgment()
        found = {
            "figures": {"shape": SHAPE, **asdict(measure(campaign))},
            "judgments": counted(campaign).count(),
        }
        # what came meanwhile is counted by the next look
        found |= {"computed_at": timezone.now(), "seen_to": last, "fresh": 0}
        QualityReport.objects.update_or_create(campaign=campaign, defaults=found)
    finally:
        cache.delete(key)
    return True


def tend() -> list[int]:
    """Count what came since the last look; return the campaigns whose figures are due."""
    last = last_judgment()
    rows = {row.campaign_id: row for row in QualityReport.objects.defer("figures", "proposals")}
    shapes = QualityReport.objects.exclude(computed_at=None).values_list("campaign", "figures__shape")
    due = {pk for pk, shape in shapes if shape != SHAPE}
    for pk in Campaign.objects.exclude(status=Campaign.Status.DRAFT).values_list("pk", flat=True):
        row = rows.get(pk) or QualityReport.objects.get_or_create(campaign_id=pk)[0]
        if row.seen_to < last:
            new = Judgment.objects.filter(pk__gt=row.seen_to, pk__lte=last, task__campaign=pk).count()
            QualityReport.objects.filter(pk=row.pk).update(fresh=F("fresh") + new, seen_to=last)
            row.fresh += new
        enough = row.fresh >= max(SOONEST, SHARE * row.judgments)
        old = row.computed_at is None or timezone.now() - row.computed_at > OLDEST
        if row.fresh and (enough or old):
            due.add(pk)
    return sorted(due)


def last_judgment() -> int:
    """Return the key of the newest judgment of all campaigns."""
    return Judgment.objects.aggregate(last=Max("pk"))["last"] or 0
