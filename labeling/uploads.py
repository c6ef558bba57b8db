"""An upload on its way in: stored, imported in the background, watched, cancelled, or given up.

The import's row lives outside its transaction, so that people can watch it. Whoever imports holds an advisory
lock of the campaign: an import that is running while nobody holds it has lost its worker, and PostgreSQL has
taken back what that had written.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from redis.exceptions import RedisError

from accounts import audit, webhooks
from accounts.models import User
from labeling import hub
from labeling.import_failures import Failures
from labeling.import_formats import guess_format
from labeling.import_source import container_of
from labeling.imports import LOCK, CancelledError, import_records
from labeling.models import Campaign, Import
from labeling.rounds import StateError

AT_ONCE = 2**20  # bytes: so small an upload is imported while its sender waits
FORGOTTEN_SECONDS = 60  # after which a queued import is sent for again
KEPT_SECONDS = 86_400  # an upload that was only checked or was refused, and what failed of any
FETCH_SECONDS = 3600  # after which nobody believes in a fetch any more
# stored in English, shown in the reader's language
LOST = gettext_noop("Its worker was ended before it was done. Nothing of it was kept; upload it again.")
BROKEN = gettext_noop("Something went wrong on the server. Nothing of it was kept; the log says more.")

S = Import.Status
_CHECKED = Q(dry_run=True, status=S.DONE)
_AGAIN = _CHECKED | Q(status__in=[S.RECEIVED, S.REFUSED])  # whose upload is kept for a day
log = logging.getLogger(__name__)


def receive(
    campaign: Campaign,
    source: BinaryIO,
    *,
    format: str,
    by: User | None,
    filename: str,
    dry_run: bool,
    mapping: dict[str, str] | None = None,
    keep_good: bool = False,
    wait: bool = False,
) -> Import:
    """Store an upload and queue its import, or let it wait until `start` says how it is to be read."""
    with transaction.atomic():
        import_ = Import.objects.create(
            campaign=campaign,
            by=by,
            filename=filename[-255:],
            format=format,
            mapping=mapping or {},
            keep_good=keep_good,
            dry_run=dry_run,
            status=S.RECEIVED if wait else S.QUEUED,
            bytes=source.seek(0, 2),
        )
        path = _path(import_.pk)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.seek(0)
        try:
            path.touch(mode=0o600)
            with path.open("wb") as file:
                shutil.copyfileobj(source, file, 2**20)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return import_


def send_for(campaign: Campaign, dataset: str, split: str, by: User | None) -> Import:
    """Note a dataset of the hub that a worker is to fetch. Raise HubError for what can't be its id."""
    hub.check_id(dataset)
    return Import.objects.create(
        campaign=campaign, by=by, filename=dataset, dataset=dataset, split=split, status=S.FETCHING
    )


def fetch(pk: int) -> None:
    """Fetch a dataset of the hub, and let it wait for who says how it is to be read."""
    import_ = Import.objects.get(pk=pk)
    if import_.status != S.FETCHING:
        return
    path = _path(pk)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    fetching = Import.objects.filter(pk=pk, status=S.FETCHING)
    try:
        with path.open("r+b") as file:
            file.truncate()
            hub.fetch(import_.dataset, import_.split, file)
            size = file.seek(0, 2)
            format = guess_format(file)
    except hub.HubError as error:
        fetching.update(status=S.FAILED, error=str(error)[:500], finished_at=timezone.now())
    except Exception:
        log.exception("fetching %s failed", import_.dataset)
        fetching.update(status=S.FAILED, error=BROKEN, finished_at=timezone.now())
    else:
        fetching.update(status=S.RECEIVED, format=format, bytes=size)
    if not Import.objects.filter(pk=pk, status=S.RECEIVED).exists():
        path.unlink(missing_ok=True)


def run(pk: int) -> bool:
    """Import a queued upload; False when another import into its campaign is under way."""
    import_ = Import.objects.select_related("campaign", "by").get(pk=pk)
    with _turn(import_.campaign_id) as mine:
        if not mine:
            return False
        _give_up(import_.campaign_id)
        if Import.objects.filter(pk=pk, status=S.QUEUED).update(status=S.RUNNING):
            try:
                _import(import_)
            finally:
                if not Import.objects.filter(_AGAIN, pk=pk).exists():
                    _path(pk).unlink(missing_ok=True)
        return True


