"""Another machine: a PostgreSQL of another version that orders texts otherwise, where a world is built anew.

python -m tests.training.another_machine WORLD ORDER, with DATABASE_URL and TOUCHSTONE_VAR, prints the digest
of the world of one seed, stored in the order of another.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from config.embedded_postgres import EmbeddedPostgres

DEBIANS = Path("/usr/lib/postgresql/15/bin")


class OtherPostgres(EmbeddedPostgres):
    """Debian's PostgreSQL 15, ordering as German phone books do; without it, our own, ordering bytes."""

    major = 15 if DEBIANS.exists() else EmbeddedPostgres.major
    ordering = (
        ("--locale=C", "--locale-provider=icu", "--icu-locale=de-u-co-phonebk")
        if DEBIANS.exists()
        else ("--no-locale",)
    )

    def _programs(self) -> Path:
        return DEBIANS if DEBIANS.exists() else super()._programs()


@contextmanager
def another_machine() -> Iterator[dict[str, str]]:
    """Start a database of one's own; yield the environment in which programs use it."""
    with tempfile.TemporaryDirectory(prefix="touchstone-other-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's PostgreSQL runs as another user
        server = OtherPostgres(folder / "postgres", folder / "sockets", folder / "postgres.log")
        server.start()
        try:
            url = f"postgresql://postgres@/touchstone?host={quote(str(server.socket_path.parent))}"
            yield {**os.environ, "DATABASE_URL": url, "TOUCHSTONE_VAR": name}
        finally:
            server.stop()


def digest_there(world: int, order: int) -> str:
    """Build a world on another machine, and return the digest of its snapshot."""
    command = [sys.executable, "-m", __name__, str(world), str(order)]
    with another_machine() as environment:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.split()[-1]


def main(world: int, order: int) -> None:
    """Make the tables without their history, count their keys from elsewhere, and build the world."""
    import django

    django.setup()
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    settings.MIGRATION_MODULES = {config.label: None for config in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)
    rng = random.Random(order)
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname, sequencename FROM pg_sequences ORDER BY 2")
        for schema, name in cursor.fetchall():
            cursor.execute("SELECT setval(%s, %s)", [f'"{schema}"."{name}"', rng.randint(1000, 90_000)])
    from tests.training.test_exactness import build, imagine

    print(build(imagine(random.Random(world)), rng))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
