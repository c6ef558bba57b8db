"""Withdrawal: a rater's or a prompt's data is taken out of everything to come, and whoever has it is told.

Rows stay in the database, and snapshots never change: what was learnt from them can still be explained. But
no snapshot cut from now on has the data (training.standing), those that have it are marked, so are the models
trained on them and all that grew from these, nothing is trained on them any more, only managers may download
them, and everybody who did is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from celery import current_app
from django.db import connection, transaction
from django.db.models import Max, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, webhooks
from accounts.models import User
from accounts.roles import can
from labeling import assignment, campaigns, reopening
from labeling.models import Adjudication, Campaign, Edit, Judgment, Prompt, Slot, Task, Turn
from labeling.reviews import ReviewError
from labeling.rounds import StateError
from models_app.models import ModelVersion
from training import mixes, runs, snapshots, tracing
from training.models import Download, Run, Snapshot, Withdrawal, WithdrawalNotice
from training.standing import withdrawn_prompts

# held by withdrawals, and by cuts while they register their snapshot: one always sees the other
LOCK = 0x5748


class WithdrawalError(Exception):
    """Say in one plain sentence why nothing can be withdrawn; `field` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class WithdrawnError(Exception):
    """Say in one plain sentence that a snapshot holds withdrawn data, so that it isn't given out."""


def withdraw(what: str, name: str, by: User, reason: str) -> Withdrawal:
    """Withdraw the data of a "rater", by username or pseudonym, or of a "prompt", by (8 digits of) its hash.

    Raises WithdrawalError when there is no such thing, or it can't be withdrawn.
    """
    name = name.strip()
    if what == "rater":
        rater = User.objects.filter(Q(username=name) | Q(pseudonym=name)).first()
        if rater is None:
            raise WithdrawalError("name", _("Nobody has the name or pseudonym “%(name)s”.") % {"name": name})
        return withdraw_rater(rater, by, reason)
    if what != "prompt":
        raise WithdrawalError("what", _("Say whether a rater or a prompt is withdrawn."))
    found = Prompt.objects.filter(content_hash__startswith=name.lower()) if len(name) >= 8 else None
    hashes = [] if found is None else list(found.order_by().values_list("content_hash").distinct()[:2])
    if found is None or len(hashes) != 1:
        said = _("No prompt, or more than one, has an id that begins with “%(name)s”; 8 digits are needed.")
        raise WithdrawalError("name", said % {"name": name})
    return withdraw_prompt(found.order_by("pk")[0], by, reason)


def withdraw_rater(rater: User, by: User, reason: str) -> Withdrawal:
    """Take out all that a person said: judgments, edits, conversations, final words, in every campaign.

    Their counted work is superseded and asked of others where rounds are open (labeling.reopening); they get
    no more tasks. Raises WithdrawalError without a reason, and when it was done already.
    """
    reason = _check_reason(reason)
    with transaction.atomic():
        _lock()
        if Withdrawal.objects.filter(rater=rater).exists():
            raise WithdrawalError("rater", _("The data of this rater is withdrawn already."))
        counts = {"judgments": 0, "edits": 0, "asked_again": 0}
        concerned = _where_spoken(rater)
        known = Q(slug__in=concerned) | Q(memberships__user=rater)
        for campaign in Campaign.objects.filter(known).distinct().order_by("pk"):
            done = reopening.reopen(campaign, rater, by, reason)
            for name in counts:
                counts[name] += getattr(done, name)
            held = Slot.objects.filter(campaign=campaign, rater=rater, status=Slot.Status.CLAIMED)
            assignment.give_back(held.values_list("pk", flat=True))
            campaigns.remove_rater(campaign, rater, by)
        withdrawal = Withdrawal.objects.create(rater=rater, reason=reason, by=by)
        counts |= _take_from_the_queue(Prompt.objects.filter(pk__in=withdrawn_prompts()))
        _conclude(withdrawal, counts, concerned)
        audit.record(by, "withdraw rater", rater, reason=reason, **counts)
    return withdrawal


def withdraw_prompt(prompt: Prompt, by: User, reason: str) -> Withdrawal:
    """Take out a prompt, its answers and all that was said of them, in every campaign that asks it.

    Conversations that it opened go with it; its open tasks are cancelled, and it is asked no more. Raises
    WithdrawalError without a reason, and when it was done already.
    """
    reason = _check_reason(reason)
    with transaction.atomic():
        _lock()
        if Withdrawal.objects.filter(prompt=prompt.content_hash).exists():
            raise WithdrawalError("prompt", _("This prompt is withdrawn already."))
        withdrawal = Withdrawal.objects.create(prompt=prompt.content_hash, reason=reason, by=by)
        counts = _take_from_the_queue(Prompt.objects.filter(pk__in=withdrawn_prompts()))
        _raters, hashes = _what(withdrawal)
        same = Prompt.objects.filter(content_hash__in=hashes).order_by()
        _conclude(withdrawal, counts, set(same.values_list("campaign__slug", flat=True)))
        audit.record(by, "withdraw prompt", prompt, reason=reason, **counts)
    return withdrawal


