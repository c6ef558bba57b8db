"""The limit of the queue: the statements of one judgment, alone, under pgbench.

They are captured from the real path, once, in this process. A value that an earlier statement of the same
judgment returned becomes a variable of pgbench, and so do the rater and the leases; times and keys are made
anew by the database. So the script follows whatever the path's statements become.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg import sql
from psycopg.pq import TransactionStatus

from accounts.models import User
from bench.queue.crowd import sign_in
from bench.queue.desk import KEY, LEASE
from bench.queue.fill import FIRST_IDS
from labeling import assignment
from labeling.models import Campaign

# pgbench copies no text from one variable to another; so a script is two judgments, in which the two leases
# that a rater holds change places.
SCRIPT_HEAD = """\
\\set rater {first} + :client_id
\\if :begun = 0
SELECT lease AS a_slot_lease, ahead AS b_slot_lease FROM bench_seat WHERE rater = :rater \\gset
\\set begun 1
\\endif
"""
JUDGMENTS = 2
KEYS = re.compile(r"\{[0-9a-f-]{36}(,[0-9a-f-]{36})*\}")  # an array of them, as accounts.rows writes it


@dataclass
class Statement:
    """A statement as it ran, with its result."""

    text: str
    params: Any
    begins: bool  # a transaction
    ends: bool  # the transaction before it
    columns: list[str] = field(default_factory=list)
    row: tuple[Any, ...] = ()  # if it is the only one


class Recorder:
    """Keeps every statement with its result, as an execute wrapper of Django's."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self._open = False

    def __call__(self, execute: Any, text: str, params: Any, many: bool, context: Any) -> Any:
        """Run a statement and keep it."""
        idle = connection.connection.info.transaction_status == TransactionStatus.IDLE
        begins = idle and connection.in_atomic_block
        statement = Statement(text, params, begins, ends=idle and self._open)
        self._open = connection.in_atomic_block
        result = execute(text, params, many, context)
        cursor = context["cursor"].cursor
        if cursor.description:
            rows = cursor.fetchall()
            if rows:
                cursor.scroll(0, mode="absolute")
            if len(rows) == 1:
                statement.columns, statement.row = [column.name for column in cursor.description], rows[0]
        self.statements.append(statement)
        return result


class Script:
    """Turns a captured judgment into pgbench's language."""

    def __init__(self, statements: Sequence[Statement], known: dict[Any, str], made: set[UUID]) -> None:
        """Take the statements, which variables hold which values at first, and the keys to be made anew."""
        self._statements, self._known, self._made = statements, known, made
        self._needed: set[int] = set()  # the statements whose results others need

    def write(self, claimed: UUID, variable: str) -> str:
        """Return the script, which keeps the lease that it claims in a variable."""
        texts = [self._spelled(number) for number in range(len(self._statements))]
        claim = self._source(claimed)
        lines, open_ = [], False
        for number, (statement, text) in enumerate(zip(self._statements, texts, strict=True)):
            if statement.ends:
                lines.append("COMMIT;")
            if statement.begins:
                lines.append("BEGIN;")
            open_ = statement.begins or (open_ and not statement.ends)
            if number == claim:
                column = statement.columns[statement.row.index(claimed)]
                lines.append(f"{text} \\gset {variable.removesuffix(column)}")
            else:
                lines.append(f"{text} \\gset q{number}_" if number in self._needed else f"{text};")
        return "\n".join([*lines, "COMMIT;\n" if open_ else ""])

    def _spelled(self, number: int) -> str:
        """Return a statement with its values in place, and note what its result holds."""
        statement = self._statements[number]
        params = statement.params
        if isinstance(params, dict):
            text = statement.text % {name: self._spell(value) for name, value in params.items()}
        else:
            text = statement.text % tuple(map(self._spell, params)) if params else statement.text
        # of several columns of one name, pgbench keeps the last
        for name, value in dict(zip(statement.columns, statement.row, strict=True)).items():
            if distinct(value) and value not in self._known:
                self._known[value] = f"q{number}_{name}"
        return re.sub(r"\n\s*\n", "\n", text).strip()

    def _spell(self, value: Any) -> str:
        if isinstance(value, str) and KEYS.fullmatch(value):
            keys = (self._spell(UUID(key)) for key in value.strip("{}").split(","))
            return f"ARRAY[{', '.join(keys)}]::uuid[]"
        if isinstance(value, datetime):
            seconds = round((value - timezone.now()).total_seconds())
            return f"(now() + interval '{seconds} seconds')"
        if distinct(value):
            if value in self._made:
                return "(SELECT gen_random_uuid())"  # once for the whole statement
            if value in self._known:
                name = self._known[value]
                if found := re.match(r"q(\d+)_", name):
                    self._needed.add(int(found[1]))
                return f":{name}::uuid" if isinstance(value, UUID) else f":{name}"
        return sql.Literal(value).as_string(connection.connection)

    def _source(self, value: UUID) -> int:
        """Return the number of the statement that returned a value in a column of its own name."""
        return next(
            number
            for number, statement in enumerate(self._statements)
            if value in dict(zip(statement.columns, statement.row, strict=True)).values()
        )


