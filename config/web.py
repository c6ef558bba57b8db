"""The web server: `python -m config.web` loads the program once and forks its workers from there."""

import argparse
import multiprocessing
import os
import signal
import threading
import time

from django.core.handlers.wsgi import WSGIHandler
from granian.constants import HTTPModes, Interfaces
from granian.server import Server

from config.wsgi import application

WORKERS = 2
THREADS = 4  # of each worker
GRACE = 4  # seconds for requests in hand


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m config.web", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    multiprocessing.set_start_method("fork")
    server = Server(
        "config.wsgi:application",
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=WORKERS,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE,
    )
    server.serve(target_loader=loaded, wrap_loader=False)


def loaded() -> WSGIHandler:
    """Return the application to a worker, which got it with its parent's memory."""
    threading.Thread(target=end_with_parent, name="parent", daemon=True).start()
    return application


def end_with_parent() -> None:
    """End this worker when the process that started it is gone: nobody else would, and it holds the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)  # a worker that was just starting misses the signal


if __name__ == "__main__":
    main()
