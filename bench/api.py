"""Try the API as its OpenAPI document describes it: thousands of generated requests, good and bad.

python -m bench.api --json FILE [--cases 7000]

Schemathesis makes requests to each operation, some that fit the document and some that don't, two thirds of
them about things that exist, half of these with what is true of them. Managers, researchers and raters of all
campaigns, of the one asked about and of another, and nobody, send them in turn, to the real program on a
database of its own. What each changed is rolled back. An answer of 5xx, or one that the document doesn't
describe (its status, content type, headers or body), is a finding; the goal is none. The same seed gives the
same requests.
"""

import argparse
import os
import sys
import time
from collections import Counter

from bench.report import Figure, main

SEED = 8
LEAST = 5000


def measure(options: argparse.Namespace) -> list[Figure]:
    """Make a world, send everything, and count what was found."""
    from bench.serving import installed

    os.environ["RATE_LIMITS"] = "off"
    with installed():
        # Django is set up only now
        from tests.api_cases import operations, try_out
        from tests.api_world import make_api_world

        world = make_api_world()
        each = -(-options.cases // len(operations()))
        began = time.monotonic()
        tried = try_out(world, each, SEED)
        seconds = time.monotonic() - began
    for finding in tried.findings.values():
        print(finding, file=sys.stderr)
    never = tried.never()
    print("Never answered with 2xx:", *never, sep="\n    ", file=sys.stderr)
    total = sum(tried.statuses.values(), Counter())
    return [
        Figure("operations of the document", len(tried.statuses), ""),
        Figure("generated requests", tried.cases, "", f">= {LEAST}", tried.cases >= LEAST),
        Figure("answers of 5xx", tried.broken, "", "none", tried.broken == 0),
        Figure(
            "answers that the document doesn't describe", tried.undescribed, "", "none", not tried.undescribed
        ),
        Figure("from first to last", seconds, "s"),
        Figure("operations without one answer of 2xx", len(never), "", "none", not never),
        *(Figure(f"answered {status}", n, "") for status, n in sorted(total.items())),
    ]


def parse() -> argparse.ArgumentParser:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--cases", type=int, default=7000, help="how many requests to ask for")
    return parser


if __name__ == "__main__":
    main(measure, parse())
