"""What a campaign's choice of comparisons has come to: what was asked and picked, and whether it pays."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from labeling import batches
from labeling.models import Campaign, Prompt, Round, Task, TaskResponse
from labeling.models.task import fresh
from preferences.types import Estimate, Interval
from training.plots import Mark, Plot, Series

LABELS = 1000  # of either arm together, from which on it is decided whether choosing goes on
UNMEASURED = "it was not measured"


@dataclass(frozen=True)
class Share:
    """How many comparisons were asked in one way, and how many judgments they have."""

    name: str
    tasks: int
    share: float
    judgments: int


@dataclass(frozen=True)
class Example:
    """A chosen comparison: how likely its first answer was to win, and what its vote was to teach."""

    task: Task
    likely: float
    gain: float


@dataclass(frozen=True)
class Report:
    """Everything that the page shows; `round` is the newest one whose comparisons are chosen."""

    choosing: bool
    says: str
    stopped: bool
    verdict: str
    round: Round | None
    asked: int
    waiting: int
    refit: dict[str, Any] | None
    shares: list[Share]
    gain: Estimate
    evidence: Estimate
    saved: float | None
    everything: Estimate
    points: list[tuple[int, Estimate, Estimate]]
    plot: Plot | None
    examples: list[Example]


def read(campaign: Campaign) -> Report:
    """Gather a campaign's report; nothing is computed but counts."""
    round_ = campaign.rounds.exclude(selection={}).order_by("-number").first()
    found = round_.selection if round_ else {}
    payoff = found.get("payoff", {})
    points = [
        (point["labels"], _estimate(point["active"]), _estimate(point["random"]))
        for point in payoff.get("curve", [])
    ]
    stopped = campaign.selection.get("stopped")
    evidence = _estimate(payoff.get("evidence"))
    there = round_ is not None and round_.status == Round.Status.OPEN
    return Report(
        choosing=there and not stopped and bool(found.get("refit")) and not found.get("why"),
        says=_stopped(stopped) if stopped else _state(campaign, round_),
        stopped=bool(stopped),
        verdict=_verdict(payoff, evidence),
        round=round_,
        asked=round_.tasks.filter(_compared(), _has_answers()).count() if round_ else 0,
        waiting=batches.waiting(round_).count() if round_ else 0,
        refit=_refit(found.get("refit")),
        shares=shares(campaign),
        gain=_estimate(payoff.get("gain")),
        evidence=evidence,
        saved=payoff.get("saved"),
        everything=_estimate(payoff.get("everything")),
        points=points,
        plot=_plot(points) if points else None,
        examples=examples(campaign, found.get("examples", [])),
    )


def shares(campaign: Campaign) -> list[Share]:
    """Count the comparisons asked in rounds that choose, by how they came about."""
    names = {
        (Task.Selection.ACTIVE, True): _("Chosen for what it teaches"),
        (Task.Selection.RANDOM, True): _("At random, to learn from"),
        (Task.Selection.RANDOM, False): _("At random, on held-out prompts"),
    }
    counts = dict.fromkeys(names, (0, 0))
    asked = Task.objects.filter(_compared(), _has_answers(), campaign=campaign).exclude(round__selection={})
    rows = asked.values_list("selection", "prompt__split").annotate(n=Count("pk"), said=Sum("counted"))
    for selection, split, n, said in rows:
        key = (Task.Selection(selection), split == Prompt.Split.TRAIN)
        if key in counts:
            counts[key] = (counts[key][0] + n, counts[key][1] + said)
    total = sum(n for n, _said in counts.values())
    return [
        Share(name, *(counts[key][0], counts[key][0] / total, counts[key][1]))
        for key, name in names.items()
        if total
    ]


def examples(campaign: Campaign, found: list[dict[str, Any]]) -> list[Example]:
    """Return what the last batch picked, the most instructive first."""
    tasks = Task.objects.filter(campaign=campaign, pk__in=[row["task"] for row in found])
    tasks = tasks.select_related("prompt").prefetch_related("task_responses__response")
    known = {task.pk: task for task in tasks}
    return [Example(known[row["task"]], row["likely"], row["gain"]) for row in found if row["task"] in known]


