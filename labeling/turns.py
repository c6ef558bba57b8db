"""The turns of live conversations: which are a rater's, and what taking one back does to the others."""

import random

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from labeling.models import Draft, Slot, Task, Turn
from labeling.submissions import SubmissionError, reclaim

S = Turn.Status


def of(rater: int, chat: int) -> QuerySet[Turn]:
    """Return a rater's turns of a conversation, first to last; both by their keys."""
    return Turn.objects.filter(chat=chat, rater=rater).order_by("number")


def order_shown(turn: Turn) -> list[int]:
    """Return which answer stands at which side, by chance but settled before the first word is there."""
    return random.Random(f"sides of turn {turn.pk}").sample([0, 1], 2)


def reopen(rater: User, pick: Task) -> None:
    """Let a pick that is being taken back be made anew; call in its transaction.

    The message after it becomes a draft again. Raises SubmissionError when the conversation went further, or
    is no longer the rater's.
    """
    turn = Turn.objects.select_for_update().get(task=pick)
    later = of(rater.pk, turn.chat_id).filter(number__gt=turn.number)
    if later.filter(status=S.PICKED).exists():
        raise SubmissionError("id", _("The conversation has gone on: take back its later picks first."))
    chat = Slot.objects.filter(
        task=turn.chat_id, rater=rater, status__in=[Slot.Status.CLAIMED, Slot.Status.DONE]
    ).first()
    if chat is None:
        raise SubmissionError("id", _("You don't hold this conversation any more."))
    message = later.values_list("prompt__messages", flat=True).first()
    if message:
        draft = {"message": message[-1]["content"]}
        Draft.objects.update_or_create(task_id=turn.chat_id, rater=rater, defaults={"data": draft})
    drop(later)
    Turn.objects.filter(pk=turn.pk).update(status=S.READY)
    if chat.status == Slot.Status.DONE:
        reclaim(rater, chat.pk)


def drop(turns: QuerySet[Turn]) -> None:
    """Forget turns that nobody picked in; answers that are there stay, asked of nobody."""
    picks = list(turns.exclude(task=None).values_list("task", flat=True))
    Slot.objects.filter(task__in=picks, status=Slot.Status.CLAIMED).update(status=Slot.Status.CANCELLED)
    Task.objects.filter(pk__in=picks).update(status=Task.Status.CANCELLED)
    turns.delete()
