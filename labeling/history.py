"""A rater's own history: what they said, newest first, and whether they can take it back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Left
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from labeling import edits, judgments
from labeling.models import (
    Campaign,
    Criterion,
    Edit,
    Feedback,
    Flag,
    Judgment,
    Round,
    Skip,
    Slot,
    TaskResponse,
)
from labeling.reopening import NOT_AGAIN
from labeling.submissions import SubmissionError, check_takeable
from labeling.verdict_scale import say

SIZE = 25
BEGINNING = 280  # characters of a prompt or an answer
NAMES = "ABCDEFGHI"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS: dict[str, type[Judgment] | type[Edit] | type[Skip]] = {
    "judgment": Judgment,
    "edit": Edit,
    "skip": Skip,
}


@dataclass(frozen=True)
class Answer:
    """The beginning of an answer as displayed, and what was said about it."""

    name: str
    text: str
    grades: list[tuple[str, int]] = field(default_factory=list)  # criterion's name, grade
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """One thing that a rater said; `state` is counts, late, undone, reopened or passed."""

    kind: str
    row: Any
    prompt: str
    words: str
    state: str
    takeable: bool
    answers: list[Answer]
    feedback: list[Feedback]

    @property
    def campaign(self) -> Campaign:
        campaign: Campaign = self.row.task.campaign
        return campaign

    @property
    def flags(self) -> list[str]:
        return [str(Flag(flag).label) for flag in getattr(self.row, "flags", [])]

    @property
    def place(self) -> str:
        """Say where it stands in the history: its time in microseconds, kind and key."""
        return f"{(self.row.created_at - EPOCH) // timedelta(microseconds=1)}.{self.kind}.{self.row.pk}"


def of_rater(
    rater: User, campaign: Campaign | None = None, start: str = "", size: int = SIZE
) -> tuple[list[Entry], str]:
    """Return what a rater said, newest first from the place `start` on, and the place that follows, or "".

    Raises SubmissionError for a place that is none.
    """
    rows = [
        (kind, row)
        for kind, rows in ((kind, said(kind, rater, campaign)) for kind in KINDS)
        for row in rows.filter(from_place(kind, start))[: size + 1]
    ]
    rows.sort(key=lambda pair: (pair[1].created_at, pair[0], pair[1].pk), reverse=True)
    entries = describe(rows[: size + 1])
    return entries[:size], entries[size].place if len(entries) > size else ""


def meant_by(rater: User, words: Iterable[Feedback]) -> dict[int, Entry]:
    """Return what each of a rater's words of feedback is about."""
    words = list(words)
    keys = {
        "judgment": [word.judgment_id for word in words if word.judgment_id],
        "edit": [word.edit_id for word in words if word.edit_id],
    }
    rows = [(kind, row) for kind, pks in keys.items() for row in said(kind, rater).filter(pk__in=pks)]
    entries = {(entry.kind, entry.row.pk): entry for entry in describe(rows)}
    about = {word.pk: entries.get(("judgment", word.judgment_id or 0)) for word in words}
    about |= {word.pk: entries.get(("edit", word.edit_id)) for word in words if word.edit_id}
    return {pk: entry for pk, entry in about.items() if entry is not None}


def from_place(kind: str, start: str) -> Q:
    """Select the rows of a kind from a place on, that one included."""
    if not start:
        return Q()
    try:
        micros, of_kind, pk = start.split(".")
        time = EPOCH + timedelta(microseconds=int(micros))
        at_once = Q(created_at=time, pk__lte=int(pk)) if kind == of_kind else Q(created_at=time)
    except (ValueError, OverflowError) as error:
        raise SubmissionError("from", _("There is no such place in your history.")) from error
    return Q(created_at__lt=time) | (at_once if kind <= of_kind else Q(pk=None))


def said(kind: str, rater: User, campaign: Campaign | None = None) -> QuerySet[Any]:
    """Return a rater's own rows of a kind, newest first, with their campaign and the prompt's beginning.

    A withdrawal is no row of its own here: what it takes back is shown as undone.
    """
    beginning = Func(
        F("task__prompt__messages"), template="left(%(expressions)s -> -1 ->> 'content', 280)",
        output_field=TextField(),
    )  # fmt: skip
    rows: QuerySet[Any] = KINDS[kind]._default_manager.filter(rater=rater).annotate(beginning=beginning)
    if kind != "skip":
        later: QuerySet[Any] = KINDS[kind]._default_manager.all()
        replaced = later.filter(supersedes=OuterRef("pk"))
        taken_out = replaced.filter(meta__has_key="reopened")
        rows = rows.filter(withdrawn=False, imported=False)
        rows = rows.annotate(replaced=Exists(replaced), taken_out=Exists(taken_out))
    else:
        rows = rows.exclude(reason=NOT_AGAIN)
    if kind == "edit":
        rows = rows.annotate(
            before=Left("original__text", BEGINNING), after=Left("edited__text", BEGINNING)
        ).defer("signals")
    if campaign is not None:
        rows = rows.filter(task__campaign=campaign)
    return rows.select_related("task__campaign", "task__round").order_by("-created_at", "-pk")


