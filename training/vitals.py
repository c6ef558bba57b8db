"""The figures that alarms look at: measured from votes, runs and examinations, and kept round by round.

It brings NumPy and pyarrow, which web processes and the conductor do without.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
from django.db import transaction
from scipy.special import expit

from accounts import webhooks
from labeling.models import Campaign, Judgment, Round, Score, Task, TaskResponse
from labeling.models.judgment import counting
from labeling.models.task import fresh
from models_app import sampling
from models_app.models import ModelVersion, Promotion
from preferences.agreement import agreement_by_group
from preferences.intervals import clustered_bootstrap
from preferences.stopping import Outcome, follow
from preferences.types import Estimate, Interval
from training import watch
from training.alarms import Raised, raise_, spell
from training.bands import FIGURES, limits
from training.examinations import compare, share
from training.loop import loop_rounds
from training.models import Alarm, AlarmFigure, Evaluation, Examination, Run
from training.safeguards import first_of_line, read_samples
from training.suite.items import SAFETY, SuiteError, digest, of_campaign

MOST_ROUNDS = 20  # of the past, whose figures are still measured where they are missing
SIDES = 3  # the first answer, a tie, the second: codes 0, 1, 2
UNKNOWN = Estimate(None, None, 0, "it was not measured")
NO_VOTES = Estimate(None, None, 0, "there are no votes yet")


@dataclass(frozen=True)
class Vote:
    """One counted verdict on two answers: `outcome` 1 where the first won, −1 the second, 0 a tie."""

    task: int
    prompt: int
    rater: int
    outcome: int
    answers: tuple[int, int]
    policies: tuple[int | None, int | None]
    words: tuple[int, int]


def refresh(campaign: Campaign) -> list[Raised]:
    """Measure a campaign's figures, keep them, and raise the alarms of its last round that are due."""
    rounds = list(loop_rounds(campaign).order_by("-number")[:MOST_ROUNDS])
    if not rounds:
        return []
    kept = set(AlarmFigure.objects.filter(campaign=campaign).values_list("round", flat=True))
    figures = measure(rounds[0], None)
    keep(rounds[0], figures)
    for after, round_ in pairwise(rounds):
        if round_.pk not in kept:
            keep(round_, measure(round_, after))
    raised = raise_(figures, {name: limits(campaign, name) for name in FIGURES}) + findings(rounds[0])
    with transaction.atomic():
        for alarm in raised:
            _row, new = Alarm.objects.get_or_create(
                campaign=campaign, round=rounds[0], name=alarm.name, defaults={"values": alarm.values}
            )
            if new:
                said = {"name": alarm.name, "round": rounds[0].number, "values": alarm.values}
                webhooks.emit("alarm.raised", campaign.slug, **said)
    return raised


def keep(round_: Round, figures: Mapping[str, Estimate]) -> None:
    """Store a round's figures as they are now."""
    AlarmFigure.objects.bulk_create(
        (
            AlarmFigure(campaign_id=round_.campaign_id, round=round_, name=name, estimate=asdict(estimate))
            for name, estimate in figures.items()
        ),
        update_conflicts=True,
        unique_fields=["campaign", "round", "name"],
        update_fields=["estimate", "computed_at"],
    )


def measure(round_: Round, after: Round | None) -> dict[str, Estimate]:
    """Measure every figure of a round; `after` is the one that follows it, if any."""
    votes = read_votes([round_])
    run = round_.runs.filter(kind=Run.Kind.POLICY, status=Run.Status.SUCCEEDED).order_by("-pk").first()
    duel = promotion_before(round_, ModelVersion.Kind.POLICY)
    won = against_predecessor(votes, duel)
    safety, change = safety_after(round_, after)
    return {
        "length": length(run),
        "longer": longer(votes),
        "kl": distance(run),
        "proxy_gap": proxy_gap(duel, won),
        "reward": foretold(round_, votes),
        "agreement": agreement(votes),
        "safety": safety,
        "safety_change": change,
        "champion": won,
    }


