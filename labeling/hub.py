"""Bring a dataset from the Hugging Face hub, or from a folder that looks like one, into one JSONL file.

Its data files are Parquet, Arrow (as `datasets` saves to disk), JSON lines, a list in JSON, or CSV.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from labeling.import_fields import FieldError
from labeling.import_rows import plain_row, read_rows
from labeling.import_source import LineError

# The first kind that a dataset has is read.
KINDS = (".parquet", ".arrow", ".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz")
_NO_DATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "dataset.json",
            "settings.json", "manifest.json", "metadata.json", "config.json"}  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)


class HubError(Exception):
    """A dataset can't be had, and why."""


def check_id(dataset: str) -> str:
    """Return a dataset's id, owner/name; HubError when it can't be one."""
    if not _ID.fullmatch(dataset) or ".." in dataset:
        raise HubError(f"“{dataset}” is no dataset's id: it looks like owner/name.")
    return dataset


def data_files(names: Iterable[str], split: str = "") -> list[str]:
    """Return which of a dataset's files hold its rows, of one split; train where none is named."""
    data = [n for n in sorted(names) if Path(n).name not in _NO_DATA and not _is_hidden(n)]
    found = next((kept for kind in KINDS if (kept := [n for n in data if n.endswith(kind)])), [])
    if not found:
        raise HubError(f"There is no data file in it ({', '.join(KINDS)}).")
    wanted = split or "train"
    of_split = [n for n in found if wanted in re.split(r"[/._-]+", n)]
    if split and not of_split:
        raise HubError(f"There is no split “{split}” in it. Its files are {', '.join(found[:10])}.")
    return of_split or found


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def fetch(dataset: str, split: str, out: BinaryIO) -> None:
    """Download a dataset's data files and write their rows to `out` as JSON lines. Raise HubError."""
    import httpx
    from huggingface_hub import HfApi, errors, snapshot_download  # only the worker that fetches needs them

    check_id(dataset)
    try:
        names = data_files(HfApi().list_repo_files(dataset, repo_type="dataset"), split)
        with tempfile.TemporaryDirectory() as folder:
            snapshot_download(dataset, repo_type="dataset", allow_patterns=names, local_dir=folder)
            _gather(Path(folder), names, out)
    except errors.RepositoryNotFoundError as error:
        raise HubError(f"The hub has no public dataset “{dataset}”.") from error
    except (errors.OfflineModeIsEnabled, errors.HfHubHTTPError, httpx.HTTPError, OSError) as error:
        message = (
            f"The hub can't be reached for “{dataset}” ({type(error).__name__}). Where there is no network, "
            "download the dataset elsewhere: upload its data file here, or give its folder to the command "
            "import_prompts."
        )
        raise HubError(message) from error


def gather(folder: Path, split: str, out: BinaryIO) -> None:
    """Write the rows of a dataset's folder to `out` as JSON lines. Raise HubError."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    _gather(folder, data_files(names, split), out)


def _gather(folder: Path, names: list[str], out: BinaryIO) -> None:
    for name in names:
        for row in _rows(folder / name):
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    out.flush()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.suffix == ".arrow":
            yield from _arrow_rows(path)
            return
        with path.open("rb") as source:
            for item in read_rows(source):
                if isinstance(item, LineError):
                    raise HubError(f"{path.name}, row {item.line}: {item.message}")
                yield item[1]
    except FieldError as error:
        raise HubError(f"{path.name}: {error.field} {error}") from error


def _arrow_rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow

    try:
        with pyarrow.memory_map(str(path)) as file, pyarrow.ipc.open_stream(file) as batches:
            for batch in batches:
                for row in batch.to_pylist():
                    yield plain_row(row)
    except pyarrow.ArrowException as error:
        raise HubError(f"{path.name} can't be read: {str(error).partition(chr(10))[0]}") from error
