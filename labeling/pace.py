"""How fast a campaign's labels come, and how long what is asked now takes at this pace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, sqrt

from django.db.models import Min, Sum
from django.db.models.functions import TruncDay
from django.utils import timezone
from django.utils.translation import gettext_noop

from labeling import counting
from labeling.counting import Tally
from labeling.models import Campaign, Round
from preferences.types import Estimate, Interval

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEAST = 10  # labels below which there is no pace
LEAST_TIME = timedelta(minutes=15)
WIDE = 1.96
NOBODY = gettext_noop("nobody has sent a label in the last 24 hours")
TOO_FEW = gettext_noop("it takes ten labels within at least a quarter of an hour to tell")
NOTHING_ASKED = gettext_noop("no round is open")
SHORT = gettext_noop("an interval needs at least three hours")


@dataclass(frozen=True)
class Span:
    """Labels of one hour, or of one day, in UTC."""

    begins: datetime
    judgments: int
    edits: int
    first_at: datetime


@dataclass(frozen=True)
class Pace:
    """Labels an hour over the last day, how many are to come, and the hours that they take at this pace."""

    an_hour: Estimate
    left: int
    hours: Estimate


def by_hour(campaign: Campaign, since: datetime) -> list[Span]:
    """Return the labels of each hour from one on in which there were any, the counts and what came after."""
    since = since.replace(minute=0, second=0, microsecond=0)
    stored = campaign.hours.filter(hour__gte=since).values_list("hour", "judgments", "edits", "first_at")
    spans = {span.begins: span for span in (Span(*row) for row in stored)}
    for begins, judgments, edits, first in counting.since(campaign.pk):
        before = spans.get(begins, Span(begins, 0, 0, first))
        more = Span(begins, before.judgments + judgments, before.edits + edits, min(first, before.first_at))
        if begins >= since:
            spans[begins] = more
    return [spans[begins] for begins in sorted(spans)]


def by_day(campaign: Campaign, days: int, recent: Sequence[Span]) -> list[Span]:
    """Return the labels of each of the last days in which there were any; `recent` has the hours of today."""
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    stored = campaign.hours.filter(hour__gte=today - days * DAY, hour__lt=today)
    rows = stored.annotate(day=TruncDay("hour")).values("day").order_by("day")
    summed = rows.annotate(j=Sum("judgments"), e=Sum("edits"), first=Min("first_at"))
    spans = [Span(*row) for row in summed.values_list("day", "j", "e", "first")]
    of_today = [span for span in recent if span.begins >= today]
    if of_today:
        judgments, edits = sum(s.judgments for s in of_today), sum(s.edits for s in of_today)
        spans.append(Span(today, judgments, edits, of_today[0].first_at))
    return spans


def measure(spans: Sequence[Span], left: int | None, now: datetime) -> Pace:
    """Measure the pace of the last 24 hours, hours without a label included; `left` is None with no round.

    The interval takes hours for more varied than chance alone would make them (quasi-Poisson: the variance is
    the mean times the dispersion of the hours' counts), on the scale of logarithms, so that it has an end.
    """
    begins = now.replace(minute=0, second=0, microsecond=0) - DAY
    within = [span for span in spans if span.begins >= begins]
    labels = sum(span.judgments + span.edits for span in within)
    if not within:
        nobody = Estimate(None, None, 0, NOBODY)
        return Pace(nobody, left or 0, _asked(left, nobody))
    first = min(span.first_at for span in within)
    # somebody who was at work before was so through the whole day
    first = begins if len(spans) > len(within) else first
    took = now - first
    if labels < LEAST or took < LEAST_TIME:
        unknown = Estimate(None, None, labels, TOO_FEW)
        return Pace(unknown, left or 0, _asked(left, unknown))
    an_hour = labels / (took / HOUR)
    factor = _factor(within, first, now, labels)
    interval = Interval(an_hour / factor, an_hour * factor) if factor else None
    pace = Estimate(an_hour, interval, labels, "" if interval else SHORT)
    if left is None:
        return Pace(pace, 0, Estimate(None, None, 0, NOTHING_ASKED))
    ends = Interval(left / interval.high, left / interval.low) if interval else None
    return Pace(pace, left, Estimate(left / an_hour, ends, labels, "" if ends else SHORT))


def _asked(left: int | None, otherwise: Estimate) -> Estimate:
    return Estimate(None, None, 0, NOTHING_ASKED) if left is None else otherwise


def _factor(within: Sequence[Span], first: datetime, now: datetime, labels: int) -> float | None:
    """Return by how much the pace may be higher or lower, as a factor; None below three hours."""
    hours = int((now - first) / HOUR)
    if hours < 3:
        return None
    start = now.replace(minute=0, second=0, microsecond=0) - hours * HOUR
    counts = [0] * hours
    for span in within:
        at = (span.begins - start) // HOUR
        if 0 <= at < hours:
            counts[at] += span.judgments + span.edits
    mean = sum(counts) / hours
    if not mean:
        return None
    variance = sum((count - mean) ** 2 for count in counts) / (hours - 1)
    return exp(WIDE * sqrt(max(1.0, variance / mean) / labels))


def left_of(campaign: Campaign, rounds: Sequence[Round], tallies: dict[int, Tally]) -> int | None:
    """Return how many labels the open rounds still want; a sampled one ends with enough to learn from."""
    open_ = [round_ for round_ in rounds if round_.status == Round.Status.OPEN]
    if not open_:
        return None
    left = 0
    for round_ in open_:
        tally = tallies.get(round_.pk, Tally())
        enough = campaign.retrain_after if round_.origin == Round.Origin.LOOP else tally.wanted
        left += max(0, min(tally.wanted, enough) - tally.labels)
    return left
