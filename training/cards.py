"""The card of a reward model: what it is worth on votes that it hasn't seen, and who decided to use it.

One reading for the page and for the files (training.card_files).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log2
from typing import Any

from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from labeling.templatetags.figures import spell
from models_app.models import ModelVersion, Promotion
from preferences.types import Estimate, Interval
from training.figure_tables import Row
from training.models import Evaluation, Run
from training.plots import Level, Mark, Plot, Series

Figure = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """One question about the model: what is said of it in words, figures, and a plot where there is one."""

    key: str
    title: str
    says: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    plot: Plot | None = None


@dataclass(frozen=True)
class Decision:
    """A change of champion, and the failed checks that a person overrode with it."""

    promotion: Promotion
    overrode: list[str]


@dataclass(frozen=True)
class Card:
    """All that is known of a reward model."""

    version: ModelVersion
    run: Run | None
    evaluation: Evaluation | None
    decisions: list[Decision]
    headline: list[Row]
    sections: list[Section]


def read(version: ModelVersion) -> Card:
    """Return the card of a reward model; one that was registered, not trained here, has no figures."""
    run = (
        Run.objects.filter(produced=version).select_related("snapshot", "round", "campaign", "parent").first()
    )
    evaluation = Evaluation.objects.filter(run=run).select_related("champion").first() if run else None
    decided = decisions(version, evaluation)
    if run is None or version.kind != ModelVersion.Kind.REWARD:
        return Card(version, run, evaluation, decided, [], [])
    report = run.result.get("report") or {}
    return Card(version, run, evaluation, decided, headline(run.result), sections(run.result, report))


def decisions(version: ModelVersion, evaluation: Evaluation | None) -> list[Decision]:
    """Return when a version became champion or was followed by another, newest first.

    Who makes a model champion that the gate has refused overrides what it failed.
    """
    rows = Promotion.objects.filter(Q(version=version) | Q(previous=version))
    failed = failed_checks(evaluation)
    return [
        Decision(promotion, failed if _overrides(promotion, version, evaluation) else [])
        for promotion in rows.select_related("version", "previous", "by").order_by("-pk")
    ]


def failed_checks(evaluation: Evaluation | None) -> list[str]:
    """Name the checks that a model has failed."""
    return [check["name"] for check in evaluation.checks if not check["passed"]] if evaluation else []


def _overrides(promotion: Promotion, version: ModelVersion, evaluation: Evaluation | None) -> bool:
    mine = promotion.version_id == version.pk and promotion.by_id is not None
    return mine and evaluation is not None and promotion.created_at >= evaluation.created_at


def headline(result: dict[str, Any]) -> list[Row]:
    """Return the figures to look at first."""
    report = result.get("report") or {}
    calibration = report.get("calibration") or {}
    length = report.get("length") or {}
    return [
        Row(_("Accuracy on held-out prompts"), read_accuracy(result.get("test"))),
        Row(_("On raters it has never seen"), read_figure(report.get("held_out_raters"))),
        Row(_("On the newest round"), read_figure(report.get("newest_round"))),
        Row(_("Share of the ceiling"), read_figure(report.get("of_ceiling"))),
        Row(_("Calibration error"), read_figure(calibration.get("after"))),
        Row(_("Above length alone"), read_figure(length.get("gain"))),
    ]


def sections(result: dict[str, Any], report: dict[str, Any]) -> list[Section]:
    """Return what was measured, question by question."""
    ceiling = (report.get("ceiling") or {}).get("value")
    levels = [Level(_("Chance"), 0.5)]
    if ceiling is not None:
        levels.append(Level(_("Ceiling by raters' agreement"), ceiling))
    found = [
        _votes(result, report),
        _ceiling(report),
        _strengths(report.get("by_strength") or [], levels),
        _rounds(report.get("by_round") or [], levels),
        _calibration(report.get("calibration") or {}),
        _length(report.get("length") or {}),
        _learning(report.get("learning_curve") or {}, result, levels),
        _invariance(report.get("invariance") or {}),
    ]
    return [*found, *_criteria(result.get("criteria") or [])]


def of_verifier(result: dict[str, Any]) -> list[Section]:
    """Return what a policy run's verifier is worth; nothing where it has none."""
    found = next((stage["verifier"] for stage in result.get("stages") or [] if "verifier" in stage), None)
    if found is None:
        return []
    rows = [
        Row(_("All held-out prompts"), read_figure(found["accuracy"])),
        Row(_("The reward model on the same votes"), read_figure(found.get("reward_accuracy"))),
        Row(_("The verifier less the reward model"), read_figure(found.get("against_reward"))),
    ]
    says = _("How often it takes the answer that a rater preferred for the better one. Ties are left out.")
    return [
        Section("verifier", _("The policy as its own verifier"), [says], rows),
        _calibration(found["calibration"]),
    ]


