"""The embedded PostgreSQL and Redis, for real and in folders of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from config import local_services
from config.embedded_postgres import ROOTS_FOLDER
from config.embedded_server import ServiceError
from config.local_services import LocalServices

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as another user")


@contextmanager
def started(var: Path, postgres: bool = True, redis: bool = True) -> Iterator[LocalServices]:
    services = LocalServices(var, postgres, redis)
    try:
        services.start()
        yield services
    finally:
        services.release()


def query(var: Path, statement: str) -> list:
    with psycopg.connect(local_services.database_url(var)) as client:
        cursor = client.execute(statement)
        return cursor.fetchall() if cursor.description else []


def postmaster(var: Path) -> psutil.Process:
    return psutil.Process(int((var / "postgres" / "data" / "postmaster.pid").read_text().split()[0]))


def test_the_tests_have_services_of_their_own(db):
    assert "tests" in {settings.VAR_DIR.name, settings.VAR_DIR.parent.name}
    with connection.cursor() as cursor:
        cursor.execute("SHOW listen_addresses")
        assert cursor.fetchone() == ("",)
    cache.set("said", "hello")
    assert cache.get("said") == "hello"


def test_they_keep_their_data_and_end_with_their_last_user(var):
    with started(var):
        query(var, "CREATE TABLE kept (word text)")
        query(var, "INSERT INTO kept VALUES ('judgment')")
        with redis.from_url(local_services.redis_url(var)) as client:
            client.rpush("queue", "task")
        other = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from config import local_services as s; s.ensure(); print(1, flush=True); input()",
            ],
            env={**os.environ, "TOUCHSTONE_VAR": str(var)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        server = postmaster(var)
    assert server.is_running(), "the other process still uses it"
    assert query(var, "SELECT word FROM kept") == [("judgment",)]
    other.communicate(b"\n", timeout=30)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE  # we started it
    with started(var):
        assert query(var, "SELECT word FROM kept") == [("judgment",)]
        with redis.from_url(local_services.redis_url(var)) as client:
            assert client.lrange("queue", 0, -1) == [b"task"]


def test_killed_servers_come_back_with_everything_committed(var):
    with started(var) as services:
        query(var, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
        with redis.from_url(local_services.redis_url(var)) as client:
            client.set("key", "value")
            broker = psutil.Process(client.info("server")["process_id"])
            time.sleep(1.1)  # Redis writes its log out every second
        server = postmaster(var)
        server.send_signal(signal.SIGKILL)
        broker.send_signal(signal.SIGKILL)
        time.sleep(0.5)
        assert services.revive() == ["PostgreSQL", "Redis"]
        assert query(var, "SELECT count(*) FROM kept") == [(1000,)]
        with redis.from_url(local_services.redis_url(var)) as client:
            assert client.get("key") == b"value"
        assert services.revive() == []


def test_an_interrupted_first_start_is_begun_anew(var):
    services = LocalServices(var, True, False)
    services.start()
    services.release()
    half = var / "postgres" / "data.new"
    (var / "postgres" / "data").rename(half)  # as initdb leaves it when it is killed
    (half / "PG_VERSION").unlink()
    with started(var, redis=False):
        assert query(var, "SELECT current_database()") == [("touchstone",)]
    assert not half.exists()


def test_a_data_folder_without_its_version_is_named_and_left_alone(var):
    with started(var, redis=False):
        pass
    (var / "postgres" / "data" / "PG_VERSION").unlink()
    with pytest.raises(ServiceError, match="is not a whole database"):
        LocalServices(var, True, False).start()
    assert (var / "postgres" / "data" / "base").exists()


def test_data_of_another_version_is_named(var):
    with started(var, redis=False):
        pass
    (var / "postgres" / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ServiceError, match="written by PostgreSQL 12"):
        LocalServices(var, True, False).start()


def test_a_lock_whose_number_another_process_has_is_seen_through(var):
    with started(var, redis=False):
        lock = (var / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    lock[0] = str(os.getpid())
    (var / "postgres" / "data" / "postmaster.pid").write_text("\n".join(lock) + "\n")
    with started(var, redis=False):
        assert query(var, "SELECT 1") == [(1,)]


def test_a_full_disk_is_named(var, monkeypatch):
    monkeypatch.setattr(local_services, "SPACE_NEEDED", 2**62)
    with pytest.raises(ServiceError, match="nearly full"):
        LocalServices(var, True, True).start()
    assert list(var.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(var):
    (var / "file").write_text("")
    with pytest.raises(ServiceError, match="Nothing can be written to"):
        LocalServices(var / "file" / "var", True, True).start()


def test_a_path_too_long_for_a_socket_gets_a_short_one(var):
    deep = var / ("a" * 60) / ("b" * 60)
    assert str(local_services.socket_dir(deep)).startswith("/tmp/touchstone-")
    with started(deep):
        assert query(deep, "SELECT 1") == [(1,)]


@as_root
def test_root_in_a_closed_folder_opens_nothing(var):
    closed = var / "closed"
    closed.mkdir(mode=0o700)
    services = LocalServices(closed / "var", True, True)
    try:
        services.start()
        home = (closed / "var" / "postgres").resolve()
        assert home.is_relative_to(ROOTS_FOLDER)
        assert postmaster(closed / "var").username() == "nobody"
        assert query(closed / "var", "SELECT 1") == [(1,)]
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        services.release()
    subprocess.run(["rm", "-r", str(home)], check=True)


def test_the_secret_is_made_once_and_for_its_owner_only(var):
    secret = local_services.secret_key(var)
    assert len(secret) > 50
    assert local_services.secret_key(var) == secret
    assert (var / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in var.iterdir()] == ["secret_key"]


def test_celery_gets_the_broker_as_it_spells_it():
    assert local_services.broker_url("redis://host:6379/1") == "redis://host:6379/1"
    assert (
        local_services.broker_url("unix:///v/redis.sock?db=0")
        == "redis+socket:///v/redis.sock?virtual_host=0"
    )
