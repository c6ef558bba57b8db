"""Write a snapshot in one of the formats that trainers read, as a folder or as one zip file."""

import csv
import gzip
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase, TextIOWrapper
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _

from training import dataset_card, snapshots
from training.export_formats import FORMATS, Format
from training.formats import Row
from training.models import Snapshot

CHUNK = 1 << 16  # bytes


class ExportError(Exception):
    """Say in one plain sentence why there is no such export."""


def file_name(snapshot: Snapshot, format: str) -> str:
    """Return what a download of this export is called."""
    return f"{snapshot.campaign.slug}-{snapshot.digest[:12]}-{format}.zip"


def export(snapshot: Snapshot, format: str, file: str = "") -> Iterator[bytes]:
    """Yield the bytes of a zip file that holds an export (see `write`), in constant memory.

    Raises ExportError for an unknown format or an export without rows before the first byte.
    """
    scratch = tempfile.TemporaryDirectory(prefix="touchstone-export-")
    try:
        files = write(snapshot, format, Path(scratch.name) / "export", file)
    except BaseException:
        scratch.cleanup()
        raise
    return _zipped(scratch, files)


def write(snapshot: Snapshot, format: str, folder: Path, file: str = "") -> list[Path]:
    """Write an export to a new folder; returns its files.

    data/<split>.<file> for each split that has rows, and what training.dataset_card writes beside them: a
    card by which datasets.load_dataset reads the folder, the datasheet, the manifest and the plots. `file` is
    one of the format's kinds of files, the usual one when empty. Raises ExportError when the format or the
    file is unknown, the folder is not empty, or there is no row to write.
    """
    if format not in FORMATS:
        raise ExportError(f"There is no format {format!r}; there are {', '.join(FORMATS)}.")
    kind = FORMATS[format]
    file = file or kind.files[0]
    if file not in kind.files:
        raise ExportError(f"{format} has no {file!r} files; it has {', '.join(kind.files)}.")
    source = snapshots.path(snapshot)
    if folder.exists() and any(folder.iterdir()):
        raise ExportError(f"The folder {folder} is not empty.")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    manifest = json.loads((source / "manifest.json").read_text())
    found = {
        split: _write_split(snapshot, kind, split, folder / "data" / f"{split}.{file}")
        for split in snapshots.SPLITS
    }
    if not any(tally["rows"] for tally in found.values()):
        raise ExportError(
            _("This snapshot has nothing to say in the format %(format)s.") % {"format": format}
        )
    manifest |= {"format": format, "file": file}
    manifest |= {name: {split: found[split][name] for split in found} for name in ("rows", "left_out")}
    dataset_card.write(folder, snapshot, manifest)
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _write_split(snapshot: Snapshot, format: Format, split: str, file: Path) -> Counter[str]:
    """Write one split's file, none where it has no rows; returns how many are in it and how many left out."""
    tally: Counter[str] = Counter()
    rows = snapshots.rows(snapshot, split) if format.of == "tasks" else snapshots.prompts(snapshot)

    def projected() -> Iterator[Row]:
        for row in rows:
            if row["split"] == split:
                for out in format.project(row):
                    tally["left_out" if out is None else "rows"] += 1
                    if out is not None:
                        yield out

    if file.name.endswith(".parquet"):
        from training import parquet

        parquet.write(
            file, parquet.ROWS if format.columns is None else parquet.schema(format.columns), projected()
        )
    else:
        with _text_file(file) as lines:
            if file.suffix == ".csv":
                table = csv.DictWriter(lines, list(format.columns or ()))
                table.writeheader()
                table.writerows(projected())
            else:
                lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in projected())
    if not tally["rows"]:
        file.unlink()
    return tally


@contextmanager
def _text_file(file: Path) -> Iterator[IO[str]]:
    """Open a new text file, compressed as its name says; the same text gives the same bytes."""
    with file.open("wb") as raw:
        if file.suffix == ".gz":
            with (
                gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
                TextIOWrapper(packed, "utf-8") as text,
            ):
                yield text
        elif file.suffix == ".zst":
            import pyarrow as pa

            with (
                pa.CompressedOutputStream(raw, "zstd") as packed,
                TextIOWrapper(packed, "utf-8", newline="") as text,
            ):
                yield text
        else:
            with TextIOWrapper(raw, "utf-8", newline="") as text:
                yield text


class _Pipe(RawIOBase):
    """Collect what zipfile writes until it is handed on."""

    def __init__(self) -> None:
        self.held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self.held)
        self.held.clear()
        return taken


def _zipped(scratch: "tempfile.TemporaryDirectory[str]", files: list[Path]) -> Iterator[bytes]:
    root, pipe = Path(scratch.name) / "export", _Pipe()
    with scratch:
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                # a fixed date: the same export has the same bytes
                info = zipfile.ZipInfo(str(file.relative_to(root)))
                info.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(info, "w") as out, file.open("rb") as content:
                    while chunk := content.read(CHUNK):
                        out.write(chunk)
                        if pipe.held:
                            yield pipe.take()
        yield pipe.take()
