"""Cut immutable, hashed datasets from judgments and edits."""

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.audit import record
from accounts.models import User
from labeling import trust
from labeling.models import Campaign, Edit, Judgment, Task
from labeling.models.task import fresh
from training import canonical_rows
from training import filters as filters_
from training.filters import FilterError, Filters
from training.formats import Row
from training.models import Snapshot

SPLITS = ("train", "validation", "test")


class SnapshotError(Exception):
    """Say in one plain sentence why there is no such snapshot."""


def cut(
    campaign: Campaign,
    *,
    by: User | None = None,
    filters: dict[str, Any] | None = None,
    on_prompts: Callable[[int], None] | None = None,
) -> Snapshot:
    """Write everything that was said in a campaign so far to a folder named by its hash.

    `filters` are those of training.filters. The same filters on the same labels give the same digest,
    whatever the labels' order of arrival, and then the same Snapshot. Raises SnapshotError for a wrong
    filter, and when nothing of the kind was said yet. `on_prompts` hears now and then how many are done.
    """
    # pyarrow comes with some, which no idle worker needs, and the others read snapshots
    from training import dataset_statistics, snapshot_files, withdrawal

    wanted = _read_filters(filters or {})
    filters = wanted.as_json()
    draft = settings.SNAPSHOTS_DIR / f".draft-{uuid.uuid4().hex}"
    draft.mkdir(parents=True)
    before = withdrawal.newest()
    try:
        with transaction.atomic():
            _see_one_moment()
            tally = snapshot_files.write(draft, campaign, wanted, on_prompts)
        if not tally.counts["judgments"] + tally.counts["edits"]:
            raise SnapshotError(_("There are no judgments or edits to take yet."))
        digest = tally.digest.hexdigest()
        counts = {**tally.counts, "raters": len(tally.raters)}
        canonical_rows.write_cards(draft, campaign, digest, filters, counts)
        dataset_statistics.write(draft, tally.sums)
        if not (settings.SNAPSHOTS_DIR / digest).exists():
            draft.rename(settings.SNAPSHOTS_DIR / digest)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    with transaction.atomic():
        snapshot, created = Snapshot.objects.get_or_create(
            campaign=campaign,
            digest=digest,
            defaults={"filters": filters, "counts": counts, "created_by": by},
        )
        if created and by is not None:
            record(by, "snapshot.cut", snapshot, digest=digest)
        withdrawal.mark_if_late(snapshot, before)
    return snapshot


def count(campaign: Campaign, given: dict[str, Any]) -> dict[str, int]:
    """Count what filters would take, but for agreement, which only a cut looks at. Raises SnapshotError."""
    filters = _read_filters(given)
    tasks = taken(campaign, filters)
    weak = [rater for rater, weight in trust.weights(campaign).items() if weight < filters.min_reliability]
    votes = Judgment.objects.filter(filters.said(Judgment), task__in=tasks).exclude(rater__in=weak)
    if filters.ties == "drop":
        votes = votes.exclude(verdict=0)
    edits = Edit.objects.filter(filters.said(Edit), task__in=tasks)
    heard = [said.order_by().values("rater", "task", "task__prompt") for said in (votes, edits)]
    with_words = heard[0].union(heard[1], all=True)
    found = {"judgments": votes.count(), "edits": edits.count()}
    with connection.cursor() as cursor:
        sql, values = with_words.query.sql_with_params()
        cursor.execute(
            f"SELECT count(DISTINCT task), count(DISTINCT prompt), count(DISTINCT rater)"  # noqa: S608  Django's SQL
            f" FROM ({sql}) AS said (rater, task, prompt)",
            values,
        )
        found |= dict(zip(("tasks", "prompts", "raters"), cursor.fetchone(), strict=True))
    return found


def readable(given: dict[str, Any]) -> dict[str, Any]:
    """Return filters as a snapshot keeps them. Raises SnapshotError for a wrong one."""
    return _read_filters(given).as_json()


def path(snapshot: Snapshot) -> Path:
    """Return the folder of a snapshot's files; SnapshotError when it is gone."""
    folder: Path = settings.SNAPSHOTS_DIR / snapshot.digest
    if not (folder / "manifest.json").exists():
        raise SnapshotError(f"The files of snapshot {snapshot} are missing from {folder}.")
    return folder


def rows(snapshot: Snapshot, split: str | None = None, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield the canonical rows of a snapshot (parquet.ROWS), of one split or of all, in their fixed order.

    With `columns`, only these of them are read, spelt as Parquet does.
    """
    for name in [split] if split else SPLITS:
        yield from _read(path(snapshot) / "data" / f"{name}.parquet", columns)


def prompts(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the prompts that the campaign had (parquet.PROMPTS), judged or not: policies learn on them."""
    yield from _read(path(snapshot) / "prompts.parquet")


def taken(campaign: Campaign, filters: Filters) -> QuerySet[Task]:
    """Return the tasks that filters take, of those on which something was said that they take."""
    said = [model.objects.filter(filters.said(model), task=OuterRef("pk")) for model in (Judgment, Edit)]
    heard = Q(Exists(said[0])) | Q(Exists(said[1]))
    return Task.objects.filter(fresh(), filters.tasks(), heard, campaign=campaign)


def _read_filters(given: dict[str, Any]) -> Filters:
    try:
        return filters_.read(given)
    except FilterError as error:
        raise SnapshotError(str(error)) from error


def _see_one_moment() -> None:
    # An enclosing transaction has its own view of the data already, and PostgreSQL lets nobody change it.
    if len(connection.savepoint_ids) == 0:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _read(file: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    from training import parquet

    return parquet.read(file, columns)
