"""The round's state machine, and what each change of status brings with it.

Each verb is one guarded update: it changes a row only from a status that the table allows, and writes the
event in the same transaction.
"""

from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import webhooks
from accounts.models import User
from labeling import planning
from labeling.models import Campaign, Round, RoundEvent, Slot, Task
from labeling.statements import OPEN_SLOTS
from models_app import registry
from models_app.models import ModelVersion

S = Round.Status

TRANSITIONS: dict[str, frozenset[str]] = {
    S.DRAFT: frozenset({S.GENERATING, S.CANCELLED}),
    S.GENERATING: frozenset({S.OPEN, S.CANCELLED}),
    S.OPEN: frozenset({S.CLOSED, S.CANCELLED}),
    S.CLOSED: frozenset(),
    S.CANCELLED: frozenset(),
}

TOLD: dict[str, str] = {S.OPEN: "opened", S.CLOSED: "closed", S.CANCELLED: "cancelled"}  # to webhooks
BATCH = 2000


class StateError(Exception):
    """Something is not in the status that a change asks for; nothing was changed."""


def change(round_: Round, after: str, *, by: User | None = None, reason: str = "") -> None:
    """Move a round to a status from one that allows it; call in a transaction with what belongs to it."""
    for before, allowed in TRANSITIONS.items():
        if after in allowed and Round.objects.filter(pk=round_.pk, status=before).update(status=after):
            RoundEvent.objects.create(round=round_, before=before, after=after, by=by, reason=reason[:500])
            round_.status = after
            if after in TOLD:
                webhooks.emit(
                    f"round.{TOLD[after]}", round_.campaign.slug, round=round_.number, reason=reason[:500]
                )
            return
    round_.refresh_from_db(fields=["status"])
    names = {"before": round_.get_status_display().lower(), "after": Round.Status(after).label.lower()}
    sentence = _("Round %(number)s is %(before)s; it can't become %(after)s.")
    raise StateError(sentence % {"number": round_.number, **names})


def create_next(campaign: Campaign) -> Round:
    """Make the campaign's next loop round, in draft, for its champion policy."""
    policy = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    if policy is None:
        raise StateError(_("The campaign has no champion policy to answer the next round's prompts."))
    try:
        with transaction.atomic():
            # the settings as they are now: who has just changed them finds no round with the old ones later
            now = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
            last = campaign.rounds.aggregate(last=Max("number"))["last"] or 0
            round_ = Round.objects.create(
                campaign=campaign,
                number=last + 1,
                sampling=now.sampling,
                seed=last + 1,
                task_target=now.tasks_per_round,
                selection=begin_choosing(now),
                plan=planning.begin(campaign, policy),
            )
            round_.policies.add(policy)
    except IntegrityError as error:
        raise StateError(_("The campaign already has a round under way.")) from error
    return round_


def begin_choosing(campaign: Campaign) -> dict[str, int]:
    """Return Round.selection of a round that begins: empty where comparisons aren't chosen."""
    if not campaign.choose_pairs or campaign.selection.get("stopped"):
        return {}
    return {"answers": campaign.answers_per_prompt}


def start_next(campaign: Campaign, by: User) -> Round:
    """Make the next loop round and plan its tasks, at a person's word."""
    with transaction.atomic():
        round_ = create_next(campaign)
        start_generating(round_, by)
    return round_


def start_generating(round_: Round, by: User | None = None) -> None:
    """Plan a round's tasks, without answers yet, and let them be sampled."""
    with transaction.atomic():
        change(round_, S.GENERATING, by=by)
        if round_.origin == Round.Origin.LOOP:
            tasks = planning.plan(round_)
            if not tasks:
                raise StateError(_("The campaign has no prompts yet: import some first."))
            Round.objects.filter(pk=round_.pk).update(plan=round_.plan)
            Task.objects.bulk_create(tasks, batch_size=BATCH)


def open_(round_: Round, by: User | None = None, *, filled: bool = False) -> None:
    """Give raters a round: its open tasks get their slots, in random order, if not `filled` already."""
    with transaction.atomic():
        change(round_, S.OPEN, by=by)
        if not filled:
            with connection.cursor() as cursor:
                cursor.execute(OPEN_SLOTS, {"round": round_.pk})
        Round.objects.filter(pk=round_.pk).update(generation_lease_until=None, error="")


def close(round_: Round, *, by: User | None = None, reason: str = "") -> None:
    """End a round; what nobody has judged yet is not asked any more, and a late answer is kept as extra."""
    with transaction.atomic():
        change(round_, S.CLOSED, by=by, reason=reason)
        drop_open_work(round_)


def cancel(round_: Round, *, by: User | None = None, reason: str = "") -> None:
    """Give a round up; judgments already made stay."""
    with transaction.atomic():
        change(round_, S.CANCELLED, by=by, reason=reason)
        drop_open_work(round_)


def drop_open_work(round_: Round) -> None:
    """Cancel a round's slots and tasks that are not done; leases stay, so that late work is recognised."""
    Slot.objects.filter(task__round=round_, status__in=[Slot.Status.OPEN, Slot.Status.CLAIMED]).update(
        status=Slot.Status.CANCELLED
    )
    round_.tasks.filter(status=Task.Status.OPEN).update(status=Task.Status.CANCELLED)


def hold_generation(round_: Round, seconds: int) -> bool:
    """Take the right to sample a round's answers until it runs out; False while somebody else holds it."""
    now = timezone.now()
    free = Round.objects.filter(pk=round_.pk, status=S.GENERATING).exclude(generation_lease_until__gt=now)
    return bool(free.update(generation_lease_until=now + timedelta(seconds=seconds)))


def keep_generation(round_: Round, seconds: int, **figures: int | str) -> None:
    """Extend the right to sample, and store how far it is."""
    until = timezone.now() + timedelta(seconds=seconds)
    Round.objects.filter(pk=round_.pk, status=S.GENERATING).update(generation_lease_until=until, **figures)
