"""What the overview of a campaign draws, from what workers keep: nothing here goes through the judgments.

`read` gives all plots, `one` a single one, and `stamp` changes whenever one of them may have.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from django.db import connection
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from labeling import counting, pace, quality
from labeling.models import Campaign, Round
from labeling.pace import DAY, HOUR, Pace, Span
from labeling.templatetags.figures import interval, value
from preferences.types import Estimate
from training import leaderboards, rater_plots
from training.board_plots import climb_plot
from training.boards import Leaderboards
from training.plots import Level, Mark, Plot, Series

HOURS, DAYS = 48, 60  # that are drawn
UNCOMPARED = "no answers of two different policies have been compared yet"
NEWEST = 40  # rounds, policies and reward models that are drawn

# Whatever a plot rests on, each by one row of an index or of a small table; a judgment anywhere counts.
_STAMP = """
WITH rounds AS (SELECT id, status, responses_done FROM labeling_round WHERE campaign_id = %(campaign)s)
SELECT (SELECT max(id) FROM labeling_judgment), (SELECT max(id) FROM labeling_edit),
    (SELECT sum(seen_to) FROM labeling_countedto),
    (SELECT max(event.id) FROM labeling_roundevent event JOIN rounds ON rounds.id = event.round_id),
    (SELECT max(kept.counted_at) FROM labeling_roundcount kept JOIN rounds ON rounds.id = kept.round_id
        WHERE kept.tasks >= %(many)s),
    (SELECT sum(responses_done) FROM rounds WHERE status = 'generating'),
    (SELECT concat(computed_at, ' ', fresh, ' ', judgments) FROM labeling_qualityreport
        WHERE campaign_id = %(campaign)s),
    (SELECT max(computed_at) FROM labeling_reliability WHERE campaign_id = %(campaign)s),
    (SELECT concat(count(*), ' ', max(id)) FROM labeling_adjudication
        WHERE campaign_id = %(campaign)s AND decided_at IS NULL),
    (SELECT concat(count(*), ' ', max(id), max(finished_at), count(produced_id)) FROM training_run
        WHERE campaign_id = %(campaign)s),
    (SELECT max(promotion.id) FROM models_app_promotion promotion
        JOIN models_app_modelversion version ON version.id = promotion.version_id
        WHERE version.family = %(family)s),
    (SELECT concat(status, ' ', retrain_after, ' ', weigh_votes) FROM labeling_campaign
        WHERE id = %(campaign)s)
"""


def stamp(campaign: Campaign) -> str:
    """Return what stays the same as long as every plot does, a minute at most: the pace goes by the clock."""
    known: dict[str, str | int] = {
        "campaign": campaign.pk,
        "family": campaign.model_family,
        "many": counting.MANY,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STAMP, known)
        found = cursor.fetchone()
    minute = f"{timezone.now():%Y-%m-%d %H:%M}"
    return sha256(repr((campaign.slug, get_language(), minute, found)).encode()).hexdigest()[:32]


def read(facts: "Facts") -> list[Plot]:
    """Return every plot of a campaign, in the order of the page."""
    return [draw(facts) for draw in PLOTS.values()]


def group(plots: Sequence[Plot]) -> list[tuple[str, list[Plot]]]:
    """Put a campaign's plots under the titles that a page gives them."""
    by_key = {plot.key: plot for plot in plots}
    return [(str(title), [by_key[key] for key in keys]) for title, keys in GROUPS.items()]


def one(campaign: Campaign, key: str) -> Plot:
    """Return one plot of a campaign; KeyError for another key."""
    return PLOTS[key](Facts(campaign))


