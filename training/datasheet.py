"""A snapshot's datasheet: who rated, how paid, how far they agree, what pulls them, what it is for.

Sections follow Gebru et al. (2021), Datasheets for Datasets. One reading for the page and the files; texts
are in the language that is active.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.models import Campaign, Guideline
from preferences.types import Estimate
from training import dataset_plots, dataset_statistics, snapshots, withdrawal
from training.dataset_plots import Shown, estimate, share
from training.figure_tables import Row, cell, line
from training.models import Snapshot, Statement

STATED = ("licence", "collected", "payment", "uses", "limits", "contact")
MOST = 12  # of a long list that is spelt out


@dataclass(frozen=True)
class Section:
    """One question about a dataset: sentences, facts by name, figures and plots."""

    key: str
    title: str
    says: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    figures: list[Row] = field(default_factory=list)
    plots: list[Shown] = field(default_factory=list)


@dataclass(frozen=True)
class Sheet:
    """All that is known of a snapshot's making; `guidelines` are those that its judgments were made under."""

    snapshot: Snapshot
    manifest: dict[str, Any]
    statistics: dict[str, Any]
    statement: Statement
    withdrawn: list[str]
    guidelines: list[Guideline]
    sections: list[Section]


def read(snapshot: Snapshot) -> Sheet:
    """Return a snapshot's datasheet; raises SnapshotError when its files are missing."""
    manifest = json.loads((snapshots.path(snapshot) / "manifest.json").read_text())
    statistics = dataset_statistics.read(snapshot)
    campaigns = snapshots.sources(snapshot)
    statement = _stated(campaigns)
    guidelines = _shown(campaigns, statistics.get("guidelines", {}))
    withdrawn = [withdrawal.sentence(each) for each in withdrawal.of_snapshot(snapshot)]
    sections = [
        _purpose(campaigns, statement),
        _content(manifest, statistics),
        _collection(manifest, statistics, statement),
        _raters(statistics, statement),
        _agreement(statistics),
        _pulls(statistics),
        _limits(statistics, statement),
        _keeping(statement),
    ]
    return Sheet(snapshot, manifest, statistics, statement, withdrawn, guidelines, sections)


def _stated(campaigns: list[Campaign]) -> Statement:
    """Return what is stated of a campaign's data; of several, each one's where they differ."""
    known = {row.campaign_id: row for row in Statement.objects.filter(campaign__in=campaigns)}
    rows = [known.get(campaign.pk) or Statement(campaign=campaign) for campaign in campaigns]
    if len(rows) == 1:
        return rows[0]
    together = Statement()
    for name in STATED:
        said = [getattr(row, name) for row in rows]
        each = [f"{c.name}: {text or _('not stated')}" for c, text in zip(campaigns, said, strict=True)]
        setattr(together, name, said[0] if len(set(said)) == 1 else "; ".join(each))
    return together


def _shown(campaigns: list[Campaign], counts: dict[str, int]) -> list[Guideline]:
    """Return the guidelines that judgments were made under, by campaign and number."""
    found = Guideline.objects.filter(campaign__in=campaigns).select_related("campaign")
    several = len(campaigns) > 1
    return [
        guideline
        for guideline in found.order_by("campaign__slug", "number")
        if (f"{guideline.campaign.slug} " if several else "") + str(guideline.number) in counts
    ]


def _purpose(campaigns: list[Campaign], statement: Statement) -> Section:
    says = [*(campaign.description for campaign in campaigns), statement.uses]
    says = [text for text in says if text] or [_("Nobody has stated what it is meant for.")]
    return Section("purpose", _("Why it was made, and what for"), says)


