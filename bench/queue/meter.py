"""How much processor time the web server, the database and Redis have used."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import psutil
import redis
from django.conf import settings
from django.db import connection


class Meter:
    """The process trees behind an address that this process has started."""

    def __init__(self, address: str) -> None:
        port = urlsplit(address).port
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = psutil.Process(cursor.fetchone()[0])
        with redis.from_url(settings.REDIS_URL) as client:
            server = psutil.Process(int(client.info("server")["process_id"]))
        self._trees = {
            "web": next(child for child in psutil.Process().children() if listens(child, port)),
            "database": backend.parent() or backend,
            "redis": server,
        }

    def seconds(self) -> dict[str, float]:
        """Return the processor seconds of each tree so far, ended processes included."""
        return {name: sum(tree_seconds(top)) for name, top in self._trees.items()}


def listens(process: psutil.Process, port: int | None) -> bool:
    """Tell whether a process, or one that it started, waits for connections on a port."""
    return any(
        c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port
        for p in [process, *process.children(recursive=True)]
        for c in p.net_connections("tcp")
    )


def tree_seconds(top: psutil.Process) -> Iterator[float]:
    """Give the seconds of a process with its ended children, and of each that lives."""
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            yield times.user + times.system + times.children_user + times.children_system
