"""Live conversations: a rater writes, two policies answer, the rater picks, and the picked answer goes on.

A conversation is a slot of a chat task. Each of its turns is a comparison of its own, asked of this rater
alone, whose prompt is everything said before; its judgment's `meta` says which answer the talk went on with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from labeling import assignment, chat_answers, judgments, turns
from labeling.assignment import LeaseError
from labeling.models import Draft, Judgment, Prompt, Response, Slot, Task, TaskResponse, Turn
from labeling.prompts import content_hash
from labeling.submissions import Place, SubmissionError, clean_text, fill, free_slot, lock
from labeling.tasks import answer_turn
from models_app.backends import Conversation

S = Turn.Status
WRITING = "writing"  # the rater's message is awaited; else a talk's status is its last turn's
MESSAGE_LIMIT = 10_000


@dataclass(frozen=True)
class Talk:
    """How far somebody's conversation is: `number` is that of the turn under way, or to be written."""

    status: str
    number: int
    messages: Conversation  # everything said before the two answers
    answers: Sequence[str] = ()  # from left to right, as far as they are there
    turn: Turn | None = None
    pick: Slot | None = None  # under which the pick is made, once both answers are there
    stalled: bool = False  # whoever should answer must be gone

    @property
    def picks(self) -> int:
        """Count the picks made so far."""
        return self.number - 1

    @property
    def to_judge(self) -> list[str]:
        """Return the answers once both are whole, from left to right."""
        return list(self.answers) if self.pick is not None else []


def read(slot: Slot) -> Talk:
    """Return how far a held conversation is; where a question opens it, its answers are sent for."""
    assert slot.rater_id is not None
    last = turns.of(slot.rater_id, slot.task_id).select_related("prompt").last()
    if last is None:
        opening = slot.task.prompt
        if opening.messages[-1]["role"] != "user":
            return Talk(WRITING, 1, opening.messages)
        last = begin(slot, 1, opening)
    if last.status == S.PICKED:
        return Talk(WRITING, last.number + 1, [*last.prompt.messages, said_by(chosen(last))])
    about = {"status": last.status, "number": last.number, "messages": last.prompt.messages, "turn": last}
    if last.status == S.READY:
        places = TaskResponse.objects.filter(task=last.task_id).order_by("position")
        texts = list(places.values_list("response__text", flat=True))
        pick = hold_pick(last, slot)
        return Talk(**about, pick=pick, answers=[texts[position] for position in pick.order_shown])
    texts = chat_answers.so_far(last)
    answers = [texts[position] for position in turns.order_shown(last)]
    return Talk(**about, answers=answers, stalled=chat_answers.stalled(last))


def begin(slot: Slot, number: int, prompt: Prompt) -> Turn:
    """Make a turn, once, and send for its answers."""
    turn, new = Turn.objects.get_or_create(
        chat_id=slot.task_id, rater_id=slot.rater_id, number=number, defaults={"prompt": prompt}
    )
    if new:
        transaction.on_commit(partial(answer_turn.delay, turn.pk))
    return turn


def hold_pick(turn: Turn, chat: Slot) -> Slot:
    """Return the slot under which a rater picks; a lapsed one is made anew while they hold the talk."""
    held = {"task_id": turn.task_id, "rater_id": turn.rater_id, "status": Slot.Status.CLAIMED}
    with transaction.atomic():
        Slot.objects.select_for_update(no_key=True).get(pk=chat.pk)  # two pages at once hold it once
        pick = Slot.objects.filter(**held).first()
        if pick is None:
            Task.objects.filter(turn=turn).update(status=Task.Status.OPEN)
            pick = Slot.objects.create(
                **held,
                campaign_id=chat.campaign_id,
                order_key=chat.order_key,
                order_shown=turns.order_shown(turn),
                lease=uuid4(),
                lease_until=chat.lease_until,
                claimed_at=timezone.now(),
            )
    return pick


def chosen(turn: Turn) -> Response:
    """Return the answer that a turn went on with."""
    said = Judgment.objects.get(task=turn.task_id, rater=turn.rater_id, withdrawn=False, superseded_by=None)
    return Response.objects.get(
        task_responses__task=turn.task_id, task_responses__position=said.meta["goes_on"]
    )


def said_by(response: Response) -> dict[str, str]:
    """Return an answer as a message."""
    return {"role": "assistant", "content": response.text}


def hold(rater: User, lease: UUID) -> Slot:
    """Return a conversation that a rater holds, locked, its lease extended. Raises LeaseError."""
    slot: Slot = lock(rater, lease)
    if slot.task.kind != Task.Kind.CHAT:
        raise SubmissionError("lease", _("This is no conversation."))
    if slot.status != Slot.Status.CLAIMED:
        raise LeaseError(_("This conversation is over, or your time for it has run out."))
    assignment.heartbeat(rater, lease)
    return slot