def _import(import_: Import) -> None:
    def watch(done: int, total: int) -> None:
        with suppress(RedisError):
            cache.set(_progress_key(import_), done, timeout=3600)

    try:
        with _path(import_.pk).open("rb") as source, Failures() as failures:
            report = import_records(
                import_.campaign,
                source,
                format=import_.format,
                by=import_.by,
                filename=import_.filename,
                dry_run=import_.dry_run,
                progress=watch,
                cancelled=Import.objects.filter(pk=import_.pk, cancel_requested=True).exists,
                origin=import_,
                mapping=import_.mapping,
                keep_good=import_.keep_good,
                failures=failures,
            )
            if failures.total:
                _hand_back(import_.pk, failures, source)
    except CancelledError:
        _end(import_.pk, S.CANCELLED)
    except Exception:
        log.exception("import %s failed", import_.pk)
        if not connection.is_usable():
            connection.close()  # the next statement opens another
        _end(import_.pk, S.FAILED, error=BROKEN)
    else:
        if report.refused or import_.dry_run:
            _end(import_.pk, S.REFUSED if report.refused else S.DONE, report=asdict(report))


def _hand_back(pk: int, failures: Failures, source: BinaryIO) -> None:
    """Lay down what failed. An import that is done stays done where the disk has no place for that."""
    _forget_failures(pk)
    try:
        failures.write(source, failed_table(pk), failed_rows(pk))
    except OSError:
        log.exception("what failed of import %s couldn't be stored", pk)
        _forget_failures(pk)


def failed_table(pk: int) -> Path:
    """Return where the errors of an import are for a day, as CSV."""
    return settings.UPLOADS_DIR / f"import-{pk}.errors"


def failed_rows(pk: int) -> Path:
    """Return where the bad rows of an import are for a day, in the upload's own kind of file."""
    return settings.UPLOADS_DIR / f"import-{pk}.failed"


def _forget_failures(pk: int) -> None:
    for path in (failed_table(pk), failed_rows(pk)):
        path.unlink(missing_ok=True)


def failed_name(import_: Import, *, table: bool) -> str:
    """Name a download of what failed after the upload."""
    stem = Path(import_.filename.removesuffix(".gz")).stem or f"import-{import_.pk}"
    if table:
        return f"{stem}-errors.csv"
    with failed_rows(import_.pk).open("rb") as file:
        return f"{stem}-failed.{container_of(file)}"


def _end(pk: int, status: str, **fields: object) -> None:
    with transaction.atomic():
        running = Import.objects.filter(pk=pk, status=S.RUNNING)
        if running.update(status=status, finished_at=timezone.now(), **fields) and status != S.CANCELLED:
            slug = Import.objects.values_list("campaign__slug", flat=True).get(pk=pk)
            webhooks.emit("import.done", slug, id=pk, status=status)


def keep(import_: Import) -> None:
    """Queue the import of an upload that was only checked so far. Raise StateError when it is gone."""
    _queue(import_, Import.objects.filter(_CHECKED, pk=import_.pk), dry_run=False)


def start(
    import_: Import,
    *,
    format: str,
    mapping: dict[str, str],
    dry_run: bool,
    keep_good: bool,
    by: User,
) -> None:
    """Queue an upload that waits, was only checked or was refused, read as is said. Raise StateError.

    `by` is in whose name it comes in from now on.
    """
    these = Import.objects.filter(_AGAIN, pk=import_.pk)
    _queue(import_, these, format=format, mapping=mapping, dry_run=dry_run, keep_good=keep_good, by=by)


def _queue(import_: Import, these: QuerySet[Import], **settled: Any) -> None:
    with transaction.atomic():
        fresh: dict[str, Any] = {"status": S.QUEUED, "report": {}, "finished_at": None}
        if not _path(import_.pk).exists() or not these.update(**fresh, **settled):
            raise StateError(_("This upload is not here any more; choose the file again."))
        transaction.on_commit(lambda: _forget_failures(import_.pk))
    import_.refresh_from_db()


