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

SCRIPT_HEAD = """\
\\set rater {first} + :client_id
\\if :begun = 0
SELECT lease, ahead FROM bench_seat WHERE rater = :rater \\gset
\\set begun 1
\\endif
"""


@dataclass
class Statement:
    """A statement as it ran, and which of its columns later ones need."""

    text: str
    params: Any
    begins: bool  # a transaction
    ends: bool  # the transaction before it
    columns: int = 0
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    needed: dict[str, str] = field(default_factory=dict)  # name → expression


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
            statement.columns = len(cursor.description)
            statement.rows = cursor.fetchall()
            if statement.rows:
                cursor.scroll(0, mode="absolute")
        self.statements.append(statement)
        return result


class Script:
    """Turns a captured judgment into pgbench's language."""

    def __init__(self, statements: Sequence[Statement], known: dict[Any, str], made: set[UUID]) -> None:
        """Take the statements, what variables hold which values at first, and keys to be made anew."""
        self._statements, self._known, self._made = statements, known, made

    def write(self, first: int, next_lease: UUID) -> str:
        """Return the script; the lease that it claims is the next round's."""
        texts = [self._spelled(number) for number in range(len(self._statements))]
        claim = next(s for s in reversed(self._statements) if self._column(s, next_lease) is not None)
        claim.needed |= {"lease": "':ahead'", "ahead": f"c{self._column(claim, next_lease)}"}
        lines, open_ = [SCRIPT_HEAD.format(first=first)], False
        for statement, text in zip(self._statements, texts, strict=True):
            if statement.ends:
                lines.append("COMMIT;")
            if statement.begins:
                lines.append("BEGIN;")
            open_ = statement.begins or (open_ and not statement.ends)
            lines.append(self._read(statement, text) if statement.needed else f"{text};")
        return "\n".join([*lines, "COMMIT;\n" if open_ else ""])

    def _spelled(self, number: int) -> str:
        """Return a statement with its values in place, and note what its result holds."""
        statement = self._statements[number]
        params = statement.params
        if isinstance(params, dict):
            text = statement.text % {name: self._spell(value) for name, value in params.items()}
        else:
            text = statement.text % tuple(map(self._spell, params)) if params else statement.text
        if len(statement.rows) == 1:
            for column, value in enumerate(statement.rows[0]):
                if distinct(value) and value not in self._known:
                    self._known[value] = f"q{number}c{column}"
        return re.sub(r"\n\s*\n", "\n", text).strip()

    def _spell(self, value: Any) -> str:
        if isinstance(value, list) and value and isinstance(value[0], UUID):
            return f"ARRAY[{', '.join(map(self._spell, value))}]::uuid[]"
        if isinstance(value, datetime):
            seconds = round((value - timezone.now()).total_seconds())
            return f"(now() + interval '{seconds} seconds')"
        if distinct(value):
            if value in self._made:
                return "gen_random_uuid()"
            if value in self._known:
                name = self._known[value]
                self._need(name)
                return f"':{name}'" if isinstance(value, UUID) else f":{name}"
        return sql.Literal(value).as_string(connection.connection)

    def _need(self, name: str) -> None:
        if found := re.fullmatch(r"q(\d+)c(\d+)", name):
            self._statements[int(found[1])].needed[name] = f"c{found[2]}"

    def _column(self, statement: Statement, value: UUID) -> int | None:
        return (
            statement.rows[0].index(value)
            if len(statement.rows) == 1 and value in statement.rows[0]
            else None
        )

    def _read(self, statement: Statement, text: str) -> str:
        names = ", ".join(f"c{number}" for number in range(statement.columns))
        wanted = ", ".join(f"{expression} AS {name}" for name, expression in statement.needed.items())
        return f"WITH q ({names}) AS (\n{text}\n) SELECT {wanted} FROM q \\gset"


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
    known = {rater.pk: "rater", lease: "lease", ahead: "ahead"}
    script = Script(recorder.statements, known, {keys[0]})
    return script.write(rater.pk, UUID(claimed[0].decode())), len(recorder.statements)


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
    command = [str(program), "--no-vacuum", f"--client={clients}", f"--time={seconds}", "--define=begun=0"]
    command += [f"--file={script}", f"--host={where['HOST']}", f"--username={where['USER']}", where["NAME"]]
    result = subprocess.run(command, capture_output=True, text=True)
    rate = re.search(r"tps = ([\d.]+)", result.stdout)
    if result.returncode or rate is None:
        raise RuntimeError(f"pgbench failed:\n{result.stdout}\n{result.stderr}")
    return float(rate[1])
