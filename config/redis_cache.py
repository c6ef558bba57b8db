"""Django's Redis cache with a client that is made once: making one takes longer than what it is asked."""

from functools import cached_property
from typing import Any

from django.core.cache.backends import redis


class RedisCacheClient(redis.RedisCacheClient):
    """Asks one server, always through the same client; each thread has its own cache, so its own client."""

    @cached_property
    def _kept(self) -> Any:
        return super().get_client(write=True)

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """Return the client, which takes a connection from its pool for each command."""
        return self._kept


class RedisCache(redis.RedisCache):
    """The cache of config.settings."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = RedisCacheClient
