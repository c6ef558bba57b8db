"""One worker per queue, and beat, forked from one process that has loaded the program: they share its memory.

`python -m config.workers` keeps them alive until SIGTERM; `python -m config.workers QUEUE` is one of them.
"""

import argparse
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from billiard.pool import EX_RECYCLE
from celery.signals import task_postrun, task_prerun
from celery.utils.nodenames import nodename

from config import local_services
from config.processes import Child, Fork, Supervisor, keep_log_small, stop_event
from config.stack import QUEUES

# Tasks before a pool's process makes way for a fresh one: torch shall not stay in memory, nor what short work
# leaves lying; but who talks with a policy shall not wait for it again and again.
TASKS = {"default": 50, "sample": 1, "chat": 200, "train": 1}
IDLE_SECONDS = 300.0  # that the chat worker keeps torch and the policies after the last answer
# what Celery loads only as a worker or beat begins
LATER = [
    "billiard.heap", "billiard.popen_fork", "billiard.sharedctypes", "billiard.synchronize",
    "celery.app.amqp", "celery.app.control", "celery.app.events", "celery.app.log",
    "celery.apps.beat", "celery.apps.worker", "celery.concurrency.prefork", "celery.events.receiver",
    "celery.worker.autoscale", "celery.worker.components", "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery", "celery.worker.strategy",
    "cffi.cparser", "config.redis_cache", "kombu.mixins", "kombu.transport.redis",
]  # fmt: skip


def main() -> None:
    """Be the worker that the command line asks for, or keep all of them and beat alive."""
    parser = argparse.ArgumentParser(prog="python -m config.workers", description=__doc__)
    parser.add_argument("queue", nargs="?", choices=list(QUEUES), help="be this queue's worker alone")
    parser.add_argument("--no-beat", action="store_true", help="without a queue: run nothing by the clock")
    options = parser.parse_args()
    if options.queue:
        os.environ["OMP_NUM_THREADS"] = _threads(options.queue)
        load()
        run_worker(options.queue)
    stopping = stop_event()
    load()
    var = local_services.var_dir()
    supervisor = Supervisor(var, children(var, beat=not options.no_beat), None, say)
    try:
        supervisor.tend()
        while not stopping.wait(0.5):
            supervisor.tend()
    finally:
        supervisor.stop()


def load() -> None:
    """Import what every worker needs, and set it apart from what garbage collection would write to."""
    os.environ["CELERY_SKIP_CHECKS"] = "1"  # `prepare` has checked; it would load every page's code
    gc.disable()
    from config.celery import app

    app.loader.init_worker()
    app.finalize()
    for name in LATER:
        import_module(name)
    gc.freeze()
    gc.enable()


def children(var: Path, *, beat: bool) -> list[Child]:
    """Describe one worker per queue, and beat."""
    found = [_child(var, f"worker-{queue}", partial(run_worker, queue), _threads(queue)) for queue in QUEUES]
    if beat:
        found.append(_child(var, "beat", partial(run_beat, str(var / "beat-schedule")), "1"))
    return found


def run_worker(queue: str) -> NoReturn:
    """Be a queue's worker until told to end."""
    from config.celery import app

    if queue == "chat":
        leave_when_idle()
    worker = app.Worker(
        hostname=nodename(queue, socket.gethostname()),
        queues=[queue],
        concurrency=QUEUES[queue],
        max_tasks_per_child=TASKS[queue],
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="INFO",
    )
    worker.start()
    sys.exit(worker.exitcode)


def run_beat(schedule: str) -> None:
    """Send by the clock what the settings say, until told to end; the file keeps the times."""
    from config.celery import app

    app.Beat(schedule=schedule, loglevel="WARNING").run()


def leave_when_idle() -> None:
    """Let a process of this worker end once it was idle for IDLE_SECONDS; a fresh one takes its place."""
    alarm: list[threading.Timer] = []

    def stay(**_: object) -> None:
        while alarm:
            alarm.pop().cancel()

    def wait(**_: object) -> None:
        alarm.append(threading.Timer(IDLE_SECONDS, os._exit, [EX_RECYCLE]))
        alarm[-1].daemon = True
        alarm[-1].start()

    task_prerun.connect(stay, weak=False)
    task_postrun.connect(wait, weak=False)


def say(sentence: str) -> None:
    """Write it into the log."""
    print(sentence, flush=True)


def _threads(queue: str) -> str:
    """Return how many threads torch and NumPy may use."""
    if queue == "default":
        return "1"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = cores
    if queue == "chat":  # a conversation's two answers are sampled side by side
        threads = -(-cores // 2)
    elif queue == "train":  # threads that wait for one another are many times slower beside a busy web server
        threads = max(1, cores - 1)
    return os.environ.get("OMP_NUM_THREADS", str(threads))


def _child(var: Path, name: str, work: Callable[[], None], threads: str) -> Child:
    log = var / "log" / f"{name}.log"
    keep_log_small(log)
    return Fork(name, [], log, {"OMP_NUM_THREADS": threads}, work=work)


if __name__ == "__main__":
    main()
