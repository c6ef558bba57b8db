"""What the labels say about raters and policies: rows in, preferences' estimates out."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, Max, QuerySet

from labeling.models import Campaign, Judgment, Task, TaskResponse
from labeling.models.task import fresh
from preferences.agreement import count_ratings, krippendorff_alpha, pairwise_agreement
from preferences.bradley_terry import rate
from preferences.intervals import clustered_bootstrap
from preferences.rankings import expand
from preferences.types import Estimate, Pair, Vote

KEEP_SECONDS = 24 * 3600


@dataclass(frozen=True)
class PolicyFigure:
    """What share of the votes a policy takes from the reference policy, a tie counting half."""

    policy: str
    votes: int
    share: Estimate


@dataclass(frozen=True)
class Figures:
    """A campaign's figures; where `policies` is empty, `policies_why` says why."""

    agreement: Estimate  # share of pairs of verdicts on the same task that agree on the winner or a tie
    alpha: Estimate  # Krippendorff's α over the same three outcomes
    left: Estimate  # share of clear verdicts that went to the side shown left
    reference: str
    policies: list[PolicyFigure]
    policies_why: str


def counted(campaign: Campaign) -> QuerySet[Judgment]:
    """Return the judgments that count: neither extra nor withdrawn nor superseded, nor checks of raters."""
    return Judgment.objects.filter(
        fresh("task__"), task__campaign=campaign, extra=False, withdrawn=False, superseded_by=None
    ).order_by("pk")


def measure(campaign: Campaign) -> Figures:
    """Compute a campaign's figures, once per state of its judgments."""
    state = counted(campaign).aggregate(n=Count("pk"), last=Max("pk"))
    key = f"figures:{campaign.pk}:{state['n']}:{state['last']}"
    figures: Figures | None = cache.get(key)
    if figures is None:
        figures = _measure(campaign)
        cache.set(key, figures, KEEP_SECONDS)
    return figures


def _rows(campaign: Campaign) -> list[tuple[int, int, str, int, list[int]]]:
    """Return (task, prompt, rater, verdict as displayed, order shown) of every comparison that counts."""
    rows = counted(campaign).values_list("task", "task__prompt", "rater__pseudonym", "verdict", "order_shown")
    return [(task, prompt, rater, v, order) for task, prompt, rater, v, order in rows if v is not None]


def _ranked_rows(campaign: Campaign) -> Iterator[tuple[int, int, str, int, list[int]]]:
    """Yield what every ranking that counts says of each of its pairs, in the shape of _rows."""
    rows = counted(campaign).exclude(ranking=None)
    for task, prompt, rater, ranking in rows.values_list(
        "task", "task__prompt", "rater__pseudonym", "ranking"
    ):
        for one, other, verdict in expand(ranking or []):
            yield task, prompt, rater, verdict, [one, other]


def _measure(campaign: Campaign) -> Figures:
    rows = _rows(campaign)
    # position 0's side of each verdict, whichever side it was shown on
    outcomes = [
        (task, (verdict > 0) - (verdict < 0) if order[0] == 0 else (verdict < 0) - (verdict > 0))
        for task, _, _, verdict, order in rows
    ]
    counts = count_ratings(outcomes, [-1, 0, 1])
    clear = [(float(verdict < 0), prompt) for _, prompt, _, verdict, _ in rows if verdict]
    left = clustered_bootstrap([went_left for went_left, _ in clear], [prompt for _, prompt in clear])
    reference, policies, why = _rate_policies(campaign)
    return Figures(pairwise_agreement(counts), krippendorff_alpha(counts), left, reference, policies, why)


def _rate_policies(campaign: Campaign) -> tuple[str, list[PolicyFigure], str]:
    """Rate policies by the votes between different ones; return (reference, figures, why there are none).

    The reference is the policy that was there first: the campaign's base.
    """
    sides = _policies_by_position(campaign)
    votes = []
    for task, prompt, rater, verdict, (one, other) in [*_rows(campaign), *_ranked_rows(campaign)]:
        policies = sides.get(task, {})
        if one in policies and other in policies and policies[one] != policies[other]:
            pair = Pair(str(prompt), policies[one][1], policies[other][1])
            votes.append(Vote(rater, pair, verdict))
    if not votes:
        return "", [], "no answers of two different policies have been compared yet"
    try:
        board = rate(votes)
    except ValueError as error:
        return "", [], str(error)
    rated = {r.policy for r in board.ratings}
    _, reference = min(p for pair in sides.values() for p in pair.values() if p[1] in rated)
    figures = [
        PolicyFigure(r.policy, r.votes, board.win_share(r.policy, reference))
        for r in board.ratings
        if r.policy != reference
    ]
    return reference, figures, ""


def _policies_by_position(campaign: Campaign) -> dict[int, dict[int, tuple[int, str]]]:
    """Return which policy (key, name) stands at which position of each comparison or ranking."""
    sides: dict[int, dict[int, tuple[int, str]]] = {}
    places = TaskResponse.objects.filter(
        task__campaign=campaign,
        task__kind__in=[Task.Kind.COMPARE, Task.Kind.RANK],
        response__policy__isnull=False,
    ).values_list("task", "position", "response__policy", "response__policy__name")
    for task, position, policy, name in places:
        sides.setdefault(task, {})[position] = (policy, name)
    return sides
