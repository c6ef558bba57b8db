"""A run's directory: signs of life, metrics, progress, the resume point and the result."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from training.engine.config import EngineError

HEARTBEAT_SECONDS = 2.0


class Cancelled(Exception):
    """The run was asked to stop; its resume point is kept."""


class RunDir:
    """Read and write the files of one run; without `writes` only read them, and say why it failed.

    `metrics.jsonl` only ever grows, and holds each (step, name) once even when a killed run repeats steps.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        self.work = path / "checkpoint"
        self.model = path / "model"
        self._stop = threading.Event()
        self._written: set[tuple[int, str]] | None = None

    def beside(self, name: str) -> RunDir:
        """Return the same run with a resume point apart, for what is trained beside its model."""
        side = RunDir(self.path, self.writes)
        side.work = self.work / name
        side.work.mkdir(parents=True, exist_ok=True)
        side._stop = self._stop
        return side

    @property
    def features(self) -> Path:
        """Return the folder where frozen features are kept, for all runs beside this one."""
        return self.path.parent / "features"

    @property
    def references(self) -> Path:
        """Return the folder where log-probabilities of parents are kept, for all runs beside this one."""
        return self.path.parent / "references"

    @property
    def finished(self) -> bool:
        """Say whether the result is there already."""
        return (self.path / "result.json").exists()

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Beat the heart from a thread and turn SIGTERM and SIGINT into a stop at the next safe place."""
        done = threading.Event()

        def beat() -> None:
            while self.writes:
                (self.path / "heartbeat").touch()
                if done.wait(HEARTBEAT_SECONDS):
                    return

        def stop(signum: int, frame: FrameType | None) -> None:
            self._stop.set()

        if self.writes:
            (self.path / "error.txt").unlink(missing_ok=True)
        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def stopping(self) -> bool:
        """Say whether the run was asked to stop."""
        return self._stop.is_set()

    def check_stop(self) -> None:
        """Raise Cancelled when the run was asked to stop."""
        if self.stopping:
            raise Cancelled

    def metric(self, step: int, **values: float) -> None:
        """Append figures of one step, those written before a restart excepted; figures must be finite."""
        for name, value in values.items():
            if not math.isfinite(value):
                raise EngineError(f"{name} is {value} at step {step}; try a lower learning rate.")
        if not self.writes:
            return
        if self._written is None:
            self._written = self._read_metrics()
        lines = []
        for name, value in values.items():
            if (step, name) not in self._written:
                self._written.add((step, name))
                lines.append(json.dumps({"step": step, "name": name, "value": round(float(value), 6)}) + "\n")
        with (self.path / "metrics.jsonl").open("a") as file:
            file.write("".join(lines))

    def _read_metrics(self) -> set[tuple[int, str]]:
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return set()
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:  # a kill cut the last line short
            os.truncate(path, len(whole))
        return {(row["step"], row["name"]) for row in map(json.loads, whole.splitlines())}

    def progress(self, done: int, total: int, stage: str) -> None:
        """Say how far the stage is."""
        content = {"done": done, "total": total, "stage": stage}
        self.write_bytes(self.path / "progress.json", json.dumps(content).encode(), durable=False)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace a JSON file of the run atomically."""
        self.write_bytes(self.path / name, json.dumps(content, indent=1, allow_nan=False).encode())

    def write_bytes(self, path: Path, content: bytes, durable: bool = True) -> None:
        """Replace a file atomically; a durable one outlives a power cut as well."""
        self.write_by(path, lambda file: file.write(content), durable)

    def write_by(self, path: Path, write: Callable[[BinaryIO], object], durable: bool = True) -> None:
        """Replace a file atomically by what a function writes, which need not be in memory as a whole."""
        if not self.writes:
            return
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        with fresh.open("wb") as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, path)

    def fail(self, sentence: str) -> None:
        """Leave the reason of a failure, on one line."""
        line = " ".join(sentence.split()) + "\n"
        if self.writes:
            self.write_bytes(self.path / "error.txt", line.encode())
        else:  # the others may never hear of it
            (self.path / "error.txt").write_text(line)

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result, last of all, and drop what only a resume would need."""
        self.write_json("result.json", result)
        if self.writes:
            shutil.rmtree(self.work, ignore_errors=True)

    @cached_property
    def fingerprint(self) -> str:
        """Hash the files that the run reads, so that no resume mixes two jobs; in hexadecimal."""
        digest = hashlib.sha256()
        for path in sorted([self.path / "config.json", *self.path.glob("*.parquet")]):
            if path.name in OUTPUTS:
                continue
            digest.update(path.name.encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


OUTPUTS = {"test_votes.parquet", "samples.parquet"}
