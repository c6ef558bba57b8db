"""Write an import's rows by COPY, in a thread of its own: PostgreSQL stores them while the next are read."""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, connection, models

from labeling.prompts import Spelt

NULL = "\\N"
WAITING = 6  # what waits for PostgreSQL: prompts, answers, tasks, their places, slots, and a draw of numbers
AHEAD = 1 << 20  # bytes that PostgreSQL may be sent before it asks for them, as far as the system allows it
DRAW = """
SELECT min(id), max(id) FROM (
    SELECT nextval((SELECT pg_get_serial_sequence(%s, 'id')::regclass)) AS id FROM generate_series(1, %s)
) drawn
"""
ROLE = "SET LOCAL session_replication_role = "
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Columns:
    """The columns of a model's rows: those that vary come first, the others are alike in all of an import.

    What the database fills in by itself is left out: it would read the same cell a million times.
    """

    def __init__(self, model: type[models.Model], varying: Sequence[str], **alike: Any) -> None:
        fields = {f.attname: f for f in model._meta.concrete_fields if not f.primary_key}
        if "id" in varying:
            fields["id"] = model._meta.get_field("id")  # type: ignore[assignment]
        cells = {
            name: _cell(field, alike.get(name, field.get_default()))
            for name, field in fields.items()
            if name not in varying and (name in alike or not field.has_db_default())
        }
        told = {name: cell for name, cell in cells.items() if cell != NULL}  # what is left out is null
        names = ", ".join(f'"{fields[name].column}"' for name in [*varying, *told])
        self.statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
        self.tail = "".join(f"\t{cell}" for cell in told.values()) + "\n"


def _cell(field: models.Field[Any, Any], value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(field, ArrayField):
        return array(value)
    if isinstance(field, models.JSONField):
        return json_text(value)
    return text(value.isoformat() if isinstance(value, datetime) else str(value))


def text(value: str) -> str:
    """Return a text as a cell."""
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if "\n" in value:
        value = value.replace("\n", "\\n")
    if "\t" in value:
        value = value.replace("\t", "\\t")
    if "\r" in value:
        value = value.replace("\r", "\\r")
    return value


def array(values: Sequence[str]) -> str:
    """Return texts as a cell of text[]."""
    if not values:
        return "{}"
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return text("{" + ",".join(quoted) + "}")


def json_text(value: Any) -> str:
    """Return a JSON value as a cell."""
    if not value:
        return "{}" if isinstance(value, dict) else "[]"
    return str(_to_json(value)).replace("\\", "\\\\")


def messages_text(spelt: Spelt) -> str:
    """Return a conversation as a cell."""
    said = ",".join([f'{{"role":{role},"content":{content}}}' for role, content in spelt])
    return f"[{said}]".replace("\\", "\\\\")


class Numbers:
    """Numbers for new rows of a model, drawn for four batches at once, before they are needed."""

    def __init__(self, model: type[models.Model], writer: Writer) -> None:
        self._table, self._writer = model._meta.db_table, writer
        self._free: list[int] = []
        self._coming: Future[list[int]] | None = None

    def take(self, n: int) -> list[int]:
        """Return n of them."""
        while len(self._free) < n:
            self._free += self._writer.drawn(self._coming or self._writer.draw(self._table, 4 * n))
            self._coming = None
        taken, self._free = self._free[:n], self._free[n:]
        if 0 < len(self._free) < 2 * n and self._coming is None:
            self._coming = self._writer.draw(self._table, 4 * n)
        return taken


def hold(model: type[models.Model], ids: Collection[int]) -> None:
    """Keep rows from being deleted before the transaction ends; IntegrityError when one is gone already."""
    if not ids:
        return
    with connection.cursor() as cursor:
        table = model._meta.db_table
        cursor.execute(f'SELECT 1 FROM "{table}" WHERE id = ANY(%s) FOR KEY SHARE', [list(ids)])  # noqa: S608
        if cursor.rowcount != len(set(ids)):
            raise IntegrityError(f"somebody deleted {model._meta.verbose_name_plural} that the import needs")


@contextmanager
def known_keys() -> Iterator[None]:
    """Let PostgreSQL take foreign keys on trust: these rows are new in this transaction, or held.

    Checking them one row at a time is half of a large import. Where the database's user may not decide that
    (it takes the SET privilege on session_replication_role), every key is checked as always.
    """
    trusted = _may_trust()
    with connection.cursor() as cursor:
        if trusted:
            cursor.execute(ROLE + "replica")
        yield
        if trusted:
            cursor.execute(ROLE + "origin")


def check_keys_at_once() -> None:
    """Have what is not taken on trust checked with its statement, not in millions at the end."""
    if not _may_trust():
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _may_trust() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        return bool(cursor.fetchone()[0])


class Writer:
    """Write rows one COPY after another while the caller makes the next.

    The connection is the caller's: nothing else may use it between `write` or `draw` and `finish`. Of what
    waits to be written there is one batch at most.
    """

    def __init__(self) -> None:
        connection.ensure_connection()
        self._connection = connection.connection
        self._trusted = _may_trust()
        self._trusting = False  # known_keys, from the first COPY until `finish`
        _widen(self._connection.fileno())
        self._thread = ThreadPoolExecutor(1, "copy")
        self._under_way: deque[Future[Any]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._thread.shutdown(cancel_futures=True)

    def write(self, columns: Columns, rows: list[str]) -> None:
        """Begin to write rows, each its varying cells and the columns' tail."""
        if rows:
            data = "".join(rows).encode()
            self._await(WAITING)
            self._under_way.append(self._thread.submit(self._copy, columns.statement, data))

    def draw(self, table: str, n: int) -> Future[list[int]]:
        """Begin to draw n numbers of a table's sequence."""
        self._under_way.append(self._thread.submit(self._draw, table, n))
        return self._under_way[-1]

    def drawn(self, numbers: Future[list[int]]) -> list[int]:
        """Wait for numbers, and for what was begun before them."""
        with connection.wrap_database_errors:
            while numbers in self._under_way:
                self._under_way.popleft().result()
        return numbers.result()

    def finish(self) -> None:
        """Wait until all that was begun is done; then the connection is the caller's again."""
        self._await(0)
        if self._trusting:
            with connection.cursor() as cursor:
                cursor.execute(ROLE + "origin")
            self._trusting = False

    def _await(self, most: int) -> None:
        """Wait until so many are left at most."""
        with connection.wrap_database_errors:
            while len(self._under_way) > most:
                self._under_way.popleft().result()

    def _copy(self, statement: str, rows: bytes) -> None:
        with self._connection.cursor() as cursor:
            if self._trusted and not self._trusting:
                cursor.execute(ROLE + "replica")
                self._trusting = True
            with cursor.copy(statement) as copy:
                copy.write(rows)

    def _draw(self, table: str, n: int) -> list[int]:
        with self._connection.cursor() as cursor:
            cursor.execute(DRAW, [table, n])
            first, last = cursor.fetchone()
        if last - first == n - 1:
            return list(range(first, last + 1))
        # somebody else drew meanwhile: these are lost, and fewer are less likely to be parted
        return [*self._draw(table, n // 2), *self._draw(table, n - n // 2)]


def _widen(descriptor: int) -> None:
    """Let more lie ahead of PostgreSQL on this machine: it ran dry while the thread awaited its turn.

    A connection by TCP widens itself, unless it is told how far.
    """
    with socket.socket(fileno=os.dup(descriptor)) as line:
        if line.family == socket.AF_UNIX:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AHEAD)
