"""Worked examples, each with its right verdict and why: edge cases, practice tasks and test questions.

Raters see the two answers in an order of their own, so an explanation calls them {A} and {B}: `explain` puts
in the names under which they are displayed.
"""

import json
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling import onboarding
from labeling.campaigns import CampaignError
from labeling.import_fields import FieldError, read_messages, read_text
from labeling.import_source import LineError, SourceError, read_lines
from labeling.models import Campaign, Example
from labeling.submissions import TEXT_LIMIT

FIELDS = ("use", "messages", "answers", "verdict", "explanation")
ERRORS_SHOWN = 50
LINES_LIMIT = 2000


@dataclass
class ImportedExamples:
    """What an import of examples added; with errors it added nothing."""

    added: int = 0
    known: int = 0
    errors: list[LineError] = field(default_factory=list)


def explain(example: Example, order: list[int] | None = None) -> str:
    """Return an example's explanation with the answers' names as displayed, by default as stored."""
    first, second = ("A", "B") if order is None or order[0] == 0 else ("B", "A")
    return example.explanation.replace("{A}", first).replace("{B}", second)


def check(campaign: Campaign, values: dict[str, Any]) -> dict[str, Any]:
    """Return an example's fields as stored; CampaignError names the one that is wrong."""
    if values["use"] not in Example.Use.values:
        known = ", ".join(Example.Use.values)
        raise CampaignError("use", _("The use must be one of %(known)s.") % {"known": known})
    messages = [{"role": m["role"], "content": text("messages", m["content"])} for m in values["messages"]]
    if not messages or messages[-1]["role"] == "assistant" or not messages[-1]["content"].strip():
        raise CampaignError("messages", _("The conversation must end with what the user asks."))
    answers = [text("answers", a) for a in values["answers"]]
    if len(answers) != 2 or answers[0].strip() == answers[1].strip():
        raise CampaignError("answers", _("Give two answers that differ."))
    verdict = values["verdict"]
    if isinstance(verdict, bool) or not isinstance(verdict, int) or not -3 <= verdict <= 3:
        raise CampaignError("verdict", _("The verdict must be a whole number from −3 to 3."))
    if verdict == 0 and not campaign.allow_ties:
        raise CampaignError(
            "verdict", _("This campaign allows no ties: nobody could say that neither is better.")
        )
    explanation = text("explanation", values["explanation"]).strip()
    if not explanation and values["use"] != Example.Use.TEST:
        raise CampaignError("explanation", _("Say why: raters learn from the explanation."))
    return {
        "use": values["use"],
        "messages": messages,
        "answers": answers,
        "verdict": verdict,
        "explanation": explanation,
    }


def text(name: str, value: str) -> str:
    """Return a text as stored, line breaks as \\n."""
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise CampaignError(name, _("This text holds a character that can't be stored."))
    if len(value) > TEXT_LIMIT:
        limit = {"limit": TEXT_LIMIT}
        raise CampaignError(name, _("This text is too long: at most %(limit)s characters.") % limit)
    return value.replace("\r\n", "\n")


def create(campaign: Campaign, by: User, **values: Any) -> Example:
    """Add an example; `values` are FIELDS. Raises CampaignError."""
    with transaction.atomic():
        example = Example.objects.create(campaign=campaign, created_by=by, **check(campaign, values))
        audit.record(by, "add example", campaign, example=example.pk, use=example.use)
    return example


def revise(example: Example, by: User, **values: Any) -> Example:
    """Change an example; once somebody has answered it, a new one takes its place. Raises CampaignError."""
    changed = check(example.campaign, values)
    with transaction.atomic():
        # an answer that is just coming holds this row by its foreign key, and is seen below
        now = Example.objects.select_for_update().get(pk=example.pk)
        if all(getattr(now, name) == value for name, value in changed.items()):
            return now
        if now.retired or now.trials.exists():
            retire(now, by)
            return create(now.campaign, by, **changed)
        Example.objects.filter(pk=now.pk).update(**changed)
        audit.record(by, "change example", now.campaign, example=now.pk)
    now.refresh_from_db()
    return now


def use_too(example: Example, use: str, by: User) -> Example:
    """Use an example for something else as well, by a copy of its own; one that is there already is it.

    Raises CampaignError for a use that there isn't.
    """
    values = {name: getattr(example, name) for name in FIELDS} | {"use": use}
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=example.campaign_id)
        there = active(example.campaign).filter(**values).first()
        return there or create(example.campaign, by, **values)


def retire(example: Example, by: User) -> None:
    """Ask and show an example no more; what was answered stays."""
    with transaction.atomic():
        if Example.objects.filter(pk=example.pk, retired=False).update(retired=True):
            audit.record(by, "retire example", example.campaign, example=example.pk)
            # it may have been the last open question of somebody's test
            onboarding.settle(example.campaign)


# -- import -------------------------------------------------------------------------------------------


def import_lines(campaign: Campaign, source: BinaryIO, by: User) -> ImportedExamples:
    """Add examples from JSONL, all or none; those that are there already are left alone.

    A line has `prompt` (a text) or `messages`, `answer_a`, `answer_b`, `verdict` (−3 … 3, or “A”, “B”,
    “tie”), `explanation` and `use`.
    """
    report = ImportedExamples()
    found: list[dict[str, Any]] = []
    try:
        for number, line in read_lines(source):
            if number > LINES_LIMIT:
                raise SourceError(number, _("at most %(n)s lines at once") % {"n": LINES_LIMIT})
            if line.strip():
                try:
                    found.append(check(campaign, read_line(line)))
                except (FieldError, CampaignError) as error:
                    report.errors.append(LineError(number, error.field, str(error)))
    except SourceError as error:
        report.errors.append(LineError(error.line, "", str(error)))
    if not found and not report.errors:
        report.errors.append(LineError(0, "", _("There is no line in it.")))
    if report.errors:
        del report.errors[ERRORS_SHOWN:]
        return report
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        known = [tuple(e[name] for name in FIELDS) for e in active(campaign).values(*FIELDS)]
        for values in found:
            if tuple(values[name] for name in FIELDS) in known:
                report.known += 1
            else:
                known.append(tuple(values[name] for name in FIELDS))
                Example.objects.create(campaign=campaign, created_by=by, **values)
                report.added += 1
        audit.record(by, "import examples", campaign, added=report.added, known=report.known)
    return report


def active(campaign: Campaign) -> Any:
    """Return the examples that are in use, in the order they were given."""
    return campaign.examples.filter(retired=False).order_by("pk")


def read_line(line: str) -> dict[str, Any]:
    """Read one line as `create` takes it; FieldError names what is wrong."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FieldError("", _("This is not JSON: each line is one object.")) from error
    if not isinstance(row, dict):
        raise FieldError("", _("This is not JSON: each line is one object."))
    if "messages" in row:
        messages = read_messages(row["messages"], "messages")
    else:
        messages = [{"role": "user", "content": read_text(row.get("prompt"), "prompt")}]
    words = {"a": -2, "b": 2, "tie": 0}
    verdict = row.get("verdict")
    return {
        "use": row.get("use", Example.Use.PRACTICE.value),
        "messages": messages,
        "answers": [read_text(row.get(name), name) for name in ("answer_a", "answer_b")],
        "verdict": words.get(verdict.lower(), verdict) if isinstance(verdict, str) else verdict,
        "explanation": read_text(row.get("explanation", ""), "explanation"),
    }
