"""What is known of each rater of a campaign, in figures and in words, as the last fit stored it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from accounts.models import User
from labeling.models import Campaign, Judgment, QualityReport, Reliability
from preferences.intervals import wilson
from preferences.types import Estimate, Interval

WIDE = 1.96
EVERY_SHARE = 0.01  # of all that was said: refits must not cost more than what they are fitted to
TOO_FEW = gettext_noop("too little has been said here to tell")
NO_GOLD = gettext_noop("no gold task answered yet")
NO_REPEATS = gettext_noop("no comparison asked twice yet")
NAMES = {
    "unreliable": gettext_lazy("Unreliable"),
    "one-sided": gettext_lazy("One-sided"),
    "one-length": gettext_lazy("Goes by length"),
    "random": gettext_lazy("At random"),
    "speeding": gettext_lazy("Too fast"),
    "copying": gettext_lazy("Copies"),
    "drift": gettext_lazy("Changed"),
}
SERIES = {
    "agreement": gettext_lazy("agreement with others"),
    "side": gettext_lazy("the share of the left side"),
    "length": gettext_lazy("the share of the longer answer"),
}


@dataclass(frozen=True)
class Flagged:
    """A flag in words: its name, the evidence, and how often it is wrong about honest raters."""

    flag: str
    name: str
    evidence: str
    wrong: float


@dataclass(frozen=True)
class Trust:
    """How far to trust a rater; figures that aren't known say why. `row` is None before the first fit."""

    row: Reliability | None
    weight: float
    why: str
    ability: Estimate
    left: Estimate  # the share of equally good pairs for which they pick the left side
    length: Estimate  # their taste for length beyond everybody's, in logits per standard deviation
    gold: Estimate
    repeats: Estimate
    flags: list[Flagged]


def weights(campaign: Campaign) -> dict[int, float]:
    """Return by rater what their votes count for; others count 1, and so does everybody without weights."""
    if not campaign.weigh_votes:
        return {}
    return dict(Reliability.objects.filter(campaign=campaign).values_list("rater", "weight"))


def due(campaign: Campaign, every: int) -> bool:
    """Count what was said since the last look, and tell whether that is enough for a fit.

    Enough is `every` judgments, or EVERY_SHARE of all that there were, whichever is more.
    """
    report, _created = QualityReport.objects.get_or_create(campaign=campaign)
    last = Judgment.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    new = Judgment.objects.filter(pk__gt=report.fit_seen_to, pk__lte=last, task__campaign=campaign).count()
    looked = QualityReport.objects.filter(pk=report.pk, fit_seen_to=report.fit_seen_to)
    looked.update(fit_seen_to=last, fit_fresh=F("fit_fresh") + new)
    known = Reliability.objects.filter(campaign=campaign).values_list("judgments", flat=True)
    return report.fit_fresh + new >= max(every, EVERY_SHARE * sum(known))


def of_raters(campaign: Campaign, raters: Iterable[User]) -> dict[int, Trust]:
    """Return by rater how far to trust them: two queries, however many raters."""
    raters = list(raters)
    rows = list(Reliability.objects.filter(campaign=campaign, rater__in=raters))
    known = {row.rater_id: found for row, found in zip(rows, of_rows(campaign, rows), strict=True)}
    return {rater.pk: known.get(rater.pk) or describe(campaign, None, {}) for rater in raters}


def of_rows(campaign: Campaign, rows: Sequence[Reliability]) -> list[Trust]:
    """Put stored rows into figures and words: one query at most."""
    others = {flag["evidence"].get("other") for row in rows for flag in row.flags} - {None}
    names = dict(User.objects.filter(pk__in=others).values_list("pk", "username")) if others else {}
    return [describe(campaign, row, names) for row in rows]


def describe(campaign: Campaign, row: Reliability | None, names: Mapping[int, str]) -> Trust:
    """Put a stored row into figures and words; `names` are of raters that evidence refers to."""
    if row is None:
        unknown = Estimate(None, None, 0, TOO_FEW)
        gold, repeats = Estimate(None, None, 0, NO_GOLD), Estimate(None, None, 0, NO_REPEATS)
        return Trust(None, 1.0, sentence(campaign, None), unknown, unknown, unknown, gold, repeats, [])
    return Trust(
        row=row,
        weight=row.weight if campaign.weigh_votes else 1.0,
        why=sentence(campaign, row),
        ability=_normal(row.ability, row.ability_se, row.judgments),
        left=_left(row),
        length=_normal(row.length_taste, row.length_taste_se, row.judgments),
        gold=_share(row.gold_right, row.gold_asked, NO_GOLD),
        repeats=_share(row.repeats_same, row.repeats_asked, NO_REPEATS),
        flags=[
            Flagged(flag["flag"], str(NAMES[flag["flag"]]), say(flag, names), flag["wrong"])
            for flag in row.flags
        ],
    )


def sentence(campaign: Campaign, row: Reliability | None) -> str:
    """Say what a rater's votes weigh, and why."""
    if not campaign.weigh_votes:
        return _("All votes weigh the same in this campaign.")
    if row is None or not row.why:
        return _("Weighted 1: too little has been said here to tell.")
    pieces = [PIECES[piece["piece"]](piece) for piece in row.why]
    why = pieces[0]
    for piece in pieces[1:]:
        why = _("%(first)s, and %(second)s") % {"first": why, "second": piece}
    return _("Weighted %(weight)s because %(why)s.") % {"weight": number(row.weight), "why": why}


