"""Many raters at once, over real HTTP with real sessions, as the rating page's script would speak for them.

Each holds the task before them and the one ahead, names both in `X-Holding`, sends one request after the
other, and sends an answer again with the same key until the server has said yes or no. What they were told
stands in a ledger, to be held against the database. One thread and one event loop for all, because the crowd
shares its cores with what it measures.
"""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from bench.queue.desk import Desk, Mix, Rater, Think
from bench.queue.ledger import Ledger

__all__ = ["Crowd", "Mix", "Rater", "constant", "exponential", "sign_in"]

LOOK_SECONDS = 0.5  # between looks at whether a run shall end


def constant(seconds: float) -> Think:
    """Think equally long about every task."""
    return lambda chance: seconds


def exponential(mean: float) -> Think:
    """Think this long on average, mostly less, sometimes much longer."""
    return lambda chance: chance.expovariate(1 / mean)


def sign_in(users: Sequence[Any]) -> list[Rater]:
    """Give users a session each, without their passwords."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils.crypto import get_random_string

    engine = import_module(settings.SESSION_ENGINE)
    raters = []
    for user in users:
        session = engine.SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        raters.append(Rater(user.get_username(), session.session_key, get_random_string(32)))
    return raters


class Crowd:
    """Raters at work on one campaign; `mix` may be changed while they work."""

    def __init__(
        self,
        address: str,
        raters: Sequence[Rater],
        slug: str,
        think: Think | None = None,
        mix: Mix | None = None,
        *,
        retry: float = 2.0,
        again: float = 6.0,
        patience: int | None = 2,
        seed: int = 0,
    ) -> None:
        """Gather a crowd.

        `retry` is the first pause before sending again, doubled each time; who is told that there is nothing
        asks `again` seconds later, and goes home after `patience` times in a row (None: never).
        """
        self.address, self.slug, self.think, self.mix = address, slug, think, mix or Mix()
        self.retry, self.again, self.patience = retry, again, patience
        self.ledger = Ledger()
        self.stopping: asyncio.Event | None = None
        self._raters, self._seed = raters, seed
        self._began = self._spent = 0.0  # when the ledger begins, and the processor seconds until then

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> Ledger:
        """Let everybody work for so long, or until nobody has anything left to do, and return the ledger.

        `until` is called twice a second from the caller's thread; the run ends when it returns true. Who
        waits for an answer still gets it.
        """
        failures: list[BaseException] = []
        self._begin()
        self._spent = 0.0
        thread = threading.Thread(target=self._run, args=(failures,), name="crowd")
        began = time.monotonic()
        thread.start()
        try:
            thread.join(LOOK_SECONDS if until else seconds)
            while thread.is_alive() and time.monotonic() - began < seconds:
                if until is None or until():
                    break
                thread.join(LOOK_SECONDS)
        finally:
            self._stop()
            thread.join()
        self.ledger.seconds = time.monotonic() - self._began
        if failures:
            raise failures[0]
        return self.ledger

    def warmed_up(self) -> None:
        """Begin the ledger anew, from within `until`, while everybody works on."""
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self.ledger, self._began, self._spent = Ledger(), time.monotonic(), time.thread_time()

    def _run(self, failures: list[BaseException]) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:  # it belongs to whoever called run()
            failures.append(error)
        self.ledger.cpu_seconds = time.thread_time() - self._spent

    async def _work(self) -> None:
        self._loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
        desks = [Desk(self, rater, random.Random(f"{self._seed} {rater.username}")) for rater in self._raters]
        await asyncio.gather(*(desk.work() for desk in desks))

    def _stop(self) -> None:
        if self.stopping is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.stopping.set)