def say(rater: User, lease: UUID, *, number: int, message: str) -> Turn:
    """Take a rater's message as turn `number` and send for two answers; sent twice it is one turn.

    Raises LeaseError, SubmissionError.
    """
    text = clean_text("message", message, MESSAGE_LIMIT).strip()
    if not text:
        raise SubmissionError("message", _("Write a message first."))
    with transaction.atomic():
        slot = hold(rater, lease)
        there = turns.of(rater.pk, slot.task_id).filter(number=number).select_related("prompt").first()
        if there is not None and there.prompt.messages[-1] == {"role": "user", "content": text}:
            return there
        talk = read(slot)
        if talk.status != WRITING or number != talk.number or number > slot.campaign.chat_turns:
            raise SubmissionError("number", _("It isn't your turn to write. Reload the page."))
        said = [*talk.messages, {"role": "user", "content": text}]
        Draft.objects.filter(task=slot.task_id, rater=rater).delete()
        return begin(slot, number, continuation(slot.task, said))


def continuation(chat: Task, messages: Conversation) -> Prompt:
    """Return the prompt that a conversation has come to; it has its opening's split."""
    opening = chat.prompt
    prompt, _new = Prompt.objects.get_or_create(
        campaign_id=chat.campaign_id,
        content_hash=content_hash(messages),
        defaults={
            "messages": messages,
            "split": opening.split,
            "language": opening.language,
            "tags": opening.tags,
            "opening": opening,
        },
    )
    return prompt


def pick(
    rater: User,
    lease: UUID,
    *,
    idempotency_key: UUID,
    verdict: int,
    both_bad: bool = False,
    goes_on: int | None = None,
    **remarks: Any,
) -> Judgment:
    """Store a verdict on a turn's two answers; the better one goes on, after the last turn none.

    `goes_on` is the displayed side, needed where neither is better. The rest is as judgments.submit takes it.
    Raises LeaseError, SubmissionError.
    """

    def said(slot: Slot) -> dict[str, Any]:
        if slot.task.chat_id is None:
            raise SubmissionError("lease", _("This belongs to no conversation."))
        judgments.check_verdict(slot.campaign, verdict, both_bad)
        side = goes_on if verdict == 0 else int(verdict > 0)
        if side not in (0, 1, None):
            raise SubmissionError("goes_on", _("The conversation goes on with side 0 or 1."))
        if side is None and Turn.objects.get(task=slot.task_id).number < slot.campaign.chat_turns:
            raise SubmissionError("goes_on", _("Say with which answer the conversation goes on."))
        meta = {"goes_on": slot.order_shown[side or 0]}
        return {"verdict": verdict, "both_bad": both_bad, "meta": meta}

    with transaction.atomic():
        kind = Task.Kind.COMPARE
        judgment = judgments.store(rater, lease, kind, idempotency_key, said, judgments.Remarks(**remarks))
        turn = Turn.objects.select_related("chat__campaign").get(task=judgment.task_id)
        Turn.objects.filter(pk=turn.pk, status=S.READY).update(status=S.PICKED)
        chat = Slot.objects.filter(task=turn.chat_id, rater=rater, status=Slot.Status.CLAIMED).first()
        if chat is not None and chat.lease is not None:
            if turn.number >= turn.chat.campaign.chat_turns:
                end(rater, chat.lease)
            else:
                assignment.heartbeat(rater, chat.lease)
        return judgment


def chat_of(pick: Judgment) -> Slot | None:
    """Return the conversation that goes on after a pick; None when it is over."""
    held = Slot.objects.filter(task__picks=pick.task_id, rater=pick.rater_id)
    return held.filter(status=Slot.Status.CLAIMED).first()


def end(rater: User, lease: UUID) -> bool:
    """End a conversation after at least one pick; False when it came too late to count.

    A turn that waits for its answers or its pick is dropped. Raises LeaseError, SubmissionError.
    """
    with transaction.atomic():
        slot = lock(rater, lease)
        if slot.status == Slot.Status.DONE:
            return True
        if slot.task.kind != Task.Kind.CHAT:
            raise SubmissionError("lease", _("This is no conversation."))
        mine = turns.of(rater.pk, slot.task_id)
        if not mine.filter(status=S.PICKED).exists():
            raise SubmissionError("turns", _("Pick an answer first, or pass this conversation over."))
        turns.drop(mine.exclude(status=S.PICKED))
        filled = slot if slot.status == Slot.Status.CLAIMED else free_slot(slot)
        fill(Place(slot, filled, None, None), rater)
    return filled is not None


def retry(rater: User, lease: UUID, number: int) -> Turn:
    """Send for the answers of a turn again, where none came or nothing has come for a while."""
    with transaction.atomic():
        slot = hold(rater, lease)
        turn = turns.of(rater.pk, slot.task_id).filter(number=number).first()
        if turn is None:
            raise SubmissionError("number", _("This conversation has no such turn."))
        failed = Turn.objects.filter(pk=turn.pk, status=S.FAILED).update(status=S.SAMPLING, error="")
        if failed or (turn.status == S.SAMPLING and chat_answers.stalled(turn)):
            chat_answers.note_progress(turn)
            transaction.on_commit(partial(answer_turn.delay, turn.pk))
    turn.refresh_from_db()
    return turn
