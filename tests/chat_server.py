"""A small chat-completions server as real ones are: slow at times, busy, cut off, or gone."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ChatServer(ThreadingHTTPServer):
    """Answer each question differently for each seed, plainly or in pieces.

    `trouble` names what happens to requests in turn, over and over: "" answers at once, "busy" is
    429 with Retry-After, "error" 500, "cut" ends the connection in the middle, "slow" answers a bit later,
    "refuse" is 400, "down" answers nobody with 503. `most` is how many were being answered at once.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.trouble: tuple[str, ...] = ("",)
        self.refuses = ""  # questions with this in them
        self.requests: list[dict[str, Any]] = []
        self.at_once = self.most = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Return the address to register."""
        return f"http://127.0.0.1:{self.server_port}/v1"


def answer_to(body: dict[str, Any]) -> str:
    """Return what the server says to a request: it depends on the question and the seed."""
    chance = hashlib.sha256(f"{body['messages']} {body['seed']}".encode()).hexdigest()
    return f"Answer {chance[:6]}" + " and so on" * (int(chance[6], 16) % 5) + "."


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            trouble = self.server.trouble[len(self.server.requests) % len(self.server.trouble)]
            self.server.requests.append(body)
            self.server.at_once += 1
            self.server.most = max(self.server.most, self.server.at_once)
        if self.server.refuses and self.server.refuses in str(body["messages"]):
            trouble = "refuse"
        try:
            self.answer(body, trouble)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def answer(self, body: dict[str, Any], trouble: str) -> None:
        refused = {"busy": 429, "error": 500, "refuse": 400, "down": 503}.get(trouble)
        if refused:
            self.send_response(refused)
            if trouble == "busy":
                self.send_header("Retry-After", "0")
            self.end_headers()
            return
        if trouble == "slow":
            time.sleep(0.05)
        said = answer_to(body)
        if body.get("stream"):
            pieces = [said[start : start + 8] for start in range(0, len(said), 8)]
            events = [json.dumps({"choices": [{"delta": {"content": piece}}]}) for piece in pieces]
            whole = [f"data: {event}\n\n".encode() for event in [*events, "[DONE]"]]
        else:
            whole = [json.dumps({"choices": [{"message": {"content": said}}]}).encode()]
        self.send_response(200)
        self.send_header("Content-Length", str(sum(map(len, whole))))
        self.end_headers()
        for piece in whole[: len(whole) // 2] if trouble == "cut" else whole:
            self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output quiet."""


@contextmanager
def running() -> Iterator[ChatServer]:
    """Run a server while the context lasts."""
    server = ChatServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
