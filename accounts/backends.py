"""Who is signed in, read on every request with the session, by a statement that is written once."""

from contextvars import ContextVar
from functools import cache
from typing import Any

from django.contrib.auth.backends import ModelBackend

from accounts import rows
from accounts.models import User

# of a person: since when they are here, and when they signed in last, is asked for on few pages
COLUMNS = [
    field.attname
    for field in User._meta.concrete_fields
    if field.attname not in {"date_joined", "last_login"}
]
# whose session was read last, till they are asked for: both are read at once
_met: ContextVar[User | None] = ContextVar("met", default=None)


def meet(user: User | None) -> None:
    """Note whose session has just been read; None when that isn't known."""
    _met.set(user)


@cache
def _statement() -> str:
    table = User._meta.db_table
    return f"SELECT {rows.columns(User, table, COLUMNS)} FROM {table} WHERE id = %s"  # noqa: S608  names of our own


class Backend(ModelBackend):
    """Django's own, but for spelling the statement anew each time, which takes longer than running it."""

    def get_user(self, user_id: Any) -> User | None:
        """Return an active user by their key."""
        user = _met.get()
        meet(None)
        if user is None or user.pk != user_id:
            row = rows.one(_statement(), [user_id])
            user = rows.read(User, iter(row), COLUMNS) if row is not None else None
        return user if user is not None and self.user_can_authenticate(user) else None
