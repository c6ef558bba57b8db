"""What more labels would buy: a reward model's learning curve carried on, in figures and in words."""

from dataclasses import dataclass, field
from math import log2
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils import translation
from django.utils.translation import gettext as _

from labeling.templatetags.figures import isolate
from preferences.learning import FEWEST, Forecast, forecast
from preferences.types import Estimate
from training.cards import read_figure
from training.models import Run
from training.plots import Level, Mark, Plot, Series

TIMES = (2, 5)  # as many votes
MORE = 1000
LITTLE = 0.005  # of accuracy: a gain that is surely smaller isn't worth asking for
VAGUE = 0.05  # an interval of the gain that is wider says nothing
NORMAL = 1.96


@dataclass(frozen=True)
class Ahead:
    """What is foretold after so many votes, and how much that is above today's."""

    votes: int
    accuracy: Estimate
    gain: Estimate


@dataclass(frozen=True)
class Outlook:
    """A learning curve and where it leads: `points` measured, `ahead` foretold, `says` in words."""

    model: str
    points: list[tuple[int, Estimate]]
    ahead: list[Ahead]
    says: list[str]
    ceiling: Estimate = field(default=Estimate(None, None, 0, "it was not measured"))

    @property
    def plot(self) -> Plot | None:
        """Draw the points and what is foretold over votes, each doubling as wide as the last."""
        if not self.points:
            return None
        measured = [Mark(log2(votes), f"{votes:,}", estimate) for votes, estimate in self.points]
        last = self.points[-1][0]
        # 1,000 more stand too close to the last point for two labels
        far = [row for row in self.ahead if row.votes in {last * times for times in TIMES}]
        foretold = [Mark(log2(row.votes), f"{row.votes:,}", row.accuracy) for row in far]
        series = [Series(_("Measured"), measured, joined=True)]
        if foretold:
            series.append(Series(_("Foretold"), foretold, joined=True, hollow=True))
        top = self.ceiling.value
        levels = [] if top is None else [Level(_("Ceiling by raters' agreement"), top)]
        return Plot("outlook", _("Training votes"), series, levels)


def carry_on(run: Run | None) -> Outlook:
    """Carry the learning curve of a run's reward model on, or say why that can't be done."""
    if run is None or run.produced is None:
        says = _("Nothing is known yet: the first reward model brings a learning curve.")
        return Outlook("", [], [], [says])
    report: dict[str, Any] = run.result.get("report") or {}
    found: dict[str, Any] = report.get("learning_curve") or {}
    points = [(int(point["votes"]), read_figure(point)) for point in found.get("points") or []]
    points = [(votes, estimate) for votes, estimate in points if estimate.value is not None]
    ceiling = read_figure(report.get("ceiling"))
    spread = _spread(points, found.get("covariance"))
    if len(points) < FEWEST or spread is None:
        return Outlook(run.produced.name, points, [], [_unknown(found)], ceiling)
    return _ahead(run.produced.name, points, spread, ceiling)


def _ahead(
    model: str, points: list[tuple[int, Estimate]], spread: npt.NDArray[np.float64], ceiling: Estimate
) -> Outlook:
    last, now = points[-1]
    at = sorted({last + MORE, *(last * times for times in TIMES)})
    found = forecast(
        [votes for votes, _estimate in points],
        [estimate.value or 0.0 for _votes, estimate in points],
        spread,
        at,
        ceiling=min(1.0, ceiling.interval.high) if ceiling.interval else 1.0,
        n=now.n,
    )
    rows = [Ahead(*row) for row in zip(found.votes, found.accuracy, found.gain, strict=True)]
    return Outlook(model, points, rows, [_thousand(found, last, at), _far(rows[-1])], ceiling)


def _spread(points: list[tuple[int, Estimate]], stored: Any) -> npt.NDArray[np.float64] | None:
    """Return the covariance of the points; of a run that stored none, as if each had votes of its own."""
    if stored is not None and len(stored) == len(points):
        return np.array(stored, np.float64)
    ends = [estimate.interval for _votes, estimate in points]
    if not ends or any(end is None for end in ends):
        return None
    return np.diag([((end.high - end.low) / (2 * NORMAL)) ** 2 for end in ends if end is not None])


def _unknown(found: dict[str, Any]) -> str:
    why = found.get("why")
    if why:
        return _("It can't be foretold: %(why)s.") % {"why": translation.gettext(why)}
    return _("It can't be foretold: the newest reward model has no learning curve with intervals.")


def _thousand(found: Forecast, last: int, at: list[int]) -> str:
    gain = found.gain[at.index(last + MORE)]
    assert gain.interval is not None
    words = {"more": f"{MORE:,}", "now": f"{last:,}", **_points(gain), "little": _number(LITTLE)}
    if gain.interval.high < LITTLE:
        sentence = _("Beside %(now)s votes, %(more)s more would buy less than %(little)s points of accuracy.")
    elif gain.interval.high - gain.interval.low > VAGUE:
        sentence = _(
            "It can't be told yet what %(more)s more votes would buy: anything from %(low)s to %(high)s "
            "points of accuracy beside what %(now)s bought."
        )
    else:
        sentence = _(
            "Beside %(now)s votes, %(more)s more would buy about %(value)s points of accuracy "
            "(95 %%: %(low)s to %(high)s)."
        )
    return sentence % words


def _far(row: Ahead) -> str:
    words = {"votes": f"{row.votes:,}", **_points(row.gain)}
    return (
        _("At %(votes)s votes it would be %(value)s points above today's (95 %%: %(low)s to %(high)s).")
        % words
    )


def _points(gain: Estimate) -> dict[str, str]:
    low, high = gain.interval or (0.0, 0.0)
    return {"value": _number(gain.value or 0.0), "low": _number(low), "high": _number(high)}


def _number(share: float) -> str:
    return isolate(f"{100 * share:.1f}")
