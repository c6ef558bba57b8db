"""Fill a round: sample its answers, pair them, and open it.

Safe to run again at any point: tasks were planned when generation began, an answer that is there is not
drawn again, and the round opens once.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import count

from django.db import transaction

from labeling import batches, rounds
from labeling.models import Prompt, Response, Round, Task, TaskResponse
from labeling.prompts import text_hash
from labeling.rounds import StateError
from models_app import sampling
from models_app.backends import BackendError
from models_app.models import ModelVersion, SamplingConfig
from models_app.registry import ModelError

LEASE_SECONDS = 90  # longer than loading a model and the first batch
RETRY_SECONDS = 30
BATCH = 64
REDRAWS = 4  # further draws for a task some of whose answers came out the same

Progress = Callable[[int, int], None]


def generate(round_id: int, progress: Progress | None = None) -> bool:
    """Sample what a generating round lacks and open it; False if there is nothing to do here.

    A model that can't answer leaves its sentence in Round.error; the conductor tries again later.
    """
    round_ = Round.objects.select_related("campaign", "sampling").get(pk=round_id)
    if round_.status != Round.Status.GENERATING or not rounds.hold_generation(round_, LEASE_SECONDS):
        return False
    try:
        if round_.origin == Round.Origin.LOOP:
            fill(round_, progress or (lambda done, total: None))
        rounds.open_(round_)
    except (BackendError, ModelError) as error:
        rounds.keep_generation(round_, RETRY_SECONDS, error=str(error)[:500])
        return False
    except StateError:
        return False  # cancelled meanwhile
    return True


def fill(round_: Round, progress: Progress) -> None:
    """Draw the answers of a round's tasks and put them in their places, all of them or none.

    A live conversation draws none here: its answers come while it is held. Where comparisons get their pairs
    batch by batch, the first batch gets them here.
    """
    asking = round_.tasks.filter(status=Task.Status.OPEN, task_responses=None).exclude(kind=Task.Kind.CHAT)
    tasks = list(asking.select_related("prompt").order_by("pk"))
    policies = list(round_.policies.order_by("pk"))
    chosen = {task.pk for task in tasks if round_.selection and task.kind == Task.Kind.COMPARE}
    copies = places(tasks, round_.campaign.rank_size, round_.selection.get("answers", 2))
    total = sum(len(c) for c in copies.values())
    for extra in range(REDRAWS + 1):
        draw_missing(round_, tasks, policies, copies, progress, total)
        drawn = answers(round_)
        repeated = {task.pk: repeats(drawn, task, copies[task.pk]) for task in tasks}
        if not any(repeated.values()) or extra == REDRAWS:
            break
        for pk, found in repeated.items():
            for place in found:
                copies[pk][place] += 1000  # a draw that no other task of the prompt asks for
    for pk, found in repeated.items():
        copies[pk] = [copy for place, copy in enumerate(copies[pk]) if place not in found]
    link(round_, [task for task in tasks if task.pk not in chosen], copies)
    if chosen and not batches.asked(round_):
        batches.ask_at_random(round_, batches.batch_size(round_))


def places(tasks: Sequence[Task], rank_size: int, compared: int = 2) -> dict[int, list[int]]:
    """Number the draws of each task, counted on per prompt: one for an edit, `compared` for a comparison.

    Where more than two are drawn to choose from, comparisons of the same prompt share them, and there are
    enough for a pair each.
    """
    draws = {Task.Kind.EDIT: 1, Task.Kind.COMPARE: 2, Task.Kind.RANK: rank_size}
    sharing = Counter(task.prompt_id for task in tasks if task.kind == Task.Kind.COMPARE)
    next_copy: dict[int, int] = defaultdict(int)
    copies = {}
    for task in tasks:
        n = draws[Task.Kind(task.kind)]
        if compared > 2 and task.kind == Task.Kind.COMPARE:
            n = next(k for k in count(compared) if k * (k - 1) // 2 >= sharing[task.prompt_id])
            n *= sharing.pop(task.prompt_id, 0) > 0
        first = next_copy[task.prompt_id]
        copies[task.pk] = list(range(first, first + n))
        next_copy[task.prompt_id] = first + n
    return copies


def answers(round_: Round) -> dict[tuple[int, int], Response]:
    """Return a round's answers by prompt and draw."""
    return {(r.prompt_id, r.copy): r for r in round_.responses.filter(origin=Response.Origin.SAMPLED)}


def draw_missing(
    round_: Round,
    tasks: list[Task],
    policies: list[ModelVersion],
    copies: dict[int, list[int]],
    progress: Progress,
    total: int,
) -> None:
    """Sample every draw that is not stored yet, policy by policy, storing each batch as it comes."""
    assert round_.sampling is not None
    known = set(round_.responses.values_list("prompt_id", "copy"))
    missing = [(t.prompt, copy) for t in tasks for copy in copies[t.pk] if (t.prompt_id, copy) not in known]
    for number, policy in enumerate(policies):
        mine = [(prompt, copy) for prompt, copy in missing if copy % len(policies) == number]
        if not mine:
            continue
        batch: list[Response] = []
        # The number of answers already there moves the seed, so that a redraw is another draw.
        offset = round_.seed * 1_000_003 + len(known)
        for index, text in sampling.draw(
            policy, [p.messages for p, _ in mine], round_.sampling, offset=offset
        ):
            prompt, copy = mine[index]
            batch.append(sampled(prompt, text, policy, round_.sampling, copy, round_))
            if len(batch) == BATCH:
                store(round_, batch, progress, total)
        store(round_, batch, progress, total)


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


def repeats(drawn: dict[tuple[int, int], Response], task: Task, copies: list[int]) -> list[int]:
    """Return the places in a task whose answers say what one before them says."""
    texts = [drawn[task.prompt_id, copy].text_hash for copy in copies]
    return [place for place, text in enumerate(texts) if text in texts[:place]]


def link(round_: Round, tasks: list[Task], copies: dict[int, list[int]]) -> None:
    """Put answers in their places in tasks; where too few differ, a ranking becomes a comparison, or nothing.

    In one transaction: a worker that is killed leaves tasks as they were planned, and the next numbers the
    same draws.
    """
    drawn = answers(round_)
    pointless = {t.pk for t in tasks if t.kind != Task.Kind.EDIT and len(copies[t.pk]) < 2}
    pairs = [t.pk for t in tasks if len(copies[t.pk]) == 2]
    with transaction.atomic():
        TaskResponse.objects.bulk_create(
            (
                TaskResponse(task=task, response=drawn[task.prompt_id, copy], position=position)
                for task in tasks
                if task.pk not in pointless
                for position, copy in enumerate(copies[task.pk])
            ),
            batch_size=2000,
            ignore_conflicts=True,
        )
        Task.objects.filter(pk__in=pairs, kind=Task.Kind.RANK).update(kind=Task.Kind.COMPARE)
        Task.objects.filter(pk__in=pointless).update(status=Task.Status.CANCELLED)
