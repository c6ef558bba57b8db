"""Celery's way into labeling: each takes ids, calls one function, and is safe to run twice."""

from celery import shared_task
from django.db import transaction

from labeling import assignment, chat_answers, generation, likeness
from labeling.models import Edit


@shared_task
def generate_round(round_id: int) -> None:
    """Sample a round's answers and open it (queue: sample)."""
    generation.generate(round_id)


@shared_task
def answer_turn(turn_id: int) -> None:
    """Write the two answers to a turn of a live conversation (queue: chat)."""
    chat_answers.answer(turn_id)


@shared_task
def measure_likeness(edit_id: int) -> None:
    """Compare an edit with the models' answers to the same prompt (queue: default)."""
    likeness.measure(edit_id)


def measure_later(edit: Edit) -> None:
    """Have an edit compared once it is stored; a submit does not fail because the queue can't be reached."""
    if edit.edited_id is not None:
        transaction.on_commit(lambda: measure_likeness.delay(edit.pk), robust=True)


@shared_task
def expire_leases() -> None:
    """Give back the slots whose lease ran out."""
    assignment.expire_leases()
