"""One rater at work, speaking as the rating page's script speaks for them."""

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from bench.queue.ledger import Ledger, Saved
from bench.queue.wire import Answer, Wire

if TYPE_CHECKING:
    from bench.queue.crowd import Crowd

LEASE = re.compile(rb'data-lease="([0-9a-f-]{36})"')
KEY = re.compile(rb'name="idempotency_key" value="([0-9a-f-]{36})"')
KIND = re.compile(rb'data-kind="(\w+)"')
VERDICT = re.compile(rb'name="verdict" value="(-?\d)"')
GUIDELINE = re.compile(rb'name="guideline" value="(\d*)"')
AHEAD = b'<template class="ahead">'

ASK_SECONDS = 30.0
LONGEST_PAUSE = 60.0  # before the next attempt to send, as the page's

Think = Callable[[random.Random], float]


class Rater(NamedTuple):
    """Somebody who is signed in."""

    username: str
    session_key: str
    csrf: str


@dataclass(frozen=True)
class Mix:
    """How often, of all tasks, raters do what is out of the ordinary.

    double: send the same answer twice, half of the time at once over a second connection. abandon: never
    send, as with a tab left open. late: send `late_after` seconds later, in between other tasks. undo: take
    back the last answer first, and answer it anew.
    """

    skip: float = 0.0
    double: float = 0.0
    abandon: float = 0.0
    late: float = 0.0
    undo: float = 0.0
    late_after: float = 61.0


class Held(NamedTuple):
    """A task as the page holds it."""

    lease: str
    key: str
    kind: str