def _content(manifest: dict[str, Any], statistics: dict[str, Any]) -> Section:
    counts = manifest["counts"]
    facts = [(name.replace("_", " "), f"{n:,}") for name, n in sorted(counts.items())]
    for name, title in (
        ("kinds", _("tasks by kind")),
        ("selections", _("how pairs were chosen")),
        ("languages", _("languages")),
        ("tags", _("tags")),
        ("sources", _("who said it")),
    ):
        if told := _listed(statistics.get(name, {})):
            facts.append((title, told))
    if len(of := statistics.get("campaigns", {})) > 1:
        facts.append((_("tasks by campaign"), _listed(of)))
    if quartiles := statistics["words"]:
        facts.append((_("words of an answer: quarter, half, three quarters"), _quartiles(quartiles)))
    plots = [shown for shown in dataset_plots.plots(statistics) if shown.key in ("votes", "verdicts")]
    return Section("content", _("What is in it"), [], facts, plots=plots)


def _collection(manifest: dict[str, Any], statistics: dict[str, Any], statement: Statement) -> Section:
    says = [statement.collected] if statement.collected else []
    scales = {str(told["scale"]) for told in manifest.get("campaigns", [manifest])}
    says.append(
        _(
            "Raters compared answers on %(points)s points, the sides shuffled for each rater, or put several "
            "in order, or rewrote one. Every judgment names the guideline version that its rater saw. Tasks "
            "whose right verdict is known and comparisons asked twice, which check raters, are not in it."
        )
        % {"points": ", ".join(sorted(scales))}
    )
    facts = []
    if told := _listed(statistics.get("guidelines", {})):
        facts.append((_("judgments by guideline version"), told))
    if quartiles := statistics["seconds"]:
        facts.append((_("active seconds of an answer: quarter, half, three quarters"), _quartiles(quartiles)))
    return Section("collection", _("How it was collected"), says, facts)


def _raters(statistics: dict[str, Any], statement: Statement) -> Section:
    raters, people = statistics["raters"], statistics["people"]
    facts = [(_("raters"), f"{len(raters):,}")]
    for name, title in (("skills", _("raters by skill")), ("languages", _("raters by language"))):
        if told := _listed(people[name]):
            facts.append((title, told))
    facts.append((_("passed a qualification test"), f"{people['qualified']:,}"))
    facts.append((_("how they were paid"), statement.payment or _("not stated")))
    busiest = sorted(raters, key=lambda name: (-raters[name]["judgments"] - raters[name]["edits"], name))
    names = ", ".join(busiest[:MOST])
    if len(busiest) > MOST:
        more = len(busiest) - MOST
        names += " " + ngettext("and %(n)s more", "and %(n)s more", more) % {"n": f"{more:,}"}
    if names:
        facts.append((_("pseudonyms, who said most first"), names))
    says = [_("Raters appear under pseudonyms, which stay the same in every dataset.")]
    plots = [shown for shown in dataset_plots.plots(statistics) if shown.key == "reliability"]
    return Section("raters", _("Who rated"), says, facts, plots=plots)


def _agreement(statistics: dict[str, Any]) -> Section:
    found = statistics["agreement"]
    none = Estimate(None, None, 0, "no item has two ratings yet")
    alpha = estimate(found["alpha"]) if found else none
    pairs = estimate(found["pairs"]) if found else none
    figures = [
        Row(_("Krippendorff's α: first better, tie, second better"), alpha, ""),
        Row(_("pairs of votes on the same comparison that agree"), pairs),
    ]
    plots = [shown for shown in dataset_plots.plots(statistics) if shown.key == "agreement"]
    return Section("agreement", _("How far raters agree"), [], [], figures, plots)


def _pulls(statistics: dict[str, Any]) -> Section:
    verdicts = statistics["verdicts"]
    votes = sum(verdicts.values())
    figures = [
        Row(_("the left side wins (a tie is half a win)"), estimate(statistics["left"])),
        Row(_("the longer answer wins, where it has a tenth more words"), estimate(statistics["longer"])),
        Row(_("ties"), share(verdicts["0"], votes)),
        Row(_("both answers bad"), share(statistics["both_bad"], votes)),
    ]
    says = []
    for name, words in (
        ("left", _("Votes lean to one side of the screen beyond chance.")),
        ("longer", _("Longer answers win more or less often than half: length pulls, or goes with quality.")),
    ):
        interval = estimate(statistics[name]).interval
        if interval is not None and not interval.low <= 0.5 <= interval.high:
            says.append(words)
    if not says:
        says = [_("Neither the side nor the length of an answer pulls votes beyond chance.")]
    plots = [shown for shown in dataset_plots.plots(statistics) if shown.key == "length"]
    return Section("pulls", _("Biases found"), says, [], figures, plots)


