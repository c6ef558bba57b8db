"""The program as the web server's workers load it."""

import multiprocessing
import os
import signal
import threading
import time

from config.wsgi import application

__all__ = ["application"]

GRACE = 4.0  # seconds for requests in hand


def end_with_parent() -> None:
    """End this worker when the process that started it is gone: nobody else would, and it holds the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)  # a worker that was just starting misses the signal


threading.Thread(target=end_with_parent, name="parent", daemon=True).start()
