"""One rater's requests byte by byte, so that a connection can be cut in the middle of one."""

import http.client
import re
import select
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import uuid4

from bench.queue.desk import Rater


@dataclass
class Answer:
    """A judgment as it is sent, as often as need be under the same key."""

    rater: str
    lease: str
    verdict: int
    key: str = field(default_factory=lambda: str(uuid4()))

    @property
    def body(self) -> bytes:
        fields = {"lease": self.lease, "idempotency_key": self.key, "verdict": self.verdict, "guideline": 1}
        return urlencode(fields).encode()


class Cable:
    """A rater's page without a browser."""

    def __init__(self, port: int, slug: str, rater: Rater) -> None:
        self.rater = rater.username
        self._port = port
        self._path = f"/rate/{slug}/"
        self._cookie = f"sessionid={rater.session_key}; csrftoken={rater.csrf}"
        self._csrf = rater.csrf

    def held(self) -> list[str]:
        """Open the page and return the leases on it: of the task shown, and of the one ahead."""
        status, page = self._ask("GET", self._path, b"", {})
        assert status == 200, page
        return list(dict.fromkeys(re.findall(r'data-lease="([^"]+)"', page)))

    def send(self, answer: Answer) -> tuple[int, str]:
        """Send an answer as the page's script does; return the status and what came back."""
        return self._ask("POST", f"{self._path}judge/", answer.body, self._headers(answer))

    def beat(self, lease: str) -> int:
        """Say that the rater still works, and return the status."""
        return self._press("heartbeat", urlencode({"lease": lease}).encode())

    def undo(self) -> int:
        """Take back what the rater sent last, and return the status."""
        return self._press("undo")

    def send_cut(self, answer: Answer, share: float = 1.0) -> None:
        """Send this share of a request's body and cut the connection without reading an answer.

        Of a whole request the answer is on its way by then: what the server hadn't read yet would be lost.
        """
        head = f"POST {self._path}judge/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        for name, value in self._headers(answer).items():
            head += f"{name}: {value}\r\n"
        sent = answer.body[: round(share * len(answer.body))]
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as line:
            # lets close() reset the connection, as a cable does, where it would say goodbye
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(f"{head}\r\n".encode() + sent)
            if share < 1:
                line.settimeout(0.2)
                with suppress(TimeoutError):
                    assert not line.recv(1), "the server answered half a request"
            else:
                select.select([line], [], [], 30)

    def _press(self, button: str, body: bytes = b"") -> int:
        headers = {"X-CSRFToken": self._csrf, "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", f"{self._path}{button}/", body, {**headers, "X-Fragment": "1"})[0]

    def _headers(self, answer: Answer) -> dict[str, str]:
        return {
            "Cookie": self._cookie,
            "X-CSRFToken": self._csrf,
            "X-Fragment": "1",
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(answer.body)),
        }

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, body, {"Cookie": self._cookie, **headers})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()