def _limits(statistics: dict[str, Any], statement: Statement) -> Section:
    says = [statement.limits] if statement.limits else []
    sources, selections = statistics.get("sources", {}), statistics.get("selections", {})
    if sources.get("simulated"):
        says.append(_("Some raters are simulated: their verdicts are not people's."))
    if sources.get("imported"):
        says.append(_("Imported judgments say nothing of guidelines, time, and often of the sides shown."))
    if selections.get("active") or selections.get("watch"):
        says.append(
            _("Not all pairs were drawn at random: weigh by task.probability, or use the random ones only.")
        )
    if not statistics["agreement"] or statistics["agreement"]["pairs"]["value"] is None:
        says.append(_("No comparison was judged twice, so nothing is known of agreement."))
    says.append(_("Preferences are those of these raters under these guidelines, not of people at large."))
    return Section("limits", _("Known limits"), says)


def _keeping(statement: Statement) -> Section:
    facts = [
        (_("licence"), statement.licence or _("not stated")),
        (_("whom to ask, also for withdrawal"), statement.contact or _("not stated")),
    ]
    says = [
        _(
            "A snapshot never changes. When a rater or a prompt is withdrawn, every snapshot that holds "
            "their data is marked and given out no more, whoever downloaded it is told, and later ones are "
            "without it."
        )
    ]
    return Section("keeping", _("Licence, contact, withdrawal"), says, facts)


def _listed(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{name or _('not stated')}: {n:,}" for name, n in ordered[:MOST])
    return told + (", …" if len(ordered) > MOST else "")


def _quartiles(values: list[float]) -> str:
    return ", ".join(f"{value:,.1f}".removesuffix(".0") for value in values)


def as_json(sheet: Sheet) -> dict[str, Any]:
    """Return a datasheet in plain values."""
    return {
        "snapshot": sheet.snapshot.digest,
        "withdrawn": sheet.withdrawn,
        "statistics": sheet.statistics,
        "sections": [
            {
                "key": section.key,
                "title": section.title,
                "says": section.says,
                "facts": dict(section.facts),
                "figures": {f.name: cell(f.estimate, f.unit) for f in section.figures},
            }
            for section in sheet.sections
        ],
    }


def as_markdown(sheet: Sheet, plots: str = "") -> str:
    """Return the datasheet as Markdown; `plots` is the folder of its pictures, none where empty."""
    title = _("Datasheet of snapshot %(snapshot)s of “%(campaign)s”")
    parts = ["# " + title % {"snapshot": sheet.snapshot, "campaign": snapshots.title(sheet.snapshot)}]
    parts += [f"> **{said}**" for said in sheet.withdrawn]
    for section in sheet.sections:
        parts += sections_as_markdown([section], plots)
    return "\n\n".join(part for part in parts if part) + "\n"


def sections_as_markdown(sections: list[Section], plots: str, level: str = "##") -> list[str]:
    """Return the paragraphs of sections."""
    parts = []
    for section in sections:
        parts += [f"{level} {section.title}", *section.says]
        rows = [*section.facts, *((f.name, cell(f.estimate, f.unit)) for f in section.figures)]
        if rows:
            head = [(_("What"), _("Value")), ("---", "---")]
            parts.append("\n".join(line(row) for row in [*head, *rows]))
        if plots:
            parts += [f"![{shown.title}]({plots}/{shown.key}.svg)" for shown in section.plots]
    return parts
