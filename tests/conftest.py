"""Real services for the tests: PostgreSQL and Redis of their own, Celery workers and a browser on request."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

# Before Django reads its settings (so pyproject.toml must not name them to pytest-django, which would read
# them first): apart from a running installation's data, but kept between test runs.
_GIVEN = {name: os.environ.get(name) for name in ("TOUCHSTONE_VAR", "DJANGO_SETTINGS_MODULE")}
_VAR = Path(_GIVEN["TOUCHSTONE_VAR"] or Path(__file__).resolve().parent.parent / "var") / "tests"
_VAR /= os.environ.get("PYTEST_XDIST_WORKER", "")  # processes side by side have services of their own
os.environ["TOUCHSTONE_VAR"] = str(_VAR)
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ.setdefault("PGOPTIONS", "-c synchronous_commit=off")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's own event loop runs in our thread
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from config import local_services  # noqa: E402

local_services.ensure()

import django  # noqa: E402
import pytest  # noqa: E402
from django.db import OperationalError, connection  # noqa: E402
from django.utils import translation  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from psycopg.errors import DeadlockDetected  # noqa: E402

LONG_SECONDS = 300  # of a test's own limit


def pytest_configure(config: pytest.Config) -> None:
    """Set Django up now that its services run."""
    if config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        # the processes that this one starts shall find the environment as it was, and come here themselves
        for name, value in _GIVEN.items():
            os.environ.pop(name)
            os.environ.update({name: value} if value else {})
        return
    django.setup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that may take longest, on each process with another; at the end all wait for them.

    Each process begins with a share of its own of all tests (--dist=worksteal).
    """

    def limit(item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        return float(mark.args[0]) if mark else 0.0

    longest = sorted((item for item in items if limit(item) >= LONG_SECONDS), key=limit, reverse=True)
    rest = [item for item in items if limit(item) < LONG_SECONDS]
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    shares = [longest[n::processes] for n in range(processes)]
    step = len(items) / processes
    for number in reversed(range(processes)):
        at = max(0, round(number * step) - sum(map(len, shares[:number])))
        rest[at:at] = shares[number]
    items[:] = rest


@pytest.fixture
def celery_workers(transactional_db: None) -> Iterator[None]:
    """Keep one real worker per queue, without beat, on the test database for one test."""
    from config import stack
    from config.celery import app

    app.control.purge()
    database = connection.settings_dict
    query = urlencode({"host": database["HOST"], "port": database["PORT"], "password": database["PASSWORD"]})
    url = f"postgresql://{database['USER']}@/{database['NAME']}?{query}"
    with stack.workers(beat=False, environment={"DATABASE_URL": url}):
        yield
    app.control.purge()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give a headless Chromium: the system's, or else Playwright's own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a fresh browser page that shares nothing with the other tests."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture(autouse=True)
def no_language() -> None:
    """Let no test begin in the language in which the one before it spoke to somebody."""
    translation.deactivate()


@pytest.fixture(scope="session", autouse=True)
def patient_flush() -> Iterator[None]:
    """Let a flush be tried again where it and an answer that outlives its test wait for each other."""
    from django.db.backends.postgresql.operations import DatabaseOperations  # needs the settings

    flush = DatabaseOperations.execute_sql_flush

    def again(self: DatabaseOperations, sql_list: list[str]) -> None:
        for left in (2, 1, 0):
            try:
                return flush(self, sql_list)
            except OperationalError as error:
                if not left or not isinstance(error.__cause__, DeadlockDetected):
                    raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", again)
        yield
