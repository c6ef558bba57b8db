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
BUSY = "import numpy as np\na = np.random.rand(700, 700)\nwhile True: a = (a @ a) % 1"


def figures(folder: Path, threads: int, small: bool) -> list[Figure]:
    """Train alone, beside a neighbour, beside it, alone; compare the pace between steps."""
    train, _ = parity.split(PAIRS[small], 1)
    rows = arguments.majority_rows(train, "train", alone=True)
    seen: dict[bool, list[Cost]] = {False: [], True: []}
    for i, beside in enumerate((False, True, True, False)):
        path = write_run(folder / str(i), rows, parity.config(1, "full"))
        busy = (
            subprocess.Popen([sys.executable, "-c", BUSY], env={**os.environ, "OMP_NUM_THREADS": "1"})
            if beside
            else None
        )
        try:
            seen[beside].append(run(ENGINE, path, len(rows), 1))
        finally:
            if busy:
                busy.kill()
                busy.wait()
    alone, beside_it = (mean(cost.pairs_per_second for cost in seen[beside]) for beside in (False, True))
    cpu = [mean(cost.pairs_per_cpu_second for cost in seen[beside]) for beside in (False, True)]
    return [
        Figure("neighbour: one thread alone", alone, "pairs/s"),
        Figure("neighbour: one thread beside a busy one", beside_it, "pairs/s"),
        Figure(
            "neighbour: speed beside / alone",
            beside_it / alone,
            "ratio",
            f">= {GOAL:g}",
            beside_it / alone >= GOAL,
        ),
        Figure("neighbour: the same by processor time", cpu[1] / cpu[0], "ratio"),
    ]
