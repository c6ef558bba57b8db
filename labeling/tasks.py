"""Celery's way into labeling: each takes ids, calls one function, and is safe to run twice."""

from celery import shared_task
from django.db import transaction

from labeling import assignment, chat_answers, generation, likeness, uploads
from labeling.models import Edit, Import


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


@shared_task
def import_upload(import_id: int) -> None:
    """Import an upload, then send for the next of its campaign (queue: default)."""
    if uploads.run(import_id):
        for pk in uploads.next_after(import_id):
            import_upload.delay(pk)


@shared_task
def tend_imports() -> None:
    """Give up imports that lost their worker, and send again for those that nobody fetched."""
    for pk in uploads.tend():
        import_upload.delay(pk)


def import_soon(import_: Import) -> None:
    """Import a small upload at once, a large one in the background; a lost message makes it later."""
    if import_.bytes > uploads.AT_ONCE or not uploads.run(import_.pk):
        transaction.on_commit(lambda: import_upload.delay(import_.pk), robust=True)
    import_.refresh_from_db()