class Desk:
    """One rater at work."""

    def __init__(self, crowd: "Crowd", rater: Rater, chance: random.Random) -> None:
        self._crowd, self._rater, self._chance = crowd, rater, chance
        parts = urlsplit(crowd.address)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self._wires = Wire(host, port), Wire(host, port)
        self._path = f"/rate/{crowd.slug}/"
        self._headers = (
            f"Host: {parts.netloc}\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
            "Accept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\n"
            f"Referer: {crowd.address}{self._path}\r\nOrigin: {crowd.address}\r\n"
            f"Cookie: csrftoken={rater.csrf}; sessionid={rater.session_key}\r\n"
            "Sec-Fetch-Site: same-origin\r\n"
        )
        self._post_headers = (
            f"{self._headers}X-CSRFToken: {rater.csrf}\r\n"
            "Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\nX-Fragment: 1\r\nX-Holding: "
        )
        self._hand: list[Held] = []  # before the rater, and ahead
        self._left: list[str] = []  # leases of abandoned tasks
        self._late: list[tuple[float, Held, int]] = []  # from when on it is sent, the task, the verdict
        self._was_late = False  # a late answer can take the place of the same task, claimed anew
        self._verdicts = [-1, 1]
        self._guideline = ""

    @property
    def _ledger(self) -> Ledger:
        return self._crowd.ledger  # which begins anew after a warm-up

    async def work(self) -> None:
        """Open the page and work until the end."""
        crowd = self._crowd
        if crowd.think is not None:
            await self._pause(self._chance.uniform(0, 2 * crowd.think(self._chance)))
        answer = await self._ask("open", self._request("GET", self._path))
        if answer is not None and answer.status == 200:
            self._verdicts = [int(v) for v in VERDICT.findall(answer.body)] or self._verdicts
            number = GUIDELINE.search(answer.body)
            self._guideline = number[1].decode() if number else ""
        self._take(answer, "open")
        told = 0
        while not self._stopped():
            if self._late and self._late[0][0] <= time.monotonic():
                await self._send_late()
            elif self._hand:
                told = 0
                await self._next_task()
            elif told == crowd.patience and not self._late:
                break
            else:
                told += 1
                await self._pause(crowd.again)
                await self._fetch()
        for wire in self._wires:
            self._ledger.resent += wire.resent
            wire.close()

    async def _next_task(self) -> None:
        crowd, mix = self._crowd, self._crowd.mix
        if crowd.think is not None:
            await self._pause(crowd.think(self._chance))
            if self._stopped():
                return
        drawn = self._chance.random()
        if drawn < mix.undo:
            await self._undo()
            return
        task = self._hand.pop(0)
        verdict = self._chance.choice(self._verdicts)
        drawn -= mix.undo
        if drawn < mix.skip or task.kind != "compare":
            await self._skip(task)
        elif drawn < mix.skip + mix.abandon:
            self._leave(task)
        elif drawn < mix.skip + mix.abandon + mix.late:
            self._leave(task)
            self._late.append((time.monotonic() + mix.late_after, task, verdict))
        elif drawn < mix.skip + mix.abandon + mix.late + mix.double:
            await self._send(task, verdict, twice=True)
        else:
            await self._send(task, verdict)
        if not self._hand and not self._stopped():
            await self._fetch()

    # -- what a rater does -------------------------------------------------------------------------------

    async def _send(self, task: Held, verdict: int, *, late: bool = False, twice: bool = False) -> None:
        request = self._request("POST", f"{self._path}judge/", self._body(task, verdict))
        told = partial(self._told, task, verdict, late)
        if not twice:
            told(await self._ask("judge", request))
        elif self._chance.random() < 0.5:
            for answer in await asyncio.gather(
                self._ask("judge", request), self._ask("judge", request, wire=1)
            ):
                told(answer)
        else:
            told(await self._ask("judge", request))
            told(await self._ask("judge", request))

    def _told(self, task: Held, verdict: int, late: bool, answer: Answer | None) -> None:
        said = Saved(self._rater.username, task.lease, task.key, verdict, answer.status if answer else 0)
        if answer is None:
            self._ledger.untold.append(said)
        elif answer.status == 200:
            self._ledger.saved.append(said)
            self._take(answer, "judge")
        elif (late or self._was_late) and answer.status in {400, 409}:
            self._ledger.refused.append(said)
        else:
            self._blame("judge", answer)

    def _leave(self, task: Held) -> None:
        self._left.append(task.lease)
        self._ledger.left.append((self._rater.username, task.lease))

    async def _send_late(self) -> None:
        _due, task, verdict = self._late.pop(0)
        self._left.remove(task.lease)
        self._was_late = True
        await self._send(task, verdict, late=True)

    async def _skip(self, task: Held) -> None:
        body = f"lease={task.lease}&kind=skip&reason="
        answer = await self._ask("skip", self._request("POST", f"{self._path}skip/", body))
        if answer is not None and answer.status == 200:
            self._ledger.skipped.append((self._rater.username, task.lease))
        self._take(answer, "skip")

    async def _undo(self) -> None:
        # not repeated: the second would take back another one
        answer = await self._ask("undo", self._request("POST", f"{self._path}undo/", "", hold=False), tries=1)
        if answer is not None and answer.status == 200:
            self._ledger.undone += 1
            self._hand.clear()  # the page shows what was taken back, and gets the rest anew
            self._take(answer, "undo")
        elif answer is not None and answer.status != 400:
            self._blame("undo", answer)

    async def _fetch(self) -> None:
        request = self._request("GET", self._path, fragment=True)
        self._take(await self._ask("next", request), "next")

    # -- the page's script -------------------------------------------------------------------------------

    def _take(self, answer: Answer | None, kind: str) -> None:
        """Put the tasks of an answer into the hand, those ahead behind; an abandoned one stays lying."""
        if answer is None:
            return
        if answer.status != 200:
            self._blame(kind, answer)
            return
        here = {*self._left, *(task.lease for task in self._hand)}
        for part in answer.body.split(AHEAD):
            lease, key, name = LEASE.search(part), KEY.search(part), KIND.search(part)
            if lease and name and lease[1].decode() not in here:
                del self._hand[1:]  # the page has one place for what is ahead; the rest comes again
                self._hand.append(Held(lease[1].decode(), key[1].decode() if key else "", name[1].decode()))

    def _body(self, task: Held, verdict: int) -> str:
        return (
            f"lease={task.lease}&idempotency_key={task.key}&guideline={self._guideline}&active_ms=5120"
            f"&attention-prompt=1320&attention-0=1900&attention-1=1900&display_rate=&verdict={verdict}&comment="
        )

    def _request(
        self, method: str, path: str, body: str = "", *, hold: bool = True, fragment: bool = False
    ) -> bytes:
        held = ",".join([*(task.lease for task in self._hand), *self._left]) if hold else ""
        if method == "POST":
            length = len(body.encode())
            headers = f"{self._post_headers}{held}\r\nContent-Length: {length}\r\n"
            text = f"POST {path} HTTP/1.1\r\n{headers}\r\n{body}"
        else:
            asked = f"X-Fragment: 1\r\nX-Holding: {held}\r\n" if fragment else ""
            text = f"GET {path} HTTP/1.1\r\n{self._headers}{asked}\r\n"
        return text.encode()

    async def _ask(self, kind: str, request: bytes, wire: int = 0, tries: int = 0) -> Answer | None:
        """Send until there is an answer for good; None when the run, or the number of tries, ends before."""
        pause = self._crowd.retry
        while True:
            began = time.perf_counter()
            try:
                answer = await self._wires[wire].ask(request, ASK_SECONDS)
            except OSError as error:
                cause = type(error).__name__
            else:
                self._ledger.latencies[kind].append(time.perf_counter() - began)
                self._ledger.statuses[kind, answer.status] += 1
                if answer.status < 500 and answer.status not in {408, 429}:
                    return answer
                cause = str(answer.status)
            self._ledger.retries[cause] += 1
            if tries == 1 or self._stopped():
                return None
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _blame(self, kind: str, answer: Answer) -> None:
        words = re.sub(rb"\s+|<[^>]*>", b" ", answer.body[-2000:]).decode(errors="replace")
        self._ledger.errors.append(f"{kind}: {answer.status} {' '.join(words.split())[:300]}")

    def _stopped(self) -> bool:
        assert self._crowd.stopping is not None
        return self._crowd.stopping.is_set()

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than the run."""
        assert self._crowd.stopping is not None
        try:
            await asyncio.wait_for(self._crowd.stopping.wait(), seconds)
        except TimeoutError:
            return
