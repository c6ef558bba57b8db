"""Write a snapshot in one of the formats that trainers read, as a folder or as one zip file."""

import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from training import formats, snapshots
from training.formats import FORMATS, Format
from training.models import Snapshot

CHUNK = 1 << 16  # bytes


class ExportError(Exception):
    """Say in one plain sentence why there is no such export."""


def file_name(snapshot: Snapshot, format: str) -> str:
    """Return what a download of this export is called."""
    return f"{snapshot.campaign.slug}-{snapshot.digest[:12]}-{format}.zip"


def export(snapshot: Snapshot, format: str) -> Iterator[bytes]:
    """Yield the bytes of a zip file that holds an export (see `write`), in constant memory.

    Raises ExportError for an unknown format or an export without rows before the first byte.
    """
    scratch = tempfile.TemporaryDirectory(prefix="touchstone-export-")
    try:
        files = write(snapshot, format, Path(scratch.name) / "export")
    except BaseException:
        scratch.cleanup()
        raise
    return _zipped(scratch, files)


def write(snapshot: Snapshot, format: str, folder: Path) -> list[Path]:
    """Write an export to a new folder; returns its files.

    data/<split>.<extension> for each split that has rows, README.md (a Hugging Face dataset card, so that
    datasets.load_dataset reads the folder), and manifest.json. Raises ExportError when the format is unknown,
    the folder is not empty, or there is no row to write.
    """
    if format not in FORMATS:
        raise ExportError(f"There is no format {format!r}; there are {', '.join(FORMATS)}.")
    source = snapshots.path(snapshot)
    if folder.exists() and any(folder.iterdir()):
        raise ExportError(f"The folder {folder} is not empty.")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    manifest = json.loads((source / "manifest.json").read_text())
    written: Counter[str] = Counter()
    for split in snapshots.SPLITS:
        file = folder / "data" / f"{split}.{FORMATS[format].extension}"
        written[split] = _write_split(snapshot, FORMATS[format], split, file)
        if not written[split]:
            file.unlink()
    if not written.total():
        raise ExportError(
            _("This snapshot has nothing to say in the format %(format)s.") % {"format": format}
        )
    manifest |= {"format": format, "rows": dict(written)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    (folder / "README.md").write_text(card(manifest))
    return sorted(file for file in folder.rglob("*") if file.is_file())


def card(manifest: dict[str, Any]) -> str:
    """Return the dataset card of an export, its YAML head first."""
    kind = FORMATS[manifest["format"]]
    splits = [split for split in snapshots.SPLITS if manifest["rows"][split]]
    head = ["---", "pretty_name: " + json.dumps(f"{manifest['campaign']} ({kind.title})"), "license: other"]
    head += ["tags:", "- preference", "- rlhf", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        head += [f"  - split: {split}", f"    path: data/{split}.{kind.extension}"]
    counts = manifest["counts"]
    rows = ", ".join(f"{split} {manifest['rows'][split]}" for split in splits)
    guidelines = ", ".join(str(guideline["number"]) for guideline in manifest["guidelines"]) or "none"
    body = [
        "---",
        f"# {manifest['campaign']}: {kind.title}",
        "",
        f"Cut by Touchstone from the campaign “{manifest['campaign']}”; snapshot `{manifest['digest']}`, "
        f"filters {json.dumps(manifest['filters'])}.",
        "",
        "| what | how many |",
        "|---|---|",
        *(f"| {name.replace('_', ' ')} | {number} |" for name, number in sorted(counts.items())),
        "",
        f"Rows of this export: {rows}. Splits are by prompt: no prompt is in two of them.",
        "",
        f"Raters appear under pseudonyms. They judged on {manifest['scale']} points, sides shuffled for each "
        f"rater, under guideline versions {guidelines}. Judgments marked as extra, withdrawn or superseded "
        "are in the canonical rows only, and pairs of identical answers are never preferences.",
    ]
    return "\n".join([*head, *body]) + "\n"


def _write_split(snapshot: Snapshot, format: Format, split: str, file: Path) -> int:
    written = 0

    def projected() -> Iterator[formats.Row]:
        nonlocal written
        for row in snapshots.rows(snapshot, split):
            for out in format.project(row):
                written += 1
                yield out

    if format.extension == "parquet":
        from training import parquet

        parquet.write(file, parquet.ROWS, projected())
    else:
        with file.open("w") as lines:
            for row in projected():
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return written


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
