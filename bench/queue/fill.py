"""Fill a database with campaigns of any size, by COPY."""

import json
import random
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import connection, models, transaction
from django.utils import timezone

from accounts.models import Role, User
from labeling import campaigns, demo_tour, rounds
from labeling.models import Campaign, Membership, Prompt, Response, Round, Slot, Task, TaskResponse
from labeling.prompts import content_hash, split_of, text_hash

PROMPTS = 667  # with two answers each: 2,001 different texts
BLOCK = 20_000  # rows sent at once

# Ids of different things are different numbers, so that one is never taken for another in a captured
# statement (bench.queue.limit).
FIRST_IDS: dict[type[models.Model], int] = {
    User: 50_000,
    Task: 30_000_000,
    Slot: 100_000_000,
    Prompt: 300_000_000,
    Response: 400_000_000,
}


def number_apart() -> None:
    """Let the ids of an empty installation begin at numbers of their own."""
    with connection.cursor() as cursor:
        for model, first in FIRST_IDS.items():
            cursor.execute(f'ALTER TABLE "{model._meta.db_table}" ALTER COLUMN id RESTART WITH {first}')


def make_raters(count: int, name: str = "rater") -> list[User]:
    """Make raters who have no password."""
    nobody = make_password(None)
    return User.objects.bulk_create(
        User(username=f"{name}{number}", role=Role.RATER, password=nobody) for number in range(count)
    )


def make_campaign(
    name: str,
    raters: Iterable[User],
    tasks: int,
    overlap: int = 1,
    prompts: int = PROMPTS,
    **settings: Any,
) -> Campaign:
    """Make an active campaign with an open round of comparisons, whose slots nobody has claimed."""
    manager, _new = User.objects.get_or_create(username="mara", defaults={"role": Role.MANAGER})
    campaign = campaigns.create(
        name=name, by=manager, guideline=demo_tour.GUIDELINE, overlap=overlap, **settings
    )
    Membership.objects.bulk_create(Membership(campaign=campaign, user=rater) for rater in raters)
    with transaction.atomic():
        round_ = Round.objects.create(campaign=campaign, number=1, origin=Round.Origin.IMPORT)
        for status in (Round.Status.GENERATING, Round.Status.OPEN):
            rounds.change(round_, status)
    with transaction.atomic():
        fill(campaign, round_, tasks, prompts)
    with connection.cursor() as cursor:
        for table in (Campaign, Membership, Prompt, Response, Task, TaskResponse, Slot):
            cursor.execute(f"VACUUM ANALYZE {table._meta.db_table}")
        cursor.execute("CHECKPOINT")
    return campaign


def fill(campaign: Campaign, round_: Round, tasks: int, prompts: int) -> None:
    """Store prompts with two answers each, the tasks that ask about them in turn, and the tasks' slots."""
    chance = random.Random(campaign.pk)
    prompts = min(tasks, prompts)
    first_prompt, first_answer, first_task = next_id(Prompt), next_id(Response), next_id(Task)
    now = timezone.now()
    with connection.cursor() as cursor:
        # the rows fit together by construction; checking each reference would take most of the time
        cursor.execute("SET LOCAL session_replication_role = replica")
    copy(
        Prompt,
        ["id", "campaign_id", "messages", "content_hash", "split"],
        prompt_rows(campaign, first_prompt, prompts),
        created_at=now,
    )
    copy(
        Response,
        ["id", "prompt_id", "text", "text_hash"],
        answer_rows(chance, first_prompt, first_answer, prompts),
        origin=Response.Origin.IMPORTED,
        created_at=now,
    )
    copy(
        Task,
        ["id", "prompt_id"],
        (f"{first_task + n}\t{first_prompt + n % prompts}" for n in range(tasks)),
        campaign_id=campaign.pk,
        round_id=round_.pk,
        kind=Task.Kind.COMPARE,
        overlap=campaign.overlap,
        probability=1.0,
        created_at=now,
    )
    copy(
        TaskResponse,
        ["task_id", "response_id", "position"],
        (
            f"{first_task + n}\t{first_answer + 2 * (n % prompts) + side}\t{side}"
            for n in range(tasks)
            for side in (0, 1)
        ),
    )
    copy(
        Slot,
        ["task_id", "order_key"],
        (f"{first_task + n}\t{chance.random()}" for n in range(tasks) for _ in range(campaign.overlap)),
        campaign_id=campaign.pk,
    )
    with connection.cursor() as cursor:
        for model in (Prompt, Response, Task):
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )


def prompt_rows(campaign: Campaign, first: int, count: int) -> Iterator[str]:
    """Give prompts, each of its own."""
    questions = cycle(record["prompt"] for record in records() if isinstance(record.get("prompt"), str))
    for number, question in enumerate(islice(questions, count)):
        messages = [{"role": "user", "content": f"{question} (Question {number})"}]
        digest = content_hash(messages)
        yield row(first + number, campaign.pk, json.dumps(messages), digest, split_of(digest))


def answer_rows(chance: random.Random, first_prompt: int, first: int, prompts: int) -> Iterator[str]:
    """Give answers of some hundred characters in Markdown, each of its own."""
    pieces = [answer["text"] for record in records() for answer in record.get("responses", [])]
    for number in range(2 * prompts):
        text = "\n\n".join([*chance.sample(pieces, 2), f"Answer {number}."])
        yield row(first + number, first_prompt + number // 2, text, text_hash(text))


def records() -> list[dict[str, Any]]:
    """Read the demo's comparisons."""
    return [json.loads(line) for line in demo_tour.RECORDS.read_text().splitlines()]


def next_id(model: type[models.Model]) -> int:
    """Return an id after which all are free."""
    last: int | None = model._default_manager.aggregate(last=models.Max("pk"))["last"]
    return last + 1 if last else FIRST_IDS[model]


def copy(model: type[models.Model], columns: list[str], rows: Iterable[str], **same: Any) -> None:
    """Store rows given in COPY's text form; other columns get a value that is the `same` for all.

    That is by default the model's own default, and a column without one is left to the database.
    """
    rest = {}
    for field in model._meta.concrete_fields:
        name = field.column
        if name not in columns and not field.primary_key:
            value = same[name] if name in same else field.get_default()
            rest[name] = json.dumps(value) if isinstance(field, models.JSONField) else value
    names = ", ".join(f'"{name}"' for name in [*columns, *rest])
    tail = "".join(f"\t{cell(value)}" for value in rest.values()) + "\n"
    iterator = iter(rows)
    with connection.cursor() as cursor:
        statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
        with cursor.cursor.copy(statement) as target:
            while block := list(islice(iterator, BLOCK)):
                target.write(tail.join(block) + tail)


def row(*values: Any) -> str:
    """Write values in COPY's text form."""
    return "\t".join(map(cell, values))


def cell(value: Any) -> str:
    """Write one value in COPY's text form."""
    if value is None:
        return r"\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if value == []:
        return "{}"  # an empty array
    text = str(value)
    return text.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r").replace("\t", r"\t")
