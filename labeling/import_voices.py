"""What people said in an upload: imported raters, and their judgments and edits of past tasks."""

from __future__ import annotations

import hashlib
import random
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.hashers import make_password
from django.db.models import F

from accounts.models import Role, User
from labeling.import_fields import Annotation, ImportRecord, Rewrite
from labeling.models import Campaign, Edit, Judgment, Response, Slot, Task
from labeling.prompts import text_hash
from labeling.words import distance

_NAMESPACE = uuid.UUID("6a0c1f5e-8a3b-4f0e-9c55-2f5b7a1d4e10")

S = TypeVar("S", Judgment, Edit)
Place = tuple[int, int, list[int]]  # task, prompt, answers by position


@dataclass(frozen=True)
class Said:
    """Hold what one person said about one task; `occasion` counts their earlier words on it in the upload."""

    key: str  # the task's external id
    rater: str
    occasion: int
    words: Annotation | Rewrite
    original: str  # text of the first answer


class Voices:
    """Turn names into imported raters, and what they said into done slots with judgments and edits.

    Who speaks twice on a task changes their mind: the later word supersedes the earlier, which is kept.
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.raters: dict[str, int] = {}
        self.occasions: Counter[tuple[str, str | None]] = Counter()

    def listen(self, records: Iterable[tuple[str, ImportRecord]]) -> list[Said]:
        """Gather what was said, in the upload's order; the unnamed of one task are different people."""
        said: list[Said] = []
        for key, record in records:
            words: list[Annotation | Rewrite] = [*record.annotations]
            if record.edit is not None and record.edit.text is not None:
                words += [record.edit, *record.edits]
            for word in words:
                name = word.annotator if isinstance(word, Annotation) else word.editor
                occasion = self.occasions[key, name]
                self.occasions[key, name] += 1
                if name is None:
                    name, occasion = f"anonymous-{occasion + 1}", 0
                said.append(Said(key, name, occasion, word, record.responses[0][0]))
        return said

    def introduce(self, said: list[Said]) -> int:
        """Make an imported rater for every new name; returns how many there were."""
        names = {s.rater: _username(self.campaign, s.rater) for s in said if s.rater not in self.raters}
        there = dict(User.objects.filter(username__in=names.values()).values_list("username", "pk"))
        new = User.objects.bulk_create(
            User(
                username=username,
                first_name=name[:150],
                role=Role.RATER,
                password=make_password(None),
                is_active=False,
                imported=True,
            )
            for name, username in names.items()
            if username not in there
        )
        there |= {user.username: user.pk for user in new}
        self.raters |= {name: there[username] for name, username in names.items()}
        return len(new)

    def store(self, said: list[Said], places: dict[str, Place], known: set[str]) -> tuple[int, int]:
        """Store what is new and return how many judgments and edits that was.

        `known` are the keys of tasks that were there before this batch: new voices add to their overlap.
        """
        before = {places[key][0] for key in known}
        judged = self._new(Judgment, [s for s in said if isinstance(s.words, Annotation)], before)
        edited = self._new(Edit, [s for s in said if isinstance(s.words, Rewrite)], before)
        rewrites = self._rewrites(edited, places)
        self._store(Judgment, judged, places, before, _judgment)
        self._store(Edit, edited, places, before, lambda s, common: _edit(s, places[s.key], rewrites, common))
        return len(judged), len(edited)

    def _new(self, model: type[S], said: list[Said], before: set[int]) -> list[Said]:
        there = model._default_manager.filter(task__in=before, imported=True)
        stored = set(there.values_list("rater", "idempotency_key"))
        return [s for s in said if (self.raters[s.rater], self._idempotency(s)) not in stored]

    def _store(
        self,
        model: type[S],
        said: list[Said],
        places: dict[str, Place],
        before: set[int],
        make: Callable[[Said, dict[str, Any]], S],
    ) -> None:
        latest = model._default_manager.filter(task__in=before, superseded_by=None)
        last: dict[tuple[int, int], tuple[int, int | None]] = {  # (task, rater) → their last word, its slot
            (task, rater): (pk, slot)
            for task, rater, pk, slot in latest.values_list("task", "rater", "pk", "slot")
        }
        joined: Counter[int] = Counter()
        for wave in _waves(said):
            ids = [(places[s.key][0], self.raters[s.rater]) for s in wave]
            outdated = [slot for at in ids if (slot := last.get(at, (0, None))[1]) is not None]
            Slot.objects.filter(pk__in=outdated).update(status=Slot.Status.CANCELLED)
            joined.update(task for task, rater in ids if task in before and (task, rater) not in last)
            slots = self._done_slots(ids, wave)
            rows = [
                make(
                    s,
                    {
                        "task_id": at[0],
                        "rater_id": at[1],
                        "slot": slot,
                        "idempotency_key": self._idempotency(s),
                        "supersedes_id": last[at][0] if at in last else None,
                        "imported": True,
                    },
                )
                for s, at, slot in zip(wave, ids, slots, strict=True)
            ]
            added = model._default_manager.bulk_create(rows)
            last |= {at: (row.pk, row.slot_id) for at, row in zip(ids, added, strict=True)}
        self._widen(joined)

    def _done_slots(self, ids: list[tuple[int, int]], wave: list[Said]) -> list[Slot]:
        return Slot.objects.bulk_create(
            Slot(
                campaign=self.campaign,
                task_id=task,
                rater_id=rater,
                status=Slot.Status.DONE,
                order_key=random.random(),
                order_shown=_order_shown(s.words),
            )
            for (task, rater), s in zip(ids, wave, strict=True)
        )

    def _rewrites(self, said: list[Said], places: dict[str, Place]) -> dict[Said, Response]:
        """Store the rewritten texts as answers; a text left as it was is none: it calls the original good."""
        changed = {
            s: Response(
                prompt_id=places[s.key][1],
                text=s.words.text,
                text_hash=text_hash(s.words.text),
                origin=Response.Origin.EDITED,
                parent_id=places[s.key][2][0],
                author_id=self.raters[s.rater],
            )
            for s in said
            if isinstance(s.words, Rewrite) and s.words.text is not None and s.words.text != s.original
        }
        Response.objects.bulk_create(changed.values())
        return changed

    def _widen(self, joined: Counter[int]) -> None:
        """Make room in tasks that were there before for the voices that joined."""
        by_count: dict[int, list[int]] = defaultdict(list)
        for task, count in joined.items():
            by_count[count].append(task)
        for count, tasks in by_count.items():
            Task.objects.filter(pk__in=tasks).update(
                counted=F("counted") + count, overlap=F("overlap") + count
            )

    def _idempotency(self, said: Said) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, f"{self.campaign.pk}\n{said.key}\n{said.rater}\n{said.occasion}")


