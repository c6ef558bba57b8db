"""Where a person's or a prompt's data lies: whether a snapshot holds any of it, read from few columns."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING

from training import snapshots
from training.models import Snapshot
from training.snapshots import SnapshotError

if TYPE_CHECKING:
    import pyarrow as pa

# everywhere that a canonical row names a person
PEOPLE = (
    "judgments.list.element.rater",
    "edits.list.element.rater",
    "consensus.adjudicated",
    "responses.list.element.author",
)
BATCH = 20_000  # rows of a file in memory at once


def holds(snapshot: Snapshot, raters: Set[str], prompts: Set[str]) -> bool:
    """Tell whether rows of a snapshot name a rater (by pseudonym) or a prompt (by content hash).

    One whose files are gone may have held anything, and is taken to.
    """
    try:
        folder = snapshots.path(snapshot)
    except SnapshotError:
        return True
    if prompts and _names(folder / "prompts.parquet", ("prompt_id",), prompts):
        return True
    files = [folder / "data" / f"{split}.parquet" for split in snapshots.SPLITS]
    return any(
        (raters and _names(file, PEOPLE, raters)) or (prompts and _names(file, ("prompt_id",), prompts))
        for file in files
    )


def _names(file: Path, columns: tuple[str, ...], wanted: Set[str]) -> bool:
    """Tell whether one of a file's text columns, however deep, has one of the texts."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    values = pa.array(sorted(wanted), pa.string())
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(BATCH, columns=list(columns)):
            for column in batch.columns:
                if any(pc.any(pc.is_in(leaf, values)).as_py() for leaf in _leaves(column)):
                    return True
    return False


def _leaves(column: pa.Array) -> list[pa.Array]:
    """Return the plain arrays within a nested one."""
    import pyarrow as pa

    if pa.types.is_list(column.type):
        return _leaves(column.flatten())
    if pa.types.is_struct(column.type):
        return [leaf for part in column.flatten() for leaf in _leaves(part)]
    return [column]
