"""Write a benchmark's figures in the one form that all of them share."""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured value, with the goal it was measured against, in words, and whether the goal holds."""

    name: str
    value: float
    unit: str
    goal: str = ""
    holds: bool | None = None


def machine() -> str:
    """Describe the machine: processor, cores, memory and system."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()}"


def commit() -> str:
    """Return the commit that was measured, marked when the tree has changes of its own."""
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    changes = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True)
    return head.stdout.strip() + ("-dirty" if changes.stdout.strip() else "")


def main(measure: Callable[[argparse.Namespace], list[Figure]], parser: argparse.ArgumentParser) -> None:
    """Measure, print a table, and write --json FILE if asked."""
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    figures = measure(options)
    for f in figures:
        verdict = {True: "holds", False: "MISSED", None: ""}[f.holds]
        print(f"{f.name:<44} {f.value:>12.4g} {f.unit:<14} {f.goal:<24} {verdict}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = {"commit": commit(), "machine": machine(), "figures": [asdict(f) for f in figures]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
