"""Many raters in a hurry, with all their bad habits: each task ends with its judgments, not one more."""

from collections import Counter

import pytest

from bench.queue.crowd import Crowd, Mix
from preferences.stopping import certainty
from tests.queue.audit import Audit
from tests.queue.conftest import Installation

RATERS, TASKS, OVERLAP = 40, 300, 3
CAP, CERTAINTY = 5, 0.9  # three of a mind are enough, which is a campaign's default
MIX = Mix(skip=0.05, double=0.1, abandon=0.03, late=0.02, undo=0.03, late_after=4)
MOST = 3  # slots at once: the two on a page, and the one that the answer to a late one brings


def work_off(installation: Installation, slug: str, *options: str) -> Audit:
    """Let a crowd do all tasks of a campaign, and hold what it was told against the database."""
    raters = installation.furnish(slug, f"--raters={RATERS}", f"--tasks={TASKS}", *options)
    audit = Audit(installation.database, slug)
    assert len(audit.unfinished()) == TASKS
    crowd = Crowd(installation.address, raters, slug, mix=MIX, again=0.5, patience=None)
    lapsed = 0

    def finished() -> bool:
        nonlocal lapsed
        assert audit.wrong_tasks() == []
        held, left = audit.held(), {lease for _, lease in crowd.ledger.left}
        assert max(Counter(rater for rater, lease in held if lease not in left).values(), default=0) <= MOST
        lapsed += audit.let_lapse(left)
        return not audit.unfinished()

    ledger = crowd.run(90, until=finished)
    assert (ledger.errors, dict(ledger.retries)) == ([], {})
    assert audit.unfinished() == []
    assert audit.wrong_tasks() == []
    assert audit.lost(ledger.saved) == []
    assert ledger.untold == []
    assert audit.invented(said.key for said in ledger.saved) == []
    # all of it came up
    assert min(len(ledger.skipped), len(ledger.left), lapsed, ledger.undone) > 5
    assert len(ledger.saved) > ledger.judgments
    return audit


@pytest.mark.timeout(180)
def test_every_task_ends_with_exactly_its_judgments(installation: Installation) -> None:
    audit = work_off(installation, "exact", f"--overlap={OVERLAP}")
    assert audit.count() == TASKS * OVERLAP


@pytest.mark.timeout(180)
def test_where_overlap_adapts_each_task_ends_certain_or_at_the_cap(installation: Installation) -> None:
    audit = work_off(installation, "adapting", "--overlap=2", f"--cap={CAP}")
    ended: Counter[tuple[int, bool]] = Counter()
    for asked, *votes in audit.votes():
        assert sum(votes) == asked
        sure = certainty(*votes) >= CERTAINTY
        assert sure or asked == CAP
        ended[asked, sure] += 1
    assert sum(ended.values()) == TASKS
    assert min(ended[3, True], ended[CAP, False]) > 5
