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
    spelt = _fields(model, tuple(names))
    return ", ".join(f'{alias}."{column}" AS {alias}_{column}' for column, _name, _convert in spelt)


def read(model: type[M], values: Iterator[Any], names: Sequence[str] = ()) -> M:
    """Take from a row what `columns` spelt, and return it as an object; other fields load when asked.

    It is what Django's `from_db` makes, but for the signals that its `__init__` sends, which takes longer.
    """
    fields = _fields(model, tuple(names))
    taken = {
        name: value if convert is None else convert(value, None, connection)
        for value, (_column, name, convert) in zip(islice(values, len(fields)), fields, strict=True)
    }
    state = ModelState()
    state.adding, state.db = False, connection.alias
    read = model.__new__(model)
    read.__dict__.update(taken, _state=state)
    return read


def array(values: Iterable[object]) -> str:
    """Write numbers, keys or names of ours as PostgreSQL reads an array: a list takes its client longer."""
    return "{" + ",".join(map(str, values)) + "}"


@cache
def _fields(model: type[Model], names: tuple[str, ...]) -> list[tuple[str, str, Any]]:
    return [
        (str(field.column), field.attname, getattr(field, "from_db_value", None))
        for field in model._meta.concrete_fields
        if not names or field.attname in names
    ]