def _votes(result: dict[str, Any], report: dict[str, Any]) -> Section:
    rows = [
        Row(_("All held-out prompts"), read_accuracy(result.get("test"))),
        Row(_("Votes of raters it has learnt from"), read_figure(report.get("known_raters"))),
        Row(_("Votes of raters it has never seen"), read_figure(report.get("held_out_raters"))),
        Row(_("Votes of the newest round"), read_figure(report.get("newest_round"))),
        Row(_("Validation votes, by which it was chosen"), read_accuracy(result.get("validation"))),
    ]
    for group in report.get("by_skill") or []:
        rows.append(Row(_("Raters with the skill %(skill)s") % {"skill": group["group"]}, read_figure(group)))
    says = _(
        "How often it scores higher what a rater preferred. Ties are left out; intervals resample prompts."
    )
    return Section("votes", _("On which votes"), [says], rows)


def _ceiling(report: dict[str, Any]) -> Section:
    rows = [
        Row(_("Two raters agree"), read_figure(report.get("agreement"))),
        Row(_("Ceiling"), read_figure(report.get("ceiling"))),
        Row(_("Share of the ceiling"), read_figure(report.get("of_ceiling"))),
    ]
    says = [_("No model can agree with single votes more often than raters' agreement allows.")]
    if report.get("leak"):
        says.append(
            _(
                "This one is above its ceiling, with its whole interval: look for answers that it has seen "
                "in training."
            )
        )
    return Section("ceiling", _("How close to what is possible"), says, rows)


def _strengths(groups: list[Figure], levels: list[Level]) -> Section:
    names = {1: _("slight"), 2: _("clear"), 3: _("strong")}
    plot = _plot("strength", _("Strength"), [(names[g["group"]], g) for g in groups], levels)
    says = [_("Strong preferences should be easier than slight ones.")]
    return Section("strength", _("By strength of the verdict"), says if plot else [_nothing()], plot=plot)


def _rounds(groups: list[Figure], levels: list[Level]) -> Section:
    plot = _plot("round", _("Round"), [(str(g["group"]), g) for g in groups], levels)
    says = [_("A fall towards the newest rounds says that its policies have left what it knows.")]
    return Section("round", _("By round"), says if plot else [_nothing()], plot=plot)


def _calibration(found: dict[str, Any]) -> Section:
    before, after = found.get("before") or {}, found.get("after") or {}
    rows = [
        Row(_("Calibration error as trained"), read_figure(found.get("before"))),
        Row(_("With the temperature"), read_figure(found.get("after"))),
    ]
    says = []
    if "temperature" in found:
        words = {"temperature": f"{found['temperature']:.2f}", "n": found["n"]}
        says.append(
            _("There are too few validation votes to fit a temperature: probabilities are shown as they are.")
            if found.get("why")
            else _(
                "One temperature, %(temperature)s, was fitted to %(n)s validation votes; margins are divided "
                "by it where probabilities are shown. Scores stay as they are."
            )
            % words
        )
    if found.get("by_chance") is not None:
        chance = {"error": spell(found["by_chance"], "%")}
        says.append(_("With so many votes, a perfectly calibrated model would show %(error)s.") % chance)
    series = [
        Series(name, [_bin(b) for b in part["bins"]], hollow=hollow)
        for name, part, hollow in ((_("As trained"), before, True), (_("With the temperature"), after, False))
        if part.get("bins")
    ]
    plot = Plot("calibration", _("Claimed probability"), series, diagonal=_("As claimed")) if series else None
    return Section("calibration", _("Can its probabilities be believed?"), says, rows, plot)


