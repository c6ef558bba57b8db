"""Sessions are read from the cache and kept in the database; without the cache they are read there."""

from typing import Any

from django.contrib.sessions.backends import cached_db, db
from redis import RedisError


class SessionStore(cached_db.SessionStore):
    """Django's, but that nobody meets an error, or is signed out, while Redis is away.

    Signing out still needs Redis: else the session would come back with it.
    """

    def load(self) -> dict[str, Any]:
        """Return what the session holds."""
        try:
            return super().load()
        except RedisError:
            return db.SessionStore.load(self)
