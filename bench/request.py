"""CPU of the web process for one judgment, by share: the database's client, the templates, the rest.

The whole program answers as in production, but for the server in front of it: its WSGI application is called
in this process, with a session, a CSRF token and texts that nobody has seen yet.
"""

import argparse
import cProfile
import io
import os
import re
import statistics
import time
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from bench import report
from bench.serving import installed

WARM_UP = 100


class Stopwatch:
    """Adds up the CPU seconds, and the calls, of what it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0

    def around(self, call: Any, *args: Any) -> Any:
        """Call something and count what it took."""
        began = time.thread_time()
        try:
            return call(*args)
        finally:
            self.seconds += time.thread_time() - began
            self.calls += 1

    def __call__(self, execute: Any, *args: Any) -> Any:
        """Stand between Django and one statement."""
        return self.around(execute, *args)


class Rater:
    """A rating page's script, as far as the server can tell."""

    def __init__(self, application: Any, slug: str, session: str) -> None:
        self.application, self.slug = application, slug
        self.token = "a" * 32
        self.cookie = f"sessionid={session}; csrftoken={self.token}"
        body = self.call("GET", f"/rate/{slug}/", "", {})
        self.leases = list(dict.fromkeys(re.findall(r'data-lease="([^"]+)"', body)))

    def judge(self) -> None:
        """Judge the first task and take the next one in."""
        lease, *held = self.leases
        said = {
            "lease": lease,
            "idempotency_key": str(uuid4()),
            "verdict": "2",
            "active_ms": "5000",
            "attention-prompt": "1000",
            "attention-0": "2000",
            "attention-1": "2000",
            "display_rate": "0",
            "guideline": "1",
            "comment": "",
        }
        headers = {"HTTP_X_FRAGMENT": "1", "HTTP_X_HOLDING": ",".join(held), "HTTP_X_CSRFTOKEN": self.token}
        body = self.call("POST", f"/rate/{self.slug}/judge/", urlencode(said), headers)
        self.leases = [*held, *re.findall(r'data-lease="([^"]+)"', body)]

    def call(self, method: str, path: str, body: str, headers: dict[str, str]) -> str:
        """Ask the application; RuntimeError unless it says 200."""
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_COOKIE": self.cookie,
            "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.9",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body.encode()),
            "wsgi.errors": io.StringIO(),
            **headers,
        }
        said: list[str] = []
        answer = self.application(environ, lambda status, fields: said.append(status))
        text = b"".join(answer).decode()
        answer.close()
        if said != ["200 OK"]:
            raise RuntimeError(f"{path} answered {said}: {text[:500]}")
        return text


@contextmanager
def watched() -> Any:
    """Yield stopwatches of the database's client and of the templates while the block runs."""
    from django.db import connection
    from django.template.backends.django import Template

    statements, templates = Stopwatch(), Stopwatch()
    render = Template.render
    Template.render = lambda *args: templates.around(render, *args)  # type: ignore[method-assign]
    try:
        with connection.execute_wrapper(statements):
            yield statements, templates
    finally:
        Template.render = render  # type: ignore[method-assign]


def signed_in(user: Any) -> str:
    """Return the key of a new session."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def measure(options: argparse.Namespace) -> list[report.Figure]:
    """Judge one task after the other and return CPU ms a judgment."""
    os.environ["TOUCHSTONE_POOL"] = "1"
    with installed():
        from bench.rater_page import furnish
        from config.wsgi import application

        user, slug = furnish(2 * options.judgments + WARM_UP + 20, options.paragraphs)
        rater = Rater(application, slug, signed_in(user))
        for _ in range(WARM_UP):
            rater.judge()
        if options.profile:
            profile = cProfile.Profile()
            with profile:
                for _ in range(options.judgments):
                    rater.judge()
            profile.dump_stats(options.profile)
        times = []
        with watched() as (statements, templates):
            for _ in range(options.judgments):
                began = time.process_time()
                rater.judge()
                times.append(1000 * (time.process_time() - began))
    total, queries = statistics.fmean(times), statements.calls / options.judgments
    sql, shown = (1000 * watch.seconds / options.judgments for watch in (statements, templates))
    return [
        report.Figure("CPU of the web process for a judgment", total, "ms"),
        report.Figure("of it, the database's client", sql, "ms"),
        report.Figure("of it, templates", shown, "ms"),
        report.Figure("of it, everything else", total - sql - shown, "ms"),
        report.Figure("SQL statements", queries, "", "<= 8", queries <= 8),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.request", description=__doc__)
    parser.add_argument("--judgments", type=int, default=1000)
    parser.add_argument("--paragraphs", type=int, default=1, help="texts of the demo that make up an answer")
    parser.add_argument("--profile", help="also write a profile of as many judgments to this file")
    report.main(measure, parser)
