"""Celery's way into labeling: each takes ids, calls one function, and is safe to run twice."""

from celery import shared_task

from labeling import assignment, chat_answers, generation


@shared_task
def generate_round(round_id: int) -> None:
    """Sample a round's answers and open it (queue: sample)."""
    generation.generate(round_id)


@shared_task
def answer_turn(turn_id: int) -> None:
    """Write the two answers to a turn of a live conversation (queue: chat)."""
    chat_answers.answer(turn_id)


@shared_task
def expire_leases() -> None:
    """Give back the slots whose lease ran out."""
    assignment.expire_leases()
