"""Run a round again from what it left, beside what is stored: its answers, its labels, its models.

Answers are drawn again into memory, runs are trained again in a folder of their own; nothing that is stored
is touched. On the machine that the round ran on everything comes out the same, bit for bit: other processors
and other numbers of threads add in another order.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from labeling import generation
from labeling.models import Response, Round
from training import execution, runs, snapshots
from training.engine.run_dir import RunDir
from training.models import Run, Snapshot
from training.rehearsal import hash_weights
from training.snapshots import SnapshotError

Progress = Callable[[str, int, int], None]
SHOWN = 5  # figures that differ are named, at most


class ReplayError(Exception):
    """Say in one plain sentence why a round cannot be run again."""


@dataclass(frozen=True)
class Finding:
    """What one part of a round came to the second time, and whether that is what it was the first time."""

    what: str
    same: bool
    says: str


def replay(round_: Round, folder: Path, progress: Progress) -> Iterator[Finding]:
    """Yield how a round's answers, labels and runs compare with what is stored; `folder` takes the runs.

    Raises ReplayError, and what sampling raises, when something that the round was made from is gone.
    """
    if round_.responses.filter(origin=Response.Origin.SAMPLED).exists():
        yield draw_again(round_, progress)
    done = round_.runs.filter(status=Run.Status.SUCCEEDED).select_related("snapshot", "produced", "campaign")
    for run in done.order_by("pk"):
        yield check_labels(run.snapshot)
        yield from train_again(run, folder / str(run.pk), progress)


def draw_again(round_: Round, progress: Progress) -> Finding:
    """Draw a round's answers again and compare their texts."""
    total = round_.responses.filter(origin=Response.Origin.SAMPLED).count()
    same = 0
    for drawn, (response, text) in enumerate(generation.redraw(round_), start=1):
        same += response.text == text
        progress(_("drawing answers"), drawn, total)
    says = _("%(same)s of %(total)s answers came out the same.") % {"same": same, "total": total}
    return Finding("answers", same == total, says)


def check_labels(snapshot: Snapshot) -> Finding:
    """Compare a snapshot's files with the hashes in its manifest."""
    try:
        folder = snapshots.path(snapshot)
    except SnapshotError as error:
        raise ReplayError(str(error)) from error
    manifest = json.loads((folder / "manifest.json").read_text())
    changed = [name for name, hash_ in manifest["files"].items() if _hash(folder / name) != hash_]
    same = not changed and manifest["digest"] == snapshot.digest
    says = _("The labels are those of the snapshot %(digest)s.") % {"digest": snapshot.digest[:12]}
    if not same:
        says = _("Of the snapshot, these files have changed: %(files)s.") % {"files": ", ".join(changed)}
    return Finding("labels", same, says)


def train_again(run: Run, folder: Path, progress: Progress) -> Iterator[Finding]:
    """Train a run again from its job and its snapshot; compare what it read, its model and its figures."""
    assert run.produced is not None
    execution.prepare(run, folder)
    stored = runs.folder(run)
    if (stored / "config.json").exists():
        same = RunDir(folder).fingerprint == RunDir(stored).fingerprint
        says = _("The run reads the same job and the same rows.")
        yield Finding(
            f"{run.kind} job", same, says if same else _("The run reads another job, or other rows.")
        )
    progress(_("training the %(kind)s run again") % {"kind": run.kind}, 0, 0)
    _train(folder, execution.read_json(stored / "engine.json").get("threads"))
    before, after = hash_weights(Path(run.produced.location)), hash_weights(folder / "model")
    if not before:
        raise ReplayError(_("There are no weights in %(folder)s.") % {"folder": run.produced.location})
    says = _("The model's weights are the same, bit for bit.")
    yield Finding(
        f"{run.kind} model", before == after, says if before == after else _("The weights are others.")
    )
    yield _compare_figures(run, execution.read_json(folder / "result.json"))


def _train(folder: Path, threads: str | None) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": threads or str(max(1, (os.cpu_count() or 2) - 1))}
    with (folder / "log.txt").open("ab") as log:
        code = subprocess.run(
            [sys.executable, "-m", "training.engine", str(folder)],
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ).returncode
    if code:
        error = folder / "error.txt"
        said = error.read_text().strip() if error.exists() else f"exit code {code}"
        raise ReplayError(_("The run could not be trained again: %(error)s") % {"error": said})


def _compare_figures(run: Run, found: dict[str, Any]) -> Finding:
    stored, new = dict(_leaves(run.result)), dict(_leaves(found))
    others = sorted(name for name in stored.keys() | new.keys() if stored.get(name) != new.get(name))
    says = _("All %(n)s figures are the same.") % {"n": len(stored)}
    if others:
        told = ", ".join(f"{name} {stored.get(name)} → {new.get(name)}" for name in others[:SHOWN])
        says = _("%(n)s figures differ: %(which)s.") % {"n": len(others), "which": told}
    return Finding(f"{run.kind} figures", not others, says)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Walk a result's figures by their paths; how long it took, and how fast, is no figure of the model."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if "second" not in str(key):
                yield from _leaves(inner, f"{name}.{key}".lstrip("."))
    else:
        yield name, value


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
