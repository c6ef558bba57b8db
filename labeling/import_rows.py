"""Read an upload row by row, whatever its rows lie in: CSV, JSON lines, a list in JSON, or Parquet.

Everything streams: what is in memory is a line, an item of the list, or a few hundred rows of Parquet.
A row's number is the line it begins at; in a JSON list and in Parquet, where there are no lines, its place.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, NoReturn

from labeling.import_fields import FieldError, check_storable, kind_of
from labeling.import_source import (
    HEAD_BYTES,
    FileError,
    LineError,
    SourceError,
    container_of,
    read_chunks,
    read_head,
    read_lines,
)

csv.field_size_limit(2**24)
PARQUET_ROWS = 256  # read at once
LONGEST_ITEM = 2**26  # characters of one item of a JSON list
_DELIMITERS = ",;\t"

Row = dict[str, Any]


def read_rows(source: BinaryIO) -> Iterator[tuple[int, Row] | LineError]:
    """Yield each row with its number, or what is wrong with it; a FileError is the last there is."""
    readers = {"csv": _csv_rows, "jsonl": _json_lines, "json": _json_list, "parquet": _parquet_rows}
    reader = readers[container_of(source)]
    try:
        yield from reader(source)
    except SourceError as error:
        yield FileError(error.line, "", str(error))


def first_rows(source: BinaryIO, n: int = 5) -> list[tuple[int, Row]]:
    """Return the first rows that can be read, of the first 3·n."""
    found = [item for item in islice(read_rows(source), 3 * n) if not isinstance(item, LineError)]
    source.seek(0)
    return found[:n]


def read_raw(source: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield each row as it is written, with its number; of Parquet, as JSON. Stops where reading does."""
    container = container_of(source)
    try:
        if container == "jsonl":
            yield from read_lines(source)
        elif container == "csv":
            for number, _values, raw in csv_records(source):
                yield number, raw
        elif container == "json":
            for number, _row, raw in _items(source):
                yield number, raw
        else:
            for item in _parquet_rows(source):
                if not isinstance(item, LineError):
                    yield item[0], json.dumps(item[1], ensure_ascii=False)
    except SourceError:
        return


# -- JSON ---------------------------------------------------------------------------------------------


def _json_lines(source: BinaryIO) -> Iterator[tuple[int, Row] | LineError]:
    """Read one JSON object a line; blank lines are passed over."""
    for number, line in read_lines(source):
        if not line or line.isspace():
            continue
        try:
            yield number, _load_object(line)
        except FieldError as error:
            yield LineError(number, error.field, str(error))


def _json_list(source: BinaryIO) -> Iterator[tuple[int, Row] | LineError]:
    for number, row, raw in _items(source):
        try:
            yield number, _object(row, raw)
        except FieldError as error:
            yield LineError(number, error.field, str(error))


def _items(source: BinaryIO) -> Iterator[tuple[int, Any, str]]:
    """Read the items of a JSON list one after the other: number, value, and text."""
    chunks = read_chunks(source)
    text = next(chunks, "")
    at, number, wanted = text.index("[") + 1, 0, 1
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        if text.startswith("]", at):
            return
        try:
            value, end = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            more = "".join(islice(chunks, wanted))
            if not more or len(text) - at > LONGEST_ITEM:
                raise SourceError(number + 1, f"this is not a valid JSON list: {error}") from error
            text, at, wanted = text[at:] + more, 0, wanted * 2
            continue
        number, wanted = number + 1, 1
        yield number, value, text[at:end]
        text, at = (text[end:], 0) if end > HEAD_BYTES else (text, end)


_BETWEEN = re.compile(r"[\s,]*")
_ENDS = ("\n", "\r\n", "")  # of a line


def _load_object(line: str) -> Row:
    try:
        row, end = _JSON.raw_decode(line) if line[0] == "{" else (None, 0)
        if line[end:] not in _ENDS:  # blanks in other places, or an error: looking for them takes longer
            row = _JSON.decode(line)
    except json.JSONDecodeError as error:
        raise FieldError("", f"this is not valid JSON: {error.msg} (column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise FieldError("", f"this is not valid JSON: {error}") from error
    return _object(row, line)


def _object(row: Any, raw: str) -> Row:
    if not isinstance(row, dict):
        raise FieldError("", f"each line must be a JSON object, not {kind_of(row)}")
    if _UNSTORABLE.search(raw):
        check_storable(row, "")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large a number")
    return number


_JSON = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
# What a line that is UTF-8 and JSON can hold such characters by; all else in it can be stored.
_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


# -- CSV ----------------------------------------------------------------------------------------------


def csv_header(source: BinaryIO) -> list[str]:
    """Return the names of a table's columns as they are compared: without blanks around, in small letters."""
    lines = read_head(source).splitlines(keepends=True)
    try:
        first = next(csv.reader(lines, delimiter=_delimiter(source), strict=True), [])
    except csv.Error:
        return []
    return [name.strip().lower() for name in first]


def csv_records(source: BinaryIO) -> Iterator[tuple[int, list[str], str]]:
    """Yield the records of a table, the header first: line, values, and the text they stand in."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for _number, line in read_lines(source):
            taken.append(line)
            yield line

    rows = csv.reader(lines(), delimiter=_delimiter(source), strict=True)
    start = 1
    try:
        for values in rows:
            yield start, values, "".join(taken)
            start = rows.line_num + 1
            taken.clear()
    except csv.Error as error:
        raise SourceError(rows.line_num, f"this is not valid CSV: {error}") from error


def _csv_rows(source: BinaryIO) -> Iterator[tuple[int, Row] | LineError]:
    """Read a table with a header; comma, semicolon or tab, whichever the header has most of."""
    records = csv_records(source)
    columns = [name.strip().lower() for name in next(records, (1, [], ""))[1]]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        yield FileError(1, twice, f"the header has the column “{twice}” twice")
        return
    for line, values, _raw in records:
        if not any(values):
            continue
        if len(values) != len(columns):
            yield LineError(line, "", f"this row has {len(values)} fields, the header {len(columns)}")
            continue
        row = dict(zip(columns, values, strict=True))
        try:
            check_storable(row, "")
        except FieldError as error:
            yield LineError(line, error.field, str(error))
        else:
            yield line, row


def _delimiter(source: BinaryIO) -> str:
    return max(_DELIMITERS, key=read_head(source).partition("\n")[0].count)


# -- Parquet ------------------------------------------------------------------------------------------


def _parquet_rows(source: BinaryIO) -> Iterator[tuple[int, Row] | LineError]:
    import pyarrow  # only here: no page needs it that shows no Parquet
    from pyarrow import parquet

    number = 0
    source.seek(0)
    try:
        file = parquet.ParquetFile(pyarrow.PythonFile(source, mode="r"), pre_buffer=False)
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                try:
                    plain = plain_row(row)
                except FieldError as error:
                    yield LineError(number, error.field, str(error))
                else:
                    yield number, plain
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(number, f"the Parquet file can't be read any further: {reason}") from error


def plain_row(row: Row) -> Row:
    """Return a row of Arrow's as JSON has it. Raises FieldError for what can't be stored."""
    plain = {key: _plain(value, key) for key, value in row.items()}
    check_storable(plain, "")
    return plain


def _plain(value: Any, where: str) -> Any:
    """Return a cell of Parquet as JSON has it; what is no number is nothing."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{k}]") for k, item in enumerate(value)]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | datetime.timedelta):
        return str(value)
    raise FieldError(where, "holds bytes, which are no text")
