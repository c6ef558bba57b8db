"""Fill a round: sample its answers, pair them, and open it.

Safe to run again at any point: tasks were planned when generation began, an answer that is there is not
stored again, and the round opens once. A killed worker changes no text either: an answer's random numbers
come from the round's seed, the prompt and the draw's number alone, and what is sampled together is fixed.
"""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread
from typing import NamedTuple

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _

from labeling import batches, rounds
from labeling.models import Prompt, Response, Round, Task, TaskResponse
from labeling.prompts import text_hash
from labeling.rounds import StateError
from models_app import sampling
from models_app.backends import BackendError
from models_app.models import ModelVersion, SamplingConfig
from models_app.registry import ModelError

LEASE_SECONDS = 30  # three heartbeats
RETRY_SECONDS = 30
BATCH = 64  # answers stored at once
STORE_SECONDS = 10.0  # or fewer, when they come slowly
CHUNK = 512  # answers sampled together; a checkpoint samples all of them again when some are missing
REDRAWS = 4  # further draws for a task some of whose answers came out the same
STUCK_TRIES, ENOUGH = 5, 0.9  # tries that bring no answer more, after which a round does with so many
REDRAW = 1000  # is added to a draw's number each time

Progress = Callable[[int, int], None]


class Draw(NamedTuple):
    """One answer to sample: its number among the prompt's draws in the round, from whom, and how."""

    prompt: Prompt
    copy: int
    policy: ModelVersion
    config: SamplingConfig


def generate(round_id: int, progress: Progress | None = None) -> bool:
    """Sample what a generating round lacks and open it; False if there is nothing to do here.

    A model that can't answer leaves its sentence in Round.error; the conductor tries again later.
    """
    round_ = Round.objects.select_related("campaign", "sampling").get(pk=round_id)
    if round_.status != Round.Status.GENERATING or not rounds.hold_generation(round_, LEASE_SECONDS):
        return False
    try:
        if round_.origin == Round.Origin.LOOP:
            with alive(round_):
                fill(round_, progress or (lambda done, total: None))
        rounds.open_(round_)
    except (BackendError, ModelError) as error:
        rounds.keep_generation(round_, RETRY_SECONDS, error=str(error)[:500])
        return False
    except StateError:
        return False  # cancelled meanwhile
    return True


@contextmanager
def alive(round_: Round) -> Iterator[None]:
    """Hold a round's generation while this process lives, however long a model takes to load or answer."""
    over = Event()

    def beat() -> None:
        while not over.wait(LEASE_SECONDS / 3):
            try:
                rounds.keep_generation(round_, LEASE_SECONDS)
            except OperationalError:
                continue  # the database is away for a moment
            finally:
                connection.close()

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def fill(round_: Round, progress: Progress) -> None:
    """Draw the answers of a round's tasks and put them in their places, all of them or none.

    A live conversation draws none here: its answers come while it is held. Where comparisons get their pairs
    batch by batch, the first batch gets them here.
    """
    if TaskResponse.objects.filter(task__round=round_).exists():
        return  # a worker died between placing the answers and opening the round
    asking = round_.tasks.filter(status=Task.Status.OPEN).exclude(kind=Task.Kind.CHAT)
    tasks = list(asking.select_related("prompt").order_by("pk"))
    chosen = {task.pk for task in tasks if round_.selection and _is_chosen(task)}
    copies = places(
        tasks, round_.plan.get("rank_size", round_.campaign.rank_size), round_.selection.get("answers", 2)
    )
    draw_all(round_, tasks, copies, progress)
    with transaction.atomic():
        link(round_, [task for task in tasks if task.pk not in chosen], copies)
        if chosen:
            batches.ask_at_random(round_, batches.batch_size(round_))


def draw_all(round_: Round, tasks: list[Task], copies: dict[int, list[int]], progress: Progress) -> None:
    """Draw the answers of tasks by their numbers, again where two of a task are the same.

    In the end `copies` has, for each task, the numbers of its answers that are there and that differ.
    """
    total = sum(len(c) for c in copies.values())
    caster = Caster(round_)
    wanted = [caster.draw(task, place, copy) for task in tasks for place, copy in enumerate(copies[task.pk])]
    for extra in range(REDRAWS + 1):
        try:
            draw_missing(round_, wanted, progress, total)
        except BackendError:
            if not does_without(round_, total):
                raise
        drawn = answers(round_)
        for task in tasks:
            copies[task.pk] = [copy for copy in copies[task.pk] if (task.prompt_id, copy) in drawn]
        repeated = {task.pk: repeats(drawn, task, copies[task.pk]) for task in tasks}
        if not any(repeated.values()) or extra == REDRAWS:
            break
        wanted = []
        for task in tasks:
            for place in repeated[task.pk]:
                copies[task.pk][place] += REDRAW  # a draw that no other task of the prompt asks for
                wanted.append(caster.draw(task, place, copies[task.pk][place]))
    for pk, found in repeated.items():
        copies[pk] = [copy for place, copy in enumerate(copies[pk]) if place not in found]


