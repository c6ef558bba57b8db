"""Large snapshots and exports are made by a worker, so that no page waits; small ones at once.

How far a worker is stands in the cache, which is also its sign of life: its own transaction hides its rows.
"""

import time
from datetime import timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from labeling.models import Campaign, Judgment, Prompt
from training import archives, exports, snapshots
from training.archives import Archive
from training.exports import ExportError
from training.models import Preparation, Snapshot
from training.snapshots import SnapshotError

LIVE = (Preparation.Status.QUEUED, Preparation.Status.RUNNING)
SILENCE = 90  # seconds after which a worker that says nothing is taken for dead
EVERY = 0.5  # seconds between two signs of life at least


def cut(campaign: Campaign, by: User, filters: dict[str, Any]) -> Snapshot | Preparation:
    """Cut a snapshot, or have a worker cut it where the campaign has many judgments."""
    wanted = snapshots.readable(campaign, filters, by)
    sources = Campaign.objects.filter(slug__in=wanted.get("campaigns", [campaign.slug]))
    said = Judgment.objects.filter(task__campaign__in=sources)[: settings.PREPARE_ABOVE + 1].count()
    if said <= settings.PREPARE_ABOVE:
        return snapshots.cut(campaign, by=by, filters=wanted)
    asked = Prompt.objects.filter(campaign__in=sources).order_by().values("content_hash").distinct()
    return _start(campaign, by, asked.count(), filters=wanted)


def export(snapshot: Snapshot, format: str, file: str, by: User | None) -> Archive | Preparation:
    """Return an export that is ready, or small and made now; else what a worker prepares.

    Raises ExportError for an unknown format or file, and where there is nothing to write.
    """
    kind, file = exports.chosen(format, file)
    if ready := archives.find(snapshot, format, file):
        return ready
    rows = snapshot.counts.get("prompts" if kind.of == "prompts" else "tasks", 0)
    if rows <= settings.PREPARE_ABOVE:
        return archives.make(snapshot, format, file)
    return _start(snapshot.campaign, by, rows, snapshot=snapshot, format=format, file=file)


def under_way(campaign: Campaign, snapshot: Snapshot | None = None) -> QuerySet[Preparation]:
    """Return the newest exports of a snapshot, or cuts of a campaign, that are or were prepared."""
    found = Preparation.objects.filter(campaign=campaign).select_related("snapshot").order_by("-pk")
    return found.exclude(format="").filter(snapshot=snapshot) if snapshot else found.filter(format="")


def done(preparation: Preparation) -> int:
    """Return how many of the expected rows (of a cut: prompts) are done, and see that a worker is at it."""
    if preparation.status not in LIVE:
        return preparation.rows
    beat: int | None = cache.get(_key(preparation.pk))
    if beat is None and preparation.heartbeat_at < timezone.now() - timedelta(seconds=SILENCE):
        _send(preparation)
    return beat or 0


def work(pk: int) -> None:
    """Make what was asked for; it is safe to be told twice."""
    if not cache.add(_key(pk), 0, SILENCE):
        return  # another worker is at it
    try:
        taken = Preparation.objects.filter(pk=pk, status__in=LIVE)
        if taken.update(status=Preparation.Status.RUNNING, heartbeat_at=timezone.now()):
            _make(Preparation.objects.select_related("campaign", "snapshot__campaign", "by").get(pk=pk))
    finally:
        cache.delete(_key(pk))


def _make(preparation: Preparation) -> None:
    told = time.monotonic()
    changes: dict[str, Any] = {}

    def on_rows(rows: int) -> None:
        nonlocal told
        if time.monotonic() > told + EVERY:
            told = time.monotonic()
            cache.set(_key(preparation.pk), rows, SILENCE)

    try:
        if preparation.format:
            assert preparation.snapshot is not None
            archives.make(preparation.snapshot, preparation.format, preparation.file, on_rows)
        else:
            changes["snapshot"] = snapshots.cut(
                preparation.campaign, by=preparation.by, filters=preparation.filters, on_prompts=on_rows
            )
        changes |= {"status": Preparation.Status.DONE, "rows": preparation.expected}
    except (ExportError, SnapshotError) as error:
        changes = {"status": Preparation.Status.FAILED, "error": str(error)}
    except Exception:
        changes = {"status": Preparation.Status.FAILED, "error": _("It could not be written.")}
        raise
    finally:
        if changes:
            Preparation.objects.filter(pk=preparation.pk).update(**changes)


def _start(campaign: Campaign, by: User | None, expected: int, **what: Any) -> Preparation:
    """Have a worker prepare something; whoever asks for the same waits for the same."""
    same = Preparation.objects.filter(campaign=campaign, status__in=LIVE, **what)
    if found := same.first():
        done(found)
        return found
    try:
        with transaction.atomic():
            made = Preparation.objects.create(campaign=campaign, by=by, expected=expected, **what)
    except IntegrityError:  # somebody was faster
        return same.get()
    _send(made)
    return made


def _send(preparation: Preparation) -> None:
    stale = Preparation.objects.filter(pk=preparation.pk, heartbeat_at=preparation.heartbeat_at)
    if stale.update(heartbeat_at=timezone.now()):
        send = partial(current_app.send_task, "training.tasks.prepare", args=[preparation.pk])
        transaction.on_commit(send)


def _key(pk: int) -> str:
    return f"preparation:{pk}"
