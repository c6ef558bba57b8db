"""Pages of the API's lists: they begin after a row, not after a number of rows.

So a list that grows meanwhile gives each row once, and its thousandth page costs what its first does. Rows
are counted nowhere. The order is that of the view's queryset, whose last field is unique.
"""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class CursorPages(CursorPagination):
    """?limit= says how many rows a page has, 500 at most; `next` and `previous` are whole addresses."""

    page_size = 50
    page_size_query_param = "limit"
    page_size_query_description = "How many rows a page has: 50 unless said, 500 at most."
    max_page_size = 500
    cursor_query_description = "Where to begin: what `next` or `previous` of another page says."
    offset_cutoff = 10_000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Return a page's rows; 404 where the cursor is none that a page of this list gave."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError, DataError) as error:
            raise NotFound(self.invalid_cursor_message) from error

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """Return the queryset's own order, as field names."""
        ordering = queryset.query.order_by or ("pk",)
        return tuple(_spelt(each) for each in ordering)

    def _get_position_from_instance(self, instance: Any, ordering: Sequence[str]) -> str:
        """Return where a row stands, by the field that orders first, which may be one of a row beside it."""
        value = instance
        for name in ordering[0].lstrip("-").split("__"):
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        return str(value)


def _spelt(order: Any) -> str:
    """Spell an order as DRF wants it."""
    if isinstance(order, OrderBy) and isinstance(order.expression, F):
        name: str = order.expression.name  # type: ignore[attr-defined]
        return f"-{name}" if order.descending else name
    assert isinstance(order, str), f"{order!r} is no order by a field"
    return order