def is_here(import_: Import) -> bool:
    """Tell whether an upload can still be read another way."""
    again = import_.status in (S.RECEIVED, S.REFUSED) or (import_.status == S.DONE and import_.dry_run)
    return again and _path(import_.pk).exists()


@contextmanager
def opened(import_: Import) -> Iterator[BinaryIO]:
    """Open an upload to look at its first rows. Raise StateError when it is gone."""
    if not is_here(import_):
        raise StateError(_("This upload is not here any more; choose the file again."))
    with _path(import_.pk).open("rb") as source:
        yield source


def cancel(import_: Import, by: User) -> None:
    """Stop an import: none of it stays. Raise StateError when it is over."""
    this = Import.objects.filter(pk=import_.pk)
    with transaction.atomic():
        audit.record(by, "import.cancel", import_)
        waiting = this.filter(status__in=[S.QUEUED, S.RECEIVED, S.FETCHING])
        if waiting.update(status=S.CANCELLED, finished_at=timezone.now()):
            _path(import_.pk).unlink(missing_ok=True)
        elif not this.filter(status=S.RUNNING).update(cancel_requested=True):
            import_.refresh_from_db()
            raise StateError(
                _("This import is %(status)s; it can't be cancelled.")
                % {"status": import_.get_status_display().lower()}
            )
    import_.refresh_from_db()


def percent(import_: Import) -> int:
    """Return how much of a running import's upload is read."""
    done = 0
    with suppress(RedisError):
        done = cache.get(_progress_key(import_)) or 0
    return min(100, 100 * done // import_.bytes) if import_.bytes else 0


def tend() -> list[int]:
    """Give up imports whose worker is gone and forget uploads; return imports that wait for a worker."""
    for campaign in Import.objects.filter(status=S.RUNNING).values_list("campaign", flat=True).distinct():
        with _turn(campaign) as mine:
            if mine:
                _give_up(campaign)
    under_way = {
        _path(pk)
        for pk in Import.objects.filter(status__in=[S.FETCHING, S.QUEUED, S.RUNNING]).values_list(
            "pk", flat=True
        )
    }
    for path in set(settings.UPLOADS_DIR.glob("import-*")) - under_way:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
    now = timezone.now()
    old = Import.objects.filter(status=S.RECEIVED, created_at__lt=now - timedelta(seconds=KEPT_SECONDS))
    old.update(status=S.CANCELLED, finished_at=now)
    lost = Import.objects.filter(status=S.FETCHING, created_at__lt=now - timedelta(seconds=FETCH_SECONDS))
    lost.update(status=S.FAILED, error=LOST, finished_at=now)
    before = now - timedelta(seconds=FORGOTTEN_SECONDS)
    return list(
        Import.objects.filter(status=S.QUEUED, created_at__lt=before)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def next_after(pk: int) -> list[int]:
    """Return the import that waits for its turn after this one, if there is one."""
    waiting = Import.objects.filter(campaign__imports=pk, status=S.QUEUED).order_by("pk")
    return list(waiting.values_list("pk", flat=True)[:1])


def _give_up(campaign_id: int) -> None:
    """Fail a campaign's running imports; only for who has its turn."""
    for pk in Import.objects.filter(campaign=campaign_id, status=S.RUNNING).values_list("pk", flat=True):
        _end(pk, S.FAILED, error=LOST)
        _path(pk).unlink(missing_ok=True)


@contextmanager
def _turn(campaign_id: int) -> Iterator[bool]:
    """Hold the right to import into a campaign until the block or this process ends; False if taken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, campaign_id])
        mine: bool = cursor.fetchone()[0]
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK, campaign_id])


def _path(pk: int) -> Path:
    return settings.UPLOADS_DIR / f"import-{pk}"


def _progress_key(import_: Import) -> str:
    # its time, too: a restored database gives a number twice, and Redis remembers
    return f"import-progress:{import_.pk}:{import_.created_at.timestamp()}"
