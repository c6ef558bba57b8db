"""Measure how fast a snapshot is cut and downloaded, and what the server's memory grows by meanwhile.

python -m bench.datasets --json FILE [--count 1000000] [--overlap 3]

A campaign of so many judgments, filled by COPY into an installation of its own. A row is a judgment. Cutting
and preparing are each a worker's task in a process of its own, which says what it took. Then every export
is downloaded over HTTP from the production web server, whose processes' memory (PSS) is read ten times a
second; one download is cut off at half and goes on.
"""

import argparse
import hashlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench.report import Figure, main
from bench.serving import installed, web_server

GOAL = 50_000  # rows a second
MEMORY_GOAL = 100  # MB
EXPORTS = (
    ("canonical-parquet", "parquet"),
    ("canonical-jsonl", "jsonl.zst"),
    ("trl-preference", "jsonl"),
    ("trl-preference", "parquet"),
)
CHUNK = 1 << 18  # bytes
WORK = (
    "import django, json, sys, time; django.setup();"
    "from training import archives, parquet, preparations, snapshots; from training.models import Snapshot;"
    "from labeling.models import Campaign; what, *rest = sys.argv[1:];"
    # not ru_maxrss, which begins with what the parent process held
    "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]);"
    "memory, used, began = peak(), time.process_time(), time.monotonic();"
    "made = snapshots.cut(Campaign.objects.get(slug=rest[0])) if what == 'cut'"
    " else archives.make(Snapshot.objects.get(), *rest);"
    "wall, used = time.monotonic() - began, time.process_time() - used;"
    "print(json.dumps([wall, used, (peak() - memory) / 1024]))"
)


@dataclass(frozen=True)
class Work:
    """What a worker's task took: from first to last, of the processor, and of memory."""

    wall: float  # seconds
    cpu: float  # seconds, without the database's
    growth: float  # MB


def measure(options: argparse.Namespace) -> list[Figure]:
    """Fill, cut, prepare, download."""
    with installed() as folder:
        # Django is set up only now
        from bench.trust import fill

        campaign, _rater = fill(options.count, options.overlap)
        rows = options.count
        cut = work("cut", campaign.slug)
        figures = [*rate("cut", rows, cut.wall, cut), memory("cut: memory of the worker", cut.growth)]
        with web_server(folder) as address:
            for format, file in EXPORTS:
                name = f"{format}, {file}"
                prepared = work("make", format, file)
                figures += rate(f"{name}: prepared", rows, prepared.wall, prepared)
                figures += download(address, name, rows, f"format={format}&file={file}", cut, prepared)
                figures.append(memory(f"{name}: memory of the worker", prepared.growth))
        return figures


def work(what: str, *rest: str) -> Work:
    """Do a worker's task in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, what, *rest], check=True, stdout=subprocess.PIPE, text=True
    )
    return Work(*json.loads(done.stdout.splitlines()[-1]))


def download(address: str, name: str, rows: int, query: str, cut: Work, prepared: Work) -> list[Figure]:
    """Download an export whole, and again with a cut in the middle; the bytes must be the same."""
    from accounts import tokens
    from accounts.models import User
    from training.models import Snapshot

    token = tokens.issue(User.objects.get(username="mara"), "bench")
    path = f"/api/v1/snapshots/{Snapshot.objects.get().pk}/download/?{query}"
    ask(address, path, token, 0, 1)  # what the server loads for its first download isn't growth
    with watched() as grown:
        began = time.monotonic()
        whole, size = ask(address, path, token)
        wall = time.monotonic() - began
    first, _half = ask(address, path, token, 0, size // 2)
    if ask(address, path, token, size // 2, None, first)[0].digest() != whole.digest():
        raise RuntimeError(f"{path}: what was cut off is not what was whole")
    together = cut.wall + prepared.wall + wall
    return [
        Figure(f"{name}: size", size / 1e6, "MB"),
        *rate(f"{name}: downloaded", rows, wall),
        *rate(f"{name}: prepared and downloaded", rows, prepared.wall + wall),
        Figure(f"{name}: cut, prepared and downloaded", together, "s"),
        memory(f"{name}: memory of the server", max(grown) / 1e6),
    ]


def ask(
    address: str, path: str, token: str, begin: int = 0, end: int | None = None, so_far: Any = None
) -> tuple[Any, int]:
    """Get a range of a file; returns the SHA-256 of what came, after `so_far`, and how many bytes came."""
    digest, size = so_far or hashlib.sha256(), 0
    headers = {"Authorization": f"Token {token}"}
    if begin or end is not None:
        headers["Range"] = f"bytes={begin}-{'' if end is None else end - 1}"
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=600)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    if answer.status not in (200, 206):
        raise RuntimeError(f"{path} said {answer.status}")
    while chunk := answer.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    connection.close()
    return digest, size


@contextmanager
def watched() -> Iterator[list[int]]:
    """Watch what the memory (PSS, bytes) of the web server's processes grows by, ten times a second."""
    over = threading.Event()
    before = held()
    grown = [0]

    def look() -> None:
        while not over.wait(0.1):
            grown.append(held() - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield grown
    finally:
        over.set()
        thread.join()


def held() -> int:
    """Return the PSS of this process's children that serve pages, in bytes."""
    found = [p for p in psutil.Process().children() if any("granian" in w or "web" in w for w in p.cmdline())]
    servers = [each for p in found for each in (p, *p.children(recursive=True))]
    if not servers:
        raise RuntimeError("no web server is running")
    return sum(each.memory_full_info().pss for each in servers)


def rate(name: str, rows: int, wall: float, took: Work | None = None) -> list[Figure]:
    """Give a speed with its goal, and what it took of the worker's processor."""
    speed = rows / wall
    figures = [Figure(name, speed, "rows/s", f">= {GOAL}", speed >= GOAL)]
    return figures + ([Figure(f"{name}: processor of the worker", took.cpu, "s")] if took else [])


def memory(name: str, growth: float) -> Figure:
    """Give what memory grew by, with its goal."""
    return Figure(name, growth, "MB", f"< {MEMORY_GOAL}", growth < MEMORY_GOAL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.datasets", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--overlap", type=int, default=3, help="judgments of each comparison")
    main(measure, parser)
