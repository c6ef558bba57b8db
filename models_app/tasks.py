"""Celery's way into the models: each takes ids, calls one function, and is safe to run twice."""

from typing import Any

from celery import shared_task

from models_app import samples, score_requests


@shared_task
def score_texts(key: str, model_id: int, queries: list[Any]) -> None:
    """Score a small batch of texts and keep the answer for who asks again (queue: sample)."""
    score_requests.answer(key, model_id, queries)


@shared_task(soft_time_limit=240, time_limit=300)
def draw_samples(key: str) -> None:
    """Draw the answers that somebody wants to look at (queue: sample)."""
    samples.answer(key)