def _where_spoken(rater: User) -> set[str]:
    """Return the slugs of the campaigns that have something a person said."""
    said = (
        Judgment.objects.filter(rater=rater).values_list("task__campaign__slug"),
        Edit.objects.filter(rater=rater).values_list("task__campaign__slug"),
        Turn.objects.filter(rater=rater).values_list("prompt__campaign__slug"),
        Adjudication.objects.filter(reviewer=rater).values_list("campaign__slug"),
    )
    return {slug for rows in said for (slug,) in rows.order_by().distinct()}


def _take_from_the_queue(prompts: QuerySet[Prompt]) -> dict[str, int]:
    """Cancel the open tasks of withdrawn prompts with their slots, and ask the prompts no more."""
    fresh = list(prompts.filter(withdrawn=False).values_list("pk", flat=True))
    tasks = Task.objects.filter(prompt__in=fresh, status=Task.Status.OPEN).values_list("pk", flat=True)
    live = Slot.objects.filter(
        task__in=list(tasks), status__in=[Slot.Status.OPEN, Slot.Status.CLAIMED]
    ).values_list("pk", flat=True)
    # rounds, slots, tasks: the order of every other transaction
    assignment.lock_live_rounds(live)
    slots = list(Slot.objects.select_for_update().filter(pk__in=list(live)).order_by("pk"))
    Slot.objects.filter(pk__in=[slot.pk for slot in slots]).update(status=Slot.Status.CANCELLED)
    cancelled = Task.objects.filter(pk__in=list(tasks)).update(status=Task.Status.CANCELLED)
    Prompt.objects.filter(pk__in=fresh).update(withdrawn=True)
    return {"prompts": len(fresh), "tasks": cancelled}


def newest() -> int:
    """Return the number of the newest withdrawal, 0 where there is none."""
    found: int = Withdrawal.objects.aggregate(newest=Max("pk", default=0))["newest"]
    return found


def mark_if_late(snapshot: Snapshot, before: int) -> None:
    """Mark a snapshot that holds what was withdrawn after `before`, while its rows were read.

    Call it in the transaction that registers the snapshot.
    """
    _lock()
    for withdrawal in Withdrawal.objects.filter(pk__gt=before):
        _mark(withdrawal, Snapshot.objects.filter(pk=snapshot.pk))


def sentence(withdrawal: Withdrawal) -> str:
    """Say what was withdrawn, as everybody who may see the dataset reads it."""
    facts = {"day": withdrawal.created_at.strftime("%Y-%m-%d"), "reason": withdrawal.reason}
    if withdrawal.rater:
        said = _("On %(day)s the data of %(what)s, a rater, was withdrawn. The reason: %(reason)s")
        return said % {**facts, "what": withdrawal.rater.pseudonym}
    said = _(
        "On %(day)s the prompt %(what)s and all that was said of it was withdrawn. The reason: %(reason)s"
    )
    return said % {**facts, "what": withdrawal.prompt[:12]}


def known_to(user: User) -> QuerySet[Withdrawal]:
    """Return what was withdrawn, with its snapshots, as far as somebody may see datasets that hold it."""
    if can(user, "export"):
        return Withdrawal.objects.prefetch_related("snapshots")
    mine = snapshots.visible_to(user)
    rows = Withdrawal.objects.filter(pk__in=Withdrawal.objects.filter(snapshots__in=mine))
    return rows.prefetch_related(Prefetch("snapshots", queryset=mine))


def of_snapshot(snapshot: Snapshot) -> list[Withdrawal]:
    """Return what was withdrawn of a snapshot, oldest first."""
    return list(snapshot.withdrawals.select_related("rater").order_by("pk"))


def refuse(snapshot: Snapshot, user: Any) -> None:
    """Raise WithdrawnError where a snapshot holds withdrawn data, unless `user` may manage."""
    found = of_snapshot(snapshot)
    if found and not can(user, "manage", snapshot.campaign.slug):
        told = _("This snapshot holds withdrawn data and is not given out any more. Cut a new one.")
        raise WithdrawnError(" ".join([told, *map(sentence, found)]))


def of_model(version: ModelVersion) -> list[Withdrawal]:
    """Return what was withdrawn of all that a model learnt from, oldest first."""
    return of_models([version]).get(version.pk, [])


