"""The formats of an upload: which one it is, and its rows as records. Reads text, knows no database.

docs/data-formats.md says what each format looks like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from django.utils.translation import gettext_lazy as _

from labeling import import_mapping
from labeling.import_columns import OWN_NAMES, header_problem, parse_columns
from labeling.import_elsewhere import parse_argilla, parse_label_studio
from labeling.import_fields import FieldError, ImportRecord
from labeling.import_lists import is_scored, parse_scored, read_thumbs
from labeling.import_parsers import parse_arena, parse_hh, parse_prompt, parse_touchstone, parse_trl
from labeling.import_rows import csv_header, first_rows, read_rows
from labeling.import_source import FileError, LineError, container_of, read_head

FORMATS = {
    "touchstone": _("Touchstone JSONL: prompts, answers, judgments, edits"),
    "columns": _("Columns of any name: you say which is what"),
    "csv": _("CSV with a header: prompt, response_a, response_b, …"),
    "trl": _("TRL preference: prompt, chosen, rejected"),
    "hh-rlhf": _("hh-rlhf: chosen and rejected transcripts"),
    "kto": _("KTO: prompt, completion, label (wanted or not)"),
    "scored": _("A list of answers with scores, as UltraFeedback"),
    "arena": _("Arena conversations: conversation_a, conversation_b, winner"),
    "label-studio": _("Label Studio export: pairwise comparisons, JSON or JSON-MIN"),
    "argilla": _("Argilla records: ranking, rating, label and text questions"),
    "prompts": _("Prompts alone"),
}
MAPPED = ("columns", "csv", "label-studio", "argilla")  # the formats whose columns one may name

Parse = Callable[[int, dict[str, Any]], ImportRecord]
PARSERS: dict[str, Parse] = {
    "touchstone": parse_touchstone,
    "trl": parse_trl,
    "hh-rlhf": parse_hh,
    "arena": parse_arena,
    "prompts": parse_prompt,
    "scored": parse_scored,
}
_MAPPED: dict[str, Callable[[int, dict[str, Any], Mapping[str, str]], ImportRecord]] = {
    "columns": parse_columns,
    "csv": parse_columns,
    "label-studio": parse_label_studio,
    "argilla": parse_argilla,
}


def guess_format(source: BinaryIO) -> str:
    """Return the key of FORMATS that the beginning of an upload looks like."""
    if container_of(source) == "csv":
        header = csv_header(source)
        named = import_mapping.guess([dict.fromkeys(header)])
        answers_elsewhere = any(named.get(field, field) != field for field in import_mapping.ANSWERS)
        return "csv" if not header or ("prompt" in header and not answers_elsewhere) else "columns"
    first = next((row for _number, row in first_rows(source, 1)), None)
    return _guess_by_head(source) if first is None else _guess_by_row(first)


def _guess_by_row(row: dict[str, Any]) -> str:
    keys = set(row)
    if "conversation_a" in keys:
        return "arena"
    if {"data", "annotations"} <= keys or {"annotation_id", "lead_time"} <= keys:
        return "label-studio"
    if {"fields", "responses"} <= keys or any(_is_question(name, value) for name, value in row.items()):
        return "argilla"
    if {"chosen", "rejected"} & keys:
        transcript = isinstance(row.get("chosen"), str) and "\n\nHuman:" in f"\n\n{row['chosen'].lstrip()}"
        return "hh-rlhf" if transcript and "prompt" not in keys else "trl"
    if {"prompt", "completion", "label"} <= keys and isinstance(row["label"], bool):
        return "kto"
    if is_scored(row):
        return "scored"
    if keys & {"responses", "annotations", "ranking", "original", "edited"}:
        return "touchstone"
    if len(import_mapping.guess([row]).keys() & {"prompt", "response_a", "response"}) > 1:
        return "columns"
    return "prompts" if keys & {"prompt", "messages", "turns"} else "columns"


def _is_question(name: str, value: Any) -> bool:
    """Tell whether a column holds what people answered to a question of Argilla's."""
    if name.endswith(".responses"):
        return True
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and {"user_id", "value"} <= item.keys() for item in value)
    )


def _guess_by_head(source: BinaryIO) -> str:
    """Guess from what can be read of a first row that can't be read to its end."""
    head = read_head(source).lstrip()
    keys = set(re.findall(r'"([a-z_]+)"\s*:', head.partition("\n")[0]))
    if "conversation_a" in keys:
        return "arena"
    if "chosen" in keys or "rejected" in keys:
        return "hh-rlhf" if "prompt" not in keys and re.search(r'"\s*(\\n)+Human:', head) else "trl"
    return "touchstone" if keys & {"responses", "annotations", "ranking", "original", "edited"} else "prompts"


def guess_mapping(source: BinaryIO, format: str, *, by_looks: bool = False) -> dict[str, str]:
    """Return what stands where as far as one can guess; empty for a format that says it by itself.

    Names alone are sure enough to import by; what columns look like (`by_looks`) is for somebody to confirm.
    """
    if format not in MAPPED:
        return {}
    rows = [row for _number, row in first_rows(source)]
    if format == "csv":
        rows = rows or [dict.fromkeys(csv_header(source))]
        return {name: name for name in OWN_NAMES if name in rows[0]} if "prompt" in rows[0] else {}
    guess = import_mapping.guess_by_looks if by_looks and format == "columns" else import_mapping.guess
    return guess([_asked(row) for row in rows])


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a tool's export says besides its data, which has names that mislead."""
    kept = ("data", "fields")
    asked = {name: row[name] for name in kept if isinstance(row.get(name), dict)}
    return asked or {name: value for name, value in row.items() if not _is_question(name, value)}


def read_records(
    source: BinaryIO, format: str, mapping: Mapping[str, str] | None = None
) -> Iterator[ImportRecord | LineError]:
    """Yield a record, or what is wrong, for each row of an upload that can be read."""
    problem = None
    if format in MAPPED:
        mapping = mapping or ({} if format == "csv" else guess_mapping(source, format))
        if container_of(source) == "csv":
            problem = header_problem(csv_header(source), mapping)
        own = mapping or {name: name for name in OWN_NAMES}
        parse: Parse = partial(_parse_mapped, _MAPPED[format], own)
    elif format == "kto":
        yield from read_thumbs(read_rows(source))
        return
    else:
        parse = PARSERS[format]
    rows = read_rows(source)
    first = next(rows, None)
    if problem and not isinstance(first, FileError):
        yield FileError(1, *problem)
        return
    for item in chain([] if first is None else [first], rows):
        if isinstance(item, LineError):
            yield item
            continue
        number, row = item
        try:
            record = parse(number, row)
        except FieldError as error:
            yield LineError(number, error.field, str(error))
        else:
            yield record


def _parse_mapped(
    parse: Callable[[int, dict[str, Any], Mapping[str, str]], ImportRecord],
    mapping: Mapping[str, str],
    line: int,
    row: dict[str, Any],
) -> ImportRecord:
    try:
        return parse(line, row, mapping)
    except FieldError as error:
        if parse is not parse_columns:
            raise
        raise FieldError(error.field.removeprefix("annotations[0]."), str(error)) from error
