"""Every task of a campaign done by a crowd that skips, forgets, repeats itself and comes late."""

import sys
import time
from collections.abc import Callable

from bench.queue import fill
from bench.queue.audit import duplicates, imbalances, unfinished
from bench.queue.crowd import Crowd, Mix, sign_in
from bench.queue.meter import Meter
from bench.queue.reading import Reading, read, say
from labeling.models import Campaign, Task

RATERS = 200
OVERLAP = 3
MIX = Mix(skip=0.02, double=0.05, abandon=0.01, late=0.01, undo=0.01)
CALM = 0.02  # the share of tasks left, below which nobody leaves anything lying any more
LONGEST = 1800.0


def work_off(address: str, meter: Meter, tasks: int, raters: int = RATERS) -> tuple[Reading, list[str]]:
    """Let a crowd do all tasks; return what it came to, and every imbalance found afterwards."""
    people = fill.make_raters(raters, "exact")
    campaign = fill.make_campaign("Exact", people, tasks, OVERLAP, lease_minutes=1)
    # people who never sleep meet their lapsed leases sooner than the page's timer would
    crowd = Crowd(address, sign_in(people), campaign.slug, mix=MIX, again=2.0, patience=None)
    before = meter.seconds()
    ledger = crowd.run(LONGEST, all_done(crowd, campaign, tasks))
    used = {program: spent - before[program] for program, spent in meter.seconds().items()}
    name = f"{raters} raters without a pause, {tasks:,} tasks × {OVERLAP}, to the end"
    found = [*unfinished(campaign), *imbalances(campaign, ledger), *ledger.errors]
    print(
        f"\n{ledger.judgments:,} saved, {len(ledger.saved) - ledger.judgments:,} sent twice, "
        f"{len(ledger.skipped):,} skipped, {ledger.undone:,} taken back, {len(ledger.refused):,} refused "
        f"as late, {len(found):,} imbalances",
        *found[:10],
        sep="\n",
        file=sys.stderr,
    )
    return read(name, ledger, used, duplicates(campaign)), found


def all_done(crowd: Crowd, campaign: Campaign, tasks: int) -> Callable[[], bool]:
    """Return what tells whether all tasks are done, and calms the crowd when few are left."""
    looked = 0.0

    def look() -> bool:
        nonlocal looked
        if time.monotonic() < looked + 2:
            return False
        looked = time.monotonic()
        left = Task.objects.filter(campaign=campaign).exclude(status=Task.Status.DONE).count()
        if left < CALM * tasks:
            crowd.mix = Mix(double=MIX.double)
        say(f"{left:,} of {tasks:,} tasks left")
        return left == 0

    return look
