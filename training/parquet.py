"""The files of snapshots and runs: their columns, written and read in batches.

Import it where a file is written or read, not at a module's top: pyarrow takes 40 MB, and most processes
never touch such a file.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.formats import Row

BATCH = 500  # rows in memory at once
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_SAMPLING = pa.struct(
    [
        ("temperature", pa.float64()),
        ("top_p", pa.float64()),
        ("max_new_tokens", pa.int64()),
        ("seed", pa.int64()),
    ]
)
_RESPONSE = pa.struct(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("turns", _MESSAGES),
        ("origin", pa.string()),
        ("policy", pa.string()),
        ("round", pa.int64()),
        ("sampling", _SAMPLING),
        ("author", pa.string()),
    ]
)
# What judgments and edits have in common, by the answers' places in the task; `source` tells people from
# imports and simulated raters.
_SUBMISSION = [
    ("rater", pa.string()),
    ("source", pa.string()),
    ("guideline", pa.int64()),
    ("active_ms", pa.int64()),
    ("attention", pa.struct([("prompt", pa.int64()), ("answers", pa.list_(pa.int64()))])),
    ("flags", pa.list_(pa.string())),
    ("counted", pa.bool_()),
    ("extra", pa.bool_()),
    ("withdrawn", pa.bool_()),
    ("superseded", pa.bool_()),
]
_JUDGMENT = pa.struct(
    [
        *_SUBMISSION,
        ("verdict", pa.int64()),
        ("ranking", pa.list_(pa.list_(pa.int64()))),
        ("order_shown", pa.list_(pa.int64())),
        ("both_bad", pa.bool_()),
        ("criteria", pa.list_(pa.struct([("key", pa.string()), ("grades", pa.list_(pa.float64()))]))),
        ("reasons", pa.list_(pa.list_(pa.string()))),
        ("comment", pa.string()),
        ("display_rate", pa.int64()),
        # what the vote counted for when the snapshot was cut, 0…1; null where all count alike
        ("reliability", pa.float64()),
    ]
)
_EDIT = pa.struct(
    [
        *_SUBMISSION,
        ("original", pa.string()),
        ("edited", _RESPONSE),
        ("instruction", pa.string()),
        ("distance", pa.int64()),
    ]
)
_CONSENSUS = pa.struct(
    [
        ("label", pa.int64()),
        ("probability", pa.float64()),
        ("margin", pa.float64()),
        ("agreement", pa.float64()),
        ("votes", pa.int64()),
        ("majority", pa.int64()),
        ("weight", pa.float64()),
        # the pseudonym of the reviewer who had the final word
        ("adjudicated", pa.string()),
    ]
)
_TASK = pa.struct(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("selection", pa.string()),
        ("probability", pa.float64()),
        ("overlap", pa.int64()),
        ("external_id", pa.string()),
    ]
)
JUDGMENT = [shape.name for shape in _JUDGMENT]
ROWS = pa.schema(
    [
        ("task", _TASK),
        ("prompt_id", pa.string()),
        ("prompt", _MESSAGES),
        ("responses", pa.list_(_RESPONSE)),
        ("judgments", pa.list_(_JUDGMENT)),
        ("consensus", _CONSENSUS),
        ("edits", pa.list_(_EDIT)),
        ("campaign", pa.string()),
        ("round", pa.int64()),
        ("split", pa.string()),
        ("language", pa.string()),
        ("tags", pa.list_(pa.string())),
    ]
)
PROMPTS = pa.schema([("prompt_id", pa.string()), ("prompt", _MESSAGES), ("split", pa.string())])

# The engine's files (training/engine/data.py): prompts are JSON text there, so are criteria, skills and the
# turns of an answer that is a whole conversation; "" for a plain answer.
ENGINE_PAIRS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("chosen_turns", pa.string()),
        ("rejected_turns", pa.string()),
        ("probability", pa.float64()),
        ("weight", pa.float64()),
        ("rater", pa.string()),
        ("round", pa.int64()),
        ("split", pa.string()),
        # 0 a tie … 3 chosen much better, of the `points` verdicts that the scale offers; 0: no scale known
        ("verdict", pa.int64()),
        ("points", pa.int64()),
        # 1 chosen was shown on the left, −1 on the right, 0 not known
        ("chosen_left", pa.int64()),
        # {criterion: grade of chosen less grade of rejected}
        ("criteria", pa.string()),
        ("skills", pa.string()),
        ("task", pa.string()),
    ]
)
ENGINE_DEMONSTRATIONS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("weight", pa.float64()),
        ("split", pa.string()),
        ("round", pa.int64()),
    ]
)
ENGINE_PROMPTS = pa.schema([("prompt_id", pa.string()), ("prompt", pa.string()), ("split", pa.string())])


_KINDS = {"text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "truth": pa.bool_()}


def schema(columns: Row) -> pa.Schema:
    """Return the schema of an export's columns, as training.export_formats spells them."""

    def kind(spelt: Any) -> pa.DataType:
        if isinstance(spelt, list):
            return pa.list_(kind(spelt[0]))
        if isinstance(spelt, dict):
            return pa.struct([(name, kind(part)) for name, part in spelt.items()])
        return _KINDS[spelt]

    return pa.schema([(name, kind(spelt)) for name, spelt in columns.items()])


