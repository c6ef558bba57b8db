"""The embedded PostgreSQL and Redis, used when DATABASE_URL or REDIS_URL name no other server.

Both listen on Unix sockets only and keep their data in the folder that TOUCHSTONE_VAR names.
"""

import atexit
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from config.embedded_postgres import EmbeddedPostgres
from config.embedded_redis import EmbeddedRedis
from config.embedded_server import EmbeddedServer, ServiceError, others_can_reach

__all__ = [
    "LocalServices",
    "ServiceError",
    "broker_url",
    "database_url",
    "ensure",
    "redis_url",
    "secret_key",
    "var_dir",
]

SPACE_NEEDED = 300 * 1024 * 1024  # bytes
LONGEST_SOCKET_PATH = 107  # bytes: Linux's sun_path less its closing zero; macOS has 103


def var_dir() -> Path:
    """Return the folder for everything that the program writes."""
    default = Path(__file__).resolve().parent.parent / "var"
    return Path(os.environ.get("TOUCHSTONE_VAR") or default).resolve()


def socket_dir(var: Path) -> Path:
    """Return the folder of the two sockets: inside var, or in /tmp where that is too long or out of reach."""
    inside = var / "sockets"
    longest = len(os.fsencode(inside / "postgres" / ".s.PGSQL.5432"))
    if longest < LONGEST_SOCKET_PATH - 4 and (os.geteuid() != 0 or others_can_reach(var)):
        return inside
    return Path("/tmp") / f"touchstone-{os.geteuid()}-{hashlib.sha256(os.fsencode(var)).hexdigest()[:10]}"  # noqa: S108


def database_url(var: Path) -> str:
    """Return the address of the embedded PostgreSQL."""
    return f"postgresql://postgres@/touchstone?host={quote(str(socket_dir(var) / 'postgres'))}"


def redis_url(var: Path) -> str:
    """Return the address of the embedded Redis, as redis-py reads it."""
    return f"unix://{quote(str(socket_dir(var) / 'redis' / 'redis.sock'))}?db=0"


def broker_url(url: str) -> str:
    """Return a Redis address as Celery reads it, which spells Unix sockets differently from redis-py."""
    if not url.startswith("unix://"):
        return url
    return url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)


def secret_key(var: Path) -> str:
    """Return the installation's own secret, made once and readable by its owner only."""
    path = var / "secret_key"
    if not path.exists():
        var.mkdir(parents=True, exist_ok=True)
        draft = var / f"secret_key.{os.getpid()}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        with suppress(FileExistsError):  # another process was first
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


class LocalServices:
    """The embedded servers of one var folder, shared by every process that uses them.

    Each user holds a shared lock; the last one to leave stops the servers. The kernel drops the lock of a
    process that is killed, so nobody has to count.
    """

    def __init__(self, var: Path, postgres: bool, redis: bool) -> None:
        self._var = var
        sockets = socket_dir(var)
        self._servers: list[EmbeddedServer] = []
        if postgres:
            self._servers.append(EmbeddedPostgres(var / "postgres", sockets, var / "log" / "postgres.log"))
        if redis:
            self._servers.append(EmbeddedRedis(var / "redis", sockets, var / "log" / "redis.log"))
        self._users: int | None = None
        self._owner = os.getpid()

    def start(self) -> None:
        """Start what does not run, and hold it. Raise ServiceError."""
        if not self._servers:
            return
        with plain_errors(self._var):
            check_space(self._var)
            if self._users is None:
                self._users = os.open(self._var / "services.users", os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(self._users, fcntl.LOCK_SH)
            with self._starting():
                for server in self._servers:
                    server.start()

    def revive(self) -> list[str]:
        """Start those that died and return their names. Raise ServiceError."""
        dead = [server.name for server in self._servers if not server.running()]
        if dead:
            self.start()
        return dead

    def release(self) -> None:
        """Let go of the servers, and stop them if nobody else holds them."""
        if self._users is None or os.getpid() != self._owner:
            return
        users, self._users = self._users, None
        with suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for server in reversed(self._servers):
                server.stop()
        os.close(users)

    @contextmanager
    def _starting(self) -> Iterator[None]:
        with (self._var / "services.starting").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def check_space(var: Path) -> None:
    """Raise ServiceError when the disk is nearly full."""
    var.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(var).free
    if free < SPACE_NEEDED:
        raise ServiceError(
            f"The disk that holds {var} is nearly full: {free // 2**20} MB are free and Touchstone needs "
            f"{SPACE_NEEDED // 2**20} MB. Free some space, or set TOUCHSTONE_VAR to a folder on another disk."
        )


@contextmanager
def plain_errors(var: Path) -> Iterator[None]:
    """Turn what the system says about the var folder into a sentence for people."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ServiceError(f"The disk is full: nothing can be written to {var}.") from error
        if isinstance(error, PermissionError):
            raise ServiceError(
                f"This user may not write to {error.filename}. Run Touchstone as the owner of {var}, "
                "or set TOUCHSTONE_VAR to a folder of your own."
            ) from error
        raise ServiceError(f"Nothing can be written to {var}: {error.strerror}.") from error


def ensure() -> None:
    """Start the embedded servers that the settings call for, until this process ends. Raise ServiceError.

    Servers that already run are shared: whoever uses them last stops them.
    """
    services = LocalServices(var_dir(), not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL"))
    services.start()
    atexit.register(services.release)
