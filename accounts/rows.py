"""Rows of statements that are written by hand, as objects of their models.

Django's own way (`raw`) looks each column up by the name that the cursor describes it with, which takes
longer than the row.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)


def columns(model: type[Model], alias: str, names: Sequence[str] = ()) -> str:
    """Spell a model's columns, all or those named, in its order, of a table under an alias."""
    fields = _fields(model, tuple(names))
    return ", ".join(f'{alias}."{field.column}" AS {alias}_{field.column}' for field in fields)


def read(model: type[M], values: Iterator[Any], names: Sequence[str] = ()) -> M:
    """Take from a row what `columns` spelt, and return it as an object; other fields load when asked.

    It is what Django's `from_db` makes, but for the signals that its `__init__` sends, which takes longer.
    """
    kept, converted = _kept(model, tuple(names))
    taken = dict(zip(kept, islice(values, len(kept)), strict=True))
    for name, convert in converted:
        taken[name] = convert(taken[name], None, connection)
    state = ModelState()
    state.adding, state.db = False, connection.alias
    read = model.__new__(model)
    read.__dict__.update(taken, _state=state)
    return read


def one(statement: str, values: Any) -> tuple[Any, ...] | None:
    """Run a statement and return its first row; None when it has none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def array(values: Iterable[object]) -> str:
    """Write numbers, keys or names of ours as PostgreSQL reads an array: a list takes its client longer."""
    return "{" + ",".join(map(str, values)) + "}"


@cache
def _fields(model: type[Model], names: tuple[str, ...]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not names or field.attname in names]


@cache
def _kept(model: type[Model], names: tuple[str, ...]) -> tuple[list[str], list[tuple[str, Any]]]:
    """Return the attributes of a row's values, and how those are converted that come otherwise."""
    fields = _fields(model, names)
    converted = [(f.attname, f.from_db_value) for f in fields if hasattr(f, "from_db_value")]
    return [field.attname for field in fields], converted
