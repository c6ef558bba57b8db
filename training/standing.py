"""What of a campaign's data still stands: nothing that a withdrawal took out, or that tells of it."""

from django.db.models import Q, QuerySet

from labeling.models import Prompt, TaskResponse
from training.models import Withdrawal


def withdrawn_raters() -> QuerySet[Withdrawal, int]:
    """Select the keys of the raters who withdrew, or were withdrawn."""
    return Withdrawal.objects.filter(rater__isnull=False).values_list("rater", flat=True)


def withdrawn_prompts() -> QuerySet[Prompt, int]:
    """Select the keys of withdrawn prompts, what conversations made of them, and what withdrawn raters wrote.

    A prompt is withdrawn by its content, in every campaign that has it.
    """
    hashes = Withdrawal.objects.exclude(prompt="").values("prompt")
    written = Q(opening__isnull=False, turns__rater__in=withdrawn_raters())
    found = Prompt.objects.filter(
        Q(content_hash__in=hashes) | Q(opening__content_hash__in=hashes) | written
    ).order_by()
    return found.values_list("pk", flat=True)


def tasks() -> Q:
    """Select tasks whose prompts stand, and none of whose answers a withdrawn rater wrote."""
    return ~Q(prompt__in=withdrawn_prompts()) & ~Q(pk__in=_authored())


def known_now() -> tuple[Q, Q]:
    """Select prompts, and tasks, that stand as far as is known now: for queries that are asked many times."""
    if not Withdrawal.objects.exists():
        return Q(), Q()
    gone = list(withdrawn_prompts())
    return ~Q(pk__in=gone), ~Q(prompt__in=gone) & ~Q(pk__in=list(_authored()))


def _authored() -> QuerySet[TaskResponse, int]:
    written = TaskResponse.objects.filter(response__author__in=withdrawn_raters()).order_by()
    return written.values_list("task", flat=True)


def said() -> Q:
    """Select judgments and edits whose raters stand."""
    return ~Q(rater__in=withdrawn_raters())


def decided() -> Q:
    """Select final words whose reviewers stand."""
    return ~Q(reviewer__in=withdrawn_raters())
