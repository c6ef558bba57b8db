"""What PostgreSQL answers, as Arrow columns without an object for each value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, Func, QuerySet, TextField
from django.db.models.expressions import RawSQL
from psycopg import ClientCursor
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from pyarrow import csv

Shape = Mapping[str, pa.DataType]
ARRAY = pa.large_string()  # an array of PostgreSQL, as the text of its JSON


def fetch(found: QuerySet[Any, Any], shape: Shape) -> pa.Table:
    """Return columns of a query, by their names and types; JSON is text."""
    wanted = [
        Func(F(name), function="array_to_json", output_field=TextField()) if kind == ARRAY else name
        for name, kind in shape.items()
    ]
    try:
        said = _copy(*found.values_list(*wanted).query.sql_with_params())
    except EmptyResultSet:
        said = b""
    if not said:
        return pa.schema(shape).empty_table()
    return csv.read_csv(
        pa.py_buffer(said),
        csv.ReadOptions(
            column_names=list(shape), block_size=min(len(said) + 1, 2**31 - 1), use_threads=False
        ),
        csv.ParseOptions(newlines_in_values=True),
        # PostgreSQL quotes an empty text, and leaves out what is null
        csv.ConvertOptions(
            column_types=shape,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).combine_chunks()


def _copy(sql: str, values: Any) -> bytes:
    """Return what a query finds as CSV, without psycopg's work for each row, which takes most of the time."""
    connection.ensure_connection()
    # the web server's own cursors leave values to PostgreSQL, which takes none with COPY
    wanted = ClientCursor(connection.connection).mogrify(f"COPY ({sql}) TO STDOUT (FORMAT csv)", values)
    server = connection.connection.pgconn
    begun = server.exec_(wanted.encode())
    if begun.status != ExecStatus.COPY_OUT:
        raise error_from_result(begun)
    rows = []
    while (row := server.get_copy_data(0))[0] > 0:
        rows.append(row[1])
    while (ended := server.get_result()) is not None:
        if ended.status != ExecStatus.COMMAND_OK:
            raise error_from_result(ended)
    return b"".join(rows)


def any_of(keys: Iterable[int]) -> RawSQL:
    """Return keys as one text: Django takes longer to write a thousand than PostgreSQL to look them up."""
    return RawSQL("SELECT unnest(%s::bigint[])", [f"{{{','.join(map(str, keys))}}}"])


def distinct(column: Any, read: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """Return what texts say, each different one read once."""
    coded = _whole(column).dictionary_encode()
    return pa.array([read(text) for text in coded.dictionary.to_pylist()], kind).take(coded.indices)


def rank(columns: Iterable[Any]) -> Any:
    """Number rows by what is in their columns, from 0 on; equal ones alike."""
    ranks = [_rank(_whole(column)) for column in columns]
    keys = [one for one in ranks if len(one) and one.min() != one.max()]
    if not keys:
        return np.zeros(len(ranks[0]), np.int64)
    order = np.lexsort(keys[::-1])
    differs = np.zeros(len(order), bool)
    for key in keys:
        differs[1:] |= key[order][1:] != key[order][:-1]
    found = np.empty(len(order), np.int64)
    found[order] = np.cumsum(differs)
    return found


def _rank(column: pa.Array) -> Any:
    coded = (column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column).dictionary_encode()
    place = np.argsort(pc.array_sort_indices(coded.dictionary).to_numpy())
    codes = pc.fill_null(coded.indices, -1).to_numpy()
    return np.where(codes < 0, -1, np.append(place, -1)[codes])


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
