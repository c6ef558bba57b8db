"""How the admin shows tables of any size: to look at, page by page, without reading whole ones."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import cached_property

if TYPE_CHECKING:
    AnyAdmin = admin.ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
else:
    AnyAdmin, AnyPaginator = admin.ModelAdmin, Paginator

COUNTED = 10_000  # rows; of more the planner's estimate is shown


class QuickPaginator(AnyPaginator):
    """Count no more rows than need be: of a large table PostgreSQL's estimate, of a search its beginning."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows.order_by()[: COUNTED + 1].count()
        if counted <= COUNTED or rows.query.where:
            return counted
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table]
            )
            return max(counted, int(cursor.fetchone()[0]))

    def page(self, number: int | str) -> Any:
        """Return a page by its rows' keys, so that a late one doesn't join all rows before it."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        rows: Any = self.object_list
        keys = list(rows.values_list("pk", flat=True)[first : first + self.per_page])
        return Page(rows.filter(pk__in=keys), number, self)


class ReadOnlyAdmin(AnyAdmin):
    """Look, don't touch: changes go through the domain's verbs, which check and record them.

    `list_display` names nothing of another table that `list_select_related` doesn't bring, `search_fields`
    only what an index finds, and `list_filter` only columns of small tables. Nothing is sorted by a column.
    """

    ordering = ["-pk"]
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    paginator = QuickPaginator
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
