"""What judgments and edits have in common: whose slot a submission fills, and whether it counts."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, connection, transaction
from django.db.models import F, JSONField, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import rows
from accounts.models import User
from labeling import assignment, overlaps, statements
from labeling.assignment import LeaseError
from labeling.models import Campaign, Draft, Edit, Flag, Judgment, Slot, Task
from labeling.statements import FIND, LOCK, RATERS_COLUMNS, SLOT_COLUMNS, TASK_COLUMNS

S = TypeVar("S", Judgment, Edit)
R = TypeVar("R")
TEXT_LIMIT = 100_000
NOT_YOURS = gettext_lazy("This task isn't yours: it was given to somebody else, or never to you.")


class SubmissionError(Exception):
    """A judgment, edit or skip can't be taken as it is; `field` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotAtOnceError(Exception):
    """A submission takes more than one statement, or its slot has changed since it was read."""


@dataclass
class Onward:
    """The rating page that a submission comes from, and what it goes on with, read on the way.

    `holding` are the leases of what it has besides; None: it isn't shown the next task in the same answer.
    """

    slug: str
    holding: Sequence[UUID] | None
    campaign: Any = None  # as `read_campaign` gives it
    slot: Any = None  # as assignment.claim gives it


@dataclass(frozen=True)
class Place:
    """Where a submission goes: the slot it was claimed as, and the one it fills (None: extra)."""

    claimed: Any  # as `lock` gives it
    filled: Slot | None
    guideline: int | None
    supersedes: int | None


def at_once(store: Callable[[bool], R]) -> R:
    """Store a submission by `store(False)`, which needs no lock: it fills in one statement what it has read.

    Where it can't (NotAtOnceError), or the database refuses what is sent twice, `store(True)` does it in a
    transaction, in which `settle` locks what it reads.
    """
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            return store(False)
    except (NotAtOnceError, IntegrityError):
        with whole():
            return store(True)


@contextmanager
def whole() -> Iterator[None]:
    """Store all of a submission or nothing; SubmissionError when the database refuses it as sent twice."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise twice(error) from error


def settle(
    model: type[S],
    kind: Task.Kind,
    rater: User,
    lease: UUID,
    key: UUID,
    guideline: int | None,
    onward: Onward | None = None,
    *,
    locked: bool = True,
) -> Place | S:
    """Find a lease's slot, locked in a transaction, and what a submission on a task of a kind fills.

    Unlocked, it raises NotAtOnceError where the rater had the task before. Returns the row itself when this
    very submission is already stored (same idempotency key). The lease may have run out: while the task has a
    free place it counts, and otherwise it is extra. `guideline` is the number of the version shown, by
    default the newest. Raises LeaseError, SubmissionError.
    """
    claimed = _find(LOCK if locked else FIND, rater, lease, clean_number("guideline", guideline))
    # whoever holds the only slot of the task that they ever had has said nothing on it; and a key that they
    # used on another is refused by the database (`twice`)
    first = claimed.status == Slot.Status.CLAIMED and not claimed.had_before
    if not locked and not first:
        raise NotAtOnceError
    if onward is not None:
        if claimed.campaign.slug != onward.slug or not claimed.rated:
            raise LeaseError(NOT_YOURS)
        onward.campaign = claimed.campaign
    said: list[S] = []
    if not first:
        of_mine = model._default_manager.filter(rater=rater)
        said = list(of_mine.filter(Q(task=claimed.task_id) | Q(idempotency_key=key)))
    for row in said:
        if row.idempotency_key == key:
            if row.task_id != claimed.task_id:
                raise SubmissionError("idempotency_key", _("This key was already used for another task."))
            return row
    replaced = {row.supersedes_id for row in said}
    last = next((row for row in said if row.pk not in replaced), None)
    if last is not None and not last.withdrawn:
        raise SubmissionError("lease", _("You have already answered this one; undo it to answer it anew."))
    if claimed.task.kind != kind:
        asked = claimed.task.get_kind_display()
        raise SubmissionError("lease", _("This task asks for something else: %(kind)s.") % {"kind": asked})
    filled = claimed if claimed.status == Slot.Status.CLAIMED else free_slot(claimed)
    shown: int | None = getattr(claimed, "shown_guideline", None)
    if guideline is not None and shown is None:
        raise SubmissionError("guideline", _("This campaign has no guideline %(n)s.") % {"n": guideline})
    return Place(claimed, filled, shown, last.pk if last else None)


def lock(rater: User, lease: UUID) -> Any:
    """Return a rater's slot by its lease, locked after their membership, with its task and its campaign."""
    return _find(LOCK, rater, lease)


