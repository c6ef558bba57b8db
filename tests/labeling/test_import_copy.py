"""How an import's connection is used while it writes."""

import os
import socket
from pathlib import Path

import pytest
from django.db import connection

from labeling.import_copy import AHEAD, Writer, _widen


def _room(descriptor: int) -> tuple[socket.AddressFamily, int]:
    with socket.socket(fileno=os.dup(descriptor)) as line:
        return line.family, line.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def _most() -> int:
    """Return how much the system grants who asks for all that an import wants; Linux grants twice as much."""
    return 2 * min(AHEAD, int(Path("/proc/sys/net/core/wmem_max").read_text()))


@pytest.mark.django_db
def test_a_writer_sends_ahead_as_far_as_the_system_allows_it():
    with Writer():
        family, room = _room(connection.connection.fileno())
    if family != socket.AF_UNIX:
        pytest.skip("the database is reached by TCP, which widens itself")
    assert room == _most()


def test_a_connection_by_tcp_keeps_widening_itself():
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection(server.getsockname()) as line:
        before = _room(line.fileno())
        _widen(line.fileno())
        assert _room(line.fileno()) == before
        assert before[1] != _most()


def test_one_on_this_machine_widens():
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        _widen(here.fileno())
        assert _room(here.fileno()) == (socket.AF_UNIX, _most())