def distinct(value: Any) -> bool:
    """Tell whether a value can be told from all others by itself: a key, or the id of a row of many."""
    return isinstance(value, UUID) or (
        isinstance(value, int) and not isinstance(value, bool) and value >= min(FIRST_IDS.values())
    )


def capture(campaign: Campaign, rater: User) -> tuple[str, int]:
    """Judge once and return the script of it, and how many statements it took."""
    seat = sign_in([rater])[0]
    client = Client(headers={"host": "127.0.0.1", "x-fragment": "1"})
    client.cookies["sessionid"] = seat.session_key
    path = f"/rate/{campaign.slug}/"
    recorder = Recorder()
    for _warm_up in range(2):  # the first judgment finds caches empty
        page = client.get(path).content
        lease, ahead = (UUID(found.decode()) for found in LEASE.findall(page)[:2])
        keys = [UUID(found.decode()) for found in KEY.findall(page)]
        said = {"lease": lease, "idempotency_key": keys[0], "verdict": 1, "guideline": 1, "active_ms": 5120}
        recorder = Recorder()
        with connection.execute_wrapper(recorder):
            answer = client.post(f"{path}judge/", said, headers={"x-holding": str(ahead)})
    claimed = LEASE.findall(answer.content)
    if answer.status_code != 200 or not claimed:
        raise RuntimeError(f"A judgment could not be captured: {answer.status_code}")
    halves = [
        Script(recorder.statements, {rater.pk: "rater", lease: before, ahead: after}, {keys[0]}).write(
            UUID(claimed[0].decode()), before
        )
        for before, after in (("a_slot_lease", "b_slot_lease"), ("b_slot_lease", "a_slot_lease"))
    ]
    return SCRIPT_HEAD.format(first=rater.pk) + "\n".join(halves), len(recorder.statements)


def take_seats(campaign: Campaign, raters: Sequence[User]) -> None:
    """Let every rater hold a task and the one ahead, where the script finds them."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_seat (rater bigint PRIMARY KEY, lease uuid, ahead uuid)")
        for rater in raters:
            held: list[UUID] = []
            for _ in range(2):
                slot = assignment.claim(rater, campaign, held)
                if slot is None or slot.lease is None:
                    raise RuntimeError("There are too few tasks.")
                held.append(slot.lease)
            cursor.execute("INSERT INTO bench_seat VALUES (%s, %s, %s)", [rater.pk, *held])


def run(script: Path, clients: int, seconds: int) -> float:
    """Run the script and return judgments a second; RuntimeError says what pgbench said."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        program = Path(psutil.Process(cursor.fetchone()[0]).exe()).with_name("pgbench")
    where = connection.settings_dict
    command = [
        str(program),
        "--no-vacuum",
        "--protocol=prepared",
        f"--client={clients}",
        f"--time={seconds}",
        "--define=begun=0",
    ]
    command += [f"--file={script}", f"--host={where['HOST']}", f"--username={where['USER']}", where["NAME"]]
    result = subprocess.run(command, capture_output=True, text=True)
    rate = re.search(r"tps = ([\d.]+)", result.stdout)
    if result.returncode or rate is None:
        raise RuntimeError(f"pgbench failed:\n{result.stdout}\n{result.stderr}")
    return JUDGMENTS * float(rate[1])