def _find(statement: str, rater: User, lease: UUID, guideline: int | None = None) -> Any:
    """Return a rater's slot by its lease, with its task, its campaign and the guideline shown.

    `rated` tells whether they rate in the campaign, `had_before` whether they had another slot of the task
    before; its task's `version` is another after each change.
    """
    values: dict[str, Any] = {"rater": rater.pk, "lease": lease, "guideline": guideline}
    row = rows.one(statement, values)
    if row is None:
        raise LeaseError(NOT_YOURS)
    values_left = iter(row)
    slot: Any = rows.read(Slot, values_left, SLOT_COLUMNS)
    slot.task = rows.read(Task, values_left, TASK_COLUMNS)
    slot.campaign = slot.task.campaign = read_campaign(values_left)
    slot.shown_guideline, slot.rated, slot.had_before, slot.task.version = values_left
    return slot


def read_campaign(values_left: Iterator[Any]) -> Any:
    """Take a campaign, as its raters' pages show it, from a row.

    `graded` are its criteria; `guideline_number` is its newest version, `guideline_read` the newest that the
    rater has opened, None when none; `word` is the oldest word to them (id, text, by) that they haven't read.
    """
    campaign: Any = rows.read(Campaign, values_left, RATERS_COLUMNS)
    graded, campaign.guideline_number, campaign.guideline_read, word = islice(values_left, 4)
    campaign.graded, campaign.word = json.loads(graded), json.loads(word) if word else None
    return campaign


def twice(error: IntegrityError) -> SubmissionError:
    """Say why the database refuses what somebody sends a second time."""
    if "submitted_once" in str(error):
        return SubmissionError("idempotency_key", _("This key was already used for another task."))
    return SubmissionError("lease", _("You have just answered this one from another window."))


def find(rater: User, lease: UUID) -> Slot:
    """Return a rater's slot by its lease, as it is now. Raises LeaseError."""
    slot = Slot.objects.filter(lease=lease, rater=rater).first()
    if slot is None:
        raise LeaseError(NOT_YOURS)
    return slot


def free_slot(claimed: Slot) -> Slot | None:
    """Find a place in the task of a lapsed slot: one its rater has claimed anew, or an open one."""
    places = Slot.objects.select_for_update(skip_locked=True).filter(
        Q(status=Slot.Status.OPEN) | Q(status=Slot.Status.CLAIMED, rater=claimed.rater_id),
        task=claimed.task_id,
    )
    return places.order_by("status").first()  # "claimed" sorts before "open"


def clean_text(field: str, value: object, limit: int = TEXT_LIMIT) -> str:
    """Return a text as stored: line breaks as \\n; SubmissionError when it isn't a text, or too long."""
    if not isinstance(value, str):
        raise SubmissionError(field, _("This must be a text."))
    if "\x00" in value:
        raise SubmissionError(field, _("This text holds a character that can't be stored (NUL)."))
    if len(value) > limit:
        message = _("This text is too long: at most %(limit)s characters.") % {"limit": limit}
        raise SubmissionError(field, message)
    return value.replace("\r\n", "\n")


