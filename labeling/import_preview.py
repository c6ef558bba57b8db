"""What an upload looks like before anything of it is read in: its columns, and its first records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from labeling import import_mapping
from labeling.import_fields import Annotation, ImportRecord
from labeling.import_formats import MAPPED, guess_format, guess_mapping, read_records
from labeling.import_rows import csv_header, first_rows
from labeling.import_source import LineError, container_of

SHOWN = 5  # rows, as the API answers them; the page shows the first of them
CELL = 160  # characters of a value


@dataclass(frozen=True)
class Column:
    """A column: its path, what stands there in the first rows, and which field it is ("": none)."""

    path: str
    values: list[str]
    field: str


@dataclass(frozen=True)
class FirstRecord:
    """What one of the first rows will be, or what is wrong with it."""

    line: int
    prompt: str = ""
    answers: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    field: str = ""
    error: str = ""


@dataclass(frozen=True)
class Preview:
    """An upload's beginning as it will be read; `mapping` is empty where the format says what is what."""

    container: str
    format: str
    mapping: dict[str, str]
    columns: list[Column]
    records: list[FirstRecord]

    @property
    def is_mapped(self) -> bool:
        """Tell whether one may say which column is what."""
        return self.format in MAPPED

    @property
    def is_headless(self) -> bool:
        """Tell whether what was taken for a header looks like a first row: all of it is sentences."""
        names = [column.path.split() for column in self.columns]
        return self.container == "csv" and bool(names) and all(len(words) > 2 for words in names)


def look(source: BinaryIO, format: str = "", mapping: Mapping[str, str] | None = None) -> Preview:
    """Read the beginning of an upload; what isn't given is guessed."""
    format = format or guess_format(source)
    if format not in MAPPED:
        mapping = {}
    elif mapping is None:
        mapping = guess_mapping(source, format, by_looks=True)
    rows = [row for _number, row in first_rows(source, SHOWN)]
    if not rows and container_of(source) == "csv":
        rows = [dict.fromkeys(csv_header(source))]
    fields = {path: field for field, path in mapping.items()}
    paths = list(dict.fromkeys([*import_mapping.columns(rows), *fields]))
    columns = [
        Column(path, [_short(import_mapping.pick(row, path)) for row in rows], fields.get(path, ""))
        for path in paths
    ]
    records = [_seen(record) for record in islice(read_records(source, format, mapping), SHOWN)]
    source.seek(0)
    return Preview(container_of(source), format, dict(mapping), columns, records)


def _short(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _seen(record: ImportRecord | LineError) -> FirstRecord:
    if isinstance(record, LineError):
        return FirstRecord(record.line, field=record.field, error=record.message)
    answers = tuple(_short(text) for text, _model in record.responses)
    prompt = _short(record.messages[-1]["content"])
    return FirstRecord(record.line, prompt, answers, tuple(_said(record)))


def _said(record: ImportRecord) -> Iterator[str]:
    """Say who said what, with A and B for the answers as listed."""
    for annotation in record.annotations[:SHOWN]:
        yield f"{annotation.annotator or '–'}: {_verdict(annotation)}"
    if record.edit is not None and record.edit.text is not None:
        yield f"{record.edit.editor or '–'}: {_short(record.edit.text)}"


def _verdict(annotation: Annotation) -> str:
    if annotation.ranking is not None:
        return " > ".join("=".join(chr(65 + place) for place in equals) for equals in annotation.ranking)
    if annotation.verdict:
        return f"{'B' if annotation.verdict > 0 else 'A'} +{abs(annotation.verdict)}"
    return "–" if annotation.both_bad else "A = B"
