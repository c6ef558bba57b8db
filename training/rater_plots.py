"""What is drawn of a campaign's raters, side by side: pace, reliability, side bias, gold tasks, pasting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db.models import F
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from labeling import trust
from labeling.models import Campaign, RaterCount
from labeling.trust import Trust
from preferences.types import Estimate
from training.plots import Level, Mark, Plot, Series

Words = str | Promise  # of whoever looks
MOST = 30  # raters that are drawn, those who sent most; the raters' page lists all
UNTIMED = gettext_noop("how long it took is not known")
UNWRITTEN = gettext_noop("no edit has been written yet")
NOBODY = gettext_lazy(
    "Nobody has sent anything yet. Invite raters; their work is counted within two minutes."
)


@dataclass(frozen=True)
class Known:
    """A rater, what was counted of their work, and how far they are trusted."""

    name: str
    count: RaterCount
    trust: Trust

    @property
    def an_hour(self) -> Estimate:
        """Answers in an hour at which the page was before them."""
        if not self.count.timed or not self.count.active_ms:
            return Estimate(None, None, 0, UNTIMED)
        return Estimate(self.count.timed * 3_600_000 / self.count.active_ms, None, self.count.timed)

    @property
    def pasted(self) -> Estimate:
        """The share of characters in edits that came by paste."""
        put_in = self.count.pasted + self.count.typed
        if not put_in:
            return Estimate(None, None, 0, UNWRITTEN)
        return Estimate(self.count.pasted / put_in, None, self.count.edits)


def known(campaign: Campaign) -> list[Known]:
    """Return the raters who sent most in a campaign, in three queries or four."""
    counts = campaign.rater_counts.select_related("rater")
    rows = list(counts.order_by(-(F("judgments") + F("edits")), "rater__username")[:MOST])
    trusted = trust.of_raters(campaign, [row.rater for row in rows])
    return [Known(row.rater.username, row, trusted[row.rater_id]) for row in rows]


def _plot(
    key: str,
    title: Words,
    says: Words,
    read: Callable[[Known], Estimate],
    unit: str,
    level: tuple[Words, float] | None,
    raters: Sequence[Known],
) -> Plot:
    marks = [Mark(float(at), each.name, read(each)) for at, each in enumerate(raters)]
    return Plot(
        key,
        _("Rater"),
        [Series(str(title), marks)] if raters else [],
        [Level(str(level[0]), level[1])] if level else [],
        unit=unit,
        title=str(title),
        says=str(says),
        why=_none_of(marks) or str(NOBODY),
    )


def _none_of(marks: Sequence[Mark]) -> str:
    """Say why there is no figure of anybody, in a sentence."""
    why = next((mark.estimate.why for mark in marks), "")
    return _("Nothing to show: %(why)s.") % {"why": translation.gettext(why)} if why else ""


def _entry(
    key: str,
    title: Words,
    says: Words,
    read: Callable[[Known], Estimate],
    unit: str = "%",
    level: tuple[Words, float] | None = None,
) -> tuple[str, Callable[[Sequence[Known]], Plot]]:
    return key, partial(_plot, key, title, says, read, unit, level)


PLOTS: dict[str, Callable[[Sequence[Known]], Plot]] = dict(
    [
        _entry(
            "rater-pace",
            gettext_lazy("Answers in an active hour"),
            gettext_lazy("Time counts while the page is looked at and used."),
            lambda each: each.an_hour,
            "n",
        ),
        _entry(
            "rater-ability",
            gettext_lazy("Reliability"),
            gettext_lazy("1 is the usual rater, 0 one whose verdicts say nothing of the answers."),
            lambda each: each.trust.ability,
            "",
            (gettext_lazy("The usual rater"), 1.0),
        ),
        _entry(
            "rater-side",
            gettext_lazy("Left side where both are equally good"),
            gettext_lazy("Sides are shuffled: far from one half, somebody clicks without reading."),
            lambda each: each.trust.left,
            "%",
            (gettext_lazy("Without bias"), 0.5),
        ),
        _entry(
            "rater-gold",
            gettext_lazy("Gold tasks right"),
            "",
            lambda each: each.trust.gold,
        ),
        _entry(
            "rater-paste",
            gettext_lazy("Pasted share of what was written"),
            gettext_lazy("A hint and no verdict: many people draft elsewhere."),
            lambda each: each.pasted,
        ),
    ]
)
