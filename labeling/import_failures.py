"""What failed of an upload: a table of its errors, and its bad rows as they came, to mend and send again."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from accounts.spreadsheets import harmless
from labeling.import_rows import PARQUET_ROWS, read_raw
from labeling.import_source import LineError, container_of

HEADER = ["line", "field", "error", "text"]
TEXT_SHOWN = 2000  # characters of a line in the table; the file of bad rows has all of it


class Failures:
    """Gather the errors of an import on disk, in the order of the lines, whatever their number."""

    def __init__(self) -> None:
        self._spool: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115
        self._latest: list[LineError] = []
        self.total = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    def add(self, error: LineError) -> None:
        """Note an error."""
        self._latest.append(error)
        self.total += 1

    def sort(self) -> None:
        """Put the errors since the last call in order; those to come are about later lines."""
        for error in sorted(self._latest, key=lambda e: e.line):
            self._spool.write(json.dumps([error.line, error.field, error.message]) + "\n")
        self._latest.clear()

    def write(self, source: BinaryIO, table: Path, rows: Path) -> None:
        """Write the errors with their lines' text as CSV, and the bad rows as a file of the upload's kind."""
        container = container_of(source)
        with table.open("x", encoding="utf-8-sig", newline="") as out:
            cells = csv.writer(out)
            cells.writerow(HEADER)
            found = self._with_text(source, cells)
            _WRITERS[container](source, found, rows)
            for _number, _text in found:
                pass  # what a writer that needs no texts left

    def _with_text(self, source: BinaryIO, cells: Any) -> Iterator[tuple[int, str]]:
        """Write each line's errors, and yield the line with its text if it can be read."""
        raw = read_raw(source)
        at, text = 0, ""
        for line, errors in groupby(self._sorted(), key=lambda e: e.line):
            while at < line and (following := next(raw, None)) is not None:
                at, text = following
            shown = text if at == line else ""
            for error in errors:
                texts = (error.field, error.message, shown.strip()[:TEXT_SHOWN])
                cells.writerow([line, *map(harmless, texts)])
            if at == line:
                yield line, text

    def _sorted(self) -> Iterator[LineError]:
        self._spool.seek(0)
        for line in self._spool:
            yield LineError(*json.loads(line))
        self._spool.seek(0, 2)


def _write_lines(source: BinaryIO, found: Iterator[tuple[int, str]], path: Path) -> None:
    with path.open("x", encoding="utf-8", newline="") as out:
        for _number, text in found:
            out.write(text if text.endswith("\n") else text + "\n")


def _write_table(source: BinaryIO, found: Iterator[tuple[int, str]], path: Path) -> None:
    header = next((text for _number, text in read_raw(source)), "")
    with path.open("x", encoding="utf-8", newline="") as out:
        out.write(header.removesuffix("\n") + "\n")
        for number, text in found:
            if number > 1:
                out.write(text if text.endswith("\n") else text + "\n")


def _write_list(source: BinaryIO, found: Iterator[tuple[int, str]], path: Path) -> None:
    with path.open("x", encoding="utf-8") as out:
        out.write("[")
        for place, (_number, text) in enumerate(found):
            out.write(("," if place else "") + "\n" + text)
        out.write("\n]\n")


def _write_parquet(source: BinaryIO, found: Iterator[tuple[int, str]], path: Path) -> None:
    import pyarrow  # only here: no page needs it that shows no Parquet
    from pyarrow import parquet

    bad = [
        number for number, _text in found
    ]  # the file is read for the texts first: then its rows as they are
    source.seek(0)
    file = parquet.ParquetFile(pyarrow.PythonFile(source, mode="r"), pre_buffer=False)
    first, at = 1, 0
    with parquet.ParquetWriter(path, file.schema_arrow) as out:
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            end = at
            while end < len(bad) and bad[end] < first + batch.num_rows:
                end += 1
            if end > at:
                out.write_batch(batch.take(pyarrow.array([number - first for number in bad[at:end]])))
            first, at = first + batch.num_rows, end


_WRITERS = {"csv": _write_table, "jsonl": _write_lines, "json": _write_list, "parquet": _write_parquet}
