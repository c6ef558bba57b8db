"""Bring prompts, answers, past judgments and edits into a campaign: all of an upload, or nothing.

Everything happens in one transaction. The same upload twice adds nothing: prompts are known by content,
answers by prompt, model and text, tasks by the record's id (or, without one, by content), and what people
said by task, person and how often that person had spoken on it before.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import BinaryIO

from django.db import connection, transaction
from django.utils import timezone

from accounts import audit, webhooks
from accounts.models import User
from labeling.import_copy import Writer, check_keys_at_once, hold
from labeling.import_failures import Failures
from labeling.import_fields import ImportRecord
from labeling.import_formats import read_records
from labeling.import_loading import Loading, Row
from labeling.import_report import ImportReport
from labeling.import_source import FileError, LineError
from labeling.models import Campaign, Import

BATCH = 10_000  # lines; between two of a batch's five COPYs PostgreSQL waits for a millisecond or two
SWITCH_SECONDS = 0.0001
TELL_SECONDS = 0.5  # between two words of progress
ASK_SECONDS = 2.0  # between two looks whether it is cancelled, for each of which PostgreSQL is waited for
LOCK = 0x1A90  # of PostgreSQL's advisory locks: one import into a campaign at a time

_OF_ERRORS = ("errors", "errors_total", "refused", "broken")
Progress = Callable[[int, int], None]


class CancelledError(Exception):
    """Somebody cancelled the import; nothing of it stays."""


def import_records(
    campaign: Campaign,
    source: BinaryIO,
    *,
    format: str,
    by: User | None,
    filename: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    origin: Import | None = None,
    mapping: Mapping[str, str] | None = None,
    keep_good: bool = False,
    failures: Failures | None = None,
) -> ImportReport:
    """Import an upload (a seekable binary stream, gzip or not) in one of import_formats.FORMATS.

    With any error in any line nothing is changed and the report says what to mend; a dry run reports what
    an import would add. `progress` hears the bytes read and their total now and then, and at the end, and may
    not use the database meanwhile; `cancelled` may, and is asked less often whether to end with
    CancelledError. `origin` is the import's row where people have been watching it since before. `mapping`
    says which column is what (import_mapping); without one the format does, or a guess. With `keep_good` the
    lines without errors come in, unless the file breaks off or none is good. All errors go to `failures`.
    """
    report = ImportReport()
    if failures:
        report.listener = failures.add
    total = source.seek(0, 2)
    with _undisturbed(), transaction.atomic():
        _await_turn(campaign)
        given = {"filename": filename[-255:], "format": format, "mapping": dict(mapping or {})}
        origin = origin or campaign.imports.create(by=by, keep_good=keep_good, bytes=total, **given)
        hold(Campaign, [campaign.pk])
        hold(Import, [origin.pk])
        check_keys_at_once()
        with Writer() as writer:
            loading = Loading(campaign, origin, report, writer, keep_good)
            batches = _batches(read_records(source, format, mapping), report, failures)
            if progress:
                batches = _telling(batches, progress, source, total)
            for batch in _asking(batches, cancelled, writer) if cancelled else batches:
                if keep_good or not report.errors_total:
                    loading.add(batch)
        report.conclude(keep_good)
        if report.refused or dry_run:
            transaction.set_rollback(True)
        else:
            loading.finish()
            _complete(origin, report)
    return _only_errors(report) if report.refused else report


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Python from looking for cycles among records, which have none: it takes a third of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def quick_turns() -> Iterator[None]:
    """Let the thread that writes have its turn soon; only for a process that does nothing but import.

    It needs one for each 200 KB, for which it waits 5 ms otherwise while the other reads, and PostgreSQL
    waits with it: six times as long as storing them takes.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def _await_turn(campaign: Campaign) -> None:
    """Let two imports into one campaign follow each other, so that each sees what the other added."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, campaign.pk])


def _complete(origin: Import, report: ImportReport) -> None:
    figures = {key: value for key, value in asdict(report).items() if key not in _OF_ERRORS}
    if report.errors:
        figures |= {"errors_total": report.errors_total, "errors": [asdict(error) for error in report.errors]}
    wanted = Import.objects.filter(pk=origin.pk, cancel_requested=False)
    if not wanted.update(report=figures, status=Import.Status.DONE, finished_at=timezone.now()):
        raise CancelledError
    figures.pop("errors", None)
    filename, format = origin.filename, origin.format
    audit.record(origin.by, "import", origin.campaign, filename=filename, format=format, **figures)
    webhooks.emit("import.done", origin.campaign.slug, id=origin.pk, status=Import.Status.DONE, **figures)


def _only_errors(report: ImportReport) -> ImportReport:
    return ImportReport(
        lines=report.lines, errors=report.errors, errors_total=report.errors_total, refused=True
    )


def _batches(
    records: Iterator[ImportRecord | LineError], report: ImportReport, failures: Failures | None
) -> Iterator[list[Row]]:
    """Gather good records; bad ones go to the report."""
    batch: list[Row] = []
    for read, record in enumerate(records, start=1):
        report.lines += 1
        if isinstance(record, LineError):
            report.broken |= isinstance(record, FileError)
            report.refuse(record)
        else:
            batch.append(Row(record, report))
        if read % BATCH == 0:
            yield batch
            batch = []
            if failures:
                failures.sort()
    yield batch
    if failures:
        failures.sort()


def _telling(
    batches: Iterator[list[Row]], progress: Progress, source: BinaryIO, total: int
) -> Iterator[list[Row]]:
    """Pass batches on, and tell how far the upload is read."""
    told = 0.0
    for batch in batches:
        if time.monotonic() - told > TELL_SECONDS:
            progress(min(source.tell(), total), total)
            told = time.monotonic()
        yield batch
    progress(total, total)


def _asking(
    batches: Iterator[list[Row]], cancelled: Callable[[], bool], writer: Writer
) -> Iterator[list[Row]]:
    """Pass batches on until somebody cancels the import."""
    asked = time.monotonic()
    for batch in batches:
        if time.monotonic() - asked > ASK_SECONDS:
            writer.finish()
            if cancelled():
                raise CancelledError
            asked = time.monotonic()
        yield batch
