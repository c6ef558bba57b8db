"""One keep-alive connection to a web server: as little HTTP as a rater's browser needs, and cheap."""

import asyncio
import re
from typing import NamedTuple

LENGTH = re.compile(rb"content-length: *(\d+)")


class Answer(NamedTuple):
    """A status and a body, as they came."""

    status: int
    body: bytes


class Wire(asyncio.Protocol):
    """A connection that carries one request at a time, and is opened anew when the server has closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._arrived = bytearray()
        self._end = self._head = 0  # where the answer ends, once its head is there, and where its body begins
        self.resent = 0  # requests that met the end of an idle connection

    async def ask(self, request: bytes, seconds: float) -> Answer:
        """Send a request and return its answer.

        Raises OSError when the connection fails or no answer comes in time. Like a browser, sends again at
        once where the server closed an idle connection just then.
        """
        loop = asyncio.get_running_loop()
        while True:
            reused = self._transport is not None
            if self._transport is None:
                await loop.create_connection(lambda: self, self._host, self._port)
            assert self._transport is not None
            self._arrived.clear()
            self._end = 0
            self._answer = loop.create_future()
            alarm = loop.call_later(seconds, self._give_up)
            self._transport.write(request)
            try:
                return await self._answer
            except ConnectionError:
                if not reused or self._arrived:
                    raise
                self.resent += 1
            finally:
                alarm.cancel()
                self._answer = None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        self._arrived += data
        if not self._end:
            blank = self._arrived.find(b"\r\n\r\n")
            if blank < 0:
                return
            length = LENGTH.search(bytes(self._arrived[:blank]).lower())
            if length is None:
                self._fail(ConnectionError("The answer does not say how long it is."))
                return
            self._head = blank + 4
            self._end = self._head + int(length[1])
        if len(self._arrived) >= self._end and self._answer is not None and not self._answer.done():
            body = bytes(self._arrived[self._head : self._end])
            self._answer.set_result(Answer(int(self._arrived[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end, and tell who waits."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("The server hung up."))

    def _give_up(self) -> None:
        self._fail(TimeoutError("No answer came in time."))

    def _fail(self, error: OSError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.close()
