"""The over-optimisation watch at work: draw many answers, choose by the reward model, ask people, count.

Answers are kept as responses without a round, so that a watch whose worker died goes on where it was, and
each has its own number among the draws of a prompt. `Watch.proxy` is {"sizes", "divergence", "reward",
"promised", "prompts", "draws", "same", "check"}, its estimates {"value", "interval", "n", "why"} by size;
`Watch.people` is {"rates", "steps", "standing", "beyond"}.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from scipy.special import expit

from labeling import generation, scores
from labeling.models import Prompt, Response, Round, Score, Task, TaskResponse
from labeling.statements import OPEN_SLOTS
from models_app import registry, sampling
from models_app.backends import BackendError
from models_app.registry import ModelError
from preferences import best_of_n
from preferences.best_of_n import SIZES, PickVotes
from preferences.intervals import Floats, clustered_bootstrap
from training import second_look
from training.engine.config import EngineError
from training.models import Watch, WatchPick
from training.watch import LIVE, SILENT, votes, watched_prompts

DRAWS = max(SIZES)
FIRST_COPY = 1000  # no other draws of a prompt outside of rounds have such numbers
CHUNK = 4  # prompts whose answers are drawn and kept together
BEAT_SECONDS = 5.0
SEED = 0xBE57

Beat = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Draws:
    """The answers to each prompt, the last one the rival, with their rewards: prompts × (DRAWS + 1)."""

    prompts: list[Prompt]
    answers: list[list[Response]]
    rewards: Floats


def look(watch_id: int) -> None:
    """Do a watch, or take it further where another worker left it; a model's trouble ends it in words."""
    now = timezone.now()
    free = Q(status=Watch.Status.QUEUED) | Q(status=Watch.Status.RUNNING, heartbeat_at__lt=now - SILENT)
    if not Watch.objects.filter(free, pk=watch_id).update(status=Watch.Status.RUNNING, heartbeat_at=now):
        return
    watch = Watch.objects.select_related("campaign", "policy", "reward_model", "sampling").get(pk=watch_id)
    try:
        draws = read_rewards(watch, draw(watch, beating(watch)), beating(watch))
        temperature = float(watch.reward_model.options.get("temperature", 1.0))
        proxy = {**choose(draws, temperature), "check": second_look.check(watch, draws, beating(watch))}
        ask(watch, draws, proxy)
    except (BackendError, ModelError, EngineError) as error:
        Watch.objects.filter(pk=watch.pk).update(status=Watch.Status.FAILED, error=str(error))


def beating(watch: Watch) -> Beat:
    """Return what notes a watch's progress, and that its worker lives, every few seconds."""
    last = [0.0]

    def beat(stage: str, done: int, total: int) -> None:
        if time.monotonic() - last[0] > BEAT_SECONDS or done == total:
            last[0] = time.monotonic()
            progress = {"stage": stage, "done": done, "total": total}
            live = Watch.objects.filter(pk=watch.pk, status__in=LIVE)
            live.update(heartbeat_at=timezone.now(), progress=progress)

    return beat


def choose_prompts(watch: Watch) -> list[Prompt]:
    """Draw the prompts of a watch at random, the same ones each time."""

    def place(prompt: Prompt) -> str:
        return hashlib.sha256(f"{watch.pk} {prompt.content_hash}".encode()).hexdigest()

    return sorted(watched_prompts(watch.campaign), key=place)[: watch.prompts]


def draw(watch: Watch, beat: Beat) -> tuple[list[Prompt], list[list[Response]]]:
    """Return the prompts and DRAWS + 1 answers to each, drawing and keeping those that are missing."""
    prompts = choose_prompts(watch)
    missing = [prompt for prompt, kept in zip(prompts, kept_answers(watch, prompts), strict=True) if not kept]
    total = len(missing) * (DRAWS + 1)
    for start in range(0, len(missing), CHUNK):
        chunk = [(prompt, copy) for prompt in missing[start : start + CHUNK] for copy in range(DRAWS + 1)]
        found: list[Response] = []
        # by the prompt, so that the same draw never comes twice
        offset = SEED + FIRST_COPY * chunk[0][0].pk
        asked = [prompt.messages for prompt, _copy in chunk]
        for index, text in sampling.draw(watch.policy, asked, watch.sampling, offset=offset):
            prompt, copy = chunk[index]
            found.append(generation.sampled(prompt, text, watch.policy, watch.sampling, FIRST_COPY + copy))
            beat("drawing", start * (DRAWS + 1) + len(found), total)
        Response.objects.bulk_create(found, ignore_conflicts=True, batch_size=1000)
    return prompts, kept_answers(watch, prompts)


def kept_answers(watch: Watch, prompts: list[Prompt]) -> list[list[Response]]:
    """Return each prompt's answers in the order of their numbers, or none where some are missing."""
    found: dict[int, list[Response]] = defaultdict(list)
    drawn = Response.objects.filter(
        prompt__in=prompts,
        policy=watch.policy,
        sampling=watch.sampling,
        round=None,
        origin=Response.Origin.SAMPLED,
        copy__range=(FIRST_COPY, FIRST_COPY + DRAWS),
    )
    for answer in drawn.select_related("prompt").order_by("copy"):
        found[answer.prompt_id].append(answer)
    return [found[p.pk] if len(found[p.pk]) == DRAWS + 1 else [] for p in prompts]