class Facts:
    """What a campaign's plots are drawn from, each read once and only where it is needed."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.now = timezone.now()

    @cached_property
    def report(self) -> quality.Report:
        return quality.latest(self.campaign)

    @cached_property
    def boards(self) -> Leaderboards:
        return leaderboards.read(self.campaign)

    @cached_property
    def rounds(self) -> list[Round]:
        """The newest rounds, the oldest of them first."""
        rounds = self.campaign.rounds.exclude(status=Round.Status.CANCELLED).order_by("-number")
        return list(rounds[:NEWEST])[::-1]

    @cached_property
    def tallies(self) -> dict[int, counting.Tally]:
        return counting.of_rounds(self.rounds)

    @cached_property
    def hours(self) -> list[Span]:
        return pace.by_hour(self.campaign, self.now - HOURS * HOUR)

    @cached_property
    def pace(self) -> Pace:
        return pace.measure(self.hours, pace.left_of(self.campaign, self.rounds, self.tallies), self.now)

    @cached_property
    def raters(self) -> list[rater_plots.Known]:
        return rater_plots.known(self.campaign)


def _count(number: int) -> Estimate:
    return Estimate(float(number), None, number)


def _progress(facts: Facts) -> Plot:
    rows = [(round_, facts.tallies[round_.pk]) for round_ in facts.rounds]
    series = [
        Series(_("Labels"), [Mark(r.number, str(r.number), _count(t.labels)) for r, t in rows]),
        Series(_("Wanted"), [Mark(r.number, str(r.number), _count(t.wanted)) for r, t in rows], hollow=True),
    ]
    return Plot(
        "progress",
        _("Round"),
        series,
        unit="n",
        title=_("Progress by round"),
        why=_("No round yet. Import prompts and start a round; its labels appear here as they come."),
        scale="number",
    )


def _hours(facts: Facts) -> Plot:
    now = facts.now.replace(minute=0, second=0, microsecond=0)
    begins = [now - ago * HOUR for ago in range(HOURS - 1, -1, -1)]
    return _sent(
        "hours", _("Hour (UTC)"), facts.hours, begins, "m-d H:i", _("Labels per hour"), say_pace(facts.pace)
    )


def _days(facts: Facts) -> Plot:
    spans = pace.by_day(facts.campaign, DAYS, facts.hours)
    today = facts.now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = spans[0].begins if spans else today
    begins = [first + n * DAY for n in range((today - first) // DAY + 1)]
    says = _("What was taken back or corrected later is counted where it was first sent.")
    return _sent("days", _("Day (UTC)"), spans, begins, "Y-m-d", _("Labels per day"), says)


def _sent(
    key: str, x: str, spans: Sequence[Span], begins: Sequence[datetime], form: str, title: str, says: str
) -> Plot:
    """Draw labels by the time when they were sent, with a zero where there were none."""
    found = {span.begins: span for span in spans}
    none = Span(begins[0], 0, 0, begins[0])

    def marks(what: str) -> list[Mark]:
        return [
            Mark(at.timestamp(), date_format(at, form), _count(getattr(found.get(at, none), what)))
            for at in begins
        ]

    series = [Series(_("Judgments"), marks("judgments"))]
    if any(span.edits for span in spans):
        series.append(Series(_("Edits"), marks("edits"), hollow=True))
    shown = [] if not any(at in found for at in begins) else series
    why = _("Nobody has sent a label in this time. Invite raters, and let people rate.")
    return Plot(key, x, shown, unit="n", title=title, says=says if shown else "", why=why, scale="time")


def say_pace(found: Pace) -> str:
    """Say how fast labels come, and how long what is asked now takes at this pace."""
    if found.an_hour.value is None:
        return _("Pace: %(why)s.") % {"why": translation.gettext(found.an_hour.why)}
    unit = "n" if found.an_hour.value >= 10 else "g"
    between = interval(found.an_hour, unit) or translation.gettext(found.an_hour.why)
    says = _("%(pace)s labels an hour over the last 24 hours (95 %%: %(between)s).") % {
        "pace": value(found.an_hour, unit),
        "between": between,
    }
    if found.hours.value is None:
        return says
    if not found.left:
        enough = _("The open rounds have all the labels that they want.")
        return f"{says} {enough}"
    ends = found.hours.interval
    left = _("%(left)s labels left: about %(time)s at this pace%(between)s.") % {
        "left": found.left,
        "time": say_hours(found.hours.value),
        "between": f" ({say_hours(ends.low)} – {say_hours(ends.high)})" if ends else "",
    }
    return f"{says} {left}"


def say_hours(hours: float) -> str:
    """Write a time in the unit in which people plan."""
    if hours < 1.5:
        return _("%(n)s min") % {"n": max(1, round(hours * 60))}
    if hours < 48:
        return _("%(n)s h") % {"n": f"{hours:.1f}" if hours < 10 else round(hours)}
    days = hours / 24
    return _("%(n)s days") % {"n": f"{days:.1f}" if days < 10 else round(days)}


def _agreement(facts: Facts) -> Plot:
    groups = [group for group in facts.report.figures.groups if group.by == "round"][-NEWEST:]
    pairs = [Mark(int(group.name) - 0.08, group.name, group.pairs) for group in groups]
    ceiling = [Mark(int(group.name) + 0.08, group.name, group.ceiling) for group in groups]
    series = [
        Series(_("Pairs of verdicts that agree"), pairs, joined=True),
        Series(_("The most that a reward model can get right"), ceiling, joined=True, hollow=True),
    ]
    return Plot(
        "agreement",
        _("Round"),
        series,
        title=_("Agreement by round"),
        why=_("Nothing to compare yet: it needs tasks that two people judged. Raise the overlap."),
        scale="number",
    )


def _disputes(facts: Facts) -> Plot:
    rows = facts.campaign.adjudications.all()
    today = facts.now.date()
    first = today - timedelta(days=29)
    opened, decided = (
        dict(
            rows.filter(**{f"{field}__date__gte": first})
            .annotate(day=TruncDate(field))
            .values_list("day")
            .annotate(n=Count("pk"))
        )
        for field in ("opened_at", "decided_at")
    )
    waiting = rows.filter(decided_at=None).count()
    marks: list[Mark] = []
    for ago in range(30):
        day = today - timedelta(days=ago)
        at = datetime(day.year, day.month, day.day, tzinfo=facts.now.tzinfo).timestamp()
        marks.insert(0, Mark(at, day.isoformat(), _count(waiting)))
        # as many as waited when the day began
        waiting += decided.get(day, 0) - opened.get(day, 0)
    ever = any(mark.estimate.value for mark in marks) or bool(opened)
    return Plot(
        "disputes",
        _("Day (UTC)"),
        [Series(_("Waiting at the day's end"), marks, joined=True)] if ever else [],
        unit="n",
        title=_("Disputes that wait for a decision"),
        why=_("Nothing is in dispute. It is looked for after every fit of the raters."),
        scale="time",
    )


def _policies(facts: Facts) -> Plot:
    figures = facts.report.figures
    best = sorted(figures.policies, key=lambda each: -(each.share.value or 0.0))[:NEWEST]
    series = [
        Series(_("By votes"), [Mark(at - 0.08, p.policy, p.share) for at, p in enumerate(best)]),
        Series(
            _("At equal style"), [Mark(at + 0.08, p.policy, p.fair) for at, p in enumerate(best)], hollow=True
        ),
    ]
    title = _("Share of votes taken from the reference policy")
    if figures.reference:
        title = _("Share of votes taken from %(policy)s") % {"policy": f"\u2068{figures.reference}\u2069"}
    return Plot(
        "policies",
        _("Policy"),
        series,
        [Level(_("As good"), 0.5)],
        title=title,
        why=_("Nothing to show: %(why)s.") % {"why": translation.gettext(figures.policies_why or UNCOMPARED)},
    )


def _gains(facts: Facts) -> Plot:
    drawn = climb_plot(facts.boards.rounds, facts.boards.policies)
    why = _("It takes two rounds whose policies people compared. The loop makes them round by round.")
    return Plot(
        "gains",
        _("Round"),
        drawn.series if drawn else [],
        drawn.levels if drawn else [],
        unit="Elo",
        title=_("Elo points of each round's policy above the base"),
        why=why,
        scale="number",
    )


def _reward(facts: Facts) -> Plot:
    models = facts.boards.reward_models[:NEWEST][::-1]
    rounds = [model.round for model in models]
    labels = [
        str(model.round) if model.round is not None and rounds.count(model.round) == 1 else model.name
        for model in models
    ]
    named = list(zip(labels, models, strict=True))
    series = [
        Series(
            _("Held-out prompts"), [Mark(at - 0.06, name, m.accuracy) for at, (name, m) in enumerate(named)]
        ),
        Series(
            _("Raters it hasn't seen"),
            [Mark(at + 0.06, name, m.unseen_raters) for at, (name, m) in enumerate(named)],
            hollow=True,
        ),
    ]
    return Plot(
        "reward",
        _("Round"),
        series,
        [Level(_("Chance"), 0.5)],
        title=_("Reward model accuracy by round"),
        why=_("No reward model has been trained yet. The loop trains one when a round closes."),
    )


def _of_raters(draw: Callable[[Sequence[rater_plots.Known]], Plot]) -> Callable[[Facts], Plot]:
    return lambda facts: draw(facts.raters)


PLOTS: dict[str, Callable[[Any], Plot]] = {
    "progress": _progress,
    "hours": _hours,
    "days": _days,
    "agreement": _agreement,
    "disputes": _disputes,
    "policies": _policies,
    "gains": _gains,
    "reward": _reward,
    **{key: _of_raters(draw) for key, draw in rater_plots.PLOTS.items()},
}

GROUPS = {
    gettext_lazy("Progress and pace"): ("progress", "hours", "days"),
    gettext_lazy("Agreement"): ("agreement", "disputes"),
    gettext_lazy("Policies and reward models"): ("policies", "gains", "reward"),
    gettext_lazy("Raters, those who sent most"): tuple(rater_plots.PLOTS),
}
