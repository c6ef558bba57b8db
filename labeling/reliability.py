"""How far to trust each rater of a campaign: fitted in the background from what they judged, and stored.

A rater's weight is what a vote of theirs is worth beside a usual one's, in 0…1:

    weight = min(1, a / median a) · 4 p (1 − p),   p = σ(b),   and 0 for a below 0

with the ability a and the pull b to the left side of preferences.ordinal. The second factor is what a vote
with such a pull still says about two answers that are equally good: 1 without a pull, .28 at b = ±2.5.
"""

from typing import Any

import numpy as np
from django.db.models import Count
from django.utils import timezone

from labeling import golds, repeats, scores, vote_table
from labeling.models import Campaign, QualityReport, Reliability
from labeling.quality import counted
from labeling.vote_table import Table
from preferences.drift import WINDOW, summarise_windows, trace
from preferences.flags import FALSE_ALARMS, Fitted, flag_raters
from preferences.ordinal import Fit, fit

FEWEST = 20  # votes of everybody, below which nothing is fitted
WINDOWS = 40  # points of a rater's curve, at most
DIGITS = 3  # that a weight is kept to
PULLED = 0.95  # the factor of a pull to one side below which the sentence names it


def refresh(campaign: Campaign) -> int:
    """Fit the raters of a campaign anew and store how far to trust each; return how many there are."""
    QualityReport.objects.filter(campaign=campaign).update(fit_fresh=0)
    table = vote_table.read(campaign)
    fitted = fit_raters(campaign, table) if len(table.votes) >= FEWEST else None
    right, same = golds.scores(campaign), repeats.consistency(campaign)
    flags = flags_of(table, fitted)
    drift = [windows(series["agreement"]) for series in trace(table.votes, table.words)]
    read = np.bincount(table.votes.raters, minlength=len(table.raters))
    said = dict(
        counted(campaign).order_by().values("rater").annotate(n=Count("pk")).values_list("rater", "n")
    )
    now = timezone.now()
    rows = []
    for code, rater in enumerate(table.raters.tolist()):
        gold, again = right.get(rater, (0, 0)), same.get(rater, (0, 0))
        row = Reliability(
            campaign=campaign,
            rater_id=rater,
            judgments=int(read[code]),
            said=said.get(rater, 0),
            flags=flags[code],
            drift=drift[code],
            gold_right=gold[0],
            gold_asked=gold[1],
            repeats_same=again[0],
            repeats_asked=again[1],
            computed_at=now,
        )
        if fitted is not None:
            describe(row, fitted.fit, code)
        rows.append(row)
    store(campaign, rows)
    return len(rows)


def fit_raters(campaign: Campaign, table: Table) -> Fitted:
    """Fit the ordinal model, on the reward model's features where it has read enough of the answers."""
    found = scores.features(campaign, table.answers)
    if found is None:
        none = np.zeros((len(table.answers), 0))
        return Fitted(fit(none, table.lengths, table.votes), none, table.lengths)
    features, _there = found
    return Fitted(fit(features, table.lengths, table.votes), features, table.lengths)


def flags_of(table: Table, fitted: Fitted | None) -> list[list[dict[str, Any]]]:
    """Return the flags of each rater's code as they are stored; another rater in evidence is named by key."""
    found: list[list[dict[str, Any]]] = [[] for _rater in table.raters]
    for flag in flag_raters(table.votes, table.words, fitted, table.reading):
        evidence = dict(flag.evidence)
        if "other" in evidence:
            evidence["other"] = int(table.raters[int(evidence["other"])])
        wrong = FALSE_ALARMS[flag.flag]
        found[flag.rater].append({"flag": flag.flag, "evidence": evidence, "wrong": wrong})
    return found


def windows(values: Any) -> list[dict[str, Any]]:
    """Return how a rater's agreement went on, in at most WINDOWS stretches."""
    points = summarise_windows(values, max(WINDOW, -(-len(values) // WINDOWS)))
    return [
        {
            "n": n,
            "value": e.value,
            "low": e.interval and e.interval.low,
            "high": e.interval and e.interval.high,
        }
        for n, e in points
    ]


def describe(row: Reliability, fit: Fit, code: int) -> None:
    """Write what the fit says of a rater into their row, with the pieces of why they weigh so much."""
    median = float(np.median(fit.ability[fit.n > 0]))
    ability, se, side = float(fit.ability[code]), float(fit.ability_se[code]), float(fit.side[code])
    row.ability, row.ability_se = ability, se
    row.side, row.side_se = side, float(fit.side_se[code])
    row.length_taste, row.length_taste_se = float(fit.length_taste[code]), float(fit.length_taste_se[code])
    row.spread = float(fit.spread[code])
    row.weight = round(weigh(ability, side, median), DIGITS)
    row.why = explain(row, median)


def weigh(ability: float, side: float, median: float) -> float:
    """Return the weight of a rater, 0…1, from the module's formula."""
    left = 1 / (1 + np.exp(-side))
    follows = min(1.0, max(0.0, ability) / median) if median > 0 else 1.0
    return float(follows * 4 * left * (1 - left))


def explain(row: Reliability, median: float) -> list[dict[str, Any]]:
    """Return the pieces of the sentence that says why a rater weighs so much; labeling.trust joins them.

    Shares and ratios with `low` and `high`, the ends of their 95 % interval, and `n`.
    """
    ability, ability_se, side, side_se = row.ability, row.ability_se, row.side, row.side_se
    assert ability is not None
    assert ability_se is not None
    assert side is not None
    assert side_se is not None
    scale = median if median > 0 else 1.0
    low, high = ability - 1.96 * ability_se, ability + 1.96 * ability_se
    pieces: list[dict[str, Any]] = [
        {
            "piece": "ability",
            "value": ability / scale,
            "low": low / scale,
            "high": high / scale,
            "n": row.judgments,
        }
    ]
    if abs(side) > 1.96 * side_se and weigh(scale, side, scale) < PULLED:
        low, left, high = (1 / (1 + np.exp(-(side + z * side_se))) for z in (-1.96, 0.0, 1.96))
        pieces.append({"piece": "side", "value": left, "low": low, "high": high, "n": row.judgments})
    return pieces


def store(campaign: Campaign, rows: list[Reliability]) -> None:
    """Write the rows over those of the last fit."""
    fields = [
        field.name
        for field in Reliability._meta.concrete_fields
        if not field.primary_key and field.name not in ("campaign", "rater")
    ]
    Reliability.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["campaign", "rater"],
        update_fields=fields,
    )
    raters = [row.rater_id for row in rows]
    # whose work was all taken out says nothing any more
    Reliability.objects.filter(campaign=campaign).exclude(rater__in=raters).delete()