def _judgment(said: Said, common: dict[str, Any]) -> Judgment:
    """Make a judgment; a verdict is between the sides as displayed."""
    words = said.words
    assert isinstance(words, Annotation)
    verdict = words.verdict
    return Judgment(
        **common,
        verdict=-verdict if verdict is not None and words.swapped else verdict,
        ranking=words.ranking,
        both_bad=words.both_bad,
        comment=words.comment,
        order_shown=_order_shown(words),
        meta=words.meta if words.swapped is not None else {**words.meta, "order_shown": "unknown"},
    )


def _edit(said: Said, place: Place, rewrites: dict[Said, Response], common: dict[str, Any]) -> Edit:
    words, edited = said.words, rewrites.get(said)
    assert isinstance(words, Rewrite)
    return Edit(
        **common,
        original_id=place[2][0],
        edited=edited,
        instruction=words.instruction,
        distance=distance(said.original, edited.text) if edited else 0,
    )


def _waves(said: list[Said]) -> Iterable[list[Said]]:
    """Split into waves in which nobody speaks twice on the same task, in order."""
    while said:
        seen: set[tuple[str, str]] = set()
        wave: list[Said] = []
        rest: list[Said] = []
        for s in said:
            (rest if (s.key, s.rater) in seen else wave).append(s)
            seen.add((s.key, s.rater))
        yield wave
        said = rest


def _order_shown(words: Annotation | Rewrite) -> list[int]:
    if isinstance(words, Rewrite):
        return [0]
    if words.ranking is not None:
        return list(range(sum(len(equals) for equals in words.ranking)))
    return [1, 0] if words.swapped else [0, 1]


def _username(campaign: Campaign, name: str) -> str:
    """Name an imported rater's account by campaign and name, with a digest where the name had to change."""
    plain = re.sub(r"[^\w.@+-]+", "-", name).strip("-")[:60]
    if plain != name:
        plain = f"{plain[:50]}.{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"imported.{campaign.slug}.{plain}"