def clean_number(field: str, value: object, most: int = 2**31 - 1) -> int | None:
    """Return a whole number from 0 to `most`, None when left out."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        message = _("This must be a whole number from 0 to %(most)s.") % {"most": most}
        raise SubmissionError(field, message)
    return value


def clean_flags(flags: object) -> list[str]:
    """Return the flags raised, each once."""
    if not isinstance(flags, (list, tuple)) or not all(flag in Flag.values for flag in flags):
        known = ", ".join(Flag.values)
        raise SubmissionError("flags", _("Flags are any of %(known)s.") % {"known": known})
    return sorted(set(flags))


def clean_attention(slot: Slot, attention: object) -> dict[str, Any]:
    """Return active times by position in the task, from those by displayed side."""
    if not attention:
        return {}
    wrong = SubmissionError("attention", _("Active times are the prompt's and one for each answer."))
    if not isinstance(attention, Mapping) or not set(attention) <= {"prompt", "answers"}:
        raise wrong
    sides = attention.get("answers") or []
    if not isinstance(sides, (list, tuple)) or len(sides) not in {0, len(slot.order_shown)}:
        raise wrong
    times = [0] * len(sides)
    for position, time in zip(slot.order_shown, sides, strict=False):
        times[position] = clean_number("attention", time) or 0
    return {"prompt": clean_number("attention", attention.get("prompt")) or 0, "answers": times}


def fill(place: Place, rater: User, row: Judgment | Edit | None = None, onward: Onward | None = None) -> None:
    """Store what was said, mark its slot done and count it in its task; the draft goes, too.

    Then the next task is claimed for the page that waits for it.
    """
    claimed, wanted = place.claimed, onward if onward is not None and onward.holding is not None else None
    if place.filled is None:
        if row is not None:
            row.save(force_insert=True)
        Draft.objects.filter(task=claimed.task_id, rater=rater).delete()
        if wanted is not None:
            wanted.slot = assignment.take(rater, claimed.campaign, wanted.holding or ())
    else:
        _store(claimed, place.filled, rater, row, wanted)


def _store(
    claimed: Any, filled: Slot, rater: User, row: Judgment | Edit | None, wanted: Onward | None
) -> None:
    """Fill a slot, claim the next where it is wanted, and ask once more where that is, at once."""
    asking = overlaps.asking(claimed.task, row) if isinstance(row, Judgment) else {}
    values = {
        "order_shown": rows.array(claimed.order_shown),
        "slot": filled.pk,
        "status": filled.status,
        "task": claimed.task_id,
        "rater": rater.pk,
        "campaign": claimed.campaign_id,
        **({"besides": rows.array(wanted.holding or ())} if wanted is not None else {}),
        **(inserted(row) if row is not None else {}),
        **asking,
    }
    kind = type(row) if row is not None else None
    found = rows.one(_filling(kind, claim=wanted is not None, adapts=bool(asking)), values)
    if found is None:
        raise NotAtOnceError
    key, stored_at, *next_slot = found
    if row is not None:
        row.created_at = stored_at
        row.pk, row._state.adding, row._state.db = key, False, "default"
    if wanted is not None and next_slot[0] is not None:
        wanted.slot = assignment.read_shown(iter(next_slot))


@cache
def _filling(model: type[Judgment] | type[Edit] | None, *, claim: bool, adapts: bool) -> str:
    """Spell out what `fill` runs, with a claim or without."""
    insert = insert_statement(model) if model is not None else "SELECT 0 AS id, NULL AS created_at"
    return statements.fill(insert, claim=claim, adapts=adapts)


def inserted(row: Judgment | Edit) -> dict[str, Any]:
    """Return the values of a new row by the names of insert_statement; its arrays hold numbers and flags."""
    return {
        name: getattr(row, field.attname) if write is None else write(getattr(row, field.attname))
        for name, field, write in _inserted_fields(type(row))
    }


@cache
def _inserted_fields(model: type[Judgment] | type[Edit]) -> list[tuple[str, Any, Any]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    return [(f"new_{f.column}", f, _writer(f)) for f in fields if f.column != "created_at"]


def _writer(field: Any) -> Callable[[Any], Any] | None:
    if isinstance(field, JSONField):
        return partial(field.get_db_prep_save, connection=connection)
    return rows.array if isinstance(field, ArrayField) else None


@cache
def insert_statement(model: type[Judgment] | type[Edit]) -> str:
    """Spell out an INSERT of one row, where a slot is filled, by parameters named after its columns.

    The time is the database's: what somebody said last is told by it, whichever web servers they spoke to.
    """
    fields = [(name, field) for name, field, _write in _inserted_fields(model)]
    columns = ", ".join(f'"{field.column}"' for _name, field in fields)
    places = ", ".join(f"%({name})s::{field.db_type(connection)}" for name, field in fields)
    return (
        f"INSERT INTO {model._meta.db_table} ({columns}, created_at)"  # noqa: S608  names of ours
        f" SELECT {places}, statement_timestamp() FROM filled RETURNING id, created_at"
    )


def take_back(rater: User, submission: S, withdrawal: S) -> Slot | None:
    """Store the withdrawal of a submission and give its rater the task back under a new lease.

    `withdrawal` is the new row with its own content set. Returns the slot now claimed, None for an extra
    one. Raises SubmissionError when it isn't theirs, was replaced already, or its round is over.
    """
    model = type(submission)
    if submission.rater_id != rater.pk:
        raise SubmissionError("id", _("You can only undo what you sent yourself."))
    with transaction.atomic():
        live = assignment.lock_live_rounds([submission.slot_id] if submission.slot_id else [])
        # the lock lets two undos of the same row follow each other
        model._default_manager.select_for_update(of=("self",), no_key=True).get(pk=submission.pk)
        check_takeable(
            submission,
            replaced=model._default_manager.filter(supersedes=submission.pk).exists(),
            live=submission.task.round_id in live,
        )
        withdrawal.task_id, withdrawal.rater_id = submission.task_id, rater.pk
        withdrawal.guideline_id, withdrawal.idempotency_key = submission.guideline_id, uuid4()
        withdrawal.extra, withdrawal.withdrawn = submission.extra, True
        withdrawal.supersedes_id = submission.pk
        withdrawal.save(force_insert=True)
        return reclaim(rater, submission.slot_id) if submission.slot_id else None


def check_takeable(submission: Judgment | Edit, *, replaced: bool, live: bool) -> None:
    """Refuse to take a submission back that was replaced, whose round isn't live, or whose time is over."""
    if submission.withdrawn or replaced:
        raise SubmissionError("id", _("This was already undone."))
    if submission.slot_id and not live:
        raise SubmissionError("id", _("The round is over, and the models have learnt from it already."))
    if submission.created_at < timezone.now() - timedelta(minutes=submission.task.campaign.undo_minutes):
        raise SubmissionError("id", _("The time for taking this back is over."))


def reclaim(rater: User, done: int) -> Slot:
    """Swap a done slot for one claimed by the same rater, and count it no more.

    It keeps the time of its first claim, so that its rater sees it before what they hold since.
    """
    old = Slot.objects.select_related("campaign").get(pk=done)
    now = assignment.clock()
    Slot.objects.filter(pk=old.pk).update(status=Slot.Status.CANCELLED)
    Task.objects.filter(pk=old.task_id).update(counted=F("counted") - 1, status=Task.Status.OPEN)
    slot = assignment.again(
        old,
        order_shown=old.order_shown,
        status=Slot.Status.CLAIMED,
        rater=rater,
        lease=uuid4(),
        claimed_at=old.claimed_at or now,
        lease_until=now + timedelta(minutes=old.campaign.lease_minutes),
    )
    slot.save(force_insert=True)
    return slot
