"""What the embedded PostgreSQL and Redis have in common: one process, one socket, one log."""

import os
import socket
import stat
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

START_SECONDS = 120.0  # a long recovery after a crash included


class ServiceError(RuntimeError):
    """A sentence for people about a service that cannot be had."""


def others_can_reach(path: Path) -> bool:
    """Say whether any user of the machine may enter every folder on the way to path."""
    folders = [*path.parents, path] if path.is_dir() else path.parents
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in folders if folder.exists())


def answers(path: Path) -> bool:
    """Say whether a server listens on the Unix socket at path, were it too busy to answer now."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, PermissionError):
            return False
        except (BlockingIOError, TimeoutError):
            return True  # its queue of callers is full
    return True


def make_private(folder: Path, mode: int) -> None:
    """Make a folder that is ours with this mode. Raise ServiceError where it is somebody else's."""
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    if folder.stat().st_uid != os.geteuid():
        raise ServiceError(
            f"{folder} belongs to another user. Run Touchstone as that user, "
            "or set TOUCHSTONE_VAR to a new folder."
        )
    folder.chmod(mode)


class EmbeddedServer(ABC):
    """A server of ours that outlives crashes: `start` may be called again at any time."""

    name: str
    socket_path: Path
    log_path: Path
    # whom the process runs as; None is ourselves
    user: str | None = None
    group: int | None = None
    extra_groups: list[int] | None = None

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start it where it does not run and wait until it accepts work. Raise ServiceError."""

    @abstractmethod
    def stop(self) -> None:
        """End it, data written, and wait for its end."""

    def running(self) -> bool:
        """Say whether it answers now."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        return answers(self.socket_path)

    def _spawn(self, command: Sequence[str]) -> None:
        """Start the server's process apart from our terminal, so that Ctrl-C is ours to pass on."""
        # a clean environment: libpq's and our own variables are not meant for the server
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
                user=self.user,
                group=self.group,
                extra_groups=self.extra_groups,
            )

    def _wait_until_ready(self) -> bool:
        """Return whether it came up; False when its process ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if self._accepts_work():
                return True
            time.sleep(0.05)
        raise ServiceError(
            f"{self.name} did not come up in {START_SECONDS:.0f} seconds; see {self.log_path}."
        )

    @abstractmethod
    def _accepts_work(self) -> bool: ...

    def _failure(self) -> ServiceError:
        """Describe why the process ended, in the server's own last words."""
        lines = self.log_path.read_text(errors="replace").strip().splitlines()[-3:]
        if "No space left on device" in " ".join(lines):
            return ServiceError(
                f"The disk is full: {self.name} cannot write to {self.log_path.parent.parent}."
            )
        return ServiceError(f"{self.name} did not start; {self.log_path} ends with: {' / '.join(lines)}")
