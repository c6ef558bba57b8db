"""Child processes that are kept alive, and ended together with everything that they started."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

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
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


class Running(Protocol):
    """What is asked of a process, whichever way it was started."""

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status. Raise subprocess.TimeoutExpired."""


@dataclass
class Child:
    """One process to keep alive. The log takes its output."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: Running | None = None
    failures: int = 0
    started: float = 0.0
    next_start: float = 0.0

    def start(self, mark: str) -> None:
        """Start it, away from the terminal's Ctrl-C."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = self._launch(mark)
        self.started = time.monotonic()

    def _launch(self, mark: str) -> Running:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).resolve().parent.parent,
                env={**os.environ, **self.environment, MARK: mark},
                start_new_session=True,
            )

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


@dataclass
class Fork(Child):
    """A child forked from this process, which must have one thread: it does `work`.

    It has this process's mark. On Linux it dies with this process, and lists of processes show its name.
    """

    work: Callable[[], None] = field(kw_only=True)

    def _launch(self, mark: str) -> Running:
        process = multiprocessing.get_context("fork").Process(target=self._run, args=[os.getpid()])
        process.start()
        return _Forked(process)

    def _run(self, parent: int) -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            LIBC.prctl(PR_SET_NAME, self.name.encode())
        if os.getppid() != parent:
            return
        with self.log.open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ.update(self.environment)
        self.work()


class _Forked:
    """A forked process, asked as Popen is."""

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired([str(self._process.name)], timeout or 0.0)
        return self._process.exitcode


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


def stop_event() -> threading.Event:
    """Return an event that Ctrl-C, SIGTERM and the terminal's end set."""
    event = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return event


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
