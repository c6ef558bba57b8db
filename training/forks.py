"""Tables of the database's content, made by several processes that see one moment of it."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TypeVar

import pyarrow as pa
from django.db import connection, connections, transaction

ENOUGH = 8  # jobs from which on a second process is worth it
MOST = 4  # processes
Job = TypeVar("Job")


@contextmanager
def tables(
    jobs: Sequence[Job], make: Callable[[Job], pa.Table], schema: pa.Schema
) -> Iterator[Iterator[pa.Table]]:
    """Make a table of each job, in the jobs' order, in a transaction that sees one moment.

    Few jobs are done here; many by forked processes, one for each processor, if this process has one thread,
    and its transaction is a whole one, whose view others can share. RuntimeError when one of them fails.
    """
    count = min(MOST, len(os.sched_getaffinity(0)))
    alone = threading.active_count() == 1 and connection.in_atomic_block and not connection.savepoint_ids
    if count < 2 or len(jobs) < ENOUGH or not alone:
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


def _read(answers: list[IO[bytes]], jobs: int) -> Iterator[pa.Table]:
    streams: dict[int, pa.RecordBatchStreamReader] = {}
    for job in range(jobs):
        place = job % len(answers)
        try:
            stream = streams.get(place) or streams.setdefault(place, pa.ipc.open_stream(answers[place]))
            yield pa.Table.from_batches([stream.read_next_batch()])
        except (StopIteration, OSError, pa.ArrowInvalid) as error:
            raise RuntimeError("A process that read labels ended; its own output says why.") from error


def _fork(
    moment: str, jobs: Sequence[Job], make: Callable[[Job], pa.Table], schema: pa.Schema
) -> tuple[int, IO[bytes]]:
    """Begin a process that makes tables; return its id, and what it writes."""
    source, sink = os.pipe()
    pid = os.fork()
    if pid:
        os.close(sink)
        return pid, os.fdopen(source, "rb")
    status = 1
    try:
        os.close(source)
        with os.fdopen(sink, "wb") as out, _seeing(moment), pa.ipc.new_stream(out, schema) as stream:
            for job in jobs:
                # one batch, whether it has rows or not
                stream.write_batch(make(job).combine_chunks().to_batches()[0])
        status = 0
    except BrokenPipeError:
        pass  # nobody wants the rest
    except BaseException:
        traceback.print_exc()
    finally:
        # nothing of the parent's is closed or flushed twice
        os._exit(status)


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
