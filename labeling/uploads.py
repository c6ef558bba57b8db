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
from typing import BinaryIO

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from redis.exceptions import RedisError

from accounts import audit, webhooks
from accounts.models import User
from labeling.imports import LOCK, CancelledError, import_records
from labeling.models import Campaign, Import
from labeling.rounds import StateError

AT_ONCE = 2**20  # bytes: so small an upload is imported while its sender waits
FORGOTTEN_SECONDS = 60  # after which a queued import is sent for again
KEPT_SECONDS = 86_400  # an upload that was only checked
# stored in English, shown in the reader's language
LOST = gettext_noop("Its worker was ended before it was done. Nothing of it was kept; upload it again.")
BROKEN = gettext_noop("Something went wrong on the server. Nothing of it was kept; the log says more.")

S = Import.Status
_CHECKED = Q(dry_run=True, status=S.DONE)
log = logging.getLogger(__name__)


def receive(
    campaign: Campaign, source: BinaryIO, *, format: str, by: User | None, filename: str, dry_run: bool
) -> Import:
    """Store an upload and queue its import."""
    with transaction.atomic():
        import_ = Import.objects.create(
            campaign=campaign,
            by=by,
            filename=filename[-255:],
            format=format,
            dry_run=dry_run,
            status=S.QUEUED,
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
                if not Import.objects.filter(_CHECKED, pk=pk).exists():
                    _path(pk).unlink(missing_ok=True)
        return True


def _import(import_: Import) -> None:
    def watch(done: int, total: int) -> None:
        with suppress(RedisError):
            cache.set(_progress_key(import_.pk), done, timeout=3600)
        if Import.objects.filter(pk=import_.pk, cancel_requested=True).exists():
            raise CancelledError

    try:
        with _path(import_.pk).open("rb") as source:
            report = import_records(
                import_.campaign,
                source,
                format=import_.format,
                by=import_.by,
                filename=import_.filename,
                dry_run=import_.dry_run,
                progress=watch,
                origin=import_,
            )
    except CancelledError:
        _end(import_.pk, S.CANCELLED)
    except Exception:
        log.exception("import %s failed", import_.pk)
        if not connection.is_usable():
            connection.close()  # the next statement opens another
        _end(import_.pk, S.FAILED, error=BROKEN)
    else:
        if report.errors or import_.dry_run:
            _end(import_.pk, S.REFUSED if report.errors else S.DONE, report=asdict(report))


def _end(pk: int, status: str, **fields: object) -> None:
    with transaction.atomic():
        running = Import.objects.filter(pk=pk, status=S.RUNNING)
        if running.update(status=status, finished_at=timezone.now(), **fields) and status != S.CANCELLED:
            slug = Import.objects.values_list("campaign__slug", flat=True).get(pk=pk)
            webhooks.emit("import.done", slug, id=pk, status=status)


def keep(import_: Import) -> None:
    """Queue the import of an upload that was only checked so far. Raise StateError when it is gone."""
    with transaction.atomic():
        this = Import.objects.filter(_CHECKED, pk=import_.pk)
        if not _path(import_.pk).exists() or not this.update(status=S.QUEUED, dry_run=False, report={}):
            raise StateError(_("This upload is not here any more; choose the file again."))
    import_.refresh_from_db()


def cancel(import_: Import, by: User) -> None:
    """Stop an import: none of it stays. Raise StateError when it is over."""
    this = Import.objects.filter(pk=import_.pk)
    with transaction.atomic():
        audit.record(by, "import.cancel", import_)
        if this.filter(status=S.QUEUED).update(status=S.CANCELLED, finished_at=timezone.now()):
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
        done = cache.get(_progress_key(import_.pk)) or 0
    return min(100, 100 * done // import_.bytes) if import_.bytes else 0


def tend() -> list[int]:
    """Give up imports whose worker is gone and forget uploads; return imports that wait for a worker."""
    for campaign in Import.objects.filter(status=S.RUNNING).values_list("campaign", flat=True).distinct():
        with _turn(campaign) as mine:
            if mine:
                _give_up(campaign)
    under_way = {
        _path(pk)
        for pk in Import.objects.filter(status__in=[S.QUEUED, S.RUNNING]).values_list("pk", flat=True)
    }
    for path in set(settings.UPLOADS_DIR.glob("import-*")) - under_way:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
    before = timezone.now() - timedelta(seconds=FORGOTTEN_SECONDS)
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


def _progress_key(pk: int) -> str:
    return f"import-progress:{pk}"
