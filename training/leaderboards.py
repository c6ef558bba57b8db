"""A campaign's leaderboards: policies, what each round gained, reward models, what more labels would buy.

All is read from what workers left: a campaign's figures (labeling.quality) and the results of runs. `read`
gives everything a page shows; `policies`, `rounds`, `reward_models` and `more_labels` give their part.
"""

from collections.abc import Sequence
from functools import cached_property

from labeling import quality
from labeling.figures import BoardFigure
from labeling.models import Campaign
from models_app.models import ModelVersion, Promotion
from preferences.standings import Standings
from preferences.types import Estimate, Interval
from training.boards import Board, ChampionRow, Gains, Leaderboards, Place, RewardPlace, Step
from training.cards import read_accuracy, read_figure
from training.models import Run
from training.outlook import Outlook, carry_on

UNCOMPARED = "nobody has compared it with another policy yet"
APART = "no vote joins it with the other policies, not even through others"
ITSELF = "the others are held against it"
NO_LABELS = "it is not known how many labels it took"
NEWEST = 50  # reward models on a board


def read(campaign: Campaign) -> Leaderboards:
    """Read all of a campaign's leaderboards, in as many queries however many votes there are."""
    facts = _Facts(campaign)
    report = facts.report
    return Leaderboards(
        _policies(facts),
        _rounds(facts),
        _reward_models(facts),
        _more_labels(facts),
        report.judgments,
        report.fresh,
        report.computed_at,
    )


def policies(campaign: Campaign) -> Board:
    """Read where each policy of a campaign stands by people's votes."""
    return _policies(_Facts(campaign))


def rounds(campaign: Campaign) -> Gains:
    """Read what each round of a campaign gained, and per 1,000 labels."""
    return _rounds(_Facts(campaign))


def reward_models(campaign: Campaign) -> list[RewardPlace]:
    """Read a campaign's newest reward models side by side, the newest first."""
    return _reward_models(_Facts(campaign))


def more_labels(campaign: Campaign) -> Outlook:
    """Say what more labels would buy the newest reward model of a campaign that has a learning curve."""
    return _more_labels(_Facts(campaign))


def champions(campaigns: Sequence[Campaign]) -> list[ChampionRow]:
    """Return each campaign's champion and its gain, in three queries however many campaigns there are."""
    reports = quality.latest_of(campaigns)
    families = {campaign.model_family for campaign in campaigns}
    versions = list(ModelVersion.objects.filter(family__in=families, kind=ModelVersion.Kind.POLICY))
    runs = Run.objects.filter(campaign__in=campaigns, kind=Run.Kind.POLICY, produced__in=versions)
    made = list(runs.defer("result", "config").select_related("produced", "parent", "round").order_by("pk"))
    found = []
    for campaign in campaigns:
        facts = _Facts(campaign)
        facts.report = reports[campaign.pk]
        facts.versions = {v.pk: v for v in versions if v.family == campaign.model_family}
        facts.runs = [run for run in made if run.campaign_id == campaign.pk]
        champion = facts.champion.name if facts.champion else ""
        found.append(ChampionRow(campaign, _total(facts, _rounds(facts).steps), champion))
    return found


class _Facts:
    """What leaderboards are made of, each read once and only where it is needed."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign

    @cached_property
    def report(self) -> quality.Report:
        return quality.latest(self.campaign)

    @property
    def board(self) -> BoardFigure | None:
        return self.report.figures.board

    @cached_property
    def versions(self) -> dict[int, ModelVersion]:
        """Every policy that may answer here, and those that people voted on."""
        family = ModelVersion.objects.filter(family=self.campaign.model_family, kind=ModelVersion.Kind.POLICY)
        return {version.pk: version for version in family.order_by("pk")}

    @cached_property
    def runs(self) -> list[Run]:
        runs = Run.objects.filter(campaign=self.campaign, produced__isnull=False)
        return list(
            runs.select_related("produced", "parent", "round", "snapshot", "evaluation").order_by("pk")
        )

    def labels(self, number: int) -> int:
        """Count the labels up to a round."""
        return sum(each.labels for each in self.report.figures.rounds if each.number <= number)

    def runs_of(self, kind: str) -> list[Run]:
        return [run for run in self.runs if run.kind == kind]

    @cached_property
    def answered(self) -> dict[int, set[int]]:
        """In which rounds each policy answered or was to."""
        found: dict[int, set[int]] = {}
        planned = self.campaign.rounds.filter(policies__isnull=False).values_list("policies", "number")
        for model, number in planned:
            found.setdefault(model, set()).add(number)
        if self.board is not None:
            for policy, numbers in self.board.answered.items():
                found.setdefault(self.board.models[policy], set()).update(numbers)
        return found

    @cached_property
    def champion(self) -> ModelVersion | None:
        status = ModelVersion.Status.CHAMPION
        return next((version for version in self.versions.values() if version.status == status), None)

    @cached_property
    def predecessor(self) -> ModelVersion | None:
        """The policy that the champion replaced."""
        if self.champion is None:
            return None
        promotions = Promotion.objects.filter(version=self.champion).order_by("-pk")
        before = promotions.values_list("previous", flat=True).first()
        return self.versions.get(before or self.champion.parent_id or 0)

    @cached_property
    def base(self) -> str:
        """The policy from which points are counted: the champion's first ancestor that people voted on."""
        reference = self.report.figures.reference
        at, base = self.champion, reference
        while at is not None:
            if self.board is not None and at.name in self.board.raw:
                base = at.name
            at = self.versions.get(at.parent_id or 0)
        return base


