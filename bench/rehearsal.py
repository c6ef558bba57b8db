"""Measure the whole loop: five rehearsed rounds of 400 judgments, and what else these could have bought.

python -m bench.rehearsal --json FILE [--beside] [--plot FILE] [--details FILE]
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

LONGEST = 1.2  # mean length, as a share of the base's
Report = dict[str, Any]


def rehearse(folder: Path, options: argparse.Namespace) -> tuple[list[Report], list[Report], float]:
    """Run `manage.py rehearse` on services of its own.

    Returns its rounds, what stands beside them, and the seconds that the rounds took.
    """
    file = (options.details or folder / "rehearsal.json").resolve()
    command = [sys.executable, "manage.py", "rehearse", "--json", str(file), "--seed", str(options.seed)]
    command += ["--rounds", str(options.rounds), "--judgments", str(options.judgments)]
    command += ["--beside"] if options.beside else []
    command += ["--plot", str(options.plot.resolve())] if options.plot else []
    folder.chmod(0o755)  # root's PostgreSQL runs as another user
    environment = {**os.environ, "TOUCHSTONE_VAR": str(folder)}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, env=environment)
    started = time.monotonic()
    subprocess.run(command, check=True, env=environment)
    found = json.loads(file.read_text())
    # the workers' start and end, where no other ways had to be gone as well
    seconds = sum(r["seconds"] for r in found["rounds"]) if options.beside else time.monotonic() - started
    return found["rounds"], found["beside"], seconds


def measure(options: argparse.Namespace) -> list[Figure]:
    """Rehearse in a folder of its own, and hold the rounds against the goals."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        rounds, beside, seconds = rehearse(Path(folder), options)
    figures = []
    for report in rounds:
        name = f"round {report['round']}"
        figures += [
            Figure(f"{name}: true win rate against the base", report["win_rate"], "share"),
            Figure(f"{name}: reward accuracy, held out", report["reward_accuracy"] or 0.0, "share"),
            Figure(f"{name}: right answers", report["right"], "share"),
            Figure(f"{name}: right answers, more than the base's", report["right_gain"], "share"),
        ]
    for other in beside:
        figures.append(Figure(f"beside: {other['name']}, win rate", other["win_rate"], "share"))
        figures.append(Figure(f"beside: {other['name']}, right answers", other["right"], "share"))
    return [*figures, *_goals(rounds[-1]), Figure("whole rehearsal", seconds, "s", "< 1200", seconds < 1200)]


def _goals(last: Report) -> list[Figure]:
    lower, gained = last["win_rate_interval"][0], last["right_gain_interval"]
    length = last["mean_words"] / last["base_words"]
    return [
        Figure("last win rate", last["win_rate"], "share", ">= 0.92", last["win_rate"] >= 0.92),
        Figure("last win rate, lower bound", lower, "share", "> 0.88", lower > 0.88),
        Figure("distinct answers", last["distinct"], "share", ">= 0.90", last["distinct"] >= 0.9),
        Figure("length, of the base's", length, "", f"<= {LONGEST}", length <= LONGEST),
        Figure("right answers gained", last["right_gain"], "share", ">= 0", last["right_gain"] >= 0),
        Figure("right answers gained, lower bound", gained[0], "share"),
        Figure("right answers gained, upper bound", gained[1], "share"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--judgments", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--beside", action="store_true", help="spend as many labels in other ways as well")
    parser.add_argument("--plot", type=Path, help="draw the rounds as an SVG file")
    parser.add_argument("--details", type=Path, help="write the rehearsal's own figures there")
    main(measure, parser)
