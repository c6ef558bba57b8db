"""Outlive a database that goes away for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")

PAUSE = 1.0  # seconds


def insist(action: Callable[[], T], seconds: float = 120.0) -> T:
    """Repeat an action that is safe to repeat until the database answers; give up after `seconds`.

    Must not be called within a transaction, whose earlier statements would be lost.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(PAUSE)
