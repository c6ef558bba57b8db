"""The production web server on services of its own, for what is measured or photographed in a browser."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SECONDS_TO_START = 60.0


@contextmanager
def serving() -> Iterator[str]:
    """Serve an empty installation from a new folder, with compressed static files; yield its address.

    Django is set up on its database, so that the block can put things in. There are no workers.
    """
    with installed() as folder, web_server(folder) as address:
        yield address


@contextmanager
def installed() -> Iterator[Path]:
    """Install into a new folder with services of its own, set Django up on it, and yield the folder."""
    with tempfile.TemporaryDirectory(prefix="touchstone-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's PostgreSQL runs as another user
        # Playwright keeps an event loop in this thread
        os.environ.update(
            TOUCHSTONE_VAR=name,
            DJANGO_SETTINGS_MODULE="config.settings",
            DJANGO_ALLOW_ASYNC_UNSAFE="true",
        )
        from config import stack

        services = stack.embedded_services()
        services.start()
        try:
            import django
            from django.core.management import call_command
            from django.db import connections

            django.setup()
            call_command("migrate", verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            yield folder
            connections.close_all()
        finally:
            services.release()


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Run the web server as the stack runs it, on a free port."""
    from config import stack

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = stack.web(folder, "127.0.0.1", port)
    process = subprocess.Popen(child.command, env={**os.environ, **child.environment})
    address = f"http://127.0.0.1:{port}"
    try:
        await_answer(address)
        yield address
    finally:
        process.terminate()
        process.wait()


def await_answer(address: str) -> None:
    """Wait until the server answers; RuntimeError when it doesn't."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"{address}/login/", timeout=10):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{address} did not answer in {SECONDS_TO_START:.0f} s")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the system's Chromium, or else Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()
