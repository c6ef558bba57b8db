"""Measure the queue: judgments a second, waits and processor time, with many raters over real HTTP.

python -m bench.queue --json FILE [--exact] [--grow]

Web server, database, Redis and the raters share this machine's cores. The peer is Label Studio 1.23 on two
cores with PostgreSQL, driven in the same way.
"""

import argparse

from bench.report import Figure, main
from bench.serving import serving

SIZES = (10_000, 1_000_000, 10_000_000)  # slots, besides the 100,000 of every run


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure on an installation of its own."""
    with serving() as address:
        # Django is set up only now
        from bench.queue.measures import Bench
        from bench.queue.reading import table

        bench = Bench(address, options)
        figures = bench.busy() + bench.thinking() + bench.limit() + bench.cold() + bench.adapting()
        if options.exact:
            figures += bench.exact()
        if options.grow is not None:
            figures += bench.grow(options.grow or SIZES)
        print(f"\n{table(bench.readings)}\n")
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--raters", type=int, default=16, help="who never pause")
    parser.add_argument("--thinkers", type=int, default=200, help="who think 5 s on average")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="of the first measurement; others follow it"
    )
    parser.add_argument("--turns", type=int, default=5, help="how often the first is measured, and each size")
    parser.add_argument(
        "--exact", action="store_true", help="work a campaign off with all that people do wrong"
    )
    parser.add_argument("--exact-tasks", type=int, default=20_000)
    parser.add_argument(
        "--grow", type=int, nargs="*", metavar="SLOTS", help="repeat at these numbers of slots"
    )
    main(measure, parser)
