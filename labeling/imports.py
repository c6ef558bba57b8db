"""Bring prompts, answers, past judgments and edits into a campaign: all of an upload, or nothing.

Everything happens in one transaction. The same upload twice adds nothing: prompts are known by content,
answers by prompt, model and text, tasks by the record's id (or, without one, by content), and what people
said by task, person and how often that person had spoken on it before.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import BinaryIO

from django.db import transaction
from django.db.models import Max

from accounts import audit
from accounts.models import User
from labeling import rounds
from labeling.import_fields import ImportRecord
from labeling.import_formats import read_records
from labeling.import_source import LineError
from labeling.import_voices import Voices
from labeling.models import Campaign, Import, Prompt, Response, Round, Task, TaskResponse
from labeling.prompts import content_hash, split_of, text_hash
from models_app import registry
from models_app.models import ModelVersion

BATCH = 1000  # lines
ERRORS_KEPT = 100

Progress = Callable[[int, int], None]


@dataclass
class ImportReport:
    """Count what an upload added, and list what is wrong with it; with errors nothing was added.

    `identical_pairs` and `empty_responses` describe the upload itself, whether it was known or not.
    """

    prompts_added: int = 0
    prompts_known: int = 0
    responses_added: int = 0
    tasks_added: int = 0
    judgments_added: int = 0
    edits_added: int = 0
    raters_added: int = 0
    identical_pairs: int = 0
    empty_responses: int = 0
    empty_edits: int = 0
    lines: int = 0
    errors: list[LineError] = field(default_factory=list)
    errors_total: int = 0

    def refuse(self, error: LineError) -> None:
        """Note an error; the first hundred are kept, all are counted."""
        self.errors_total += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append(error)


@dataclass
class Row:
    """Follow one record through the import: its prompt, its answers and its question to raters."""

    record: ImportRecord
    prompt: int = 0
    answers: list[int] = field(default_factory=list)
    kind: str = ""  # of its task; empty when it asks nothing
    key: str = ""  # the task's external id
    task: int = 0


def import_records(
    campaign: Campaign,
    source: BinaryIO,
    *,
    format: str,
    by: User | None,
    filename: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Import an upload (a seekable binary stream, gzip or not) in one of import_formats.FORMATS.

    With any error in any line nothing is changed and the report says what to mend; a dry run reports what
    an import would add. `progress` hears the bytes read and their total.
    """
    report = ImportReport()
    total = source.seek(0, 2)
    with transaction.atomic():
        # two imports into one campaign follow each other, so that each sees what the other added
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        origin = Import.objects.create(campaign=campaign, by=by, filename=filename[-255:], format=format)
        loading = _Loading(campaign, origin, report)
        for batch in _batches(read_records(source, format), report):
            if not report.errors_total:
                loading.add(batch)
            if progress:
                progress(min(source.tell(), total), total)
        if not report.lines and not report.errors_total:
            report.refuse(LineError(0, "", "there is nothing in this file"))
        if report.errors_total or dry_run:
            transaction.set_rollback(True)
        else:
            loading.finish()
            figures = {key: value for key, value in asdict(report).items() if not key.startswith("errors")}
            Import.objects.filter(pk=origin.pk).update(report=figures)
            audit.record(by, "import", campaign, filename=filename, format=format, **figures)
    return _only_errors(report) if report.errors_total else report


def _only_errors(report: ImportReport) -> ImportReport:
    return ImportReport(lines=report.lines, errors=report.errors, errors_total=report.errors_total)


def _batches(records: Iterator[ImportRecord | LineError], report: ImportReport) -> Iterator[list[Row]]:
    """Gather good records; bad ones go to the report."""
    batch: list[Row] = []
    for record in records:
        report.lines += 1
        if isinstance(record, LineError):
            report.refuse(record)
        else:
            batch.append(Row(record))
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


