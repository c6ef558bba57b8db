"""Run a trainer of policies as a process of its own, and say what it cost."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

ENGINE, PEER, SAMPLER = "training.engine", "bench.policy.peer", "bench.policy.sampler"
PULSE = 0.1  # seconds between looks at a run's progress
BEGINNING = "dpo reference"  # belongs to the training, though no step of it


@dataclass(frozen=True)
class Cost:
    """Hold a training's pace, from its first to its last step, its peak memory and the loss of each step."""

    per_second: float
    per_cpu_second: float
    peak_mb: float
    losses: tuple[float, ...]


def run(program: str, folder: Path, examples: int, threads: int, exact: bool = False) -> Cost:
    """Run a trainer on a run directory, whose steps go through so many examples; in float32, if `exact`.

    Raises RuntimeError with the program's last words when it fails.
    """
    stage = json.loads((folder / "config.json").read_text())["stages"][0]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, str(folder)],
            stdout=log,
            stderr=log,
            env=variables(threads, exact),
        )
    seen: list[tuple[float, float, float]] = []
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, folder, stage, seen, ended))
    watcher.start()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{program} failed:\n{(folder / 'log.txt').read_text()[-2000:]}")
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    losses = tuple(row["value"] for row in rows if row["name"] == f"{stage}/loss")
    first, last = seen[0], seen[-1]
    done = (last[2] - first[2]) * examples
    return Cost(
        done / (last[0] - first[0]), done / (last[1] - first[1]), used.ru_maxrss / 1000 * 1.024, losses
    )


def variables(threads: int, exact: bool = False) -> dict[str, str]:
    """Return the environment of a program on so many threads; `exact`: that computes in float32."""
    return {
        **os.environ,
        **({"ACCELERATE_MIXED_PRECISION": "no"} if exact else {}),
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _watch(
    pid: int, folder: Path, stage: str, seen: list[tuple[float, float, float]], ended: threading.Event
) -> None:
    """Note (seconds, processor seconds, share of the steps done) whenever the program has got on."""
    process = psutil.Process(pid)
    while not ended.wait(PULSE):
        try:
            now = json.loads((folder / "progress.json").read_text())
            used = process.cpu_times()
        except (OSError, ValueError, psutil.Error):
            continue
        if now["stage"] not in (stage, BEGINNING):
            continue
        share = now["done"] / now["total"] if now["stage"] == stage else 0.0
        if not seen or share > seen[-1][2]:
            seen.append((time.monotonic(), used.user + used.system, share))
