"""The two answers to a turn of a live conversation: sampled side by side, and shown as they grow.

While they are written they live in the cache, an hour at most; at the end both are stored together with the
comparison they make, in one transaction that only the first of two workers gets through.
"""

import logging
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from uuid import uuid4

from django.core.cache import cache
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labeling import turns
from labeling.models import Prompt, Response, Round, Slot, Task, TaskResponse, Turn
from labeling.prompts import text_hash
from models_app import registry, sampling
from models_app.backends import BackendError
from models_app.models import ModelVersion
from models_app.registry import ModelError

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600
HELD_SECONDS = 25  # a worker that is silent for longer has died, or loads a large model
STALLED_SECONDS = 30
WRITE_SECONDS = 0.1
REDRAWS = 4  # further draws of the second answer while it equals the first


class ChatError(Exception):
    """A turn can't be answered; the sentence is for the people who run the campaign."""


def answer(turn_id: int) -> None:
    """Write the two answers to a turn that waits for them; safe to run twice."""
    turn = (
        Turn.objects.select_related("chat__round__sampling", "chat__campaign", "prompt")
        .filter(pk=turn_id, status=Turn.Status.SAMPLING)
        .first()
    )
    if turn is None or not cache.add(_key(turn, "worker"), 1, HELD_SECONDS):
        return
    note_progress(turn)
    try:
        pair = policies(turn.chat.round)
        texts = draw(turn, pair)
        store(turn, pair, texts)
    except (BackendError, ModelError, ChatError) as error:
        fail(turn, str(error))
    except Exception:
        fail(turn, "The worker met an error; its log tells which.")
        raise
    finally:
        cache.delete(_key(turn, "worker"))


def policies(round_: Round) -> list[ModelVersion]:
    """Return who answers: two of the round's policies, or its only one twice."""
    known = list(round_.policies.order_by("pk"))
    if not known or round_.sampling is None:
        raise ChatError("The round has no policy that could answer.")
    return random.sample(known, 2) if len(known) > 1 else known * 2


def draw(turn: Turn, pair: list[ModelVersion]) -> list[str]:
    """Sample both answers side by side; the second one again while it equals the first."""
    for version in pair:
        registry.policy(version)  # so that two threads don't load it twice
    cache.delete_many([_key(turn, position) for position in (0, 1)])  # of an earlier try
    note_progress(turn)
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda position: write(turn, pair[position], position, 0), (0, 1)))
    for attempt in range(1, REDRAWS + 1):
        if texts[0] != texts[1]:
            break
        texts[1] = write(turn, pair[1], 1, attempt)
    if texts[0] == texts[1]:
        raise ChatError("Both answers came out the same every time: let the policy sample more freely.")
    return texts


def write(turn: Turn, version: ModelVersion, position: int, attempt: int) -> str:
    """Sample one answer, letting the page see what is there so far; return it whole."""
    round_ = turn.chat.round
    assert round_.sampling is not None
    offset = round_.seed * 1_000_003 + turn.pk * 16 + attempt * 2 + position
    text, written = "", 0.0
    for piece in sampling.stream(version, turn.prompt.messages, round_.sampling, offset=offset):
        text += piece
        if monotonic() - written > WRITE_SECONDS:
            cache.set(_key(turn, position), text, KEPT_SECONDS)
            note_progress(turn)
            written = monotonic()
    cache.set(_key(turn, position), text, KEPT_SECONDS)
    return text


def store(turn: Turn, pair: list[ModelVersion], texts: list[str]) -> None:
    """Store both answers and the comparison that they make, if the rater still waits for it."""
    chat, campaign = turn.chat, turn.chat.campaign
    with transaction.atomic():
        round_ = Round.objects.select_for_update(no_key=True).get(pk=chat.round_id)
        held = Slot.objects.filter(task=chat, rater=turn.rater_id, status=Slot.Status.CLAIMED)
        if round_.status != Round.Status.OPEN or not held.exists():
            raise ChatError("The conversation ended before its answers were there.")
        Prompt.objects.select_for_update(no_key=True).get(pk=turn.prompt_id)
        drawn = Response.objects.filter(prompt=turn.prompt_id, round=round_)
        copy = (drawn.aggregate(last=Max("copy"))["last"] or 0) + 1
        task = Task.objects.create(
            campaign=campaign, round=round_, prompt=turn.prompt, chat=chat, kind=Task.Kind.COMPARE,
            overlap=1, selection=Task.Selection.RANDOM, probability=chat.probability,
        )  # fmt: skip
        waiting = Turn.objects.filter(pk=turn.pk, status=Turn.Status.SAMPLING)
        if not waiting.update(status=Turn.Status.READY, task=task, error=""):
            transaction.set_rollback(True)  # another worker was first, or the turn was dropped
            return
        for position, (version, text) in enumerate(zip(pair, texts, strict=True)):
            response = Response.objects.create(
                prompt=turn.prompt, text=text, text_hash=text_hash(text), origin=Response.Origin.SAMPLED,
                policy=version, sampling=round_.sampling, round=round_, copy=copy + position,
            )  # fmt: skip
            TaskResponse.objects.create(task=task, response=response, position=position)
        now = timezone.now()
        until = now + timedelta(minutes=campaign.lease_minutes)
        held.update(lease_until=until)
        Slot.objects.create(
            campaign=campaign, task=task, status=Slot.Status.CLAIMED, order_key=random.random(),
            rater_id=turn.rater_id, lease=uuid4(), lease_until=until, claimed_at=now,
            order_shown=turns.order_shown(turn),
        )  # fmt: skip


def fail(turn: Turn, why: str) -> None:
    """Leave a turn to its rater, who may send for its answers again; raters don't see why."""
    log.warning("Turn %s has no answers: %s", turn.pk, why)
    Turn.objects.filter(pk=turn.pk, status=Turn.Status.SAMPLING).update(
        status=Turn.Status.FAILED, error=why[:500]
    )


def so_far(turn: Turn) -> list[str]:
    """Return what is there of both answers, by position."""
    found = cache.get_many([_key(turn, position) for position in (0, 1)])
    return [found.get(_key(turn, position), "") for position in (0, 1)]


def note_progress(turn: Turn) -> None:
    """Remember that somebody works on a turn just now."""
    cache.touch(_key(turn, "worker"), HELD_SECONDS)
    cache.set(_key(turn, "at"), timezone.now(), KEPT_SECONDS)


def stalled(turn: Turn) -> bool:
    """Tell whether nothing has come for so long that its worker must be gone."""
    last = cache.get(_key(turn, "at")) or turn.created_at
    return bool(timezone.now() - last > timedelta(seconds=STALLED_SECONDS))


def _key(turn: Turn, what: int | str) -> str:
    return f"chat-answer:{turn.pk}:{what}"
