"""Tables of the database's content, made by several processes that see one moment of it."""

from __future__ import annotations

import gc
import mmap
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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

    Few jobs are done here; many by forked processes, one for each processor, if this process has one thread,
    and its transaction is a whole one, whose view others can share. RuntimeError when one of them fails.
    """
    processors = len(os.sched_getaffinity(0))
    # one more than processors: while one waits for the database or for this process, another works
    count = min(MOST, processors + 1)
    alone = threading.active_count() == 1 and connection.in_atomic_block and not connection.savepoint_ids
    if processors < 2 or len(jobs) < ENOUGH or not alone:
        yield map(make, jobs)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        [moment] = cursor.fetchone()
    children = [_fork(moment, jobs[place::count], make, schema) for place in range(count)]
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
            raise RuntimeError("A process that read labels ended; its own output says why.")
        with os.fdopen(files[0], "rb") as file:
            whole = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        with suppress(OSError):  # it has ended: that was its last
            answer.send(b".")
        yield pa.ipc.open_stream(pa.py_buffer(whole)).read_all()


def _fork(
    moment: str, jobs: Sequence[Job], make: Callable[[Job], pa.Table], schema: pa.Schema
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
        with theirs, _seeing(moment):
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
