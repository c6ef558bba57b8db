"""Write an import's rows by COPY, in a thread of its own: PostgreSQL stores them while the next are read."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from json.encoder import encode_basestring
from types import TracebackType
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, connection, models

NULL = "\\N"
WAITING = 5  # COPYs that wait for PostgreSQL: prompts, answers, tasks, their places, slots
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Columns:
    """The columns of a model's rows: those that vary come first, the others are alike in all of an import."""

    def __init__(self, model: type[models.Model], varying: Sequence[str], **alike: Any) -> None:
        fields = {f.attname: f for f in model._meta.concrete_fields if not f.primary_key}
        if "id" in varying:
            fields["id"] = model._meta.get_field("id")  # type: ignore[assignment]
        rest = [name for name in fields if name not in varying]
        names = ", ".join(f'"{fields[name].column}"' for name in [*varying, *rest])
        self.statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
        cells = [_cell(fields[name], alike.get(name, fields[name].get_default())) for name in rest]
        self.tail = "".join(f"\t{cell}" for cell in cells) + "\n"


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


def messages_text(messages: Sequence[dict[str, str]]) -> str:
    """Return a conversation as a cell."""
    said = [f'{{"role":"{m["role"]}","content":{encode_basestring(m["content"])}}}' for m in messages]
    return f"[{','.join(said)}]".replace("\\", "\\\\")


def take_ids(model: type[models.Model], n: int) -> list[int]:
    """Draw n numbers of a model's sequence."""
    if not n:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH numbers AS MATERIALIZED (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS sequence)"
            " SELECT array_agg(nextval(sequence)) FROM numbers, generate_series(1, %s)",
            [model._meta.db_table, n],
        )
        ids: list[int] = cursor.fetchone()[0]
        return ids


class Numbers:
    """Numbers for new rows of a model, drawn for four batches at once: each time the writer is waited for."""

    def __init__(self, model: type[models.Model], writer: Writer) -> None:
        self._model, self._writer = model, writer
        self._free: list[int] = []

    def take(self, n: int) -> list[int]:
        """Return n of them."""
        if len(self._free) < n:
            self._writer.finish()
            self._free += take_ids(self._model, 4 * n)
        taken, self._free = self._free[:n], self._free[n:]
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
            cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        if trusted:
            cursor.execute("SET LOCAL session_replication_role = origin")


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

    The connection is the caller's: nothing else may use it between `write` and `finish`. Of what waits to be
    written there is one batch at most.
    """

    def __init__(self) -> None:
        connection.ensure_connection()
        self._connection = connection.connection
        self._trusted = _may_trust()
        self._thread = ThreadPoolExecutor(1, "copy")
        self._under_way: deque[Future[None]] = deque()

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
            self._await(WAITING)
            self._under_way.append(self._thread.submit(self._copy, columns.statement, rows))

    def finish(self) -> None:
        """Wait until all that was begun is written."""
        self._await(0)

    def _await(self, most: int) -> None:
        """Wait until so many are left at most."""
        with connection.wrap_database_errors:
            while len(self._under_way) > most:
                self._under_way.popleft().result()

    def _copy(self, statement: str, rows: list[str]) -> None:
        role = "SET LOCAL session_replication_role = "
        with self._connection.cursor() as cursor:
            if self._trusted:
                cursor.execute(role + "replica")
            with cursor.copy(statement) as copy:
                copy.write("".join(rows))
            if self._trusted:
                cursor.execute(role + "origin")