def write(path: Path, schema: pa.Schema, rows: Iterable[Row]) -> None:
    """Write rows to a file in batches, so that memory does not grow with their number."""
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema))


@contextmanager
def writing(
    path: Path, schema: pa.Schema, also: Callable[[pa.Table], None]
) -> Iterator[Callable[[pa.Table], None]]:
    """Write tables to a file while their maker makes the next one; `also` reads each, in the same thread."""
    with pq.ParquetWriter(path, schema, compression="zstd") as writer, ThreadPoolExecutor(1) as thread:
        last: list[Future[None]] = []

        def store(table: pa.Table) -> None:
            also(table)
            writer.write_table(table)

        def send(table: pa.Table) -> None:
            while last:
                last.pop().result()  # no more than two tables in memory
            last.append(thread.submit(store, table))

        yield send
        while last:
            last.pop().result()


def read(file: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a file, or of them some columns only, spelt as Parquet does."""
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(BATCH, columns=columns):
            yield from as_rows(batch)


def read_group(file: Path, group: int, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield the rows of one of a file's row groups, as `read` does."""
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(BATCH, row_groups=[group], columns=columns):
            yield from as_rows(batch)


def as_rows(batch: pa.RecordBatch | pa.Table) -> list[Row]:
    """Return a batch as rows of plain values, as to_pylist does in ten times the time."""
    columns = [_plain(column) for column in batch.columns]
    names = batch.schema.names
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(array: Any) -> list[Any]:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        parts = zip(*(_plain(part) for part in array.flatten()), strict=True)
        found: list[Any] = [dict(zip(names, values, strict=True)) for values in parts]
    elif pa.types.is_list(kind):
        flat, ends = _plain(array.flatten()), np.cumsum(_lengths(array)).tolist()
        found = [flat[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    else:
        whole: list[Any] = array.to_pylist()
        return whole
    if array.null_count:
        found = [
            value if here else None for value, here in zip(found, array.is_valid().to_pylist(), strict=True)
        ]
    return found


def struct(shape: pa.StructType, columns: Sequence[Sequence[Any]]) -> pa.StructArray:
    """Put columns of plain values together as objects."""
    fields = list(shape)
    parts = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.StructArray.from_arrays(parts, fields=fields)


def lists(lengths: Sequence[int], values: pa.Array) -> pa.ListArray:
    """Part values into lists of these lengths."""
    return pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), pa.int32()), values
    )


class Digest:
    """A hash over what tables say, column by column, however their rows are batched; `head` comes first."""

    def __init__(self, head: str) -> None:
        self._head = head
        self._parts: dict[str, Any] = {}

    def update(self, table: pa.Table, name: str = "") -> None:
        """Go on with the rows of a table; `name` tells the files of a dataset apart."""
        for column, shape in zip(table.columns, table.schema, strict=True):
            for chunk in column.chunks:
                self._feed(f"{name}/{shape.name}", chunk)

    def hexdigest(self) -> str:
        """Return the hash of all columns, in the order of their names."""
        whole = hashlib.sha256(f"{self._head}\n".encode())
        for name, part in sorted(self._parts.items()):
            whole.update(f"{name} {part.hexdigest()}\n".encode())
        return whole.hexdigest()

    def _feed(self, name: str, array: pa.Array) -> None:
        """Hash which values are there, how long each is, and the values, each apart."""
        self._hash(f"{name}?", array.is_valid().to_numpy(zero_copy_only=False))
        kind = array.type
        if pa.types.is_struct(kind):
            for part, values in zip(kind, array.flatten(), strict=True):
                self._feed(f"{name}.{part.name}", values)
        elif pa.types.is_list(kind):
            self._hash(f"{name}#", _lengths(array))
            self._feed(f"{name}[]", array.flatten())
        elif pa.types.is_string(kind):
            said = array.drop_null()
            _valid, places, letters = said.buffers()
            ends = np.frombuffer(places, "<i4")[said.offset : said.offset + len(said) + 1] if places else [0]
            self._hash(f"{name}#", np.diff(ends))
            if letters:
                self._hash(name, memoryview(letters)[int(ends[0]) : int(ends[-1])])
        else:
            self._hash(name, array.drop_null().to_numpy(zero_copy_only=False))

    def _hash(self, name: str, values: Any) -> None:
        part = self._parts.setdefault(name, hashlib.sha256())
        part.update(np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values)


def _lengths(array: pa.Array) -> Any:
    return pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
