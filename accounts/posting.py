"""Send a request to an address that somebody typed in, without reaching what only this machine can reach.

The name is resolved once, every address of it is checked, and the connection goes to one that was checked: a
name that resolves to another address later gains nothing. Redirects are not followed.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 10.0  # for everything, however slowly the answer drips
MOST_BYTES = 1000  # of an answer that are read
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PostError(Exception):
    """Say in a sentence why nothing could be sent, or why no answer came."""


class Answer(NamedTuple):
    """What the receiver said; only the beginning of its text."""

    status: int
    text: str


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST a body and return the answer. Raises PostError."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    address, port = resolve(host, parts.port or (443 if secure else 80))
    connection = http.client.HTTPConnection(host, port)
    watchdog = threading.Timer(WHOLE_SECONDS, _end, [connection])
    watchdog.daemon = True
    try:
        connection.sock = socket.create_connection((address, port), timeout=CONNECT_SECONDS)
        watchdog.start()
        connection.sock.settimeout(WHOLE_SECONDS)
        if secure:
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {"Host": parts.netloc, "Connection": "close", **headers})
        answer = connection.getresponse()
        text = answer.read(MOST_BYTES).decode("utf-8", "replace").replace("\0", "")
        return Answer(answer.status, text)
    except TimeoutError as error:
        raise PostError(_("No answer came within %(n)s seconds.") % {"n": int(WHOLE_SECONDS)}) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        message = _("The receiver could not be reached: %(why)s.")
        raise PostError(message % {"why": str(error)[:200] or type(error).__name__}) from error
    finally:
        watchdog.cancel()
        connection.close()


def resolve(host: str, port: int) -> tuple[str, int]:
    """Return the address to connect to. Raises PostError where any address of the name is private."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PostError(_("The name “%(host)s” can't be found.") % {"host": host}) from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        _refuse_private(address)
    return addresses[0], port


def refuse_literal(host: str) -> None:
    """Raise PostError for a private address, or a name of this machine, that is spelt out."""
    if host.lower().rstrip(".") in {"localhost"} | {"ip6-localhost"}:
        _refuse_private("127.0.0.1")
    with suppress(ValueError):
        _refuse_private(str(ipaddress.ip_address(host)))


def _refuse_private(address: str) -> None:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None) or _translated(ip) or ip
    if settings.WEBHOOK_PRIVATE or (mapped.is_global and not mapped.is_multicast):
        return
    message = _(
        "%(address)s is a private address; webhooks go to public ones, unless WEBHOOK_PRIVATE is set."
    )
    raise PostError(message % {"address": address})


def _translated(ip: Address) -> ipaddress.IPv4Address | None:
    """Return the address that a gateway to IPv4 (RFC 6052) reaches by another."""
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None


def _end(connection: http.client.HTTPConnection) -> None:
    """Break off whatever a connection waits for."""
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
