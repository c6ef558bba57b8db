"""Celery's way into training: each takes ids, calls one function, and is safe to run twice."""

import logging
from smtplib import SMTPException

from celery import shared_task

from labeling.models import Campaign
from training import (
    alarms,
    difference,
    execution,
    judges,
    loop,
    notices,
    preparations,
    selection,
    targets,
    watch,
)
from training.models import Run, Snapshot

logger = logging.getLogger(__name__)


@shared_task
def execute_run(run_id: int) -> None:
    """Run the engine, then the gate, then let the loop go on (queue: train)."""
    run = execution.execute(run_id)
    if run is None:
        return
    if run.status == Run.Status.SUCCEEDED:
        evaluate_run(run_id)
    elif run.status == Run.Status.QUEUED:
        execute_run.delay(run_id)
        return
    conduct.delay()


@shared_task
def evaluate_run(run_id: int) -> None:
    """Check what a run made, and promote it if it passes (queue: train)."""
    from training import gates  # NumPy and pyarrow come with it, which no idle worker needs

    run = Run.objects.select_related("produced", "snapshot", "campaign").get(pk=run_id)
    if run.status == Run.Status.SUCCEEDED:
        gates.evaluate(run)
        refresh_alarms(run.campaign_id)


@shared_task
def choose_pairs(round_id: int) -> None:
    """Choose an open round's next comparisons (queue: sample)."""
    from training import choosing  # NumPy comes with it, which no idle worker needs

    choosing.tend(round_id)


@shared_task
def look_at_watch(watch_id: int) -> None:
    """Draw and score a watch's answers and ask people about them (queue: sample)."""
    from training import watching  # SciPy comes with it

    watching.look(watch_id)


@shared_task
def count_watch(watch_id: int) -> None:
    """Count people's votes on a watch (queue: sample)."""
    from training import watching  # SciPy comes with it

    watching.count(watch_id)


@shared_task
def judge_comparisons(judging_id: int) -> None:
    """Ask a model for its verdicts on comparisons (queue: sample)."""
    from training import judging  # NumPy comes with it

    judging.judge(judging_id)


@shared_task
def count_judging(judging_id: int) -> None:
    """Hold a judge's verdicts against what people say by now (queue: sample)."""
    from training import judging  # NumPy comes with it

    judging.count(judging_id)


@shared_task
def prepare_target(target_id: int) -> None:
    """Put a policy's answers to a target's prompts to raters (queue: sample)."""
    from training import targeting  # NumPy comes with it

    targeting.prepare(target_id)


@shared_task
def check_target(check_id: int) -> None:
    """Measure how often a policy shows a target's failure (queue: sample)."""
    from training import targeting  # NumPy comes with it

    targeting.check(check_id)


@shared_task
def refresh_alarms(campaign_id: int) -> None:
    """Measure the figures that alarms look at, and raise those that are due (queue: sample)."""
    from training import vitals  # SciPy comes with it

    vitals.refresh(Campaign.objects.get(pk=campaign_id))


@shared_task(autoretry_for=(OSError, SMTPException), retry_backoff=60, max_retries=8)
def mail_withdrawal(withdrawal_id: int) -> None:
    """Mail whoever downloaded what was withdrawn, again and again while the mail server is away."""
    notices.mail(withdrawal_id)


@shared_task
def prepare(preparation_id: int) -> None:
    """Cut a large snapshot, or write a large export (queue: sample)."""
    preparations.work(preparation_id)


@shared_task
def conduct() -> None:
    """Recover lost runs, take every active campaign one stretch further, and keep raters in comparisons."""
    loop.recover_runs()
    for campaign in loop.active_campaigns():
        try:
            loop.tick(campaign)
            watch.tend(campaign)
            alarms.tend(campaign)
        except Exception:
            # one campaign's trouble must not stop the others
            logger.exception("The loop of campaign %s met an error", campaign.slug)
    selection.tend()
    judges.tend()
    targets.tend()


@shared_task(queue="sample")
def compare_snapshots(first_id: int, second_id: int) -> None:
    """Compare two large snapshots and keep what differs for who asks again."""
    rows = Snapshot.objects.in_bulk([first_id, second_id])
    difference.keep(rows[first_id], rows[second_id])
