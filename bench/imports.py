"""Measure an import of prompts with two answers each: records a second, memory, and what a cancel leaves.

python -m bench.imports --json FILE [--records N]

The import is the command `manage.py import_prompts` in a process of its own, PostgreSQL another on this
machine. The goals' peer is Label Studio 1.23 at 100,000 tasks.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.report import Figure, main
from bench.serving import installed

RECORDS = 1_000_000
GOAL_SPEED = 20_000
GOAL_MEMORY = 300


def write_records(path: Path, records: int) -> None:
    """Write so many pairs to compare, a question of a sentence and two answers of one to three each."""
    rng = random.Random(0)
    words = [json.loads(line) for line in _texts().read_text().splitlines()]
    sentences = sorted({s.strip() for text in _strings(words) for s in text.split(".") if 20 < len(s) < 120})
    with path.open("w") as out:
        for number in range(records):
            asked, *answers = rng.sample(sentences, 3)
            answers = [". ".join([first, *rng.choices(sentences, k=rng.randint(0, 2))]) for first in answers]
            row = {
                "id": f"pair-{number}",
                "prompt": f"{asked}? ({number})",
                "responses": [
                    {"text": answer + ".", "model": model}
                    for answer, model in zip(answers, ("small", "large"), strict=True)
                ],
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _texts() -> Path:
    from labeling import demo_tour

    return demo_tour.RECORDS


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in _strings(item)]


def run_import(slug: str, file: Path, cancel_after: float | None = None) -> tuple[float, float, float, int]:
    """Import a file; return seconds, its CPU-seconds, its peak of memory in MB, and its exit status."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "manage.py", "import_prompts", slug, str(file)])
    if cancel_after is not None:
        time.sleep(cancel_after)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
    memory = 0.0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        memory = max(memory, resident_peak(process.pid))
        time.sleep(0.05)
    seconds = time.monotonic() - began
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return seconds, usage.ru_utime + usage.ru_stime, memory, process.returncode


def resident_peak(pid: int) -> float:
    """Return the most memory that a process had so far, in MB; rusage counts its parent's, too."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line), 0.0)


def rows_of(slug: str) -> dict[str, int]:
    """Count what a campaign has."""
    from labeling.models import Import, Prompt, Response, Round, Slot, Task, TaskResponse

    return {
        "prompts": Prompt.objects.filter(campaign__slug=slug).count(),
        "responses": Response.objects.filter(prompt__campaign__slug=slug).count(),
        "tasks": Task.objects.filter(campaign__slug=slug).count(),
        "places": TaskResponse.objects.filter(task__campaign__slug=slug).count(),
        "slots": Slot.objects.filter(campaign__slug=slug).count(),
        "rounds": Round.objects.filter(campaign__slug=slug).count(),
        "imports": Import.objects.filter(campaign__slug=slug).count(),
    }


def measure(options: argparse.Namespace) -> list[Figure]:
    """Import into an empty installation of its own, then begin a second import and take it back."""
    with installed() as folder:
        from tests.cast import make_campaign

        file, n = folder / "pairs.jsonl", options.records
        write_records(file, n)
        kept, cancelled = make_campaign().slug, make_campaign().slug
        seconds, cpu, memory, status = run_import(kept, file)
        expected = {"prompts": n, "responses": 2 * n, "tasks": n, "places": 2 * n, "slots": n} | {
            "rounds": 1,
            "imports": 1,
        }
        if status or rows_of(kept) != expected:
            raise RuntimeError(f"the import ended with {status} and left {rows_of(kept)}")
        ending, _, _, status = run_import(cancelled, file, cancel_after=0.3 * seconds)
        left = sum(rows_of(cancelled).values())
        size = file.stat().st_size / 1e6
    return figures(n, size, seconds, cpu, memory, ending, left if status else -1)


def figures(
    n: int, size: float, seconds: float, cpu: float, memory: float, ending: float, left: int
) -> list[Figure]:
    """Hold what was measured against the goals."""
    speed = n / seconds
    goal = f">= {GOAL_SPEED:,} (peer: 2,840)"
    return [
        Figure("records", n, ""),
        Figure("size of the file", size, "MB"),
        Figure("records a second", speed, "1/s", goal, speed >= GOAL_SPEED),
        Figure("rows written a second", 7 * speed, "1/s"),
        Figure("CPU of the importing process", cpu * 1e6 / n, "µs/record"),
        Figure("peak of its memory", memory, "MB", f"< {GOAL_MEMORY} (peer: 1,880)", memory < GOAL_MEMORY),
        Figure("from Ctrl-C to its end", ending, "s"),
        Figure("rows left by a cancelled import", left, "", "0", left == 0),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    main(measure, parser)
