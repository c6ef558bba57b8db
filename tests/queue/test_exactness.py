"""Many raters in a hurry, with all their bad habits: each task ends with three judgments, not one more."""

from collections import Counter

import pytest

from bench.queue.crowd import Crowd, Mix
from tests.queue.audit import Audit
from tests.queue.conftest import Installation

RATERS, TASKS, OVERLAP = 40, 300, 3
MIX = Mix(skip=0.05, double=0.1, abandon=0.03, late=0.02, undo=0.03, late_after=4)
MOST = 3  # slots at once: the two on a page, and the one that the answer to a late one brings


@pytest.mark.timeout(180)
def test_every_task_ends_with_exactly_its_judgments(installation: Installation) -> None:
    raters = installation.furnish("exact", f"--raters={RATERS}", f"--tasks={TASKS}", f"--overlap={OVERLAP}")
    audit = Audit(installation.database, "exact")
    assert len(audit.unfinished()) == TASKS
    crowd = Crowd(installation.address, raters, "exact", mix=MIX, again=0.5, patience=None)
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
    assert audit.count() == TASKS * OVERLAP
    assert audit.lost(ledger.saved) == []
    assert ledger.untold == []
    assert audit.invented(said.key for said in ledger.saved) == []
    # all of it came up
    assert min(len(ledger.skipped), len(ledger.left), lapsed, ledger.undone) > 5
    assert len(ledger.saved) > ledger.judgments