class _Loading:
    """Add batches of records to a campaign inside one transaction."""

    def __init__(self, campaign: Campaign, origin: Import, report: ImportReport) -> None:
        self.campaign, self.origin, self.report = campaign, origin, report
        self.voices = Voices(campaign)
        self.known_prompts: set[str] = set()
        self.policies: dict[str, int] = {}
        self.round: Round | None = None

    def add(self, rows: list[Row]) -> None:
        """Add one batch."""
        known = self._place_prompts(rows)
        self._place_answers(rows, known)
        for row in rows:
            row.kind = self._kind(row.record)
            row.key = (row.record.external_id or _content_id(row)) if row.kind else ""
        tasks = self._known_tasks(rows)
        if self.report.errors_total:
            return
        said = self.voices.listen((row.key, row.record) for row in rows if row.kind)
        self.report.raters_added += self.voices.introduce(said)
        self._place_tasks(rows, tasks, Counter(key for key, _ in {(s.key, s.rater) for s in said}))
        places = {row.key: (row.task, row.prompt, row.answers) for row in rows if row.kind and row.task}
        judgments, edits = self.voices.store(said, places, known=set(tasks))
        self.report.judgments_added += judgments
        self.report.edits_added += edits

    def finish(self) -> None:
        """Give raters the import's round; one that has nothing left to ask is over at once."""
        if self.round is None:
            return
        rounds.open_(self.round)
        if not self.round.tasks.filter(status=Task.Status.OPEN).exists():
            rounds.close(self.round, reason="Everything in it came with its judgments.")

    def _place_prompts(self, rows: list[Row]) -> set[int]:
        """Find or add each row's prompt; return those that were there before this batch."""
        hashes = {content_hash(row.record.messages): row.record for row in rows}
        there = Prompt.objects.filter(campaign=self.campaign, content_hash__in=hashes)
        found = {
            digest: (pk, source) for digest, pk, source in there.values_list("content_hash", "pk", "source")
        }
        self.known_prompts.update(d for d, (_, source) in found.items() if source != self.origin.pk)
        self.report.prompts_known = len(self.known_prompts)
        new = Prompt.objects.bulk_create(
            Prompt(
                campaign=self.campaign,
                messages=record.messages,
                content_hash=digest,
                split=split_of(digest),
                language=record.language,
                tags=record.tags,
                meta=record.meta,
                source=self.origin,
            )
            for digest, record in hashes.items()
            if digest not in found
        )
        self.report.prompts_added += len(new)
        keys = {digest: pk for digest, (pk, _) in found.items()} | {p.content_hash: p.pk for p in new}
        for row in rows:
            row.prompt = keys[content_hash(row.record.messages)]
        return {pk for pk, _ in found.values()}

    def _place_answers(self, rows: list[Row], known: set[int]) -> None:
        """Find or add each row's answers; `copy` tells equal texts of one model within a record apart."""
        there = Response.objects.filter(prompt__in=known, origin=Response.Origin.IMPORTED)
        Key = tuple[int, int | None, str, int]
        answers: dict[Key, int] = {
            (prompt, policy, digest, copy): pk
            for prompt, policy, digest, copy, pk in there.values_list(
                "prompt", "policy", "text_hash", "copy", "pk"
            )
        }
        wanted: dict[Key, Response] = {}
        asked: list[list[Key]] = []
        for row in rows:
            copies: Counter[tuple[int | None, str]] = Counter()
            keys: list[Key] = []
            for text, model, turns in row.record.answers():
                policy, digest = self._policy(model), text_hash(text, turns)
                key = (row.prompt, policy, digest, copies[policy, digest])
                copies[policy, digest] += 1
                keys.append(key)
                if key not in answers and key not in wanted:
                    wanted[key] = Response(
                        prompt_id=row.prompt,
                        text=text,
                        turns=turns,
                        text_hash=digest,
                        origin=Response.Origin.IMPORTED,
                        policy_id=policy,
                        copy=key[3],
                    )
            asked.append(keys)
        added = Response.objects.bulk_create(wanted.values())
        answers |= {key: response.pk for key, response in zip(wanted, added, strict=True)}
        self.report.responses_added += len(added)
        for row, keys in zip(rows, asked, strict=True):
            row.answers = [answers[key] for key in keys]

    def _policy(self, name: str | None) -> int | None:
        """Return the campaign's policy of that name, made known as an imported one if it is new."""
        if name is None:
            return None
        if name not in self.policies:
            kind, family = ModelVersion.Kind.POLICY, self.campaign.model_family
            version = ModelVersion.objects.filter(family=family, kind=kind, name=name).first()
            if version is None:
                backend = ModelVersion.Backend.IMPORTED
                version = registry.register(family, kind, name, backend, by=self.origin.by)
            self.policies[name] = version.pk
        return self.policies[name]

    def _kind(self, record: ImportRecord) -> str:
        """Tell what a record asks, or has asked, of raters; count what is odd about it."""
        texts = [text_hash(text, turns) for text, _model, turns in record.answers()]
        self.report.empty_responses += sum(not text.strip() for text, _model in record.responses)
        if record.edit is not None:
            if record.edit.text is not None and not record.edit.text.strip():
                self.report.empty_edits += 1  # teaches nothing; the prompt and the original stay
                return ""
            return Task.Kind.EDIT.value
        if len(texts) > 2 and (record.annotations or (record.ranks and len(set(texts)) > 1)):
            return Task.Kind.RANK.value
        if len(texts) != 2:
            return ""
        if texts[0] == texts[1]:
            self.report.identical_pairs += 1
            if not record.annotations:
                return ""
        return Task.Kind.COMPARE.value

    def _known_tasks(self, rows: list[Row]) -> dict[str, int]:
        """Return the tasks already there by external id; refuse an id that stands for something else."""
        there = Task.objects.filter(campaign=self.campaign, external_id__in={r.key for r in rows if r.key})
        tasks = {task.external_id: task for task in there.prefetch_related("task_responses")}
        meant = {
            key: (task.prompt_id, task.kind, [place.response_id for place in task.task_responses.all()])
            for key, task in tasks.items()
        }
        for row in rows:
            if row.kind and meant.setdefault(row.key, this := (row.prompt, row.kind, row.answers)) != this:
                message = f"“{row.key}” already stands for another prompt or other answers in this campaign"
                self.report.refuse(LineError(row.record.line, "id", message))
        return {key: task.pk for key, task in tasks.items()}

    def _place_tasks(self, rows: list[Row], known: dict[str, int], counted: Counter[str]) -> None:
        """Add the tasks that are new: done when people have spoken on them, open otherwise."""
        new = {row.key: row for row in rows if row.kind and row.key not in known}
        if new and self.round is None:
            last = self.campaign.rounds.aggregate(last=Max("number"))["last"] or 0
            self.round = Round.objects.create(
                campaign=self.campaign, number=last + 1, origin=Round.Origin.IMPORT
            )
            rounds.start_generating(self.round, by=self.origin.by)
        added = Task.objects.bulk_create(
            Task(
                campaign=self.campaign,
                round=self.round,
                prompt_id=row.prompt,
                kind=row.kind,
                status=Task.Status.DONE if counted[key] else Task.Status.OPEN,
                overlap=counted[key] or self.campaign.overlap,
                counted=counted[key],
                selection=Task.Selection.IMPORTED,
                external_id=key,
            )
            for key, row in new.items()
        )
        TaskResponse.objects.bulk_create(
            TaskResponse(task=task, response_id=answer, position=position)
            for task in added
            for position, answer in enumerate(new[task.external_id].answers)
        )
        self.report.tasks_added += len(added)
        keys = known | {task.external_id: task.pk for task in added}
        for row in rows:
            row.task = keys.get(row.key, 0)


def _content_id(row: Row) -> str:
    """Name a record without an id by its prompt and answers."""
    said = [[text, model, turns] if turns else [text, model] for text, model, turns in row.record.answers()]
    content = json.dumps([row.kind, content_hash(row.record.messages), said])
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()