def _ability(piece: dict[str, Any]) -> str:
    text = _(
        "their verdicts follow the answers %(value)s times as closely as the usual rater's "
        "(95 %%: %(low)s to %(high)s, n = %(n)s)"
    )
    return text % {**{name: number(piece[name]) for name in ("value", "low", "high")}, "n": piece["n"]}


def _side(piece: dict[str, Any]) -> str:
    shown, told = _sided(piece)
    if shown:
        text = _(
            "where both are equally good they pick the left one in %(share)s of cases (95 %%: %(range)s)"
        )
    else:
        text = _(
            "where both are equally good they pick the right one in %(share)s of cases (95 %%: %(range)s)"
        )
    return text % told


PIECES = {"ability": _ability, "side": _side}


def _sided(evidence: Mapping[str, Any], name: str = "value") -> tuple[bool, dict[str, Any]]:
    """Return whether a share is above one half, and it or its counterpart, with the interval."""
    value, low, high = evidence[name], evidence["low"], evidence["high"]
    above = value >= 0.5
    if not above:
        value, low, high = 1 - value, 1 - high, 1 - low
    told = {"share": percent(value), "range": f"{100 * low:.0f}–{percent(high)}", "n": evidence["n"]}
    return above, told


def number(value: float) -> str:
    """Write a figure for a sentence, with two decimals at most and a minus that isn't a hyphen."""
    return f"{round(value, 2) + 0.0:g}".replace("-", "\u2212")


def percent(share: float) -> str:
    """Write a share for a sentence."""
    return f"{100 * share:.0f} %"


def say(flag: Mapping[str, Any], names: Mapping[int, str]) -> str:
    """Say what shows a flag, with its interval and n."""
    shown: dict[str, Any] = {
        name: number(value) if isinstance(value, float) else value for name, value in flag["evidence"].items()
    }
    match flag["flag"]:
        case "unreliable":
            return (
                _(
                    "Their verdicts hardly follow the answers: ability %(ability)s "
                    "(95 %%: %(low)s to %(high)s), where %(median)s is usual; n = %(n)s."
                )
                % shown
            )
        case "one-sided" | "one-length" | "speeding":
            return _say_share(flag)
        case "random":
            return (
                _(
                    "They agree with others no more than chance would: %(accord)s "
                    "(95 %%: %(low)s to %(high)s) where 1 is always and 0 is chance; n = %(n)s."
                )
                % shown
            )
        case "copying":
            other = names.get(flag["evidence"]["other"], "?")
            return _(
                "They say the same as %(other)s on %(same)s of %(shared)s comparisons that both judged, "
                "where %(expected)s would be expected."
            ) % {**shown, "other": f"\u2068{other}\u2069"}
    series = str(SERIES[flag["evidence"]["series"]])
    return _(
        "After %(at)s judgments %(series)s changed: %(before)s before, %(after)s since "
        "(p = %(p)s; n = %(n)s)."
    ) % {**shown, "series": series, "p": f"{flag['evidence']['p']:.1g}"}


def _say_share(flag: Mapping[str, Any]) -> str:
    evidence = flag["evidence"]
    above, told = _sided(evidence, "share")
    if flag["flag"] == "speeding":
        told = {"share": percent(evidence["share"]), "n": evidence["n"]}
        told["range"] = f"{100 * evidence['low']:.0f}–{percent(evidence['high'])}"
        return _("%(share)s of judgments (95 %%: %(range)s) are faster than can be read; n = %(n)s.") % told
    if flag["flag"] == "one-sided":
        left = _("They pick the left side in %(share)s of judgments (95 %%: %(range)s); n = %(n)s.")
        right = _("They pick the right side in %(share)s of judgments (95 %%: %(range)s); n = %(n)s.")
        return (left if above else right) % told
    told["others"] = percent(evidence["others"] if above else 1 - evidence["others"])
    longer = _(
        "They pick the longer answer in %(share)s of judgments (95 %%: %(range)s), others in %(others)s; "
        "n = %(n)s."
    )
    shorter = _(
        "They pick the shorter answer in %(share)s of judgments (95 %%: %(range)s), others in %(others)s; "
        "n = %(n)s."
    )
    return (longer if above else shorter) % told


def _normal(value: float | None, se: float | None, n: int) -> Estimate:
    if value is None or se is None:
        return Estimate(None, None, n, TOO_FEW)
    return Estimate(value, Interval(value - WIDE * se, value + WIDE * se), n)


def _left(row: Reliability) -> Estimate:
    found = _normal(row.side, row.side_se, row.judgments)
    if found.value is None or found.interval is None:
        return found
    low, value, high = (1 / (1 + exp(-x)) for x in (found.interval.low, found.value, found.interval.high))
    return Estimate(value, Interval(low, high), found.n)


def _share(of: int, n: int, why: str) -> Estimate:
    return Estimate(of / n, wilson(of, n), n) if n else Estimate(None, None, 0, why)
