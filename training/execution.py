"""Execute a run: the engine as a subprocess, its files mirrored into the database.

The database may go away meanwhile without harm to the engine. The engine may be killed: the run is put back
and resumes in the same folder. This worker may be killed: the engine gets SIGTERM (Linux), the conductor puts
the run back, and the next worker ends what is left of the old engine first.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from accounts.models import User
from labeling.judgments import verdicts
from labeling.rounds import StateError
from models_app.registry import ModelError
from training import formats, runs, snapshots
from training.models import Run, RunMetric, Snapshot
from training.reconnecting import insist
from training.snapshots import SnapshotError

POLL = 0.5  # seconds
PATIENCE = 20.0  # seconds for the engine to stop by itself
SILENCE = 90.0  # seconds without the engine's heartbeat after which it counts as hung
MAX_ATTEMPTS = 3
STOPPED = {143, -signal.SIGTERM}
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


class Superseded(Exception):
    """The run is another worker's now, or over."""


def execute(run_id: int) -> Run | None:
    """Run the engine for a queued run until it ends; None when there was nothing to do.

    The run comes back succeeded, failed, cancelled, or queued once more because its engine was killed.
    """
    run = insist(lambda: runs.start(run_id))
    if run is None:
        return None
    folder = runs.folder(run)
    try:
        end_engine(folder)
        prepare(run, folder)
        with _engine(folder) as process:
            code = _Watch(run, folder, process).until_it_ends()
        insist(lambda: _conclude(run, folder, code))
    except (Superseded, StateError):
        return None
    except (runs.RunError, SnapshotError, ModelError) as error:
        sentence = str(error)
        insist(lambda: runs.fail(run, sentence))
    except OSError as error:
        sentence = f"The run's folder cannot be written: {error.strerror or error}."
        insist(lambda: runs.fail(run, sentence))
    return run


def prepare(run: Run, folder: Path) -> None:
    """Write what the engine reads; a folder that has its config.json is complete."""
    if (folder / "config.json").exists():
        return
    from training import parquet

    folder.mkdir(parents=True, exist_ok=True)

    def projected(project: Callable[[formats.Row], Iterator[formats.Row]]) -> Iterator[formats.Row]:
        return (out for row in snapshots.rows(run.snapshot) for out in project(row))

    skills = _skills(run)
    points = len(verdicts(run.campaign))
    parquet.write(
        folder / "pairs.parquet",
        parquet.ENGINE_PAIRS,
        projected(lambda row: formats.engine_pairs(row, points, skills)),
    )
    if run.kind == Run.Kind.POLICY:
        parquet.write(
            folder / "demonstrations.parquet",
            parquet.ENGINE_DEMONSTRATIONS,
            projected(formats.engine_demonstrations),
        )
        asked = (formats.engine_prompt(prompt) for prompt in snapshots.prompts(run.snapshot))
        parquet.write(folder / "prompts.parquet", parquet.ENGINE_PROMPTS, asked)
    config = {key: value for key, value in run.config.items() if key != "snapshot"}
    if config.get("mix"):
        config["mix"] = _write_mix(run, folder)
    _replace(folder / "config.json", config)


def _write_mix(run: Run, folder: Path) -> list[dict[str, Any]]:
    """Write the edits that targets mix in, as new as the newest round; returns the files and their weights.

    What the campaign keeps for a purpose is held out of them as well.
    """
    from training import parquet

    kept_out = set(run.campaign.prompts.exclude(purpose="").values_list("content_hash", flat=True))
    newest = run.round.number if run.round else run.campaign.rounds.count()
    found = []
    for part in run.config["mix"]:
        snapshot = snapshots.standing(Snapshot.objects.get(pk=part["snapshot"]))
        rows = [row for row in snapshots.rows(snapshot, "train") if row["prompt_id"] not in kept_out]
        for name, schema, project in (
            ("demonstrations", parquet.ENGINE_DEMONSTRATIONS, formats.engine_demonstrations),
            ("pairs", parquet.ENGINE_PAIRS, formats.engine_pairs),
        ):
            lessons = ({**out, "round": newest} for row in rows for out in project(row))
            file = f"mix-{part['target']}-{name}.parquet"
            parquet.write(folder / file, schema, lessons)
            found.append({"path": file, "weight": part["weight"]})
    return found


