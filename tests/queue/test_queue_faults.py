"""Two hundred raters while everything in turn is killed with -9, and clocks and networks go wrong.

What a rater was told is saved is saved, once; nothing stays taken for longer than a lease; the queue empties.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest
import redis

from bench.queue.crowd import Crowd, Mix, exponential
from bench.queue.ledger import Ledger
from bench.serving import await_answer
from config import stack
from tests.config.test_stack import ROOT, eventually, free_port, processes_of
from tests.queue.audit import Audit
from tests.queue.cable import Answer, Cable
from tests.queue.conftest import Installation

SKEWS = (-60, 60)  # seconds
RATERS, TASKS, OVERLAP = 200, 1200, 3
LEASE = 60  # seconds, the shortest that there is
THINKING = 3.0  # seconds on average
MIX = Mix(skip=0.02, double=0.05, undo=0.01)
ALIVE = 40  # judgments after a fault that show that work goes on
BEAT = 30  # seconds between two looks at lapsed leases

LEFT = """
SELECT extract(epoch FROM slot.lease_until - now()) FROM labeling_slot slot
JOIN labeling_campaign campaign ON campaign.id = slot.campaign_id
WHERE campaign.slug = %(slug)s AND slot.status = 'claimed'
"""

TAKEN_BACK = """
SELECT said.idempotency_key::text FROM labeling_judgment said
JOIN labeling_judgment later ON later.supersedes_id = said.id
JOIN labeling_task task ON task.id = said.task_id
JOIN labeling_campaign campaign ON campaign.id = task.campaign_id WHERE campaign.slug = %(slug)s
"""


@contextmanager
def web_server_with_a_wrong_clock(installation: Installation, seconds: int) -> Iterator[int]:
    """Run one more web server on the same database, as on another machine; yield its port."""
    port = free_port()
    child = stack.web(installation.var, "127.0.0.1", port)
    command = ["tests.queue.skewed" if part == "config.web" else part for part in child.command]
    assert command != list(child.command)
    environment = {**installation.environment, **child.environment, "CLOCK_SKEW": str(seconds)}
    with (installation.var / "log" / f"skewed{seconds}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        await_answer(f"http://127.0.0.1:{port}")
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def ports(installation: Installation) -> Iterator[list[int]]:
    """Give the ports of three web servers: a minute behind, right, and a minute ahead."""
    with ExitStack() as servers:
        behind, ahead = (
            servers.enter_context(web_server_with_a_wrong_clock(installation, skew)) for skew in SKEWS
        )
        yield [behind, installation.port, ahead]


class Faults:
    """One campaign's raters at work on several web servers, and what is done to these meanwhile."""

    def __init__(self, installation: Installation, slug: str, crowds: list[Crowd]) -> None:
        self.installation = installation
        self.audit = Audit(installation.database, slug)
        self.crowds = crowds
        self.over = False
        self.cut: list[str] = []  # keys of what was sent over a cable that was cut

    @contextmanager
    def working(self, seconds: float) -> Iterator[list[Ledger]]:
        """Let the crowds work during the block; what they were told is whole after it."""
        ledgers: list[Ledger] = []
        with ThreadPoolExecutor(len(self.crowds)) as pool:
            runs = [pool.submit(crowd.run, seconds, lambda: self.over) for crowd in self.crowds]
            try:
                yield ledgers
            finally:
                self.over = True
            ledgers += [run.result() for run in runs]

    def survive(self, fault: Callable[[], object]) -> None:
        """Do it, see that each web server's raters go on afterwards, and that the database is in order."""
        fault()
        time.sleep(1)  # what was under way before it is answered or lost by now
        before = [len(crowd.ledger.saved) for crowd in self.crowds]
        share = ALIVE // len(self.crowds)
        eventually(
            lambda: all(
                len(crowd.ledger.saved) >= count + share
                for crowd, count in zip(self.crowds, before, strict=True)
            ),
            60,
        )
        assert self.audit.wrong_tasks() == []

    def process(self, name: str) -> psutil.Process:
        return processes_of(self.installation.var)[name]

    def kill_a_web_worker(self) -> None:
        max(self.process("web").children(), key=lambda child: child.cpu_times().user).kill()

    def kill_the_web_server(self) -> None:
        server = self.process("web")
        for process in (server, *server.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def kill_a_backend(self) -> None:
        """PostgreSQL ends all others when one dies so, because it may have left shared memory torn."""
        [(pid,)] = self.installation.ask(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND pid <> pg_backend_pid() LIMIT 1"
        )
        psutil.Process(pid).kill()

    def kill_postgres(self) -> None:
        self.process("postgres").kill()

    def flush_redis(self) -> None:
        with redis.from_url(self.installation.redis) as client:
            client.flushall()

    def kill_redis(self) -> None:
        self.process("redis").kill()

    def cut_connections(self, cable: Cable) -> None:
        """Send an answer and don't read the reply, then half of one; then send both again."""
        whole, half = (Answer(cable.rater, lease, 1) for lease in cable.held())
        cable.send_cut(whole)
        eventually(lambda: not self.audit.lost([whole]), 30)
        cable.send_cut(half, 0.5)
        assert self.audit.lost([half])
        assert [cable.send(answer)[0] for answer in (whole, half, half)] == [200, 200, 200]
        assert self.audit.lost([whole, half]) == []
        self.cut += [whole.key, half.key]

    def kill_workers_and_beat(self) -> None:
        for name, process in processes_of(self.installation.var).items():
            if name not in {"web", "postgres", "redis"}:
                process.kill()


@pytest.mark.timeout(120)
def test_the_databases_clock_alone_decides_about_leases(installation: Installation, ports: list[int]) -> None:
    options = ["--raters=4", "--tasks=2", "--overlap=3", "--lease-minutes=1"]
    *raters, late = installation.furnish("clock", *options)
    audit = Audit(installation.database, "clock")
    cables = [Cable(port, "clock", rater) for port, rater in zip(ports, raters, strict=True)]
    held = [cable.held() for cable in cables]
    assert all(len(leases) == 2 for leases in held)

    def left() -> list[float]:
        return [float(seconds) for (seconds,) in audit.ask(LEFT)]

    assert all(LEASE - 20 < seconds <= LEASE for seconds in left())
    assert [cable.beat(leases[0]) for cable, leases in zip(cables, held, strict=True)] == [200] * 3
    assert all(LEASE - 20 < seconds <= LEASE for seconds in left())
    assert all(Cable(port, "clock", late).held() == [] for port in ports)
    assert audit.let_lapse(held[1]) == 2
    assert len(Cable(ports[0], "clock", late).held()) == 2


@pytest.mark.timeout(120)
def test_what_was_said_last_is_taken_back_whatever_the_clocks_say(
    installation: Installation, ports: list[int]
) -> None:
    [rater] = installation.furnish("undo", "--raters=1", "--tasks=3", "--overlap=1")
    audit = Audit(installation.database, "undo")
    behind, right, ahead = (Cable(port, "undo", rater) for port in ports)
    first, last = (Answer(rater.username, lease, 1) for lease in right.held())
    assert [ahead.send(first)[0], behind.send(last)[0], right.undo()] == [200, 200, 200]
    assert audit.ask(TAKEN_BACK) == [(last.key,)]
    assert audit.wrong_tasks() == []


@pytest.mark.timeout(300)
def test_what_raters_were_told_is_saved_is_saved_once(installation: Installation, ports: list[int]) -> None:
    options = [f"--raters={RATERS + 1}", f"--tasks={TASKS}", f"--overlap={OVERLAP}", "--lease-minutes=1"]
    *raters, cut_off = installation.furnish("faults", *options)
    [lazy] = installation.furnish("lying", "--raters=1", "--tasks=1", "--overlap=1")
    lying = Audit(installation.database, "lying")
    crowds = [
        Crowd(
            f"http://127.0.0.1:{port}", part, "faults", exponential(THINKING), MIX, retry=0.5, patience=None
        )
        for port, part in zip(ports, (raters[:50], raters[50:150], raters[150:]), strict=True)
    ]
    faults = Faults(installation, "faults", crowds)
    with faults.working(200) as ledgers:
        faults.survive(lambda: None)
        faults.survive(lambda: faults.cut_connections(Cable(installation.port, "faults", cut_off)))
        faults.survive(faults.kill_workers_and_beat)
        # whose only rater goes home, so that nobody's claim gives it back
        assert lying.let_lapse(Cable(installation.port, "lying", lazy).held()) == 1
        faults.survive(faults.kill_a_web_worker)
        faults.survive(faults.kill_the_web_server)
        faults.survive(faults.flush_redis)
        faults.survive(faults.kill_redis)
        faults.survive(faults.kill_a_backend)
        faults.survive(faults.kill_postgres)
        assert faults.audit.stuck(BEAT + 10) == []
        for crowd in crowds:
            crowd.think, crowd.mix = None, Mix()
        eventually(lambda: not faults.audit.unfinished(), 90)
    assert [error for ledger in ledgers for error in ledger.errors] == []
    assert faults.audit.wrong_tasks() == []
    assert faults.audit.unfinished() == []
    saved = [said for ledger in ledgers for said in ledger.saved]
    assert faults.audit.lost(saved) == []
    untold = [said for ledger in ledgers for said in ledger.untold]
    assert faults.audit.invented([*faults.cut, *(said.key for said in [*saved, *untold])]) == []
    assert sum(sum(ledger.retries.values()) for ledger in ledgers) > 10  # it was bad
    eventually(lambda: not lying.held(), BEAT + 10)
    assert lying.wrong_tasks() == []
