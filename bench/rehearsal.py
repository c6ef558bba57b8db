"""Measure the whole loop: three rehearsed rounds of 400 judgments with 15 % noise.

python -m bench.rehearsal --json FILE
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import Figure, main


def rehearse(folder: Path, options: argparse.Namespace) -> tuple[list[dict[str, Any]], float]:
    """Run `manage.py rehearse` on services of its own; return its rounds and the seconds it took."""
    file = folder / "rehearsal.json"
    command = [sys.executable, "manage.py", "rehearse", "--json", str(file), "--seed", str(options.seed)]
    command += ["--rounds", str(options.rounds), "--judgments", str(options.judgments)]
    folder.chmod(0o755)  # root's PostgreSQL runs as another user
    environment = {**os.environ, "TOUCHSTONE_VAR": str(folder)}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, env=environment)
    started = time.monotonic()
    subprocess.run(command, check=True, env=environment)
    return json.loads(file.read_text())["rounds"], time.monotonic() - started


def measure(options: argparse.Namespace) -> list[Figure]:
    """Rehearse in a folder of its own, and hold the rounds against the goals."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        rounds, seconds = rehearse(Path(folder), options)
    rates = [r["win_rate"] for r in rounds]
    last = rounds[-1]
    figures = [
        Figure(f"round {r['round']}: true win rate against the base", r["win_rate"], "share") for r in rounds
    ]
    figures += [
        Figure(f"round {r['round']}: reward accuracy, held out", r["reward_accuracy"] or 0.0, "share")
        for r in rounds
    ]
    smallest_rise = min(b - a for a, b in zip([0.5, *rates], rates, strict=False))
    lower = last["win_rate_interval"][0]
    return [
        *figures,
        Figure("smallest rise of a round", smallest_rise, "share", "> 0", smallest_rise > 0),
        Figure("last win rate", last["win_rate"], "share", ">= 0.85", last["win_rate"] >= 0.85),
        Figure("last win rate, lower bound", lower, "share", "> 0.75", lower > 0.75),
        Figure("distinct answers", last["distinct"], "share", ">= 0.85", last["distinct"] >= 0.85),
        Figure("whole rehearsal", seconds, "s", "< 480", seconds < 480),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judgments", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    main(measure, parser)
