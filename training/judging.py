"""A judge at work: each comparison asked with its answers in both orders, and held against people's votes.

A worker that died is followed by another, which asks only what has no verdict yet.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Prefetch, Q
from django.utils import timezone

from labeling import scores
from labeling.models import Response, Score, Task, TaskResponse
from labeling.words import split
from models_app import registry
from models_app.backends import BackendError, SamplingParams
from models_app.models import ModelVersion
from models_app.registry import ModelError
from preferences.agreement import count_codes, krippendorff_alpha, pairwise_agreement
from preferences.intervals import Floats, clustered_bootstrap
from preferences.types import Estimate
from training import judges
from training.judges import LIVE, SILENT
from training.models import JudgeVerdict, Judging

ANSWER_TOKENS = 32
CHUNK = 16  # comparisons whose verdicts are asked and kept together
BEAT_SECONDS = 5.0
TIE = 2  # the code of a tie; 0 and 1 are the answers in the task's order

Whole = npt.NDArray[np.int64]
Beat = Callable[[int, int], None]


def judge(judging_id: int) -> None:
    """Do a judging, or take it further where another worker left it; a model's trouble ends it in words."""
    now = timezone.now()
    free = Q(status=Judging.Status.QUEUED) | Q(status=Judging.Status.RUNNING, heartbeat_at__lt=now - SILENT)
    taken = Judging.objects.filter(free, pk=judging_id)
    if not taken.update(status=Judging.Status.RUNNING, heartbeat_at=now):
        return
    judging = Judging.objects.select_related("campaign", "judge", "template").get(pk=judging_id)
    mine = Judging.objects.filter(pk=judging.pk, status=Judging.Status.RUNNING)
    try:
        ask(judging, beating(judging))
    except (BackendError, ModelError) as error:
        mine.update(status=Judging.Status.FAILED, error=str(error))
    else:
        mine.update(status=Judging.Status.DONE, error="", progress={})
    count(judging.pk)


def count(judging_id: int) -> None:
    """Hold all that a judge has said against what people say by now."""
    judging = Judging.objects.select_related("judge", "template").get(pk=judging_id)
    number = judges.votes(judging).count()
    Judging.objects.filter(pk=judging.pk).update(figures=measure(judging), votes=number)


def beating(judging: Judging) -> Beat:
    """Return what notes a judging's progress, and that its worker lives, every few seconds."""
    last = [0.0]

    def beat(done: int, total: int) -> None:
        if time.monotonic() - last[0] > BEAT_SECONDS or done == total:
            last[0] = time.monotonic()
            live = Judging.objects.filter(pk=judging.pk, status__in=LIVE)
            live.update(heartbeat_at=timezone.now(), progress={"done": done, "total": total})

    return beat


def choose_tasks(judging: Judging) -> list[int]:
    """Choose the comparisons of a judging: first what several people judged, else at random, always alike."""

    def place(row: tuple[int, int, str]) -> tuple[bool, str]:
        return row[1] < 2, hashlib.sha256(f"judge {row[2]}".encode()).hexdigest()

    rows = judges.judged(judging.campaign).values_list("pk", "counted", "prompt__content_hash")
    return [pk for pk, _counted, _prompt in sorted(rows.order_by("pk"), key=place)[: judging.tasks]]


