"""Try the statistics in simulated worlds whose truth is known, beside what is done without them.

python -m bench.statistics --json FILE [--seeds 10] [--small] [--only raters]

Each group is a module with `figures(seeds: int, small: bool) -> list[Figure]`; a figure is named after its
row in the table of docs/methods.md. `--small` runs the same rows on less, to see that they run.
"""

import argparse
from importlib import import_module

from bench.report import Figure, main

GROUPS = ("raters", "rewards", "selection", "policies", "arguments", "watch", "outlook")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Run the groups one after another."""
    figures: list[Figure] = []
    for group in [options.only] if options.only else GROUPS:
        figures += import_module(f"bench.statistics.{group}").figures(options.seeds, options.small)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.statistics", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="the same rows on less, to see that they run")
    parser.add_argument("--only", choices=GROUPS, help="one group of rows")
    main(measure, parser)
