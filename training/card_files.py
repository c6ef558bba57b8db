"""A reward model's card as files: JSON for programs, Markdown with a YAML head as model hubs read it."""

import json
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from training import withdrawal
from training.cards import Card, Section
from training.figure_tables import Row, cell, line
from training.plots import Plot


def as_json(card: Card) -> dict[str, Any]:
    """Return everything that was measured and decided, in plain values."""
    version, run, evaluation = card.version, card.run, card.evaluation
    return {
        "model": {
            "id": version.pk,
            "name": version.name,
            "family": version.family,
            "kind": version.kind,
            "status": version.status,
            "location": version.location,
            "parent": version.parent_id,
            "created_at": version.created_at.isoformat(),
        },
        "withdrawn": [withdrawal.sentence(each) for each in withdrawal.of_model(version)],
        "run": None if run is None else {
            "id": run.pk,
            "round": run.round.number if run.round else None,
            "snapshot": run.snapshot.digest,
            "counts": run.snapshot.counts,
            "config": run.config,
        },
        "result": {} if run is None else run.result,
        "gate": None if evaluation is None else {
            "passed": evaluation.passed,
            "against": evaluation.champion.name if evaluation.champion else None,
            "checks": evaluation.checks,
        },
        "decisions": [
            {
                "at": decision.promotion.created_at.isoformat(),
                "champion": decision.promotion.version.name,
                "after": decision.promotion.previous.name if decision.promotion.previous else None,
                "by": decision.promotion.by.username if decision.promotion.by else None,
                "reason": decision.promotion.reason,
                "overrode": decision.overrode,
            }
            for decision in card.decisions
        ],
    }  # fmt: skip


def as_markdown(card: Card) -> str:
    """Return the card as Markdown, its plots as tables."""
    withdrawn = [f"> **{withdrawal.sentence(each)}**" for each in withdrawal.of_model(card.version)]
    parts = [_head(card), f"# {card.version.name}", *withdrawn, _origin(card), _table(card.headline)]
    for section in card.sections:
        parts += [f"## {section.title}", *section.says, _table(section.rows), _plotted(section)]
    parts += ["## " + _("Gate"), *_gate(card), "## " + _("In use"), *_decided(card)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(card: Card) -> str:
    """Return the YAML head; JSON strings are YAML strings."""
    lines = ["library_name: transformers", "pipeline_tag: text-classification", "tags: [reward-model]"]
    run = card.run
    if run is not None:
        lines.append(f"base_model: {json.dumps(run.parent.name)}")
        lines.append(f"datasets: [{json.dumps(run.snapshot.digest)}]")
        test = run.result.get("test") or {}
        if test.get("accuracy") is not None:
            metric = {"type": "accuracy", "value": test["accuracy"], "name": "Accuracy on held-out prompts"}
            task = {"type": "text-classification", "name": "Pairwise preference"}
            dataset = {"type": run.campaign.slug, "name": run.campaign.name, "split": "test"}
            result = {"task": task, "dataset": dataset, "metrics": [metric]}
            index = [{"name": card.version.name, "results": [result]}]
            lines.append(f"model-index: {json.dumps(index, ensure_ascii=False)}")
    return "\n".join(["---", *lines, "---"])


def _origin(card: Card) -> str:
    if card.run is None:
        return _("It was registered, not trained here, so nothing about it was measured.")
    run = card.run
    lines = [
        (_("Campaign"), run.campaign.name),
        (_("Grown from"), run.parent.name),
        (_("Snapshot"), run.snapshot.digest),
        (_("Comparisons"), f"{run.snapshot.counts.get('comparisons', 0):,}"),
    ]
    return "\n".join(f"- {name}: {value}" for name, value in lines)


def _gate(card: Card) -> list[str]:
    if card.evaluation is None:
        return [_("No gate has looked at it.")]
    words = {True: _("passed"), False: _("refused")}
    lines = [
        f"- {words[check['passed']]}: **{translation.gettext(check['name'])}**. {check['says']}"
        for check in card.evaluation.checks
    ]
    return ["\n".join(lines)]


def _decided(card: Card) -> list[str]:
    lines, overriding = [], _("overriding")
    for decision in card.decisions:
        promotion = decision.promotion
        who = promotion.by.username if promotion.by else _("by the gate")
        line = f"- {promotion.created_at:%Y-%m-%d}: {promotion.version.name}, {who}: {promotion.reason}"
        if decision.overrode:
            line += f" ({overriding}: {', '.join(map(translation.gettext, decision.overrode))})"
        lines.append(line)
    return ["\n".join(lines)] if lines else [_("It has never been the champion.")]


def _plotted(section: Section) -> str:
    return _grid(section.plot) if section.plot else ""


def _grid(plot: Plot) -> str:
    head = [plot.x, *(series.name for series in plot.series)]
    rows = [[label, *(cell(estimate, "%") for estimate in estimates)] for label, estimates in plot.table()]
    return "\n".join(line(row) for row in [head, ["---"] * len(head), *rows])


def _table(rows: list[Row]) -> str:
    if not rows:
        return ""
    lines = [
        [_("Figure"), _("Value")],
        ["---"] * 2,
        *([row.name, cell(row.estimate, row.unit)] for row in rows),
    ]
    return "\n".join(map(line, lines))