def does_without(round_: Round, total: int) -> bool:
    """Say whether a round goes on without some answers: a server may refuse a prompt for good.

    That is after STUCK_TRIES times in a row that brought none, if at most a tenth is missing. Tasks that lack
    theirs are cancelled then.
    """
    done = len(answers(round_))
    known = round_.plan.get("stuck", {})
    tries = known["tries"] + 1 if known.get("done") == done else 1
    round_.plan["stuck"] = {"done": done, "tries": tries}
    Round.objects.filter(pk=round_.pk).update(plan=round_.plan)
    return tries >= STUCK_TRIES and done >= ENOUGH * total


def _is_chosen(task: Task) -> bool:
    """Say whether a comparison waits for its pair where a round's pairs are chosen."""
    return task.kind == Task.Kind.COMPARE and task.selection == Task.Selection.RANDOM


def places(tasks: Sequence[Task], rank_size: int, compared: int = 2) -> dict[int, list[int]]:
    """Number the draws of each task, counted on per prompt: one for an edit, `compared` for a comparison.

    Where more than two are drawn to choose from, comparisons of the same prompt share them, and there are
    enough for a pair each.
    """
    draws = {Task.Kind.EDIT: 1, Task.Kind.COMPARE: 2, Task.Kind.RANK: rank_size}
    sharing = Counter(task.prompt_id for task in tasks if _is_chosen(task))
    next_copy: dict[int, int] = defaultdict(int)
    copies = {}
    for task in tasks:
        n = draws[Task.Kind(task.kind)]
        if compared > 2 and _is_chosen(task):
            n = next(k for k in count(compared) if k * (k - 1) // 2 >= sharing[task.prompt_id])
            n *= sharing.pop(task.prompt_id, 0) > 0
        first = next_copy[task.prompt_id]
        copies[task.pk] = list(range(first, first + n))
        next_copy[task.prompt_id] = first + n
    return copies


class Caster:
    """Say who answers in a task's place and how warm, by the round's plan.

    The round's policies take turns, and so do the temperatures, from one that the prompt decides. The
    champion and the policy it replaced answer with the round's own sampling config: nothing else differs.
    """

    def __init__(self, round_: Round) -> None:
        assert round_.sampling is not None
        self.round, self.plan, self.config = round_, round_.plan, round_.sampling
        self.policies = list(round_.policies.order_by("pk"))
        named = [self.plan.get("champion"), self.plan.get("opponent"), *self.plan.get("history", [])]
        self.versions = ModelVersion.objects.in_bulk([version["id"] for version in named if version])
        self.warm = [sampling.warmed(round_.sampling, t) for t in self.plan.get("temperatures", [])]

    def draw(self, task: Task, place: int, copy: int) -> Draw:
        """Return the draw of a number in a task's place."""
        turn = copy % REDRAW
        if task.selection == Task.Selection.CHAMPION:
            version = self.plan["opponent" if place else "champion"]
            return Draw(task.prompt, copy, self.versions[version["id"]], self.config)
        policy = self.policies[turn % len(self.policies)]
        if task.selection == Task.Selection.HISTORY and place:
            older = self.plan["history"]
            policy = self.versions[older[self._chance(task.prompt, turn) % len(older)]["id"]]
        if not self.warm:
            return Draw(task.prompt, copy, policy, self.config)
        return Draw(task.prompt, copy, policy, self.warm[(self._chance(task.prompt) + turn) % len(self.warm)])

    def _chance(self, *about: object) -> int:
        prompt, *rest = about
        assert isinstance(prompt, Prompt)
        return _number(f"{self.round.seed} {prompt.content_hash} {rest}")


def _number(text: str) -> int:
    """Turn a text into a number below 2^63, as good as random."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def seed_of(round_: Round, draw: Draw) -> int:
    """Return the seed of one draw's random numbers."""
    return _number(f"{round_.seed} {draw.config.seed} {draw.prompt.content_hash} {draw.copy}")


def answers(round_: Round) -> dict[tuple[int, int], tuple[int, str]]:
    """Return a round's answers by prompt and draw: their keys and the hashes of their texts."""
    rows = round_.responses.filter(origin=Response.Origin.SAMPLED)
    return {
        (prompt, copy): (pk, said)
        for prompt, copy, pk, said in rows.values_list("prompt_id", "copy", "pk", "text_hash")
    }


def chunks(draws: Iterable[Draw]) -> Iterator[list[Draw]]:
    """Part draws into those that are sampled together: of one policy and config, in an order of their own."""
    groups: dict[tuple[int, int], list[Draw]] = defaultdict(list)
    for draw in draws:
        groups[draw.policy.pk, draw.config.pk].append(draw)
    for group in groups.values():
        group.sort(key=lambda draw: (draw.prompt.content_hash, draw.copy))
        yield from (group[start : start + CHUNK] for start in range(0, len(group), CHUNK))


def draw_missing(round_: Round, wanted: list[Draw], progress: Progress, total: int) -> None:
    """Sample every draw that is not stored yet, storing each batch as it comes.

    A checkpoint's answers may depend on their neighbours by rounding: where one of a chunk is missing, all of
    it is sampled again, with the same neighbours. A server is asked for what is missing only; when some of
    that doesn't come, the rest is asked for and kept, and BackendError says how much is missing.
    """
    known = answers(round_).keys()
    problem = ""
    for chunk in chunks(wanted):
        missing = [draw for draw in chunk if (draw.prompt.pk, draw.copy) not in known]
        if not missing:
            continue
        local = chunk[0].policy.backend == ModelVersion.Backend.TRANSFORMERS
        batch: list[Response] = []
        stored_at = time.monotonic()
        try:
            for draw, text in sample(round_, chunk if local else missing):
                batch.append(sampled(draw.prompt, text, draw.policy, draw.config, draw.copy, round_))
                if len(batch) >= BATCH or time.monotonic() - stored_at > STORE_SECONDS:
                    store(round_, batch, progress, total)
                    stored_at = time.monotonic()
        except BackendError as error:
            problem = str(error)
        finally:
            store(round_, batch, progress, total)
        if problem:
            break
    if problem:
        drawn = answers(round_).keys()
        lacking = sum((draw.prompt.pk, draw.copy) not in drawn for draw in wanted)
        sentence = _("%(lacking)s of %(wanted)s answers are missing. %(problem)s")
        raise BackendError(sentence % {"lacking": lacking, "wanted": len(wanted), "problem": problem})


def sample(round_: Round, draws: Sequence[Draw]) -> Iterator[tuple[Draw, str]]:
    """Yield draws of one policy and config with their answers, as they come."""
    policy, config = draws[0].policy, draws[0].config
    talks = [draw.prompt.messages for draw in draws]
    for index, text in sampling.draw(policy, talks, config, seeds=[seed_of(round_, draw) for draw in draws]):
        yield draws[index], text


def redraw(round_: Round) -> Iterator[tuple[Response, str]]:
    """Yield a round's sampled answers with what each one's policy answers when it is drawn again.

    Nothing is stored: this is how a round is replayed. It takes as long as the round's sampling took.
    """
    drawn = round_.responses.filter(origin=Response.Origin.SAMPLED)
    kept = {(r.prompt_id, r.copy): r for r in drawn.select_related("prompt", "policy", "sampling")}
    passes: dict[int, list[Draw]] = defaultdict(list)
    for answer in kept.values():
        assert answer.policy is not None
        assert answer.sampling is not None
        draw = Draw(answer.prompt, answer.copy, answer.policy, answer.sampling)
        passes[answer.copy // REDRAW].append(draw)
    for number in sorted(passes):
        for chunk in chunks(passes[number]):
            for draw, text in sample(round_, chunk):
                yield kept[draw.prompt.pk, draw.copy], text


def sampled(
    prompt: Prompt,
    text: str,
    policy: ModelVersion,
    config: SamplingConfig | None,
    copy: int,
    round_: Round | None = None,
) -> Response:
    """Return an answer that a policy gave, not stored yet; `copy` tells its draws apart."""
    return Response(
        prompt=prompt,
        text=text,
        text_hash=text_hash(text),
        origin=Response.Origin.SAMPLED,
        policy=policy,
        sampling=config,
        round=round_,
        copy=copy,
    )


def store(round_: Round, batch: list[Response], progress: Progress, total: int) -> None:
    """Write a batch of answers and how far generation is, and empty the batch."""
    Response.objects.bulk_create(batch, ignore_conflicts=True)
    batch.clear()
    done = min(round_.responses.count(), total)
    rounds.keep_generation(round_, LEASE_SECONDS, responses_done=done, responses_total=total, error="")
    progress(done, total)


def repeats(drawn: dict[tuple[int, int], tuple[int, str]], task: Task, copies: list[int]) -> list[int]:
    """Return the places in a task whose answers say what one before them says."""
    texts = [drawn[task.prompt_id, copy][1] for copy in copies]
    return [place for place, text in enumerate(texts) if text in texts[:place]]


def link(round_: Round, tasks: list[Task], copies: dict[int, list[int]]) -> None:
    """Put answers in their places in tasks; where too few differ, a ranking becomes a comparison, or nothing.

    In one transaction: a worker that is killed leaves tasks as they were planned, and the next numbers the
    same draws.
    """
    drawn = answers(round_)
    pointless = {t.pk for t in tasks if len(copies[t.pk]) < (1 if t.kind == Task.Kind.EDIT else 2)}
    pairs = [t.pk for t in tasks if len(copies[t.pk]) == 2]
    with transaction.atomic():
        TaskResponse.objects.bulk_create(
            (
                TaskResponse(task=task, response_id=drawn[task.prompt_id, copy][0], position=position)
                for task in tasks
                if task.pk not in pointless
                for position, copy in enumerate(copies[task.pk])
            ),
            batch_size=2000,
            ignore_conflicts=True,
        )
        Task.objects.filter(pk__in=pairs, kind=Task.Kind.RANK).update(kind=Task.Kind.COMPARE)
        Task.objects.filter(pk__in=pointless).update(status=Task.Status.CANCELLED)
