"""One thread of training beside a busy neighbour: on two cores it should hardly notice."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import mean

from bench.report import Figure
from bench.reward import arguments, parity
from bench.reward.programs import ENGINE, Cost, run, write_run

GOAL = 0.9  # of the speed alone
PAIRS = 192, 48  # and for a quick pass
# one that computes in its caches, and one that also wants the memory and the vector units that training wants
BUSY = {
    "a loop": "n = 0\nwhile True: n = (n * 31 + 7) % 1000003",
    "matrix products": "import numpy as np\na = np.random.rand(700, 700)\nwhile True: a = (a @ a) % 1",
}


def figures(folder: Path, threads: int, small: bool) -> list[Figure]:
    """Train alone, beside each neighbour and again, alone; compare the pace between steps."""
    train, _ = parity.split(PAIRS[small], 1)
    rows = arguments.majority_rows(train, "train", alone=True)
    seen: dict[str, list[Cost]] = {name: [] for name in ("", *BUSY)}
    for i, name in enumerate([*seen, *reversed(seen)]):
        path = write_run(folder / str(i), rows, parity.config(1, "full"))
        busy = _start(BUSY[name]) if name else None
        try:
            seen[name].append(run(ENGINE, path, len(rows), 1))
        finally:
            if busy:
                busy.kill()
                busy.wait()
    pace = {name: mean(cost.pairs_per_second for cost in costs) for name, costs in seen.items()}
    found = [Figure("neighbour: one thread alone", pace.pop(""), "pairs/s")]
    for name, beside in pace.items():
        share = beside / found[0].value
        found += [
            Figure(f"neighbour: beside {name}", beside, "pairs/s"),
            Figure(f"neighbour: speed beside {name} / alone", share, "ratio", f">= {GOAL:g}", share >= GOAL),
        ]
    return found


def _start(program: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "OMP_NUM_THREADS": "1"})
