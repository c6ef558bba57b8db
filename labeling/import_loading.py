"""Add an upload's records to a campaign, batch by batch, inside the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from random import random

from django.db import connection
from django.db.models import Max, QuerySet

from labeling import rounds
from labeling.import_copy import (
    NULL,
    Columns,
    Numbers,
    Writer,
    array,
    hold,
    json_text,
    known_keys,
    messages_text,
    text,
)
from labeling.import_fields import ImportRecord
from labeling.import_report import ImportReport
from labeling.import_seen import Seen
from labeling.import_source import LineError
from labeling.import_voices import Voices
from labeling.models import Campaign, Import, Prompt, Response, Round, Slot, Task, TaskResponse
from labeling.prompts import Spelt, hash_of, spell, split_of, text_hash
from models_app import registry
from models_app.models import ModelVersion

# Prompt, policy, text's hash, and which of equal ones within a record.
AnswerKey = tuple[int, int | None, str, int]

_COMPARE, _EDIT, _RANK = (kind.value for kind in (Task.Kind.COMPARE, Task.Kind.EDIT, Task.Kind.RANK))

# A look for each id: the tasks of a table that was empty when the import began would all be read for every
# batch, since PostgreSQL still takes them for few. An id is compared as its index has it.
FIND_TASKS = """
SELECT task.id FROM unnest(%s::text[]) AS key CROSS JOIN LATERAL (
    SELECT id FROM labeling_task
    WHERE campaign_id = %s AND NULLIF(external_id, '') = key OFFSET 0) task
"""


class Row:
    """Follow one record through the import: its prompt, its answers and its question to raters.

    Its cells are made here, while PostgreSQL stores others: once it is asked for the next, it waits.
    """

    __slots__ = (
        "answers", "digest", "key", "kind", "prompt", "prompt_cells", "record", "said", "task",
    )  # fmt: skip

    def __init__(self, record: ImportRecord, report: ImportReport) -> None:
        self.record = record
        spelt = spell(record.messages)
        self.digest = hash_of(spelt)
        self.prompt_cells = _prompt_cells(record, self.digest, spelt)
        self.said: list[tuple[str | None, str, str]] = []  # each answer's model, hash and cells
        for answer, model, turns in record.answers():
            digest, talk = text_hash(answer, turns), messages_text(spell(turns)) if turns else "[]"
            self.said.append((model, digest, f"{digest}\t{text(answer)}\t{talk}"))
        # its task's kind, which is empty when it asks nothing, and external id
        self.kind = _kind(record, [digest for _, digest, _ in self.said], report)
        self.key = (record.external_id or self._content_id()) if self.kind else ""
        self.prompt = 0
        self.answers: list[int] = []
        self.task = 0

    def meaning(self) -> tuple[str, str, list[tuple[str | None, str]]]:
        """Return what its id stands for, whatever the numbers in the database."""
        return self.digest, self.kind, [(model, digest) for model, digest, _cells in self.said]

    def _content_id(self) -> str:
        """Name a record without an id by its prompt and answers."""
        answers = self.record.answers()
        said = [[text, model, turns] if turns else [text, model] for text, model, turns in answers]
        content = json.dumps([self.kind, self.digest, said])
        return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def _kind(record: ImportRecord, hashes: list[str], report: ImportReport) -> str:
    """Tell what a record asks, or has asked, of raters; count what is odd about it."""
    for answer, _model in record.responses:
        if not answer or answer.isspace():
            report.empty_responses += 1
    if record.edit is not None:
        if record.edit.text is not None and not record.edit.text.strip():
            report.empty_edits += 1  # teaches nothing; the prompt and the original stay
            return ""
        return _EDIT
    if len(hashes) > 2 and (record.annotations or (record.ranks and len(set(hashes)) > 1)):
        return _RANK
    if len(hashes) != 2:
        return ""
    if hashes[0] == hashes[1]:
        report.identical_pairs += 1
        if not record.annotations:
            return ""
    return _COMPARE


def _prompt_cells(record: ImportRecord, digest: str, spelt: Spelt) -> str:
    purpose = record.purpose
    return (
        f"{messages_text(spelt)}\t{digest}\t{split_of(digest, purpose)}\t{purpose}"
        f"\t{text(record.language)}\t{array(record.tags)}\t{json_text(record.meta)}"
    )


class Policies(dict[str | None, int | None]):
    """The policies of a campaign's family by name; a new name becomes known as an imported one."""

    def __init__(self, campaign: Campaign, origin: Import, writer: Writer) -> None:
        super().__init__({None: None})
        self._family, self._by, self._writer = campaign.model_family, origin.by, writer

    def __missing__(self, name: str) -> int:
        self._writer.finish()
        kind, backend = ModelVersion.Kind.POLICY, ModelVersion.Backend.IMPORTED
        version = ModelVersion.objects.filter(family=self._family, kind=kind, name=name).first()
        if version is None:
            version = registry.register(self._family, kind, name, backend, by=self._by)
        hold(ModelVersion, [version.pk])
        self[name] = version.pk
        return version.pk


