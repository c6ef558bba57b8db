"""Tables made by several processes: of the database's content, one moment of which they see, or of files."""

from __future__ import annotations

import gc
import mmap
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import TypeVar

import pyarrow as pa
from django.db import connection, connections, transaction

ENOUGH = 8  # jobs from which on a second process is worth it
MOST = 4  # processes
AHEAD = 2  # tables that a process makes before the first of them is read
Job = TypeVar("Job")


@contextmanager
def tables(
    jobs: Sequence[Job], make: Callable[[Job], pa.Table], schema: pa.Schema
) -> Iterator[Iterator[pa.Table]]:
    """Make a table of each job, in the jobs' order, in a transaction that sees one moment.

    Few jobs are done here; many by forked processes, if this one's transaction is a whole one, whose view
    others can share. RuntimeError when one of them fails.
    """
    if not _worth_it(jobs) or not connection.in_atomic_block or connection.savepoint_ids:
        yield map(make, jobs)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        [moment] = cursor.fetchone()
    with _made(jobs, make, schema, partial(_seeing, moment)) as found:
        yield found


@contextmanager
def tables_of_files(
    jobs: Sequence[Job], make: Callable[[Job], pa.Table], schema: pa.Schema
) -> Iterator[Iterator[pa.Table]]:
    """Make a table of each job as `tables` does, but ask no database. RuntimeError when a process fails."""
    if not _worth_it(jobs):
        yield map(make, jobs)
        return
    with _made(jobs, make, schema, nullcontext) as found:
        yield found


def _worth_it(jobs: Sequence[Job]) -> bool:
    """Tell whether other processes help; a process with threads, such as the web server, is never forked."""
    return len(jobs) >= ENOUGH and len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


@contextmanager
def _made(
    jobs: Sequence[Job],
    make: Callable[[Job], pa.Table],
    schema: pa.Schema,
    within: Callable[[], AbstractContextManager[None]],
) -> Iterator[Iterator[pa.Table]]:
    # one more than processors: while one waits for the database or for this process, another works
    count = min(MOST, len(os.sched_getaffinity(0)) + 1)
    children = [_fork(within, jobs[place::count], make, schema) for place in range(count)]
    try:
        yield _read([answers for _pid, answers in children], len(jobs))
    finally:
        for pid, answers in children:
            answers.close()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _read(answers: list[socket.socket], jobs: int) -> Iterator[pa.Table]:
    for job in range(jobs):
        answer = answers[job % len(answers)]
        _said, files, _flags, _from = socket.recv_fds(answer, 1, 1)
        if not files:
            raise RuntimeError("A process that made tables ended; its own output says why.")
        with os.fdopen(files[0], "rb") as file:
            whole = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        with suppress(OSError):  # it has ended: that was its last
            answer.send(b".")
        yield pa.ipc.open_stream(pa.py_buffer(whole)).read_all()


def _fork(
    within: Callable[[], AbstractContextManager[None]],
    jobs: Sequence[Job],
    make: Callable[[Job], pa.Table],
    schema: pa.Schema,
) -> tuple[int, socket.socket]:
    """Begin a process that makes tables; return its id, and where it hands them over."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    status = 1
    try:
        gc.freeze()  # what is there already stays, and needn't be looked through again and again
        ours.close()
        with theirs, within():
            for place, job in enumerate(jobs):
                table = make(job)
                if place >= AHEAD and not theirs.recv(1):
                    break  # nobody wants the rest
                _hand_over(table, theirs, schema)
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody wants the rest
    except BaseException:
        traceback.print_exc()
    finally:
        # nothing of the parent's is closed or flushed twice
        os._exit(status)


def _hand_over(table: pa.Table, answers: socket.socket, schema: pa.Schema) -> None:
    """Give a table as a file in memory: through a pipe, both would wait for each other every 64 KB."""
    with os.fdopen(os.memfd_create("table"), "wb") as file:
        with pa.ipc.new_stream(file, schema) as stream:
            stream.write_table(table)
        file.flush()
        socket.send_fds(answers, [b"."], [file.fileno()])


@contextmanager
def _seeing(moment: str) -> Iterator[None]:
    """Work in a transaction, on a connection of one's own, that sees what another sees."""
    parents, connections[connection.alias] = connections[connection.alias], connection.copy()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET TRANSACTION SNAPSHOT %s", [moment])
        yield
    del parents