def _compared() -> Q:
    return fresh() & Q(kind=Task.Kind.COMPARE, chat=None)


def _has_answers() -> Exists:
    return Exists(TaskResponse.objects.filter(task=OuterRef("pk")))


def _state(campaign: Campaign, round_: Round | None) -> str:
    """Say how comparisons are come by just now, and why."""
    if not campaign.choose_pairs:
        return _("Comparisons are drawn at random: choosing is switched off.")
    if round_ is None or round_.status in {Round.Status.CLOSED, Round.Status.CANCELLED}:
        return _("Comparisons will be chosen from the next round on.")
    if round_.status != Round.Status.OPEN:
        return _("The answers are being drawn; the first batch of comparisons is random.")
    found = round_.selection
    reasons: dict[str, str] = {
        "no trunk": _(
            "There is no checkpoint that could read the answers, so pairs are drawn at random: "
            "register a Transformers model for this campaign."
        ),
        "unreadable": _("The checkpoint can't read the answers, so pairs are drawn at random: %(error)s")
        % {"error": found.get("unreadable", "")},
        "reading": _("The answers are still being read; until then pairs are drawn at random."),
        "few labels": _("There are too few labels to learn from yet; until then pairs are drawn at random."),
    }
    if found.get("why") in reasons:
        return reasons[found["why"]]
    if "refit" not in found:
        return _("The first batch of comparisons is random; what raters say of it decides the next.")
    sentence = _("Comparisons are chosen by a fit to all %(labels)s labels on training prompts.")
    return sentence % {"labels": found["refit"]["labels"]}


def _stopped(found: dict[str, Any]) -> str:
    gain = found.get("value")
    if gain is None:
        return _("Choosing was given up, and comparisons are drawn at random.")
    return _(
        "Choosing was given up at %(labels)s labels, and comparisons are drawn at random: "
        "what was chosen taught no more than as many random ones (%(gain)s in the mean log likelihood of a "
        "held-out vote)."
    ) % {"labels": found["labels"], "gain": f"{gain:+.3f}".replace("-", "−")}


def _verdict(payoff: dict[str, Any], evidence: Estimate) -> str:
    """Say whether choosing pays, as far as is known."""
    if "verdict" not in payoff:
        return _(
            "Not shown to pay yet: that takes labels of both kinds, and votes on held-out prompts to test on."
        )
    if payoff["verdict"] == "early":
        return _(
            "Not shown to pay yet: there are %(n)s labels, and at %(all)s it is decided whether it goes on."
        ) % {"n": payoff["labels"], "all": LABELS}
    if evidence.interval is not None and evidence.interval.low > 0:
        return _("It pays: chosen labels foretell held-out votes better than as many random ones.")
    return _("Not shown to pay yet: the difference may be chance. It goes on while chosen labels are ahead.")


def _refit(found: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if found is None else {**found, "at": parse_datetime(found["at"])}


def _estimate(found: dict[str, Any] | None) -> Estimate:
    if not found or found["value"] is None:
        return Estimate(None, None, 0, UNMEASURED)
    interval = None if found["low"] is None else Interval(found["low"], found["high"])
    return Estimate(found["value"], interval, found["n"])


def _plot(points: list[tuple[int, Estimate, Estimate]]) -> Plot:
    chosen = [Mark(k - 0.06, f"{n}", active) for k, (n, active, _random) in enumerate(points)]
    random = [Mark(k + 0.06, f"{n}", random) for k, (n, _active, random) in enumerate(points)]
    return Plot(
        key="payoff",
        x=_("Labels of either kind"),
        series=[
            Series(_("Chosen"), chosen, joined=True),
            Series(_("Random"), random, joined=True, hollow=True),
        ],
    )