def ask(judging: Judging, beat: Beat) -> None:
    """Get and keep the verdicts that are missing."""
    wanted = choose_tasks(judging)
    known = set(judges.verdicts(judging).filter(task__in=wanted).values_list("task", flat=True))
    left = [pk for pk in wanted if pk not in known]
    if not left:
        return
    get = _by_reward(judging) if judging.judge.kind == ModelVersion.Kind.REWARD else _by_words(judging)
    in_order = Prefetch("task_responses", TaskResponse.objects.select_related("response__prompt"))
    for start in range(0, len(left), CHUNK):
        found = Task.objects.filter(pk__in=left[start : start + CHUNK]).select_related("prompt")
        tasks = list(found.prefetch_related(in_order).order_by("pk"))
        done = len(known) + start

        def heard(answers: int, done: int = done) -> None:
            beat(done + answers // 2, len(wanted))

        kept: list[JudgeVerdict] = []
        try:
            for verdict in get(tasks, heard):
                kept.append(verdict)  # those before a failure as well
        finally:
            JudgeVerdict.objects.bulk_create(kept, ignore_conflicts=True)
    beat(len(wanted), len(wanted))


Heard = Callable[[int], None]
Get = Callable[[Sequence[Task], Heard], Iterator[JudgeVerdict]]


def _by_words(judging: Judging) -> Get:
    """Ask a policy for A, B or tie, once with each answer first."""
    policy = registry.policy(judging.judge)
    params = SamplingParams(temperature=0.0, max_new_tokens=ANSWER_TOKENS)
    template = judging.template.text if judging.template is not None else ""

    def get(tasks: Sequence[Task], heard: Heard) -> Iterator[JudgeVerdict]:
        asked = []
        for task in tasks:
            a, b = (told(answer) for answer in answers_of(task))
            for first, second in ((a, b), (b, a)):
                text = judges.question(template, task.prompt.messages, first, second)
                asked.append([{"role": "user", "content": text}])
        said: dict[int, str] = {}
        for index, text in policy.generate(asked, params):
            said[index] = text
            heard(len(said))
            other = said.get(index ^ 1)
            if other is None:
                continue
            one, two = (text, other) if index % 2 == 0 else (other, text)
            turned = judges.read_answer(two)
            yield JudgeVerdict(
                task=tasks[index // 2],
                judge=judging.judge,
                template=judging.template,
                answers=[one, two],
                first=judges.read_answer(one),
                second=None if turned is None else -turned,
            )

    return get


def _by_reward(judging: Judging) -> Get:
    """Hold a reward model's scores of the two answers against each other; the order can't matter."""
    model = judging.judge
    loaded = registry.reward_model(model)

    def get(tasks: Sequence[Task], heard: Heard) -> Iterator[JudgeVerdict]:
        everything = [answer for task in tasks for answer in answers_of(task)]
        kept = Score.objects.filter(model=model, response__in=everything)
        known = set(kept.values_list("response", flat=True))
        if unread := [answer for answer in everything if answer.pk not in known]:
            scores.keep(model, loaded, unread)
        value = dict(kept.values_list("response", "value"))
        heard(len(everything))
        for task in tasks:
            a, b = (value[answer.pk] or 0.0 for answer in answers_of(task))
            verdict = int(np.sign(b - a))
            said = [f"{a:.6g}", f"{b:.6g}"]
            yield JudgeVerdict(task=task, judge=model, answers=said, first=verdict, second=verdict)

    return get


def answers_of(task: Task) -> list[Response]:
    """Return a task's answers in its own order."""
    return [place.response for place in task.task_responses.all()]


def told(answer: Response) -> str:
    """Return what a judge reads of an answer: its text, or the turns of a whole conversation."""
    if not answer.turns:
        return answer.text
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in answer.turns)


def measure(judging: Judging) -> dict[str, Any]:
    """Say how a judge agrees with people, beside people's own agreement, and where it leans.

    A judge that changes its mind with the order says tie. Answers that can't be read are counted and left
    out. Every interval resamples whole prompts.
    """
    rows = list(
        judges.verdicts(judging).values_list("task", "task__prompt", "first", "second").order_by("task")
    )
    tasks, prompts = (np.array([row[k] for row in rows], np.int64) for k in (0, 1))
    read = np.array([row[2] is not None and row[3] is not None for row in rows], bool)
    orders = np.array([[row[2] or 0, row[3] or 0] for row in rows], np.int64).reshape(-1, 2)
    said = _codes(np.where(orders[:, 0] == orders[:, 1], orders[:, 0], 0))
    longer = _longer(tasks[read])
    at, vote = _votes(judging, tasks)
    kept = read[at]
    at, vote = at[kept], vote[kept]
    sizes = np.bincount(at, minlength=len(tasks))
    twice = sizes[at] >= 2
    agree = (said[at] == vote).astype(np.float64)
    clear = (said[at] != TIE) & (vote != TIE)
    figures: dict[str, Estimate] = {
        **_beside_people(at[twice], vote[twice], said, prompts),
        "judge": _share(agree[twice], prompts[at[twice]]),
        "clear": _share(agree[clear], prompts[at[clear]]),
        "everything": _share(agree, prompts[at]),
        "consistency": _share(orders[read, 0] == orders[read, 1], prompts[read]),
        "position": _position(rows, prompts),
        "longer": _takes(said[read], longer, prompts[read]),
        "people_longer": _takes(vote, _spread(longer, read)[at], prompts[at]),
    }
    unread = sum((row[2] is None) + (row[3] is None) for row in rows)
    return {name: asdict(figure) for name, figure in figures.items()} | {"tasks": len(rows), "unread": unread}


def _beside_people(at: Whole, vote: Whole, said: Whole, prompts: Whole) -> dict[str, Estimate]:
    """Measure people's own agreement on tasks with two votes or more, and the judge's less theirs."""
    nothing = Estimate(None, None, 0, "no item has two ratings yet")
    if not len(at):
        return dict.fromkeys(("people", "alpha", "alpha_with", "difference"), nothing)
    items = np.unique(at)
    counts = count_codes(at, vote, 3)
    clusters = prompts[items]
    sizes = counts.sum(axis=1)
    theirs = (counts * (counts - 1)).sum(axis=1) / (sizes * (sizes - 1))
    judge_agrees = counts[np.arange(len(items)), said[items]] / sizes
    with_judge = counts + np.eye(3, dtype=np.int64)[said[items]]
    return {
        "people": pairwise_agreement(counts, clusters=clusters),
        "alpha": krippendorff_alpha(counts, clusters=clusters),
        "alpha_with": krippendorff_alpha(with_judge, clusters=clusters),
        "difference": _share(judge_agrees - theirs, clusters),
    }


def _votes(judging: Judging, tasks: Whole) -> tuple[Whole, Whole]:
    """Return of each vote which of the tasks (sorted) it is on, and what it says in the task's order."""
    said = judges.votes(judging).values_list("task", "verdict", "order_shown")
    # a verdict is for the right side above 0; the side's place in the task is what was shown there
    found = [(task, TIE if not verdict else shown[verdict > 0]) for task, verdict, shown in said]
    table = np.array(found, np.int64).reshape(-1, 2)
    return np.searchsorted(tasks, table[:, 0]), table[:, 1]


def _codes(verdict: Whole) -> Whole:
    return np.where(verdict == 0, TIE, (verdict > 0).astype(np.int64))


def _longer(tasks: Whole) -> Whole:
    """Return which answer of each task has more words, 0 or 1; TIE where neither has."""
    words: dict[int, list[int]] = {int(task): [0, 0] for task in tasks}
    texts = TaskResponse.objects.filter(task__in=list(words)).values_list(
        "task", "position", "response__text"
    )
    for task, position, text in texts:
        words[task][position] = len(split(text))
    return np.array([TIE if a == b else int(b > a) for a, b in words.values()], np.int64)


def _spread(values: Whole, where: npt.NDArray[np.bool_]) -> Whole:
    found = np.full(len(where), TIE)
    found[where] = values
    return found


def _takes(said: Whole, longer: Whole, prompts: Whole) -> Estimate:
    """Share of clear verdicts on answers of unequal length that are for the longer one."""
    kept = (said != TIE) & (longer != TIE)
    return _share(said[kept] == longer[kept], prompts[kept])


def _position(rows: Sequence[tuple[Any, ...]], prompts: Whole) -> Estimate:
    """Share of the clear verdicts, of both orders, that are for the answer shown first."""
    found = []
    for (_task, _prompt, first, second), prompt in zip(rows, prompts, strict=True):
        if first:
            found.append((first < 0, prompt))
        if second:
            found.append((second > 0, prompt))
    table = np.array(found, np.int64).reshape(-1, 2)
    return _share(table[:, 0], table[:, 1])


def _share(values: npt.NDArray[Any], prompts: Whole) -> Estimate:
    values_: Floats = np.asarray(values, np.float64)
    return clustered_bootstrap(values_, prompts)