class Loading:
    """Add batches of rows to a campaign: first look up what is known, then write what is new."""

    def __init__(
        self,
        campaign: Campaign,
        origin: Import,
        report: ImportReport,
        writer: Writer,
        keep_good: bool = False,
    ) -> None:
        self.campaign, self.origin, self.report, self.writer = campaign, origin, report, writer
        self.keep_good = keep_good
        self.voices = Voices(campaign)
        self.known_prompts: set[int] = set()
        # what comes into an empty campaign is looked for only where the import itself may have brought it
        self.seen = Seen() if not Prompt.objects.filter(campaign=campaign).exists() else None
        self.numbers = {model: Numbers(model, writer) for model in (Prompt, Response, Task)}
        self.policies = Policies(campaign, origin, writer)
        self.round: Round | None = None
        self.prompt_columns = Columns(
            Prompt,
            ["id", "messages", "content_hash", "split", "purpose", "language", "tags", "meta"],
            campaign_id=campaign.pk,
            source_id=origin.pk,
        )
        self.response_columns = Columns(
            Response,
            ["id", "prompt_id", "policy_id", "copy", "text_hash", "text", "turns"],
            origin=Response.Origin.IMPORTED.value,
        )
        self.place_columns = Columns(TaskResponse, ["task_id", "response_id", "position"])
        self.slot_columns = Columns(Slot, ["task_id", "order_key"], campaign_id=campaign.pk)

    def add(self, rows: list[Row]) -> None:
        """Add one batch; what it writes may still be under way when this returns, and that before it."""
        if self.keep_good:
            self.writer.finish()
            rows = self._without_conflicts(rows)
        refused = self.report.errors_total
        prompts, known = self._find_prompts(rows)
        keys = {row.key for row in rows if row.kind}
        stored, there = self._stored_answers(known), self._stored_tasks(keys)
        asked = keys - there.keys()
        self._begin_round(asked)
        response_ids = self.numbers[Response].take(sum([len(row.said) for row in rows]))
        task_ids = self.numbers[Task].take(len(asked))
        self._write_prompts(prompts)  # which PostgreSQL stores while the answers are made ready
        answers, cells = self._find_answers(rows, stored, response_ids)
        tasks = self._known_tasks(rows, there)
        if self.report.errors_total > refused:
            if self.keep_good:  # what was found good and stored already isn't
                raise AssertionError("a conflict between ids was overlooked")
            return
        new = self._new_tasks(rows, tasks, task_ids)
        if known:
            self.writer.finish()
            self._hold_known(prompts, {key[0] for key in answers.keys() - stored.keys()}, stored, new)
        self.writer.write(self.response_columns, cells)
        said = self.voices.listen((row.key, row.record) for row in rows if row.kind)
        if said:
            self.writer.finish()
            self.report.raters_added += self.voices.introduce(said)
        self._write_tasks(new, Counter(key for key, _ in {(s.key, s.rater) for s in said}))
        if said:
            self.writer.finish()
            places = {row.key: (row.task, row.prompt, row.answers) for row in rows if row.kind and row.task}
            judgments, edits = self.voices.store(said, places, known=set(tasks))
            self.report.judgments_added += judgments
            self.report.edits_added += edits

    def finish(self) -> None:
        """Give raters the import's round; one that has nothing left to ask is over at once."""
        self.writer.finish()
        if self.round is None:
            return
        with known_keys():
            rounds.open_(self.round, filled=True)
        if not self.round.tasks.filter(status=Task.Status.OPEN).exists():
            rounds.close(self.round, reason="Everything in it came with its judgments.")

    def _find_prompts(self, rows: list[Row]) -> tuple[dict[int, Row], set[int]]:
        """Find or number each row's prompt; return the new ones, and those there before this batch."""
        first: dict[str, Row] = {}
        for row in rows:
            first.setdefault(row.digest, row)
        numbers: dict[str, int] = {}
        if met := self._met(first):
            there = Prompt.objects.filter(campaign=self.campaign).extra(
                where=["content_hash = ANY(string_to_array(%s, ','))"], params=[",".join(met)]
            )
            for digest, pk, source in there.values_list("content_hash", "pk", "source"):
                numbers[digest] = pk
                if source != self.origin.pk:
                    self.known_prompts.add(pk)
        self.report.prompts_known = len(self.known_prompts)
        known = set(numbers.values())
        added = [digest for digest in first if digest not in numbers]
        numbers.update(zip(added, self.numbers[Prompt].take(len(added)), strict=True))
        self.report.prompts_added += len(added)
        for row in rows:
            row.prompt = numbers[row.digest]
        return {numbers[digest]: first[digest] for digest in added}, known

    def _met(self, keys: Iterable[str]) -> list[str]:
        """Return those of a batch's prompts, or ids, that the campaign may have; they can be looked for."""
        met = list(keys) if self.seen is None else self.seen.meet(keys)
        if met:
            self.writer.finish()
        return met

    def _stored_answers(self, known: set[int]) -> dict[AnswerKey, int]:
        """Return the imported answers of prompts that were there before this batch."""
        if not known:
            return {}
        there = Response.objects.filter(prompt__in=known, origin=Response.Origin.IMPORTED)
        columns = there.values_list("prompt", "policy", "text_hash", "copy", "pk")
        return {(prompt, policy, digest, copy): pk for prompt, policy, digest, copy, pk in columns}

    def _find_answers(
        self, rows: list[Row], stored: dict[AnswerKey, int], free: list[int]
    ) -> tuple[dict[AnswerKey, int], list[str]]:
        """Find or number each row's answers; return all their numbers, and the new ones' cells."""
        numbers, cells_of_new, unused = dict(stored), [], iter(free)
        tail = self.response_columns.tail
        for row in rows:
            prompt, answers = row.prompt, row.answers
            for model, digest, cells in row.said:
                policy, copy = self.policies[model], 0
                while (pk := numbers.get(key := (prompt, policy, digest, copy))) in answers:
                    copy += 1  # equal texts of one model within a record
                if pk is None:
                    pk = numbers[key] = next(unused)
                    by = NULL if policy is None else policy
                    cells_of_new.append(f"{pk}\t{prompt}\t{by}\t{copy}\t{cells}{tail}")
                answers.append(pk)
        self.report.responses_added += len(cells_of_new)
        return numbers, cells_of_new

    def _stored_tasks(self, keys: set[str]) -> dict[str, Task]:
        """Return the tasks already there by external id."""
        met = self._met(keys)
        if not met:
            return {}
        return {task.external_id: task for task in self._named(met).prefetch_related("task_responses")}

    def _named(self, keys: Iterable[str]) -> QuerySet[Task]:
        """Return the campaign's tasks by their ids."""
        with connection.cursor() as cursor:
            cursor.execute(FIND_TASKS, [list(keys), self.campaign.pk])
            return Task.objects.filter(pk__in=[pk for (pk,) in cursor.fetchall()])

    def _known_tasks(self, rows: list[Row], tasks: dict[str, Task]) -> dict[str, int]:
        """Refuse an id that stands for something else; return the known ones' tasks."""
        meant = {
            key: (task.prompt_id, task.kind, [place.response_id for place in task.task_responses.all()])
            for key, task in tasks.items()
        }
        for row in rows:
            if row.kind and meant.setdefault(row.key, this := (row.prompt, row.kind, row.answers)) != this:
                self._refuse_id(row)
        return {key: task.pk for key, task in tasks.items()}

    def _without_conflicts(self, rows: list[Row]) -> list[Row]:
        """Refuse rows whose id stands for something else before anything of them is written."""
        there = self._named({row.key for row in rows if row.key})
        answers = "task_responses__response__policy"
        meant = {
            task.external_id: (task.prompt.content_hash, task.kind, [_stored(place) for place in places])
            for task in there.select_related("prompt").prefetch_related(answers)
            for places in [sorted(task.task_responses.all(), key=lambda place: place.position)]
        }
        kept = []
        for row in rows:
            if row.kind and meant.setdefault(row.key, this := row.meaning()) != this:
                self._refuse_id(row)
            else:
                kept.append(row)
        return kept

    def _refuse_id(self, row: Row) -> None:
        message = f"“{row.key}” already stands for another prompt or other answers in this campaign"
        self.report.refuse(LineError(row.record.line, "id", message))

    def _begin_round(self, new: set[str]) -> None:
        """See to a round for the tasks that are new."""
        if new and self.round is None:
            self.writer.finish()
            last = self.campaign.rounds.aggregate(last=Max("number"))["last"] or 0
            self.round = Round.objects.create(
                campaign=self.campaign, number=last + 1, origin=Round.Origin.IMPORT
            )
            rounds.start_generating(self.round, by=self.origin.by)

    def _new_tasks(self, rows: list[Row], known: dict[str, int], free: list[int]) -> dict[int, Row]:
        """Number the tasks that are new, and tell each row its task."""
        new = {row.key: row for row in rows if row.kind and row.key not in known}
        numbers = dict(zip(new, free, strict=True))
        self.report.tasks_added += len(new)
        keys = known | numbers
        for row in rows:
            row.task = keys.get(row.key, 0)
        return {numbers[key]: row for key, row in new.items()}

    def _hold_known(
        self, new: dict[int, Row], answered: set[int], stored: dict[AnswerKey, int], tasks: dict[int, Row]
    ) -> None:
        """Hold what was there before and is now referred to, by new answers or tasks."""
        asked = {row.prompt for row in tasks.values()}
        hold(Prompt, (answered | asked) - new.keys())
        hold(Response, {pk for row in tasks.values() for pk in row.answers} & set(stored.values()))

    def _write_prompts(self, new: dict[int, Row]) -> None:
        tail = self.prompt_columns.tail
        self.writer.write(self.prompt_columns, [f"{pk}\t{row.prompt_cells}{tail}" for pk, row in new.items()])

    def _write_tasks(self, new: dict[int, Row], counted: Counter[str]) -> None:
        """Write the tasks that are new: done when people have spoken on them, open otherwise."""
        if self.round is None:
            return
        columns = Columns(
            Task,
            ["id", "prompt_id", "kind", "external_id", "status", "overlap", "counted"],
            campaign_id=self.campaign.pk,
            round_id=self.round.pk,
            selection=Task.Selection.IMPORTED.value,
        )
        tail, place_tail, slot_tail = columns.tail, self.place_columns.tail, self.slot_columns.tail
        lines, places, slots = [], [], []
        overlap = self.campaign.overlap
        unsaid = f"open\t{overlap}\t0"
        for number, row in new.items():
            pk, said = str(number), counted.get(row.key, 0)
            state = f"done\t{said}\t{said}" if said else unsaid
            lines.append(f"{pk}\t{row.prompt}\t{row.kind}\t{text(row.key)}\t{state}{tail}")
            for position, answer in enumerate(row.answers):
                places.append(f"{pk}\t{answer}\t{position}{place_tail}")
            if not said:  # as OPEN_SLOTS would, in the time that PostgreSQL has while the next are read
                for _ in range(overlap):
                    slots.append(f"{pk}\t{random():.12f}{slot_tail}")  # all its digits take 1 µs
        self.writer.write(columns, lines)
        self.writer.write(self.place_columns, places)
        self.writer.write(self.slot_columns, slots)


def _stored(place: TaskResponse) -> tuple[str | None, str]:
    """Return the model and the text's hash of an answer; of one that no import brought, what none has."""
    answer = place.response
    if answer.origin != Response.Origin.IMPORTED:
        return None, ""
    return (answer.policy.name if answer.policy else None), answer.text_hash
