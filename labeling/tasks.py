"""Celery's way into labeling: each takes ids, calls one function, and is safe to run twice."""

from celery import shared_task
from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from labeling import (
    announcing,
    assignment,
    chat_answers,
    counting,
    disputes,
    generation,
    golds,
    likeness,
    quality,
    repeats,
    trust,
    uploads,
)
from labeling.imports import quick_turns
from labeling.models import Campaign, Edit, Import, Round

FIT_SECONDS = 1800  # after which a fit that never ended stands in nobody's way


@shared_task
def generate_round(round_id: int) -> None:
    """Sample a round's answers, open it and have them scored (queue: sample)."""
    if generation.generate(round_id):
        score_round.delay(round_id)


@shared_task
def score_round(round_id: int) -> None:
    """Score a round's answers with the champion reward model and keep the scores (queue: sample)."""
    from labeling import scores  # NumPy comes with it, which no short work needs

    scores.fill_round(Round.objects.select_related("campaign").get(pk=round_id))


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
def tell_webhooks() -> None:
    """Tell webhooks what came in since they were last told."""
    announcing.tell()


@shared_task
def tend_figures() -> None:
    """Count what came, and send for the figures of campaigns in which enough was said since the last ones."""
    counting.catch_up()
    for pk in quality.tend():
        measure_figures.delay(pk)


@shared_task
def measure_figures(campaign_id: int) -> None:
    """Compute a campaign's figures and store them (queue: sample)."""
    quality.refresh(Campaign.objects.get(pk=campaign_id))


@shared_task
def tend_checks() -> None:
    """Keep gold tasks and repeats going, and send for a fit of raters where enough was said since."""
    for campaign in Campaign.objects.filter(status=Campaign.Status.ACTIVE).order_by("pk"):
        golds.tend(campaign)
        repeats.tend(campaign)
        if trust.due(campaign, settings.RELIABILITY_EVERY):
            fit_raters.delay(campaign.pk)


@shared_task
def fit_raters(campaign_id: int) -> None:
    """Score answers, fit the raters of a campaign and look for disputes and gold tasks (queue: sample)."""
    from labeling import reliability, scores  # SciPy comes with them, which no short work needs

    campaign = Campaign.objects.get(pk=campaign_id)
    if cache.add(f"fit raters:{campaign_id}", 1, FIT_SECONDS):
        try:
            scores.fill(campaign)
            reliability.refresh(campaign)
            golds.propose(campaign)
            disputes.refresh(campaign)
        finally:
            cache.delete(f"fit raters:{campaign_id}")


@shared_task
def look_for_disputes(campaign_id: int) -> None:
    """Open what is in dispute in a campaign (queue: default)."""
    disputes.refresh(Campaign.objects.get(pk=campaign_id))


@shared_task
def import_upload(import_id: int) -> None:
    """Import an upload, then send for the next of its campaign (queue: default)."""
    with quick_turns():
        done = uploads.run(import_id)
    if done:
        for pk in uploads.next_after(import_id):
            import_upload.delay(pk)


@shared_task
def fetch_upload(import_id: int) -> None:
    """Fetch a dataset of the hub (queue: default)."""
    uploads.fetch(import_id)


def fetch_soon(import_: Import) -> None:
    """Send for a dataset of the hub."""
    transaction.on_commit(lambda: fetch_upload.delay(import_.pk), robust=True)


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
