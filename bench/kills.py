"""Kill everything in turn, with -9 and at random moments, while a rehearsal runs; it must come to the same.

python -m bench.kills --json FILE [--kills 20] [--rounds 5] [--reference FILE]

Two stacks of their own, one after the other. In the first nothing is disturbed (or its figures are read from
--reference, which --keep wrote); in the second, at seeded moments, a process of a seeded kind is killed: a
worker, beat, the web server, PostgreSQL, Redis, a run's engine, or the rehearsal itself, which is then taken
up again. With --small runs learn little.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from bench.memory import QUICK, stack, wait_for
from bench.report import Figure, main

KINDS = ("sample", "train", "default", "beat", "web", "postgres", "redis", "engine", "rehearsal")
APART = 5.0  # seconds between two kills, at least
TIMES = {"seconds"}  # the figures that may differ
Report = dict[str, Any]


class Rehearsal:
    """A rehearsal as a process, which can be taken up again after it was killed."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.file = folder / "rehearsal.json"
        self.log = (folder / "rehearsal.log").open("a")
        self.command = [sys.executable, "manage.py", "rehearse", "--json", str(self.file), "--continue"]
        self.command += ["--rounds", str(options.rounds), "--judgments", str(options.judgments)]
        self.command += ["--seed", str(options.seed)]
        self.begin()

    def begin(self) -> None:
        """Start it, or go on with it."""
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=subprocess.STDOUT)

    def over(self) -> bool:
        """Tell whether it ended by itself; RuntimeError when it failed."""
        code = self.process.poll()
        if code == -9:
            self.begin()
        elif code:
            raise RuntimeError(f"The rehearsal ended with {code}: see {self.log.name}.")
        return code == 0

    def rounds(self) -> list[Report]:
        """Return the reports so far."""
        found: list[Report] = json.loads(self.file.read_text())["rounds"] if self.file.exists() else []
        return found


def processes(supervisor: psutil.Process, rehearsal: Rehearsal, folder: Path) -> dict[str, psutil.Process]:
    """Find a stack's processes by what they do."""
    found = {"rehearsal": psutil.Process(rehearsal.process.pid)}
    for process in psutil.process_iter(["name", "cmdline"]):
        name, line = process.info["name"], " ".join(process.info["cmdline"] or [])
        if name == "postgres" and f"-D{folder}/" in line:
            found["postgres"] = process
        elif name == "redis-server" and f"{folder}/" in line:
            found["redis"] = process
    for process in supervisor.children(recursive=True):
        with suppress(psutil.Error):
            name, line = process.name(), " ".join(process.cmdline())
            worker = re.fullmatch(r"(?:worker-)?(sample|train|default|beat)", name)
            if worker:
                found.setdefault(worker[1], process)
            elif "config.web" in line:
                found.setdefault("web", process)
            elif "training.engine" in line:
                found["engine"] = process
    return found


def undisturbed(folder: Path, options: argparse.Namespace) -> tuple[list[Report], float]:
    """Rehearse and let it be; return the reports and the seconds it took."""
    with stack(folder):
        await_first_round(options.small)
        began = time.monotonic()
        rehearsal = Rehearsal(folder, options)
        while not rehearsal.over():
            time.sleep(1)
        return rehearsal.rounds(), time.monotonic() - began


def disturbed(folder: Path, options: argparse.Namespace, seconds: float) -> tuple[list[Report], Counter[str]]:
    """Rehearse while `options.kills` processes are killed within about as long as it takes."""
    rng = random.Random(options.seed)
    moments = sorted(rng.uniform(0.02, 0.95) * seconds for _ in range(options.kills))
    killed: Counter[str] = Counter()
    with stack(folder) as (supervisor, _address):
        await_first_round(options.small)
        began, last = time.monotonic(), 0.0
        rehearsal = Rehearsal(folder, options)
        while not rehearsal.over():
            time.sleep(0.2)
            now = time.monotonic() - began
            if not moments or now < max(moments[0], last + APART):
                continue
            there = processes(supervisor, rehearsal, folder)
            kind = rng.choice([kind for kind in KINDS if kind in there])
            with suppress(psutil.NoSuchProcess):
                there[kind].kill()
                moments.pop(0)
                killed[kind] += 1
                last = now
                print(f"{now:6.0f} s: killed {kind}", flush=True)
        return rehearsal.rounds(), killed


def await_first_round(small: bool) -> None:
    """Wait until the loop has begun by itself, so that a rehearsal begins at the same number every time."""
    import django

    django.setup()
    from labeling.models import Campaign, Round

    if small:
        # DPO needs no reward model that passes its gate, which so few votes are no basis for
        Campaign.objects.filter(slug="demo").update(hyper=QUICK, stages=["dpo", "best_of_n"])
    wait_for(lambda: Round.objects.filter(campaign__slug="demo").exclude(status="draft").exists())


def differences(first: list[Report], second: list[Report]) -> list[str]:
    """Name the figures in which two rehearsals differ."""
    if len(first) != len(second):
        return [f"{len(first)} and {len(second)} rounds"]
    return [
        f"round {a['round']}: {name} {a[name]} and {b[name]}"
        for a, b in zip(first, second, strict=True)
        for name in a
        if name not in TIMES and a[name] != b[name]
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Rehearse twice, and compare."""
    os.environ["PGCONNECT_TIMEOUT"] = "5"
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    folder.chmod(0o755)
    try:
        if options.reference:
            known = json.loads(options.reference.read_text())
        else:
            known = dict(
                zip(("rounds", "seconds"), _apart(undisturbed, folder / "one", options), strict=True)
            )
            if options.keep:
                options.keep.write_text(json.dumps(known, indent=1))
        rounds, killed = _apart(disturbed, folder / "two", options, known["seconds"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = differences(known["rounds"], rounds)
    print("\n".join(found) or "nothing differs")
    print(json.dumps(dict(killed)))
    checked = sum(len(report) - len(TIMES) for report in rounds)
    return [
        Figure("rounds", len(rounds), "", f"{options.rounds}", len(rounds) == options.rounds),
        Figure(
            "processes killed", killed.total(), "", f">= {options.kills}", killed.total() >= options.kills
        ),
        Figure("figures compared", checked, ""),
        Figure("figures that differ", len(found), "", "0", not found),
        Figure("last win rate", rounds[-1]["win_rate"], "share"),
    ]


def _apart(part: Any, folder: Path, options: argparse.Namespace, *more: Any) -> Any:
    """Do a part in a process of its own, whose Django knows that part's database alone."""
    import multiprocessing

    folder.mkdir()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(part, (folder, options, *more))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--judgments", type=int, default=400)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="let runs learn little, to be quick")
    parser.add_argument("--reference", type=Path, help="figures of an undisturbed rehearsal")
    parser.add_argument("--keep", type=Path, help="write the undisturbed figures there")
    main(measure, parser)
