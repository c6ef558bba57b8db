"""Exports as zip files that are kept a while, so that a download that was cut off can go on."""

import hashlib
import os
import shutil
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from training import dataset_card, exports, snapshots
from training.exports import ExportError
from training.models import Snapshot

CHUNK = 1 << 18  # bytes
PACKED = {".parquet", ".gz", ".zst"}  # compressed already
DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class Archive:
    """A zip file that is ready; `sha256` is of its bytes."""

    path: Path
    sha256: str
    bytes: int
    name: str


def find(snapshot: Snapshot, format: str, file: str) -> Archive | None:
    """Return an export that is ready, if there is one."""
    stem = f"{format}.{file}.{dataset_card.edition(snapshot)}"
    for path in sorted(_folder(snapshot).glob(f"{stem}.*.zip")):
        try:
            os.utime(path)  # wanted today: the last to be thrown away
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        return Archive(path, path.name.split(".")[-2], size, exports.file_name(snapshot, format))
    return None


def make(snapshot: Snapshot, format: str, file: str, on_rows: Callable[[int], None] | None = None) -> Archive:
    """Write an export and pack it; the same export has the same bytes, whoever makes it."""
    _kind, file = exports.chosen(format, file)
    edition = dataset_card.edition(snapshot)
    scratch = _folder(snapshot) / f".draft-{uuid.uuid4().hex}"
    scratch.mkdir(parents=True)
    try:
        files = exports.write(snapshot, format, scratch / "export", file, on_rows)
        rows = snapshot.counts.get("tasks", 0)
        _pack(scratch / "export", files, scratch / "zip", lambda: on_rows(rows) if on_rows else None)
        with (scratch / "zip").open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        os.replace(scratch / "zip", _folder(snapshot) / f"{format}.{file}.{edition}.{sha256}.zip")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tidy()
    found = find(snapshot, format, file)
    if found is None:
        raise ExportError(f"{exports.file_name(snapshot, format)} is gone as soon as it was written.")
    return found


def tidy() -> None:
    """Throw away the exports that nobody has wanted for long, and the longest unwanted of too many."""
    kept = 0
    now = time.time()
    ready = [(path.stat(), path) for path in settings.SNAPSHOTS_DIR.glob("*/exports/*.zip")]
    for place, (stat, path) in enumerate(sorted(ready, key=lambda one: -one[0].st_mtime)):
        kept += stat.st_size
        old = now - stat.st_mtime > settings.EXPORTS_KEEP_DAYS * DAY
        if place and (old or kept > settings.EXPORTS_KEEP_GB * 1e9):
            path.unlink(missing_ok=True)
    for draft in settings.SNAPSHOTS_DIR.glob("*/exports/.draft-*"):
        if now - draft.stat().st_mtime > DAY:  # its maker was killed
            shutil.rmtree(draft, ignore_errors=True)


def _folder(snapshot: Snapshot) -> Path:
    return snapshots.path(snapshot) / "exports"


def _pack(folder: Path, files: list[Path], archive: Path, on_chunk: Callable[[], None]) -> None:
    """Pack files into a zip file, those that are compressed already as they are."""
    with zipfile.ZipFile(archive, "w") as packed:
        for file in files:
            # a fixed date: the same export has the same bytes
            entry = zipfile.ZipInfo(str(file.relative_to(folder)))
            entry.compress_type = zipfile.ZIP_STORED if file.suffix in PACKED else zipfile.ZIP_DEFLATED
            entry._compresslevel = 1  # type: ignore[attr-defined]  # four times as fast, a sixth larger
            entry.external_attr = 0o644 << 16
            entry.file_size = file.stat().st_size  # whether it needs 64 bits
            with packed.open(entry, "w") as out, file.open("rb") as content:
                while chunk := content.read(CHUNK):
                    out.write(chunk)
                    on_chunk()