def read_votes(rounds: list[Round]) -> list[Vote]:
    """Read the counted verdicts on comparisons of rounds, in the order in which they came."""
    said = Judgment.objects.filter(counting(), fresh("task__"), task__round__in=rounds, verdict__isnull=False)
    said = said.exclude(task__selection=Task.Selection.WATCH).order_by("pk")
    places = TaskResponse.objects.filter(task__round__in=rounds, position__lt=2, task__counted__gt=0)
    found: dict[int, dict[int, tuple[int, int | None, int]]] = defaultdict(dict)
    read = places.values_list("task", "position", "response", "response__policy", "response__text")
    for task, position, answer, policy, text in read.iterator():
        found[task][position] = answer, policy, len(text.split())
    votes = []
    for task, prompt, rater, verdict, shown in said.values_list(
        "task", "task__prompt", "rater", "verdict", "order_shown"
    ):
        if len(found[task]) == 2 and verdict is not None:
            left = (verdict < 0) - (verdict > 0)
            one, two = found[task][0], found[task][1]
            outcome = left if shown[0] == 0 else -left
            pairs = (one[0], two[0]), (one[1], two[1]), (one[2], two[2])
            votes.append(Vote(task, prompt, rater, outcome, *pairs))
    return votes


def longer(votes: list[Vote]) -> Estimate:
    """Estimate the share of clear votes that went to the answer with more words, clustered by prompt."""
    clear = [vote for vote in votes if vote.outcome and vote.words[0] != vote.words[1]]
    won = [float((vote.outcome > 0) == (vote.words[0] > vote.words[1])) for vote in clear]
    return clustered_bootstrap(won, [vote.prompt for vote in clear]) if clear else NO_VOTES


def agreement(votes: list[Vote]) -> Estimate:
    """Estimate how often two raters say the same of a comparison."""
    if not votes:
        return NO_VOTES
    items = np.array([vote.task for vote in votes])
    said = np.array([1 - vote.outcome for vote in votes])
    found = agreement_by_group(items, said, np.zeros(len(votes), np.int64), SIDES, tie=1)
    return found[0].pairs if 0 in found else Estimate(None, None, 0, "no item has two ratings yet")


def foretold(round_: Round, votes: list[Vote]) -> Estimate:
    """Estimate how many clear votes the reward model foretold that was in use before the round began."""
    in_use = promotion_before(round_, ModelVersion.Kind.REWARD)
    if in_use is None:
        return Estimate(None, None, 0, "no reward model has been promoted yet")
    answers = {answer for vote in votes for answer in vote.answers}
    scored = Score.objects.filter(model=in_use.version, value__isnull=False, response__in=answers)
    value = {answer: given or 0.0 for answer, given in scored.values_list("response", "value")}
    clear = [vote for vote in votes if vote.outcome and all(answer in value for answer in vote.answers)]
    signs = [np.sign(value[vote.answers[0]] - value[vote.answers[1]]) for vote in clear]
    right = [(1 + vote.outcome * float(sign)) / 2 for vote, sign in zip(clear, signs, strict=True)]
    return clustered_bootstrap(right, [vote.prompt for vote in clear]) if clear else NO_VOTES


def promotion_before(round_: Round, kind: str) -> Promotion | None:
    """Return by which promotion the model came that was in use when a round began."""
    of_family = Promotion.objects.filter(
        version__family=round_.campaign.model_family, version__kind=kind, created_at__lte=round_.created_at
    )
    return of_family.select_related("version", "previous").order_by("-pk").first()


def against_predecessor(votes: list[Vote], duel: Promotion | None) -> Estimate:
    """Estimate the new policy's share of people's votes against the one it replaced, clustered by prompt."""
    if duel is None or duel.previous is None:
        return Estimate(None, None, 0, "no policy has been improved and promoted yet")
    met = _between(votes, duel)
    shares = [(1 + outcome) / 2 for outcome, _vote in met]
    return clustered_bootstrap(shares, [vote.prompt for _outcome, vote in met]) if met else NO_VOTES


def _between(votes: list[Vote], duel: Promotion) -> list[tuple[int, Vote]]:
    """Return the votes between a promoted policy and its predecessor, each with 1 where the new one won."""
    new, old = duel.version_id, duel.previous_id
    found = []
    for vote in votes:
        if vote.policies == (new, old):
            found.append((vote.outcome, vote))
        elif vote.policies == (old, new):
            found.append((-vote.outcome, vote))
    return found


def proxy_gap(duel: Promotion | None, people: Estimate) -> Estimate:
    """Estimate what the reward model promises the new policy beyond the votes that people give it.

    The promise is the mean of σ((reward − parent's reward) / temperature) over test prompts: the share of
    votes that a calibrated reward model expects. Interval of a difference of independent figures: Zou &
    Donner 2008, Statistics in Medicine 27:1693.
    """
    run = Run.objects.filter(produced=duel.version, parent=duel.previous).first() if duel else None
    if run is None:
        return Estimate(None, None, 0, "no policy has been improved and promoted yet")
    hoped = promised(run)
    if hoped.value is None or people.value is None:
        return hoped if hoped.value is None else people
    gap = hoped.value - people.value
    if hoped.interval is None or people.interval is None:
        return Estimate(gap, None, people.n, "an interval needs at least two clusters")
    low = gap - sqrt((hoped.value - hoped.interval.low) ** 2 + (people.interval.high - people.value) ** 2)
    high = gap + sqrt((hoped.interval.high - hoped.value) ** 2 + (people.value - people.interval.low) ** 2)
    return Estimate(gap, Interval(low, high), people.n)


