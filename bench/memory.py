"""Measure the memory of the whole stack of `make run`: idle after its start, and idle again after use.

python -m bench.memory --json FILE

Proportional set size (Pss of /proc/PID/smaps_rollup), summed over every process of a stack of its own with
the demo loaded. In between people sign in and judge, a conversation is answered, and a round is sampled and
learnt from, so that every worker had its heavy work. Linux only.
"""

import argparse
import http.cookiejar
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.report import Figure, main

PEER = 826  # MB; Label Studio 1.23 with PostgreSQL, idle
GOAL = 500  # MB
SETTLING = 60.0  # seconds of idleness before a look
UNLOADING = 360.0  # seconds after which the last talk's policies are gone for certain
PAGES = [
    "/",
    "/campaigns/",
    "/campaigns/demo/",
    "/campaigns/tour/",
    "/models/",
    "/snapshots/",
    "/api/v1/schema/",
]
QUICK = {  # a run that loads what every run loads, and learns little
    "reward": {"epochs": 1},
    "policy": {"best_of_prompts": 32, "best_of_samples": 4, "evaluation_prompts": 16},
}


@contextmanager
def stack(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run the whole stack in a folder; yield its supervisor and its address once it serves."""
    folder.chmod(0o755)  # root's PostgreSQL runs as another user
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ.update(TOUCHSTONE_VAR=str(folder), PORT=str(port), DJANGO_SETTINGS_MODULE="config.settings")
    command = [sys.executable, "-m", "config.stack"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        if str(port) not in said:
            raise RuntimeError(said + process.stdout.read())
        print(said.strip())
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


def parts(supervisor: psutil.Process) -> dict[str, float]:
    """Return the MB of each part of a stack: its processes' proportional set sizes."""
    sizes: defaultdict[str, float] = defaultdict(float)
    for process in [supervisor, *supervisor.children(recursive=True)]:
        with suppress(psutil.Error, OSError):
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
            sizes[_part(process, supervisor)] += int(pss.split()[1]) / 1000 * 1.024
    return dict(sizes)


def torch_mapped(supervisor: psutil.Process) -> int:
    """Count the processes of a stack that have torch in memory."""
    count = 0
    for process in supervisor.children(recursive=True):
        with suppress(psutil.Error, OSError):
            count += "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()
    return count


def use(address: str) -> None:
    """Let people look around and judge, a conversation be answered, and one round be learnt from."""
    browse(address, "manager", PAGES)
    talk()
    from labeling.models import Campaign

    Campaign.objects.filter(slug="demo").update(hyper=QUICK)
    command = [sys.executable, "manage.py", "rehearse", "--rounds", "1", "--judgments", "60"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    browse(address, "rater", ["/", "/rate/demo/", "/rate/tour/"])


def browse(address: str, username: str, pages: list[str]) -> None:
    """Sign one of the demo's people in, and read pages several times so that every web process has."""
    from labeling.demo import PASSWORD

    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    opener.open(f"{address}/login/").read()
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    form = {"username": username, "password": PASSWORD, "csrfmiddlewaretoken": token or ""}
    opener.open(f"{address}/login/", urllib.parse.urlencode(form).encode()).read()
    for page in pages * 10:
        opener.open(address + page).read()


def talk() -> None:
    """Have the chat worker answer one message in a conversation of the tour."""
    from accounts.models import User
    from labeling import assignment, chats
    from labeling.models import Campaign, Task, Turn

    rater = User.objects.get(username="rater")
    campaign = Campaign.objects.get(slug="tour")
    campaign.memberships.filter(user=rater).update(qualified_at="2026-01-01T00:00Z")
    task = Task.objects.filter(campaign=campaign, kind=Task.Kind.CHAT)[0]
    assignment.reserve(task, rater, User.objects.get(username="manager"))
    slot = assignment.claim(rater, campaign)
    assert slot is not None
    assert slot.lease is not None
    turn = chats.say(rater, slot.lease, number=1, message="How do I thank a neighbour?")
    wait_for(lambda: Turn.objects.get(pk=turn.pk).status != Turn.Status.SAMPLING)


def wait_for(check: Callable[[], object], seconds: float = 300.0) -> None:
    """Wait until it is so; RuntimeError when it does not come about."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError("It did not come about.")
        time.sleep(1)


def look(supervisor: psutil.Process, when: str) -> list[Figure]:
    """Print the parts, and return what they come to."""
    sizes = parts(supervisor)
    print(json.dumps({"when": when, "MB": {name: round(size, 1) for name, size in sorted(sizes.items())}}))
    total, mapped = sum(sizes.values()), torch_mapped(supervisor)
    return [
        Figure(f"whole stack, idle {when}", total, "MB (PSS)", f"< {GOAL} (peer: {PEER})", total < GOAL),
        Figure(f"processes with torch, idle {when}", mapped, "", "0", mapped == 0),
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure a stack of its own in a new folder."""
    with (
        tempfile.TemporaryDirectory(prefix="touchstone-") as name,
        stack(Path(name)) as (supervisor, address),
    ):
        import django

        django.setup()
        from labeling.models import Round

        began = time.monotonic()
        wait_for(lambda: Round.objects.filter(campaign__slug="demo", status=Round.Status.OPEN).exists())
        print(f"the first round is open after {time.monotonic() - began:.0f} s")
        time.sleep(SETTLING)
        first = look(supervisor, "after the start")
        if options.start_only:
            return first
        use(address)
        time.sleep(max(SETTLING, UNLOADING))
        return [*first, *look(supervisor, "after use")]


def _part(process: psutil.Process, supervisor: psutil.Process) -> str:
    """Name the part of the stack that a process belongs to."""
    if process.pid == supervisor.pid:
        return "supervisor"
    line = " ".join(process.cmdline())
    words = {
        "redis-server": "redis",
        "config.web": "web",
        "config.workers": "workers",
        "postgres": "postgres",
    }
    return next((part for word, part in words.items() if word in process.name() + line), "other")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start-only", action="store_true", help="leave out the use, which takes minutes")
    main(measure, parser)
