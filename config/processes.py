"""Child processes that are kept alive, and ended together with everything that they started."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config.embedded_server import ServiceError
from config.local_services import LocalServices

# Every descendant inherits it, so that none is lost when its parent is killed.
MARK = "TOUCHSTONE_STACK"
LONGEST_PAUSE = 30.0  # seconds between two starts of a child that keeps dying
SETTLED = 60.0  # seconds after which a child counts as well
GRACE = 6.0  # seconds for work in hand when everything ends
ENGINE_GRACE = 10.0  # seconds for a training run to stop at its checkpoint
LARGEST_LOG = 20 * 1024 * 1024  # bytes


@dataclass
class Child:
    """One process to keep alive. The log takes its output."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started: float = 0.0
    next_start: float = 0.0

    def start(self, mark: str) -> None:
        """Start it, away from the terminal's Ctrl-C."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).resolve().parent.parent,
                env={**os.environ, **self.environment, MARK: mark},
                start_new_session=True,
            )
        self.started = time.monotonic()

    def tend(self, mark: str) -> str:
        """Start it again if it died. Return a sentence when there is something to say."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_start:
                self.start(mark)
            return ""
        status = self.process.poll()
        if status is None:
            return ""
        self.failures = 1 if now - self.started > SETTLED else self.failures + 1
        pause = min(LONGEST_PAUSE, 0.5 * 2 ** (self.failures - 1))
        self.process, self.next_start = None, now + pause
        return f"{self.name} ended ({_reason(status)}) and starts again in {pause:g} s; see {self.log}"


class Supervisor:
    """Keeps children, and the embedded servers below them, alive until `stop`."""

    def __init__(
        self, var: Path, children: Sequence[Child], services: LocalServices | None, say: Callable[[str], None]
    ) -> None:
        self._var = var
        self._children = children
        self._services = services
        self._say = say
        self._mark = f"{var}:{os.getpid()}"

    def tend(self) -> None:
        """Look after everything once; call it about twice a second."""
        if self._services is not None:
            try:
                for name in self._services.revive():
                    self._say(f"{name} had ended and runs again")
            except ServiceError as error:
                self._say(f"{error} Trying again.")
                return
        for child in self._children:
            if sentence := child.tend(self._mark):
                self._say(sentence)

    def stop(self) -> None:
        """End the children and all that they started; a training run keeps its checkpoint."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        end(marked(lambda mark: mark == self._mark))
        for process in running:
            process.wait()


def end_leftovers(var: Path) -> None:
    """End what a supervisor of this folder left behind when it was killed."""

    def orphaned(mark: str) -> bool:
        folder, _, owner = mark.rpartition(":")
        return folder == str(var) and not psutil.pid_exists(int(owner))

    end(marked(orphaned))


def marked(wanted: Callable[[str], bool]) -> list[psutil.Process]:
    """Return the processes, but this one, whose mark is wanted."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK)
            if mark and process.pid != os.getpid() and wanted(mark):
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process]) -> None:
    """Kill these processes, but let training engines stop at their checkpoint first."""
    engines: list[psutil.Process] = []
    others: list[psutil.Process] = []
    for process in processes:
        with suppress(psutil.Error):
            (engines if "training.engine" in process.cmdline() else others).append(process)
    # a worker that outlived its engine would record the run as failed, where it shall be resumed
    _signal(others, signal.SIGKILL)
    _signal(engines, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(engines, ENGINE_GRACE)
    _signal(stubborn, signal.SIGKILL)
    psutil.wait_procs([*others, *stubborn], 5)


def keep_log_small(log: Path) -> None:
    """Set a log that has grown large aside, in place of the one before."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".old.log"))


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _reason(status: int) -> str:
    return f"exit {status}" if status >= 0 else signal.Signals(-status).name