def _policies(facts: _Facts) -> Board:
    board, figures = facts.board, facts.report.figures
    champion, before = facts.champion, facts.predecessor
    rounds = {run.produced_id: run.round.number for run in facts.runs_of(Run.Kind.POLICY) if run.round}
    placed = [] if board is None else [board.models[policy] for policy in board.raw.policies]
    made = {pk for run in facts.runs_of(Run.Kind.POLICY) for pk in (run.produced_id, run.parent_id)}
    known = {*facts.answered, *made, *(board.apart if board else ())}
    others = [pk for pk in facts.versions if pk in known and pk not in placed]
    pair = {champion.name, before.name} if champion and before else set()
    return Board(
        [_place(facts, pk, rounds.get(pk)) for pk in [*placed, *others]],
        facts.base,
        champion.name if champion else "",
        before.name if before else "",
        next((duel for duel in figures.duels if {duel.first, duel.second} == pair), None),
        board.votes if board else 0,
        board.left_out if board else {},
        "" if board else figures.policies_why,
    )


def _place(facts: _Facts, pk: int, round_: int | None) -> Place:
    board, version = facts.board, facts.versions.get(pk)
    names = {} if board is None else {model: name for name, model in board.models.items()}
    name = names.get(pk) or (version.name if version else "")
    champion = facts.champion.name if facts.champion else ""
    raw, fair = (None, None) if board is None else (board.raw, board.fair)
    why = APART if board is not None and pk in board.apart else UNCOMPARED
    return Place(
        name,
        pk,
        version.status if version else "",
        round_,
        sorted(facts.answered.get(pk, ())),
        raw.votes[raw.policies.index(name)] if raw is not None and name in raw else 0,
        _elo(raw, name, facts.base, why),
        _elo(fair, name, facts.base, why),
        _share(raw, name, facts.base, why),
        _share(raw, name, champion, why),
    )


def _elo(standings: Standings | None, first: str, second: str, why: str = UNCOMPARED) -> Estimate:
    if standings is None or first not in standings or second not in standings:
        return Estimate(None, None, 0, why)
    if first == second:
        return Estimate(0.0, None, standings.votes[standings.policies.index(first)], ITSELF)
    return standings.elo(first, second)


def _share(standings: Standings | None, first: str, second: str, why: str) -> Estimate:
    if standings is None or first not in standings or second not in standings:
        return Estimate(None, None, 0, why)
    if first == second:
        return Estimate(None, None, 0, ITSELF)
    return standings.share(first, second)


def _rounds(facts: _Facts) -> Gains:
    board = facts.board
    raw, fair = (None, None) if board is None else (board.raw, board.fair)
    made: dict[int, int] = {}  # in which round each policy was
    steps = []
    for run in facts.runs_of(Run.Kind.POLICY):
        assert run.produced is not None
        number = run.round.number if run.round else None
        taken = None
        if number is not None:
            taken = facts.labels(number) - facts.labels(made.get(run.parent_id, 0))
            made[run.produced.pk] = number
        elo = _elo(raw, run.produced.name, run.parent.name)
        steps.append(
            Step(
                number,
                run.produced.name,
                run.produced.pk,
                run.parent.name,
                run.produced.status,
                taken,
                elo,
                _elo(fair, run.produced.name, run.parent.name),
                _per_thousand(elo, taken),
            )
        )
    return Gains(steps, _total(facts, steps))


def _total(facts: _Facts, steps: list[Step]) -> Step | None:
    """Return what all rounds up to the champion's gained together."""
    champion, board = facts.champion, facts.board
    if champion is None or board is None or champion.name == facts.base:
        return None
    last = next((step.round for step in steps if step.model == champion.pk), None)
    labels = None if last is None else facts.labels(last)
    elo = _elo(board.raw, champion.name, facts.base)
    return Step(
        last,
        champion.name,
        champion.pk,
        facts.base,
        champion.status,
        labels,
        elo,
        _elo(board.fair, champion.name, facts.base),
        _per_thousand(elo, labels),
    )


def _per_thousand(gain: Estimate, labels: int | None) -> Estimate:
    """Spread a gain over the labels that it took, which are counted and not estimated."""
    if gain.value is None:
        return gain
    if not labels:
        return Estimate(None, None, 0, NO_LABELS)
    part = 1000 / labels
    interval = gain.interval and Interval(gain.interval.low * part, gain.interval.high * part)
    return Estimate(gain.value * part, interval, gain.n)


def _reward_models(facts: _Facts) -> list[RewardPlace]:
    return [_reward_place(run) for run in reversed(facts.runs_of(Run.Kind.REWARD)[-NEWEST:])]


def _reward_place(run: Run) -> RewardPlace:
    assert run.produced is not None
    report = run.result.get("report") or {}
    gate = getattr(run, "evaluation", None)
    return RewardPlace(
        run.round.number if run.round else None,
        run.produced.name,
        run.produced.pk,
        run.produced.status,
        gate.passed if gate else None,
        run.snapshot.counts.get("judgments", 0),
        read_accuracy(run.result.get("test")),
        read_figure(report.get("held_out_raters")),
        read_figure(report.get("newest_round")),
        read_figure((report.get("calibration") or {}).get("after")),
        read_figure(report.get("ceiling")),
        read_figure(report.get("of_ceiling")),
    )


def _more_labels(facts: _Facts) -> Outlook:
    runs = facts.runs_of(Run.Kind.REWARD)
    curves = [run for run in runs if (run.result.get("report") or {}).get("learning_curve", {}).get("points")]
    return carry_on(curves[-1] if curves else runs[-1] if runs else None)