def read_rewards(watch: Watch, drawn: tuple[list[Prompt], list[list[Response]]], beat: Beat) -> Draws:
    """Score the answers that the reward model hasn't read yet, and return them with their rewards."""
    prompts, answers = drawn
    everything = [answer for row in answers for answer in row]
    kept = Score.objects.filter(model=watch.reward_model, response__in=everything)
    known = set(kept.values_list("response", flat=True))
    unread = [answer for answer in everything if answer.pk not in known]
    if unread:
        loaded = registry.reward_model(watch.reward_model)
        for start in range(0, len(unread), scores.BATCH):
            scores.keep(watch.reward_model, loaded, unread[start : start + scores.BATCH])
            beat("scoring", start, len(unread))
    value = dict(kept.values_list("response", "value"))
    return Draws(prompts, answers, np.array([[value[answer.pk] for answer in row] for row in answers]))


def choose(draws: Draws, temperature: float) -> dict[str, Any]:
    """Return the proxy's own curves: its reward of the best of n, and its chance to beat a random answer.

    The chance is σ(difference of rewards / temperature).
    """
    own, rival = draws.rewards[:, :DRAWS], draws.rewards[:, DRAWS:]
    above = best_of_n.expect(own, own - own.mean(axis=1, keepdims=True)) / (own.std(axis=1).mean() or 1.0)
    promised = best_of_n.expect(own, expit((own - rival) / temperature))
    return {
        "sizes": list(SIZES),
        "divergence": [best_of_n.divergence(n) for n in SIZES],
        "reward": by_size(above),
        "promised": by_size(promised),
        "each": promised.round(5).tolist(),
        "prompts": len(draws.prompts),
        "draws": DRAWS,
    }


def by_size(values: Floats) -> list[dict[str, Any]]:
    """Estimate the mean over prompts of each column."""
    return [asdict(clustered_bootstrap(column, np.arange(len(column)))) for column in values.T]


def picks(watch: Watch, draws: Draws) -> Iterator[WatchPick]:
    """Yield the best of the first n answers for each n, an equal text once, each beside the rival."""
    for prompt, answers, rewards in zip(draws.prompts, draws.answers, draws.rewards, strict=True):
        rival = answers[DRAWS]
        best: dict[str, tuple[Response, list[int]]] = {}
        for n in SIZES[1:]:
            pick = answers[int(rewards[:n].argmax())]
            best.setdefault(pick.text_hash, (pick, []))[1].append(n)
        for pick, sizes in best.values():
            same = pick.text_hash == rival.text_hash
            yield WatchPick(watch=watch, prompt=prompt, sizes=sizes, pick=pick, rival=rival, same=same)


def ask(watch: Watch, draws: Draws, proxy: dict[str, Any]) -> None:
    """Keep what the models say, and ask people in the round if it is still open; all of it or nothing."""
    with transaction.atomic():
        round_ = Round.objects.select_for_update(no_key=True).filter(watches=watch).first()
        mine = Watch.objects.select_for_update().filter(pk=watch.pk, status=Watch.Status.RUNNING)
        if not mine.exists():
            return  # another worker was first
        chosen = list(picks(watch, draws))
        if round_ is not None and round_.status == Round.Status.OPEN:
            share = len(draws.prompts) / watched_prompts(watch.campaign).count()
            open_tasks(round_, [pick for pick in chosen if not pick.same], share)
        WatchPick.objects.bulk_create(chosen)
        proxy["same"] = sum(pick.same for pick in chosen)
        mine.update(status=Watch.Status.DONE, proxy=proxy, error="", progress={})
    count(watch.pk)


def open_tasks(round_: Round, chosen: list[WatchPick], probability: float) -> None:
    """Ask people about picks in an open round, which is locked: comparisons that look like any other."""
    tasks = Task.objects.bulk_create(
        Task(
            campaign_id=round_.campaign_id,
            round=round_,
            prompt=pick.prompt,
            kind=Task.Kind.COMPARE,
            overlap=round_.campaign.overlap,
            selection=Task.Selection.WATCH,
            probability=probability,
        )
        for pick in chosen
    )
    TaskResponse.objects.bulk_create(
        TaskResponse(task=task, response=answer, position=position)
        for task, pick in zip(tasks, chosen, strict=True)
        for position, answer in enumerate((pick.pick, pick.rival))
    )
    for task, pick in zip(tasks, chosen, strict=True):
        pick.task = task
    with connection.cursor() as cursor:
        cursor.execute(OPEN_SLOTS, {"round": round_.pk})


def count(watch_id: int) -> None:
    """Count people's votes on a watch and say what they come to."""
    watch = Watch.objects.get(pk=watch_id)
    said = votes(watch).values_list(
        "task__watch_pick__sizes", "verdict", "order_shown", "task__prompt", "rater"
    )
    rows = [
        (sizes, 0.5 if verdict == 0 else float((verdict < 0) == (shown[0] == 0)), prompt, rater)
        for sizes, verdict, shown, prompt, rater in said
        if verdict is not None
    ]
    number = len(rows)
    # equal texts are a tie, whoever looks at them
    ties = watch.picks.filter(same=True).values_list("sizes", "prompt", "pk")
    rows += [(sizes, 0.5, prompt, -pick) for sizes, prompt, pick in ties]
    found = PickVotes(
        np.array([[n in row[0] for n in SIZES[1:]] for row in rows], bool).reshape(-1, len(SIZES) - 1),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.int64),
    )
    verdict = best_of_n.judge(np.array(watch.proxy["each"]), found)
    people = {
        "rates": [asdict(rate) for rate in best_of_n.win_rates(found)],
        "steps": [
            {"n": step.n, "promised": asdict(step.promised), "seen": asdict(step.seen)}
            for step in verdict.steps
        ],
        "standing": str(verdict.standing),
        "beyond": verdict.beyond,
    }
    Watch.objects.filter(pk=watch.pk).update(people=people, votes=number)
