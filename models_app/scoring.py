"""Score answers with a reward model: at once, or those of many callers together."""

import logging
import math
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

from models_app import registry
from models_app.backends import BackendError, Conversation
from models_app.models import ModelVersion
from models_app.registry import ModelError

if TYPE_CHECKING:
    from models_app.backends.transformers import TransformersRewardModel

logger = logging.getLogger(__name__)

TOGETHER = 4096  # texts that are scored in one go, at most
WAITING = 20_000  # texts that may wait
LOOK_SECONDS = 5.0  # between two looks at which model is the right one


class ScoringError(Exception):
    """Say in one plain sentence why something can't be scored."""


class Overloaded(ScoringError):
    """So much waits that more would only wait in vain."""


@dataclass(frozen=True)
class Source:
    """Which reward model to use: its name and where it is; another `changed_at` is another model."""

    name: str
    location: str
    changed_at: float = 0.0


@dataclass(frozen=True)
class Scored:
    """The rewards of some texts, how many tokens each had, and the name of the model that read them."""

    rewards: list[float]
    tokens: list[int]
    model: str


def score(version: ModelVersion, conversations: Sequence[Conversation]) -> list[float]:
    """Return one reward per conversation; each ends with the answer to score."""
    return list(registry.reward_model(version).score(conversations))


def read(name: str, model: "TransformersRewardModel", queries: Sequence[Conversation | str]) -> Scored:
    """Score texts with a loaded model; raises ScoringError where it gives no numbers."""
    tokens = [model.tokens(query) for query in queries]
    rewards = model.read_tokens(tokens)[0]
    if not all(map(math.isfinite, rewards)):
        raise ScoringError(f"{name} gives something that is not a number.")
    return Scored(rewards, [len(row) for row in tokens], name)


def of_version(version: ModelVersion) -> Source:
    """Return where a registered model is."""
    return Source(version.name, version.location)


def of_champion(family: str) -> Source | None:
    """Return where a family's champion reward model is, if it has one."""
    version = registry.champion(family, ModelVersion.Kind.REWARD)
    return None if version is None else of_version(version)


def of_path(location: str) -> Source:
    """Return a folder or hub id as a source; a folder that is written again is another model."""
    return Source(location, location, registry.changed_at(location))


Job = tuple[Sequence[Conversation | str], "Future[Scored]"]


class Scorer:
    """One loaded reward model for many callers: what waits is scored together, sorted by length.

    `find` says which model is the right one; another one is loaded while the old one goes on.
    """

    def __init__(self, find: Callable[[], Source | None]) -> None:
        self.find = find
        self.waiting = 0
        self.trouble = ""
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._counting = threading.Lock()
        self._stopping = threading.Event()
        source = find()
        if source is None:
            raise ScoringError("There is no champion reward model yet.")
        self._in_use = (source, _load(source))
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._work, self._follow)]
        for thread in self._threads:
            thread.start()

    @property
    def model(self) -> str:
        """Name the model in use."""
        return self._in_use[0].name

    def score(self, queries: Sequence[Conversation | str], timeout: float = 600.0) -> Scored:
        """Wait for the scores of some texts; raises ScoringError."""
        with self._counting:
            if self.waiting + len(queries) > WAITING:
                raise Overloaded("Too much waits to be scored already; try again in a moment.")
            self.waiting += len(queries)
        done: Future[Scored] = Future()
        self._jobs.put((queries, done))
        try:
            return done.result(timeout)
        except TimeoutError as error:
            raise Overloaded("Scoring took too long; send fewer texts at once.") from error
        finally:
            with self._counting:
                self.waiting -= len(queries)

    def close(self) -> None:
        """End the threads once the work in hand is done."""
        self._stopping.set()
        self._jobs.put(None)
        self._threads[0].join()

    def _work(self) -> None:
        while (jobs := self._gather()) is not None:
            source, model = self._in_use
            try:
                scored = read(source.name, model, [query for queries, _ in jobs for query in queries])
            except Exception as error:
                logger.exception("A batch could not be scored")
                if len(jobs) > 1:  # one caller's text must not fail the others
                    for queries, done in jobs:
                        _score_alone(source, model, queries, done)
                else:
                    jobs[0][1].set_exception(_as_sentence(error))
                continue
            start = 0
            for queries, done in jobs:
                part = slice(start, start + len(queries))
                done.set_result(Scored(scored.rewards[part], scored.tokens[part], source.name))
                start += len(queries)

    def _gather(self) -> list[Job] | None:
        """Wait for a job and take what else waits by then; None at the end."""
        jobs: list[Job] = []
        texts = 0
        while texts < TOGETHER:
            try:
                job = self._jobs.get(block=not jobs)
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                return jobs or None
            jobs.append(job)
            texts += len(job[0])
        return jobs

    def _follow(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                source = self.find()
                if source is not None and source != self._in_use[0]:
                    self._in_use = (source, _load(source))
                    logger.info("Scoring with %s from now on", source.name)
                self.trouble = ""
            except Exception as error:
                # whatever it is, the model in use goes on
                self.trouble = str(error)
                logger.warning("The model in use stays: %s", error)
            finally:
                connection.close()


def _load(source: Source) -> "TransformersRewardModel":
    from models_app.backends.transformers import load_reward_model

    return load_reward_model(source.location)


def _score_alone(
    source: Source,
    model: "TransformersRewardModel",
    queries: Sequence[Conversation | str],
    done: "Future[Scored]",
) -> None:
    try:
        done.set_result(read(source.name, model, queries))
    except Exception as error:
        done.set_exception(_as_sentence(error))


def _as_sentence(error: Exception) -> Exception:
    if isinstance(error, ScoringError | BackendError | ModelError):
        return ScoringError(str(error))
    return ScoringError(f"The texts could not be scored: {error}")