def of_models(versions: Iterable[ModelVersion]) -> dict[int, list[Withdrawal]]:
    """Return for models what was withdrawn of all that they learnt from, directly or down their lines.

    A model learns from its run's snapshot and what was mixed into it, from the model it grew from, and from
    the reward model it was improved against. Models that learnt from nothing withdrawn are left out.
    """
    versions = list(versions)
    families = {version.family for version in versions}
    marked: dict[int, set[int]] = {}
    through = Withdrawal.snapshots.through.objects
    for withdrawal, snapshot in through.values_list("withdrawal_id", "snapshot_id"):
        marked.setdefault(snapshot, set()).add(withdrawal)
    if not marked:
        return {}
    sources: dict[int, list[int | None]] = {}
    own: dict[int, set[int]] = {}
    lines = ModelVersion.objects.filter(family__in=families)
    for pk, parent, snapshot, judge, mix in lines.values_list(
        "pk", "parent", "run__snapshot", "run__reward_model", "run__config__mix"
    ):
        sources[pk] = [parent, judge]
        learnt = [snapshot, *(part["snapshot"] for part in mix or [])]
        own[pk] = set().union(*(marked.get(each, set()) for each in learnt))
    known = {pk for pks in own.values() for pk in pks}
    rows = Withdrawal.objects.select_related("rater").in_bulk(known)
    found = {version.pk: _inherited(version.pk, sources, own) for version in versions}
    return {pk: [rows[key] for key in sorted(keys)] for pk, keys in found.items() if keys}


def _inherited(version: int, sources: dict[int, list[int | None]], own: dict[int, set[int]]) -> set[int]:
    """Gather what a model and all that it descends from learnt of withdrawn data."""
    found: set[int] = set()
    seen: set[int] = set()
    ahead = [version]
    while ahead:
        at = ahead.pop()
        if at not in seen:
            seen.add(at)
            found |= own.get(at, set())
            ahead += [source for source in sources.get(at, []) if source is not None]
    return found


def unseen(user: User) -> QuerySet[WithdrawalNotice]:
    """Return what somebody was told of what they downloaded, and hasn't said to have seen."""
    rows = WithdrawalNotice.objects.filter(user=user, seen_at=None)
    return rows.select_related("withdrawal__rater").order_by("pk")


def see(user: User) -> None:
    """Note that somebody has seen all that they were told of their downloads."""
    unseen(user).update(seen_at=timezone.now())


def _check_reason(reason: str) -> str:
    try:
        return reopening.check_reason(reason)
    except ReviewError as error:
        raise WithdrawalError(error.field, str(error)) from error


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _conclude(withdrawal: Withdrawal, counts: dict[str, int], concerned: set[str]) -> None:
    """Note what was taken out, and tell of it in the campaigns, by slug, that had it."""
    withdrawal.counts = counts
    withdrawal.save(update_fields=["counts"])
    rater = withdrawal.rater.pseudonym if withdrawal.rater else ""
    said = {"id": withdrawal.pk, "rater": rater, "prompt": withdrawal.prompt}
    webhooks.emit("data.withdrawn", "", **said, counts=counts, campaigns=sorted(concerned))
    # a campaign isn't told what others had
    webhooks.emit_within("data.withdrawn", concerned, **said)
    _mark(withdrawal, Snapshot.objects.all())


def _mark(withdrawal: Withdrawal, snapshots: QuerySet[Snapshot]) -> None:
    """Mark the snapshots that hold what is withdrawn, end the runs on them, and note who is to be told."""
    raters, prompts = _what(withdrawal)
    held = [snapshot for snapshot in snapshots if tracing.holds(snapshot, raters, prompts)]
    withdrawal.snapshots.add(*held)
    downloads = Download.objects.filter(snapshot__in=held)
    told = set(downloads.filter(by__isnull=False).values_list("by", flat=True))
    told |= set(downloads.filter(link__isnull=False).values_list("link__by", flat=True))
    WithdrawalNotice.objects.bulk_create(
        (WithdrawalNotice(withdrawal=withdrawal, user_id=pk) for pk in sorted(told)), ignore_conflicts=True
    )
    if told:
        letters = partial(current_app.send_task, "training.tasks.mail_withdrawal", args=[withdrawal.pk])
        transaction.on_commit(letters)
    learning = Run.objects.filter(mixes.of_runs(held), status__in=[runs.QUEUED, runs.RUNNING])
    for run in learning.order_by("pk"):
        try:
            runs.cancel(run, by=withdrawal.by, reason=sentence(withdrawal)[:500])
        except StateError:
            continue  # it ended meanwhile; its model is marked by its snapshot


def _what(withdrawal: Withdrawal) -> tuple[set[str], set[str]]:
    """Return the pseudonyms and the prompts' content hashes that rows of withdrawn data have."""
    if withdrawal.rater:
        talks = Turn.objects.filter(rater=withdrawal.rater, prompt__opening__isnull=False)
        return {withdrawal.rater.pseudonym}, set(talks.values_list("prompt__content_hash", flat=True))
    same = Q(content_hash=withdrawal.prompt) | Q(opening__content_hash=withdrawal.prompt)
    return set(), set(Prompt.objects.filter(same).values_list("content_hash", flat=True))
