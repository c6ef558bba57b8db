"""Large snapshots and exports are made by a worker of their own, while whoever asked sees how far it is."""

import time

import pytest

from accounts.models import Role
from tests import cast
from tests.training import cast as labels
from training import preparations, snapshots
from training.archives import Archive
from training.models import Preparation, Snapshot


def ended(preparation: Preparation) -> Preparation:
    """Wait until a worker is done with it."""
    end = time.monotonic() + 120
    while preparation.status in preparations.LIVE:
        assert time.monotonic() < end, "no worker was done in two minutes"
        time.sleep(0.2)
        preparation.refresh_from_db()
    return preparation


@pytest.mark.django_db(transaction=True)
def test_a_worker_cuts_what_is_large_and_writes_its_exports(settings, celery_workers):
    settings.PREPARE_ABOVE = 0
    campaign, ruth = labels.make_split_campaign(), cast.make_user(Role.RESEARCHER, "ruth")
    asked = preparations.cut(campaign, ruth, {"ties": "drop"})
    assert isinstance(asked, Preparation)
    done = ended(asked)
    assert (done.status, done.rows, done.error) == ("done", 3, "")
    snapshot = Snapshot.objects.get()
    assert (done.snapshot, snapshot.filters, snapshot.created_by) == (snapshot, {"ties": "drop"}, ruth)
    assert len(list(snapshots.rows(snapshot))) == 3
    asked = preparations.export(snapshot, "canonical-jsonl", "jsonl.zst", ruth)
    assert isinstance(asked, Preparation)
    assert ended(asked).status == "done"
    ready = preparations.export(snapshot, "canonical-jsonl", "jsonl.zst", ruth)
    assert isinstance(ready, Archive)
    nothing = ended(preparations.cut(campaign, ruth, {"languages": ["tlh"]}))
    assert (nothing.status, nothing.error) == ("failed", "There are no judgments or edits to take yet.")
