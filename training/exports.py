"""Write a snapshot in one of the formats that trainers read, as a folder."""

import csv
import gzip
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from training import dataset_card, snapshots
from training.export_formats import FORMATS, Format
from training.formats import Row
from training.models import Snapshot

TOLD_EVERY = 500  # rows
COUNTED = ("read", "rows", "left_out")
_JSON = json.JSONEncoder(ensure_ascii=False)


class ExportError(Exception):
    """Say in one plain sentence why there is no such export."""


def file_name(snapshot: Snapshot, format: str) -> str:
    """Return what a download of this export is called."""
    return f"{snapshot.campaign.slug}-{snapshot.digest[:12]}-{format}.zip"


def chosen(format: str, file: str) -> tuple[Format, str]:
    """Return a format and its kind of file, the usual one where none is named; ExportError when unknown."""
    if format not in FORMATS:
        raise ExportError(f"There is no format {format!r}; there are {', '.join(FORMATS)}.")
    kind = FORMATS[format]
    file = file or kind.files[0]
    if file not in kind.files:
        raise ExportError(f"{format} has no {file!r} files; it has {', '.join(kind.files)}.")
    return kind, file


def write(
    snapshot: Snapshot,
    format: str,
    folder: Path,
    file: str = "",
    on_rows: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write an export to a new folder; returns its files.

    data/<split>.<file> for each split that has rows, and what training.dataset_card writes beside them: a
    card by which datasets.load_dataset reads the folder, the datasheet, the manifest and the plots. `file` is
    one of the format's kinds of files, the usual one when empty. Raises ExportError when the format or the
    file is unknown, the folder is not empty, or there is no row to write. `on_rows` hears now and then how
    many of the snapshot's rows are done.
    """
    kind, file = chosen(format, file)
    source = snapshots.path(snapshot)
    if folder.exists() and any(folder.iterdir()):
        raise ExportError(f"The folder {folder} is not empty.")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    manifest = json.loads((source / "manifest.json").read_text())
    found: dict[str, Counter[str]] = {}
    for split in snapshots.SPLITS:
        before = sum(tally["read"] for tally in found.values())
        on_more = partial(_tell, on_rows, before)
        found[split] = _write_split(snapshot, kind, split, folder / "data" / f"{split}.{file}", on_more)
    if not any(tally["rows"] for tally in found.values()):
        raise ExportError(
            _("This snapshot has nothing to say in the format %(format)s.") % {"format": format}
        )
    manifest |= {"format": format, "file": file}
    manifest |= {name: {split: found[split][name] for split in found} for name in ("rows", "left_out")}
    manifest["sha256"] = {f"data/{data.name}": _hash(data) for data in sorted((folder / "data").iterdir())}
    dataset_card.write(folder, snapshot, manifest)
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _tell(on_rows: Callable[[int], None] | None, before: int, rows: int) -> None:
    if on_rows:
        on_rows(before + rows)


def _write_split(
    snapshot: Snapshot, format: Format, split: str, file: Path, on_more: Callable[[int], None]
) -> Counter[str]:
    """Write one split's file, none where it has no rows; returns how many are in it and how many left out."""
    tally: Counter[str] = Counter()
    source = snapshots.path(snapshot) / "data" / f"{split}.parquet"
    if format.columns is None and file.suffix == ".parquet":
        return _copy_split(source, file)
    if format.of == "tasks" and file.suffix not in (".parquet", ".csv"):
        return _write_lines(source, format, file, on_more)
    rows = (
        snapshots.rows(snapshot, split, format.reads) if format.of == "tasks" else snapshots.prompts(snapshot)
    )

    def projected() -> Iterator[Row]:
        for row in rows:
            if row["split"] == split:
                tally["read"] += 1
                if not tally["read"] % TOLD_EVERY:
                    on_more(tally["read"])
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
            text = TextIOWrapper(lines, "utf-8", newline="")
            if file.suffix == ".csv":
                table = csv.DictWriter(text, list(format.columns or ()))
                table.writeheader()
                table.writerows(projected())
            else:
                text.writelines(_JSON.encode(row) + "\n" for row in projected())
            text.detach()
    if not tally["rows"]:
        file.unlink()
    return tally


def _write_lines(source: Path, format: Format, file: Path, on_more: Callable[[int], None]) -> Counter[str]:
    """Write JSON lines of a split's tasks by its row groups, in several processes where there are many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from training import forks, parquet

    def lines_of(group: int) -> pa.Table:
        tally: Counter[str] = Counter()
        text = []
        for row in parquet.read_group(source, group, format.reads):
            tally["read"] += 1
            for out in format.project(row):
                tally["left_out" if out is None else "rows"] += 1
                if out is not None:
                    text.append(_JSON.encode(out) + "\n")
        return pa.table([["".join(text).encode()], *([tally[name]] for name in COUNTED)], schema)

    schema = pa.schema([("text", pa.large_binary()), *((name, pa.int64()) for name in COUNTED)])
    groups = range(pq.read_metadata(source).num_row_groups)
    tally: Counter[str] = Counter()
    with _text_file(file) as out, forks.tables_of_files(groups, lines_of, schema) as tables:
        for table in tables:
            out.write(memoryview(table["text"][0].as_buffer()))
            tally.update({name: table[name][0].as_py() for name in COUNTED})
            on_more(tally["read"])
    if not tally["rows"]:
        file.unlink()
    return tally


def _copy_split(source: Path, file: Path) -> Counter[str]:
    """Take a split's canonical rows as they lie in the snapshot."""
    import pyarrow.parquet as pq

    rows = pq.read_metadata(source).num_rows
    if rows:
        shutil.copyfile(source, file)
    return Counter(rows=rows, read=rows)


@contextmanager
def _text_file(file: Path) -> Iterator[Any]:
    """Open a new file for bytes of text, compressed as its name says; the same text gives the same bytes."""
    with file.open("wb") as raw:
        if file.suffix == ".gz":
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                yield packed
        elif file.suffix == ".zst":
            import pyarrow as pa

            with pa.CompressedOutputStream(raw, "zstd") as packed:
                yield packed
        else:
            yield raw
