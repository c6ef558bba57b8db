"""A campaign's figures computed: how far raters agree, what they think of the policies, what is decided.

It brings SciPy, which web processes do without: they read what `quality` keeps.
"""

from typing import Any

import numpy as np
from django.db.models import Sum

from labeling.figures import (
    BoardFigure,
    DuelFigure,
    Figures,
    GroupFigure,
    PolicyFigure,
    RoundFigure,
    StyleFigure,
)
from labeling.models import Campaign, Task
from labeling.models.task import fresh
from labeling.verdicts import Verdicts, Votes, Whole, between_policies, read, skills_of
from preferences.agreement import Agreement, agreement_by_group, cohen_kappa, count_codes, fleiss_kappa
from preferences.bias import position_bias
from preferences.bradley_terry import Leaderboard, rate
from preferences.stopping import Plan, Standing, follow
from preferences.types import Estimate

SIDES = 3  # the first answer, a tie, the second: codes 0, 1, 2


def measure(campaign: Campaign) -> Figures:
    """Compute a campaign's figures from its judgments as they are; a million take a minute."""
    verdicts = read(campaign)
    compared = np.flatnonzero(verdicts.kind != _code(verdicts, Task.Kind.RANK))
    item, said, rater = verdicts.item[compared], 1 - verdicts.outcome[compared], verdicts.rater[compared]
    overall = agreement_by_group(item, said, np.zeros(len(item), np.int64), SIDES, tie=1)
    nothing = Estimate(None, None, 0, "no item has two ratings yet")
    all_ = overall.get(0, Agreement(nothing, nothing, nothing))
    clear = compared[verdicts.left[compared] != 0]
    return Figures(
        agreement=all_.pairs,
        alpha=all_.alpha,
        ceiling=all_.ceiling,
        left=position_bias((verdicts.left[clear] + 1) / 2, verdicts.rater[clear]),
        fleiss=fleiss_kappa(count_codes(item, said, SIDES)),
        cohen=_cohen(item, said, rater),
        groups=_groups(verdicts),
        rounds=_rounds(campaign),
        **_policies(between_policies(campaign, verdicts)),
    )


def _rounds(campaign: Campaign) -> list[RoundFigure]:
    """Count each round's labels, those on best-of-n picks left out, which nothing is learnt from."""
    asked = Task.objects.filter(fresh(), campaign=campaign, counted__gt=0)
    asked = asked.exclude(selection=Task.Selection.WATCH).exclude(kind=Task.Kind.CHAT)
    counted = asked.values_list("round__number").annotate(labels=Sum("counted")).order_by("round__number")
    return [RoundFigure(number, labels) for number, labels in counted]


def _code(verdicts: Verdicts, kind: Task.Kind) -> int:
    return verdicts.kinds.index(kind) if kind in verdicts.kinds else -1


def _cohen(item: Whole, said: Whole, rater: Whole) -> Estimate:
    """Measure Cohen's κ where exactly two raters judged."""
    who = np.unique(rater)
    if len(who) != 2:
        return Estimate(None, None, 0, "it needs exactly two raters")
    _, one, other = np.intersect1d(item[rater == who[0]], item[rater == who[1]], return_indices=True)
    return cohen_kappa(said[rater == who[0]][one], said[rater == who[1]][other], SIDES)


def _groups(verdicts: Verdicts) -> list[GroupFigure]:
    """Measure agreement by kind of task, by raters' skills, by language and by round."""
    item, said = verdicts.item, 1 - verdicts.outcome
    found: list[GroupFigure] = []

    def add(by: str, rows: Whole, codes: Whole, names: list[Any]) -> None:
        measured = agreement_by_group(
            item[rows], said[rows], codes, SIDES, tie=1, clusters=verdicts.task[rows]
        )
        order = sorted(measured, key=lambda code: names[int(code)])  # type: ignore[call-overload]
        for code in order:
            of = measured[code]
            name = str(names[int(code)])  # type: ignore[call-overload]
            found.append(GroupFigure(by, name, of.alpha, of.pairs, of.ceiling))

    everything = np.arange(len(verdicts))
    compared = np.flatnonzero(verdicts.kind != _code(verdicts, Task.Kind.RANK))
    add("kind", everything, verdicts.kind, verdicts.kinds)
    pools = skills_of(verdicts.rater)
    rows = [compared[np.isin(verdicts.rater[compared], users)] for users in pools.values()]
    if rows:
        codes = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
        add("skill", np.concatenate(rows), codes, list(pools))
    add("language", compared, verdicts.language[compared], verdicts.languages)
    add("round", compared, verdicts.round[compared], verdicts.rounds)
    return found


def _policies(votes: Votes) -> dict[str, Any]:
    """Rate policies by the votes between different ones, raw and at equal style, and say what is decided."""
    if not len(votes.ballots):
        return {"policies_why": "no answers of two different policies have been compared yet"}
    raw = rate(votes.ballots)
    fair = rate(votes.ballots, covariates=votes.styles)
    return {
        "board": _board(votes, raw, fair),
        "reference": votes.reference,
        "policies": [
            PolicyFigure(
                r.policy,
                votes.models[r.policy],
                r.votes,
                raw.win_share(r.policy, votes.reference),
                fair.win_share(r.policy, votes.reference),
            )
            for r in raw.ratings
            if r.policy != votes.reference
        ],
        "styles": [StyleFigure(name, effect) for name, effect in fair.effects.items()],
        "duels": _duels(votes, raw),
    }


def _board(votes: Votes, raw: Leaderboard, fair: Leaderboard) -> BoardFigure:
    ballots = votes.ballots
    answered = {
        name: np.unique(votes.rounds[(ballots.left == at) | (ballots.right == at)]).tolist()
        for at, name in enumerate(ballots.policies)
    }
    return BoardFigure(
        raw.standings(), fair.standings(), len(ballots), votes.models, answered, votes.apart, votes.left_out
    )


def _duels(votes: Votes, board: Leaderboard) -> list[DuelFigure]:
    """Follow the direct votes between each two policies, the better rated first, in the order they came."""
    ballots, plan = votes.ballots, Plan()
    place = {rating.policy: k for k, rating in enumerate(board.ratings)}
    rank = np.array([place[name] for name in ballots.policies])
    best = np.minimum(rank[ballots.left], rank[ballots.right])
    worst = np.maximum(rank[ballots.left], rank[ballots.right])
    outcome = np.where(rank[ballots.left] < rank[ballots.right], ballots.outcome, -ballots.outcome)
    found = []
    for pair in np.unique(best * len(place) + worst):
        rows = best * len(place) + worst == pair
        first, second = (board.ratings[int(k)].policy for k in divmod(int(pair), len(place)))
        found.append(_duel(first, second, follow(outcome[rows], ballots.raters[rows], plan), plan))
    return found


def _duel(first: str, second: str, standing: Standing, plan: Plan) -> DuelFigure:
    evidence = float(np.exp(min(standing.log_evidence, 30.0)))
    return DuelFigure(
        first, second, str(standing.outcome), standing.votes, plan.cap, evidence, standing.share
    )
