"""The one command, as a person starts it: it heals, says what is wrong, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from config import local_services, processes, stack
from config.embedded_server import ServiceError, answers

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment_of(var: Path) -> dict[str, str]:
    """Return what a program gets that works with this folder as people's do, without the tests' shortcuts."""
    names = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PGOPTIONS")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return {**inherited, "TOUCHSTONE_VAR": str(var)}


def launch(var: Path, port: int | str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "config.stack"],
        cwd=ROOT,
        env={**environment_of(var), "PORT": str(port), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(var: Path, port: int) -> Iterator[subprocess.Popen]:
    command = launch(var, port)
    try:
        assert command.stdout is not None
        first = command.stdout.readline()
        if f"http://127.0.0.1:{port}" not in first:
            command.terminate()
            pytest.fail(first + command.stdout.read())
        yield command
    finally:
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=120)
        assert command.returncode == 0


def processes_of(var: Path) -> dict[str, psutil.Process]:
    """Find the stack's top processes by what they do; "workers" is the one that workers are forked from."""
    found = {}
    for process in processes.marked(lambda mark: mark.startswith(f"{var}:")):
        with suppress(psutil.Error):
            parent, name, line = process.parent(), process.name(), " ".join(process.cmdline())
            if parent is None:
                continue
            forked = re.fullmatch(r"worker-(\w+)|beat", name)
            if forked and processes.MARK in parent.environ() and parent.name() != name:
                found[forked.group(1) or "beat"] = process
            elif not forked and processes.MARK not in parent.environ():
                top = re.search(r"config\.(?:web|workers)", line)
                if top is not None:  # not an orphan on its way out
                    found[top.group().removeprefix("config.")] = process
    for process in psutil.process_iter(["name", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if process.info["name"] == "postgres" and f"-D{var}/" in line:
            found["postgres"] = process
        if process.info["name"] == "redis-server" and str(var) in line:
            found["redis"] = process
    return found


def serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/login/", timeout=10) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def eventually(check: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.25)


def test_it_serves_heals_and_leaves_nothing_behind(var):
    port = free_port()
    with running(var, port):
        eventually(lambda: serves(port))
        names = {"web", "workers", "default", "sample", "chat", "train", "beat", "postgres", "redis"}
        eventually(lambda: set(processes_of(var)) == names)
        before = processes_of(var)
        second = launch(var, free_port())
        assert f"It already runs with the data in {var}: process" in second.communicate(timeout=120)[0]
        for process in before.values():
            process.kill()
        eventually(
            lambda: (
                set(now := processes_of(var)) == names
                and all(now[name].pid != before[name].pid for name in names)
                and serves(port)
            ),
            120,
        )
    eventually(lambda: not processes_of(var), 5)
    assert not processes.marked(lambda mark: mark.startswith(f"{var}:"))
    assert not list(var.glob("sockets/*/*.sock"))


def test_what_a_killed_supervisor_left_is_ended_by_the_next(var):
    port = free_port()
    command = launch(var, port)
    assert command.stdout is not None
    command.stdout.readline()
    eventually(lambda: len(processes_of(var)) == 9)
    left = processes_of(var)["web"]
    command.kill()
    command.communicate()
    assert left.is_running()
    with running(var, port):
        assert serves(port)
        assert not left.is_running()


def test_a_port_in_use_is_named_before_anything_starts(var):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = launch(var, port)
        said = command.communicate(timeout=120)[0]
    assert said == f"Touchstone cannot start. Port {port} is in use by another program. " + (
        "End it, or choose another: PORT=8001 make run\n"
    )
    assert command.returncode == 1
    assert not (var / "postgres").exists()


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none_is_named(port, monkeypatch):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(ServiceError, match="PORT must be a number"):
        stack.chosen_port()


def test_servers_of_ones_own_are_checked(var):
    nowhere = launch(
        var, free_port(), DATABASE_URL="postgresql://127.0.0.1:1/x", REDIS_URL="redis://127.0.0.1:1/0"
    )
    said = nowhere.communicate(timeout=120)[0]
    assert said.startswith("Touchstone cannot start. PostgreSQL does not answer at DATABASE_URL:")
    assert "Traceback" not in said


def test_servers_that_are_too_old_are_named(monkeypatch):
    var = local_services.var_dir()
    stack.check_versions(var)
    monkeypatch.setattr(stack, "OLDEST_POSTGRES", 99)
    with pytest.raises(ServiceError, match="needs PostgreSQL 99 or newer; DATABASE_URL has 18"):
        stack.check_versions(var)
    monkeypatch.setattr(stack, "OLDEST_POSTGRES", 15)
    monkeypatch.setattr(stack, "OLDEST_REDIS", (99, 0))
    with pytest.raises(ServiceError, match=r"Redis 6\.2 or newer; REDIS_URL has"):
        stack.check_versions(var)


def test_workers_answer_come_back_and_end(celery_workers):
    from config.celery import app

    assert {name.partition("@")[0] for name in app.control.inspect().ping() or {}} == {
        "default",
        "sample",
        "chat",
        "train",
    }
    before = processes_of(local_services.var_dir())
    before["sample"].kill()
    eventually(
        lambda: processes_of(local_services.var_dir()).get("sample", before["sample"]) != before["sample"]
    )


def test_no_worker_is_left_after_the_test_that_had_them():
    assert not set(processes_of(local_services.var_dir())) - {"postgres", "redis"}
    assert answers(local_services.socket_dir(local_services.var_dir()) / "redis" / "redis.sock")


def test_the_demo_stays_out_of_a_database_of_ones_own(tmp_path):
    ours = local_services.database_url(local_services.var_dir())
    with psycopg.connect(ours, autocommit=True, dbname="postgres") as connection:
        connection.execute("DROP DATABASE IF EXISTS own")
        connection.execute("CREATE DATABASE own")
    own = ours.replace("/touchstone?", "/own?")
    prepared = subprocess.run(
        [sys.executable, "-m", "config.stack", "prepare"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": own, "TOUCHSTONE_VAR": str(local_services.var_dir())},
        capture_output=True,
        text=True,
    )
    assert "createsuperuser" in prepared.stdout, prepared.stderr
    with psycopg.connect(own) as connection:
        assert connection.execute("SELECT count(*) FROM accounts_user").fetchone() == (0,)