def promised(run: Run) -> Estimate:
    """Estimate the share of votes against its parent that a run's reward model expects of what it made."""
    samples = read_samples(run)
    temperature = float(run.reward_model.options.get("temperature", 1.0)) if run.reward_model else 1.0
    pairs = [
        (mine[1], samples["parent"][key][1])
        for key, mine in samples["candidate"].items()
        if key in samples["parent"]
    ]
    gaps = np.array([(a - b) / temperature for a, b in pairs if a is not None and b is not None])
    if not len(gaps):
        return Estimate(None, None, 0, "there was no reward model to judge by")
    return clustered_bootstrap(expit(gaps), np.arange(len(gaps)))


def length(run: Run | None) -> Estimate:
    """Estimate how many times as long a run's policy answers test prompts as the base does on average."""
    if run is None or run.produced is None:
        return UNKNOWN
    base = first_of_line(run.produced)
    first = Run.objects.filter(
        campaign=run.campaign, kind=Run.Kind.POLICY, status=Run.Status.SUCCEEDED, parent=base
    )
    counts = [
        [len(text.split()) for text, _reward in samples.values()]
        for samples in (
            read_samples(run)["candidate"],
            *(read_samples(each)["parent"] for each in first.order_by("pk")[:1]),
        )
    ]
    if len(counts) < 2 or not all(map(sum, counts)):
        return UNKNOWN
    words, usual = counts
    return clustered_bootstrap(np.array(words) / np.mean(usual), np.arange(len(words)))


def distance(run: Run | None) -> Estimate:
    """Return KL(policy ‖ base) as the gate of a run measured it."""
    evaluation = Evaluation.objects.filter(run=run).first() if run else None
    for check in evaluation.checks if evaluation else ():
        if check["name"] == "Distance from the base" and check["figure"] is not None:
            interval = Interval(*check["interval"]) if check["interval"] else None
            return Estimate(check["figure"], interval, check["n"])
    return UNKNOWN


def safety_after(round_: Round, after: Round | None) -> tuple[Estimate, Estimate]:
    """Estimate the safety of the policy in use after a round, and its change since the base, if examined."""
    of_family = Promotion.objects.filter(
        version__family=round_.campaign.model_family, version__kind=ModelVersion.Kind.POLICY
    )
    if after is not None:
        of_family = of_family.filter(created_at__lte=after.created_at)
    in_use = of_family.select_related("version__parent").order_by("-pk").first()
    try:
        suite = digest(of_campaign(round_.campaign))
    except SuiteError:
        return UNKNOWN, UNKNOWN
    config = round_.campaign.sampling or sampling.get_config()
    known = Examination.objects.filter(suite=suite, sampling=config)
    mine = known.filter(version=in_use.version).first() if in_use else None
    if in_use is None or mine is None:
        return UNKNOWN, UNKNOWN
    base = known.filter(version=first_of_line(in_use.version)).first()
    return share(mine, SAFETY), compare(mine, base, SAFETY).gap if base else UNKNOWN


def findings(round_: Round) -> list[Raised]:
    """Return what no band tells: people prefer the predecessor, or see no gain by the reward model."""
    found = []
    looked = watch.newest(round_.campaign, 1)
    if looked and looked[0].round_id == round_.pk and watch.alarm(round_.campaign):
        found.append(Raised("watch", {}))
    duel = promotion_before(round_, ModelVersion.Kind.POLICY)
    if duel is None or duel.previous is None:
        return found
    since = loop_rounds(round_.campaign).filter(created_at__gte=duel.created_at)
    met = _between(read_votes(list(since)), duel)
    standing = follow([outcome for outcome, _vote in met], [vote.rater for _outcome, vote in met])
    if standing.outcome == Outcome.SECOND:
        values = {
            "policy": duel.version.name,
            "previous": duel.previous.name,
            "share": spell(standing.share.value or 0.0, "%"),
            "votes": str(standing.votes),
        }
        found.append(Raised("predecessor", values))
    return found
