"""Sessions: whose they are, where from, and how they end.

They are read from the database, together with their person: to ask a cache first would take longer.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache as once
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from redis import RedisError

from accounts import audit, backends, rows, whence
from accounts.models import ApiToken, Session, User

PLACE = "_place"  # in a session: where it was begun
SEEN_EVERY = 60  # seconds
REMEMBER = 30 * 24 * 3600
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
SYSTEMS = {
    "Windows": "Windows", "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Mac OS X": "macOS",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


class SessionStore(db.SessionStore):
    """Django's, but that rows name their person, who is read with them."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        """Return what the session holds."""
        row = rows.one(_statement(), [self.session_key])
        if row is None:
            self._session_key = None
            return {}
        data, key = row[:2]
        backends.meet(rows.read(User, iter(row[1:]), backends.COLUMNS) if key is not None else None)
        return self.decode(data)

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        """Return the row of what the session holds, with whose it is and where it was begun."""
        row = super().create_model_instance(data)
        assert isinstance(row, Session)  # as get_model_class says
        place = data.get(PLACE, {})
        row.name = name_of(row.session_key)
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.device, row.address = place.get("device", ""), place.get("address")
        row.since = datetime.fromtimestamp(place["since"], UTC) if place else None
        return row


@once
def _statement() -> str:
    session, user = Session._meta.db_table, User._meta.db_table
    columns = rows.columns(User, user, backends.COLUMNS)
    return (
        f"SELECT session_data, {columns} FROM {session} LEFT JOIN {user} ON {user}.id = {session}.user_id"  # noqa: S608  names of our own
        f" WHERE session_key = %s AND expire_date > now()"
    )


def name_of(key: str) -> str:
    """Return what a session is called where its key must not be seen."""
    return hashlib.sha256(b"session" + key.encode()).hexdigest()[:32]


def device_of(agent: str) -> str:
    """Name the browser and the system that a User-Agent header tells of."""
    browser = next((name for mark, name in BROWSERS.items() if mark in agent), "")
    system = next((name for mark, name in SYSTEMS.items() if mark in agent), "")
    return ", ".join(part for part in (browser, system) if part) or agent[:80]


_last: dict[str, float] = {}  # of this process: when it last noted that a session was seen


def noted(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Note where a session is begun, in the row that is written anyway, and in the cache when it is used."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        session = request.session
        if not session.accessed or SESSION_KEY not in session:
            return response
        if session.modified and PLACE not in session:
            agent = request.META.get("HTTP_USER_AGENT", "")
            session[PLACE] = {
                "device": device_of(agent), "address": whence.address_of(request), "since": time.time()
            }  # fmt: skip
        elif session.session_key:
            _see(name_of(session.session_key))
        return response

    return answer


def _see(name: str) -> None:
    now = time.monotonic()
    if now - _last.get(name, -SEEN_EVERY) < SEEN_EVERY:
        return
    if len(_last) > 10_000:
        _last.clear()
    _last[name] = now
    with suppress(RedisError):
        cache.set(f"seen:{name}", time.time(), REMEMBER)


@dataclass(frozen=True)
class Seat:
    """One of somebody's sessions, as they and managers see it."""

    name: str
    device: str
    address: str | None
    since: datetime | None
    seen: datetime | None
    current: bool


def of_user(user: User, current: str | None = None) -> list[Seat]:
    """Return somebody's sessions that work now, the one of the key `current` first, then those last seen."""
    open_ = list(Session.objects.filter(user=user, expire_date__gt=timezone.now()).defer("session_data"))
    try:
        seen = cache.get_many([f"seen:{row.name}" for row in open_])
    except RedisError:
        seen = {}
    seats = [
        Seat(
            row.name, row.device, row.address, row.since,
            datetime.fromtimestamp(at, UTC) if (at := seen.get(f"seen:{row.name}")) else row.since,
            row.session_key == current,
        )
        for row in open_
    ]  # fmt: skip
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(seats, key=lambda seat: (seat.current, seat.seen or never), reverse=True)


def end_one(user: User, name: str) -> bool:
    """End one of somebody's sessions; tell whether there was one."""
    return bool(_end(Session.objects.filter(user=user, name=name), user, by=user))


def end_others(user: User, current: str | None) -> int:
    """End all sessions of somebody but the one of the key `current`; return how many."""
    return _end(Session.objects.filter(user=user).exclude(session_key=current), user, by=user)


def sign_out(user: User, *, by: User, **told: str) -> None:
    """End all of somebody's sessions and tokens; what else the audit log shall tell of it is `told`."""
    with transaction.atomic():
        ended = _end(Session.objects.filter(user=user), None, by=by)
        tokens = ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())
        audit.record(by, "sign out", user, sessions=ended, tokens=tokens, **told)


def prune() -> None:
    """Forget the sessions that ran out: nobody can come in by them, and nobody asks for them again."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def _end(ending: QuerySet[Session], whose: User | None, *, by: User) -> int:
    with transaction.atomic():
        ended, _kinds = ending.delete()
        if ended and whose is not None:
            audit.record(by, "end sessions", whose, sessions=ended)
    return ended
