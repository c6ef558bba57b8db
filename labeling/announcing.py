"""Tell webhooks what came in: judgments, edits and the tasks that they finished, in batches.

Nothing of it touches a submission: a worker reads what came since each webhook was last told. What is younger
than SETTLED isn't read yet, so that no row of a transaction that is still under way is passed over.
"""

from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from accounts import webhooks
from accounts.webhook_models import Webhook
from labeling.models import Edit, Judgment, Task

SETTLED = timedelta(seconds=20)
MOST = 500  # judgments, and as many edits, that one event names
SUBMITTED, DONE = "judgments.submitted", "tasks.done"


def tell() -> int:
    """Tell every webhook that wants to know; return how many events that made. One query where none does."""
    wanting = Webhook.objects.filter(active=True, events__overlap=[SUBMITTED, DONE]).order_by("pk")
    return sum(_tell(pk) for pk in wanting.values_list("pk", flat=True))


def begin(webhook: Webhook) -> None:
    """Let a webhook be told of what comes in from now on."""
    Webhook.objects.filter(pk=webhook.pk).update(
        judgments_told=Judgment.objects.aggregate(last=Max("pk"))["last"] or 0,
        edits_told=Edit.objects.aggregate(last=Max("pk"))["last"] or 0,
    )


def _tell(pk: int) -> int:
    """Tell one webhook of the next batch, and move its marks in the same transaction."""
    with transaction.atomic():
        webhook = Webhook.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
        if webhook is None:
            return 0
        judgments, judgments_told = _since(Judgment, webhook.judgments_told, webhook.campaign)
        edits, edits_told = _since(Edit, webhook.edits_told, webhook.campaign)
        if (judgments_told, edits_told) == (webhook.judgments_told, webhook.edits_told):
            return 0
        Webhook.objects.filter(pk=pk).update(judgments_told=judgments_told, edits_told=edits_told)
        said = {SUBMITTED: _submitted(judgments, edits), DONE: _done(judgments, edits)}
        events = [(kind, slug, data) for kind in webhook.events for slug, data in said.get(kind, {}).items()]
        for kind, slug, data in events:
            webhooks.tell([webhook], kind, slug, data)
    return len(events)


def _since(model: type[Judgment] | type[Edit], told: int, campaign: str) -> tuple[list[Any], int]:
    """Return the next rows to tell of, and the last row that was looked at, of whatever campaign."""
    settled = model._default_manager.filter(pk__gt=told, created_at__lt=timezone.now() - SETTLED)
    newest = settled.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return [], told
    rows = settled.filter(pk__lte=newest, **({"task__campaign__slug": campaign} if campaign else {}))
    found = list(rows.select_related("task__campaign", "rater").order_by("pk")[:MOST])
    return found, found[-1].pk if len(found) == MOST else newest


def _submitted(judgments: list[Judgment], edits: list[Edit]) -> dict[str, dict[str, Any]]:
    """Return by campaign which rows came in, under the raters' pseudonyms."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"judgments": [], "edits": []})
    for name, rows in (("judgments", judgments), ("edits", edits)):
        for row in rows:
            said = {"id": row.pk, "task": row.task_id, "rater": row.rater.pseudonym, "extra": row.extra}
            found[row.task.campaign.slug][name].append({**said, "withdrawn": row.withdrawn})
    return found


def _done(judgments: list[Judgment], edits: list[Edit]) -> dict[str, dict[str, Any]]:
    """Return by campaign the tasks that are done and whose last counted row is among these."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"tasks": []})
    for model, rows in ((Judgment, judgments), (Edit, edits)):
        pks = [row.pk for row in rows if not row.extra and not row.withdrawn]
        counted = Q(
            **{f"{model._meta.model_name}s__extra": False, f"{model._meta.model_name}s__withdrawn": False}
        )
        tasks = Task.objects.filter(pk__in={row.task_id for row in rows}, status=Task.Status.DONE)
        last = tasks.annotate(last=Max(f"{model._meta.model_name}s__pk", filter=counted)).filter(last__in=pks)
        for task in last.select_related("campaign", "round").order_by("pk"):
            said = {"id": task.pk, "kind": task.kind, "round": task.round.number}
            found[task.campaign.slug]["tasks"].append(said)
    return found