def _skills(run: Run) -> dict[str, list[str]]:
    """Return the skills of a campaign's raters who have any, by pseudonym."""
    found: dict[str, list[str]] = {}
    who = User.objects.filter(memberships__campaign=run.campaign, skills__isnull=False)
    for pseudonym, skill in who.values_list("pseudonym", "skills__name"):
        found.setdefault(pseudonym, []).append(skill)
    return found


def end_engine(folder: Path) -> None:
    """Kill what is left of an engine that an earlier worker started in this folder."""
    try:
        known = json.loads((folder / "engine.json").read_text())
        process = psutil.Process(known["pid"])
        if abs(process.create_time() - known["created"]) > 1:
            return
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
    except (OSError, ValueError, psutil.Error):
        return


@contextlib.contextmanager
def _engine(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "training.engine", str(folder)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_follow_parent if LIBC else None,
        )
    try:
        created = psutil.Process(process.pid).create_time()
        threads = os.environ.get("OMP_NUM_THREADS")  # other numbers of them add in another order
        _replace(folder / "engine.json", {"pid": process.pid, "created": created, "threads": threads})
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _follow_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # type: ignore[union-attr]


class _Watch:
    """Mirror a running engine's files into the database, and pass on the wish to cancel."""

    def __init__(self, run: Run, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.run = run
        self.folder = folder
        self.process = process
        self.read = 0  # bytes of metrics.jsonl
        self.stop_at = float("inf")
        self.heard = time.time()

    def until_it_ends(self) -> int:
        """Return the engine's exit code; raises Superseded when the run is no longer ours."""
        while True:
            try:
                code: int | None = self.process.wait(POLL)
            except subprocess.TimeoutExpired:
                code = None
            try:
                self._mirror()
            except (OperationalError, InterfaceError):
                connection.close()
            if code is not None:
                insist(self._mirror)
                return code
            self._kill_if_late()

    def _mirror(self) -> None:
        fresh, size = _whole_lines(self.folder / "metrics.jsonl", self.read)
        points = [RunMetric(run=self.run, **json.loads(line)) for line in fresh]
        RunMetric.objects.bulk_create(points, ignore_conflicts=True, batch_size=1000)
        self.read = size
        if not runs.heartbeat(self.run, read_json(self.folder / "progress.json")):
            raise Superseded
        wanted = Run.objects.values_list("cancel_requested", flat=True).get(pk=self.run.pk)
        if wanted and self.stop_at == float("inf") and self.process.poll() is None:
            self.process.terminate()
            self.stop_at = time.time() + PATIENCE

    def _kill_if_late(self) -> None:
        with contextlib.suppress(OSError):
            self.heard = max(self.heard, (self.folder / "heartbeat").stat().st_mtime)
        if time.time() > min(self.stop_at, self.heard + SILENCE):
            os.killpg(self.process.pid, signal.SIGKILL)


def _conclude(run: Run, folder: Path, code: int) -> None:
    run.refresh_from_db(fields=["cancel_requested"])
    if code == 0:
        runs.succeed(run, read_json(folder / "result.json"), str(_keep_model(run, folder)))
    elif run.cancel_requested:
        runs.cancelled(run)
    elif code in STOPPED:
        runs.requeue(run, "The engine was asked to stop.")
    elif code > 0:
        runs.fail(run, _sentence(folder, code))
    elif run.attempts < MAX_ATTEMPTS:
        runs.requeue(run, f"The engine was killed by signal {-code}.")
    else:
        runs.fail(run, f"The engine was killed {run.attempts} times, the last time by signal {-code}.")


def _keep_model(run: Run, folder: Path) -> Path:
    place: Path = settings.MODELS_DIR / f"run-{run.pk}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        (folder / "model").rename(place)
    return place


def _sentence(folder: Path, code: int) -> str:
    with contextlib.suppress(OSError):
        if said := (folder / "error.txt").read_text().strip():
            return said
    return f"The engine ended with exit code {code}; its log says more."


def read_json(file: Path) -> dict[str, Any]:
    """Read a file that the engine replaces atomically; empty when it is not there yet."""
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    return found


def _whole_lines(file: Path, start: int) -> tuple[list[bytes], int]:
    """Return the complete lines of a growing file from a byte on, and the byte after the last of them."""
    if not file.exists():
        return [], start
    with file.open("rb") as lines:
        lines.seek(start)
        text = lines.read()
    whole = text[: text.rfind(b"\n") + 1]
    return whole.splitlines(), start + len(whole)


def _replace(file: Path, content: dict[str, Any]) -> None:
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(json.dumps(content, indent=1))
    fresh.replace(file)