def _length(found: dict[str, Any]) -> Section:
    by_ties = found.get("matched_by") == "ties"
    matched = _("Reward and length, among ties") if by_ties else _("Reward and length, at equal verdicts")
    alone = _("The longer always wins") if found.get("rule") != "shorter" else _("The shorter always wins")
    rows = [
        Row(alone, read_figure(found.get("baseline"))),
        Row(_("The model's accuracy above that"), read_figure(found.get("gain"))),
        Row(_("Accuracy where the shorter one was preferred"), read_figure(found.get("shorter_wins"))),
        Row(_("Accuracy where both are about as long"), read_figure(found.get("equal_length"))),
        Row(matched, read_figure(found.get("matched")), ""),
    ]
    bins = [(_span(b["low"], b["high"]), b) for b in found.get("bins") or []]
    plot = _plot("length", _("More words in the preferred answer"), bins, [Level(_("Chance"), 0.5)])
    says = [_("A model that only likes length is right on the one side of this plot and wrong on the other.")]
    return Section("length", _("Does it only like length?"), says if plot else [_nothing()], rows, plot)


def _learning(found: dict[str, Any], result: dict[str, Any], levels: list[Level]) -> Section:
    points = found.get("points") or []
    says = [
        _(
            "Linear heads on the frozen trunk, fitted to ever more of the training votes; the model itself "
            "may do better. Where the curve still rises, more votes help."
        )
    ]
    if not points:
        why = translation.gettext(found["why"]) if found.get("why") else _("it was not measured")
        return Section("learning", _("Would more votes help?"), [_("No curve: %(why)s.") % {"why": why}])
    marks = [Mark(log2(p["votes"]), f"{p['votes']:,}", read_figure(p)) for p in points]
    tested = read_accuracy(result.get("test"))
    model = [] if tested.value is None else [Level(_("The model itself"), tested.value)]
    series = [Series(_("Accuracy"), marks, joined=True)]
    plot = Plot("learning", _("Training votes"), series, [*levels, *model])
    return Section("learning", _("Would more votes help?"), says, plot=plot)


def _invariance(found: dict[str, Any]) -> Section:
    says = _("Whether a score depends on what is scored beside it was not measured.")
    if found.get("greatest") is not None:
        says = _(
            "%(n)s answers were scored alone, and together in another order: no score differed by more than "
            "%(greatest)s."
        ) % {"n": found["n"], "greatest": f"{found['greatest']:.1g}"}
    return Section("invariance", _("Does a score depend on its batch?"), [says])


def _criteria(groups: list[Figure]) -> list[Section]:
    if not groups:
        return []
    rows = [Row(group["group"], read_figure(group)) for group in groups]
    return [
        Section(
            "criteria",
            _("By criterion"),
            [_("How often its heads say which answer raters found better in it.")],
            rows,
        )
    ]


def _plot(key: str, x: str, groups: Sequence[tuple[str, Figure]], levels: list[Level]) -> Plot | None:
    marks = [Mark(at, label, read_figure(group)) for at, (label, group) in enumerate(groups)]
    return Plot(key, x, [Series(_("Accuracy"), marks)], levels) if marks else None


def _nothing() -> str:
    return _("There are no votes to test on yet.")


def _span(low: float, high: float) -> str:
    """Write a range of words, with a sign where it is below 0."""
    ends = [f"{end:.0f}".replace("-", "−") for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]}…{ends[1]}"


def _bin(found: dict[str, Any]) -> Mark:
    estimate = Estimate(found["found"], Interval(*found["interval"]), round(found["n"]))
    return Mark(found["claimed"], f"{100 * found['low']:.0f}–{100 * found['high']:.0f} %", estimate)


def read_accuracy(found: dict[str, Any] | None) -> Estimate:
    """Read an accuracy of result.json, which names its value so."""
    return read_figure({**found, "value": found.get("accuracy")} if found else None)


def read_figure(found: dict[str, Any] | None) -> Estimate:
    """Read a figure of an engine's report: value, interval, n, and why where something is missing."""
    if not found or (found.get("value") is None and not found.get("why")):
        return Estimate(None, None, 0, "it was not measured")
    interval = Interval(*found["interval"]) if found.get("interval") else None
    return Estimate(found["value"], interval, found.get("n") or 0, found.get("why") or "")