def describe(rows: Sequence[tuple[str, Any]]) -> list[Entry]:
    """Tell about rows of said(), in a fixed number of queries."""
    texts, names = texts_of(rows), names_of(rows)
    about = feedback_on(rows)
    return [
        Entry(
            kind=kind,
            row=row,
            prompt=row.beginning or "",
            words=words(row),
            state=state(row),
            takeable=takeable(row),
            answers=answers(row, texts[row.task_id], names),
            feedback=about.get((kind, row.pk), []),
        )
        for kind, row in rows
    ]


def texts_of(rows: Iterable[tuple[str, Any]]) -> dict[int, dict[int, str]]:
    """Return the beginnings of judged answers by task and position."""
    judged = [row.task_id for kind, row in rows if kind == "judgment"]
    places = TaskResponse.objects.filter(task__in=judged).values_list(
        "task", "position", Left("response__text", BEGINNING)
    )
    texts: dict[int, dict[int, str]] = defaultdict(dict)
    for task, position, text in places:
        texts[task][position] = text
    return texts


def feedback_on(rows: Iterable[tuple[str, Any]]) -> dict[tuple[str, int], list[Feedback]]:
    """Return reviewers' words about each judgment or edit, oldest first."""
    keys: dict[str, list[int]] = defaultdict(list)
    for kind, row in rows:
        keys[kind].append(row.pk)
    about = Feedback.objects.filter(Q(judgment__in=keys["judgment"]) | Q(edit__in=keys["edit"]))
    found: dict[tuple[str, int], list[Feedback]] = defaultdict(list)
    for word in about.select_related("reviewer").order_by("created_at"):
        found["judgment" if word.judgment_id else "edit", word.judgment_id or word.edit_id or 0].append(word)
    return found


def names_of(rows: Iterable[tuple[str, Any]]) -> dict[tuple[int, str], str]:
    """Return the criteria's names by campaign and key."""
    campaigns = {row.task.campaign_id for kind, row in rows if kind == "judgment"}
    known = Criterion.objects.filter(campaign__in=campaigns).values_list("campaign", "key", "name")
    return {(campaign, key): name for campaign, key, name in known}


def answers(row: Any, texts: dict[int, str], names: dict[tuple[int, str], str]) -> list[Answer]:
    """Return the answers of a judgment in the order shown; of an edit, before and after."""
    if isinstance(row, Judgment):
        return [
            Answer(
                name,
                texts.get(position, ""),
                [
                    (names.get((row.task.campaign_id, key), key), grades[position])
                    for key, grades in row.criteria.items()
                    if grades[position] is not None
                ],
                row.reasons[position] if row.reasons else [],
            )
            for name, position in zip(NAMES, row.order_shown, strict=False)
        ]
    if isinstance(row, Edit) and row.edited_id is not None:
        return [Answer(_("Original"), getattr(row, "before", "")), Answer(_("Yours"), row.after)]  # type: ignore[attr-defined]
    return [Answer(_("Original"), getattr(row, "before", ""))] if isinstance(row, Edit) else []


def words(row: Judgment | Edit | Skip) -> str:
    """Say in words what was said."""
    if isinstance(row, Judgment):
        if row.both_bad:
            return _("Both bad")
        return say_ranking(row) if row.verdict is None else say(row.task.campaign, row.verdict)
    if isinstance(row, Skip):
        return _("Can't be judged") if row.kind == Skip.Kind.CANNOT_JUDGE else _("Passed over")
    if row.edited_id is None:
        return _("Already good")
    changed = ngettext("%(n)s word changed", "%(n)s words changed", row.distance)
    return changed % {"n": row.distance}


def say_ranking(judgment: Judgment) -> str:
    """Say a ranking from best to worst, for example “B, then A = C”."""
    groups = [
        " = ".join(sorted(NAMES[judgment.order_shown.index(position)] for position in group))
        for group in judgment.ranking or []
    ]
    said = groups[0]
    for group in groups[1:]:
        said = _("%(better)s, then %(worse)s") % {"better": said, "worse": group}
    return said


def state(row: Any) -> str:
    """Tell whether a row counts, came late, was undone or taken out by a reviewer, or passed a task over."""
    if isinstance(row, Skip):
        return "passed"
    if row.taken_out:
        return "reopened"
    if row.replaced:
        return "undone"
    return "late" if row.extra else "counts"


def takeable(row: Any) -> bool:
    """Tell whether a row of said() can be taken back now."""
    if isinstance(row, Skip):
        return False
    try:
        check_takeable(row, replaced=row.replaced, live=row.task.round.status == Round.Status.OPEN)
    except SubmissionError:
        return False
    return True


def find(rater: User, kind: str, pk: object) -> Judgment | Edit:
    """Return a judgment or edit of a rater's history. Raises SubmissionError."""
    models: dict[str, type[Judgment] | type[Edit]] = {"judgment": Judgment, "edit": Edit}
    model = models.get(kind)
    if model is None:
        raise SubmissionError("kind", _("Only a judgment or an edit can be taken back."))
    try:
        row = model._default_manager.filter(rater=rater, pk=int(str(pk)))
        found: Judgment | Edit | None = row.select_related("task__campaign").first()
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise SubmissionError("id", _("You can only undo what you sent yourself."))
    return found


def take_back(rater: User, said: Judgment | Edit) -> Slot | None:
    """Undo a judgment or an edit, as judgments.undo and edits.undo."""
    return judgments.undo(rater, said) if isinstance(said, Judgment) else edits.undo(rater, said)
