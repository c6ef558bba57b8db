"""A reward model behind HTTP, by the contract of remote reward models that trainers speak.

`POST /get_reward {"query": [texts…]}` answers `{"rewards": […], "scores": […], "extra_logs": {…}}`, numbers
in the order of the texts (OpenRLHF's `--remote_rm_url`). `GET /health` says which model is loaded.
"""

import base64
import binascii
import hmac
import json
import logging
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from accounts import tokens
from accounts.roles import can
from models_app import queries
from models_app.queries import QueryError
from models_app.scoring import Overloaded, Scorer, ScoringError

logger = logging.getLogger(__name__)

MAX_BYTES = 32 * 1024 * 1024  # of one request
PASSED_OVER = 8 * MAX_BYTES  # of a request that is too long; what is longer finds the connection closed
AT_ONCE = 64  # requests that are read into memory at the same time
KNOWN_SECONDS = 30.0  # that a token is believed without asking the database again


class Refusal(Exception):
    """A request is answered with a status and a sentence; `field` names what is wrong."""

    def __init__(self, status: HTTPStatus, sentence: str, field: str = "detail") -> None:
        super().__init__(sentence)
        self.status = status
        self.field = field


class Doorkeeper:
    """Lets in who knows the secret, or has an API token of somebody who may see the model's campaign.

    A family of models bears its campaign's slug; with none, that is who may see all campaigns.
    """

    def __init__(self, secret: str = "", family: str = "") -> None:
        self._secret = secret
        self._family = family
        self._known: dict[str, float] = {}  # digests of tokens, until when they are believed

    def admits(self, header: str) -> bool:
        """Judge an Authorization header: Bearer or Token, or Basic with the token as its password."""
        token = _token(header)
        if not token:
            return False
        if self._secret and hmac.compare_digest(token.encode(), self._secret.encode()):
            return True
        digest, now = tokens.digest(token), time.monotonic()
        if self._known.get(digest, 0.0) > now:
            return True
        try:
            found = tokens.find(token)
        finally:
            connection.close()  # each request has a thread of its own
        if found is None or not can(found.user, "view_campaigns", self._family):
            return False
        self._known = {d: until for d, until in self._known.items() if until > now}
        self._known[digest] = now + KNOWN_SECONDS
        return True


def _token(header: str) -> str:
    scheme, _space, value = header.strip().partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return value.strip()
    if scheme.lower() == "basic":
        try:
            name, _colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password or name
    return ""


class Server(ThreadingHTTPServer):
    """Answers requests to score with one scorer; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], scorer: Scorer, doorkeeper: Doorkeeper) -> None:
        self.scorer = scorer
        self.doorkeeper = doorkeeper
        self.places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection, which may bring several requests."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 75  # seconds of silence after which a connection is closed

    def do_GET(self) -> None:
        """Say how the service is."""
        if self.path == "/health":
            scorer = self.server.scorer
            self._answer(
                HTTPStatus.OK,
                {"status": "ok", "model": scorer.model, "waiting": scorer.waiting, "trouble": scorer.trouble},
            )
        elif self.path == "/get_reward":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, {"detail": _("Send the texts with POST.")})
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"detail": _("There is nothing at this address.")})

    def do_POST(self) -> None:
        """Score texts."""
        try:
            with self.server.places:
                status, said = HTTPStatus.OK, self._score()
        except Refusal as refusal:
            status, said = refusal.status, {refusal.field: [str(refusal)]}
        except QueryError as error:
            status, said = HTTPStatus.BAD_REQUEST, {error.field: [str(error)]}
        except Overloaded as error:
            status, said = HTTPStatus.SERVICE_UNAVAILABLE, {"detail": [str(error)]}
        except ScoringError as error:
            status, said = HTTPStatus.INTERNAL_SERVER_ERROR, {"detail": [str(error)]}
        except DatabaseError:
            status, said = HTTPStatus.SERVICE_UNAVAILABLE, {"detail": [_("The database does not answer.")]}
        self._answer(status, said)

    def _score(self) -> dict[str, Any]:
        length = self._length()
        if self.path != "/get_reward":
            self._pass_over(length)
            raise Refusal(HTTPStatus.NOT_FOUND, _("There is nothing at this address."))
        if not self.server.doorkeeper.admits(self.headers.get("Authorization", "")):
            self._pass_over(length)
            raise Refusal(
                HTTPStatus.UNAUTHORIZED, _("Send a token: Authorization: Bearer …, or as the URL's password.")
            )
        if length > MAX_BYTES:
            self._pass_over(length)
            sentence = _("A request may hold %(most)s MB; send fewer texts at once.")
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence % {"most": MAX_BYTES // 1024**2}, "query"
            )
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            raise Refusal(HTTPStatus.BAD_REQUEST, _("The request ended too early."))
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            raise Refusal(HTTPStatus.BAD_REQUEST, _("This is not JSON.")) from None
        scored = self.server.scorer.score(queries.read(sent))
        return {
            "rewards": scored.rewards,
            "scores": scored.rewards,
            "extra_logs": {"tokens": scored.tokens},
            "model": scored.model,
        }

    def _length(self) -> int:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, _("Say how long the request is (Content-Length)."))
        return int(length)

    def _pass_over(self, length: int) -> None:
        """Read a body that nobody wants, in small pieces: a client that still sends would miss the answer."""
        self.close_connection = True
        left = min(length, PASSED_OVER)
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 16))):
            left -= len(piece)

    def _answer(self, status: HTTPStatus, said: dict[str, Any]) -> None:
        body = json.dumps(said, allow_nan=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="reward model"')
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write into the program's log."""
        logger.debug(format, *args)
