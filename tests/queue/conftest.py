"""The whole program as people run it, for many raters at once."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.queue.desk import Rater
from config import local_services
from tests.config.test_stack import ROOT, environment_of, eventually, free_port, running, serves


@dataclass(frozen=True)
class Installation:
    """A running stack with durable services of its own."""

    var: Path
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        return local_services.database_url(self.var)

    @property
    def redis(self) -> str:
        return local_services.redis_url(self.var)

    @property
    def environment(self) -> dict[str, str]:
        """Return what a program gets that belongs to it."""
        return environment_of(self.var)

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database from outside, through no code of the program."""
        with psycopg.connect(self.database, connect_timeout=5, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def furnish(self, slug: str, *options: str) -> list[Rater]:
        """Make a campaign with tasks, and raters who are signed in."""
        made = subprocess.run(
            [sys.executable, "-m", "tests.queue.furnish", slug, *options],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        return [Rater(*rater) for rater in json.loads(made.stdout)]


@pytest.fixture(scope="package")
def installation() -> Iterator[Installation]:
    """Run the stack in an empty folder that every user may enter, as root's PostgreSQL must."""
    memory = Path("/dev/shm")
    var = Path(tempfile.mkdtemp(prefix="touchstone-", dir=memory if memory.exists() else "/tmp")).resolve()
    var.chmod(0o755)
    port = free_port()
    with running(var, port):
        eventually(lambda: serves(port))
        yield Installation(var, port)
    shutil.rmtree(var)
