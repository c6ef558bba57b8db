"""Run a trainer as a process of its own, and say what it cost."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from training import parquet
from training.formats import Row

ENGINE, PEER = "training.engine", "bench.reward.peer"
PULSE = 0.25  # seconds between looks at a run's progress


@dataclass(frozen=True)
class Cost:
    """Hold what a program took: its whole time, processor time, peak memory, and its pace between steps."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    pairs_per_second: float  # between the first and the last step that were seen
    pairs_per_cpu_second: float


def lower_layers(trunk: str, layers: int, folder: Path) -> str:
    """Write a sentence encoder's first layers as a checkpoint of its own; returns its folder.

    A middle layer knows more of how a text is written, the last one what it is about.
    """
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(trunk, num_hidden_layers=layers).save_pretrained(folder)
    AutoTokenizer.from_pretrained(trunk).save_pretrained(folder)
    shutil.copytree(Path(trunk) / "1_Pooling", folder / "1_Pooling")
    shutil.copy(Path(trunk) / "modules.json", folder)
    return str(folder)


def write_run(folder: Path, rows: list[Row], config: dict[str, Any]) -> Path:
    """Write a run directory of these pairs."""
    folder.mkdir(parents=True)
    parquet.write(folder / "pairs.parquet", parquet.ENGINE_PAIRS, rows)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def run(program: str, folder: Path, pairs: int, threads: int) -> Cost:
    """Run a trainer on a run directory, whose steps go through so many `pairs`.

    Raises RuntimeError with the program's last words when it fails.
    """
    variables = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "HF_HOME": str(folder / "hub"),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    began = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, str(folder)], stdout=log, stderr=log, env=variables
        )
    steps: list[tuple[float, float, float]] = []
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, folder, steps, ended))
    watcher.start()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    ended.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{program} failed:\n{(folder / 'log.txt').read_text()[-2000:]}")
    first, last = (steps[0], steps[-1]) if len(steps) > 1 else ((0.0, 0.0, 0.0), (1.0, 1.0, 0.0))
    done = (last[2] - first[2]) * pairs
    return Cost(
        seconds,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1000 * 1.024,
        done / (last[0] - first[0]),
        done / (last[1] - first[1]),
    )


def _watch(pid: int, folder: Path, steps: list[tuple[float, float, float]], ended: threading.Event) -> None:
    """Note (seconds, processor seconds, share of the steps done) whenever the program has taken steps."""
    process = psutil.Process(pid)
    while not ended.wait(PULSE):
        try:
            seen = json.loads((folder / "progress.json").read_text())
            used = process.cpu_times()
        except (OSError, ValueError, psutil.Error):
            continue
        share = seen["done"] / seen["total"]
        if seen["stage"] == "reward" and share and (not steps or share > steps[-1][2]):
            steps.append((time.monotonic(), used.user + used.system, share))
