"""Two rounds while everything in turn is killed with -9: nothing is lost, and both are finished."""

import json
import subprocess
import sys
import time

import psutil
import psycopg
import pytest

from config import local_services
from tests.config.test_stack import ROOT, environment_of, eventually, free_port, processes_of, running, serves

ROUNDS, JUDGMENTS = 2, 50
# small enough for a test; what is learnt is not the point here
HYPER = {
    "reward": {"epochs": 2, "checkpoint_steps": 4},
    "policy": {"best_of_prompts": 32, "best_of_samples": 4, "evaluation_prompts": 16, "checkpoint_steps": 4},
}


class Watch:
    """Look at a stack's database from outside, whatever state it is in."""

    def __init__(self, var):
        self.url = local_services.database_url(var)

    def ask(self, query, *values):
        """Return the first column of a query; nothing while the database is away."""
        try:
            with psycopg.connect(self.url, connect_timeout=3, autocommit=True) as connection:
                cursor = connection.execute(query, values)
                return [row[0] for row in cursor] if cursor.description else []
        except psycopg.OperationalError:
            return []

    def count(self, query, *values):
        return (self.ask(query, *values) or [0])[0]

    def judged(self):
        return self.count("SELECT count(*) FROM labeling_judgment")

    def training(self):
        return self.ask("SELECT id FROM training_run WHERE status = 'running'")


def engine_of(var):
    """Find the engine's process."""
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "training.engine" in line and str(var) in line:
            return process
    return None


@pytest.mark.timeout(900)
def test_rounds_go_on_after_everything_was_killed_in_turn(var, tmp_path):
    port, watch = free_port(), Watch(var)
    with running(var, port):
        eventually(lambda: serves(port))
        # DPO needs no reward model that passes its gate, which so few votes are no basis for
        watch.ask(
            "UPDATE labeling_campaign SET hyper = %s, stages = '{dpo,best_of_n}' WHERE slug = 'demo'",
            json.dumps(HYPER),
        )
        report, log = tmp_path / "rehearsal.json", tmp_path / "rehearsal.log"

        def manage(*command):
            with log.open("a") as written:
                return subprocess.Popen(
                    [sys.executable, "manage.py", *command],
                    cwd=ROOT,
                    env=environment_of(var),
                    stdout=written,
                    stderr=subprocess.STDOUT,
                )

        rehearse = ["rehearse", f"--rounds={ROUNDS}", f"--judgments={JUDGMENTS}", "--json", str(report)]
        rehearsal = manage(*rehearse)

        def until(check, seconds=240):
            """Wait for a moment of the rehearsal."""
            deadline = time.monotonic() + seconds
            while not (found := check()):
                assert rehearsal.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            return found

        try:
            until(lambda: watch.ask("SELECT 1 FROM labeling_response WHERE round_id IS NOT NULL"))
            processes_of(var)["sample"].kill()  # while answers are sampled

            until(lambda: watch.judged() > 20)
            before = watch.judged()
            processes_of(var)["postgres"].kill()  # while people judge
            eventually(lambda: watch.judged() >= before)
            processes_of(var)["web"].kill()
            rehearsal.kill()
            rehearsal.wait()
            rehearsal = manage(*rehearse, "--continue")

            first = until(watch.training)[0]
            until(lambda: engine_of(var)).kill()
            until(lambda: watch.ask("SELECT 1 FROM training_run WHERE id = %s AND attempts > 1", first))
            run = until(lambda: [pk for pk in watch.training() if pk != first and engine_of(var)])[0]
            processes_of(var)["train"].kill()  # the worker alone: its engine is left an orphan
            until(
                lambda: (
                    watch.count("SELECT attempts FROM training_run WHERE id = %s", run) > 1
                    or watch.count(
                        "SELECT count(*) FROM training_run WHERE id = %s AND status = 'succeeded'", run
                    )
                )
            )
            rehearsal.wait(timeout=600)
            assert rehearsal.returncode == 0, log.read_text()
            reports = json.loads(report.read_text())["rounds"]
            check_ledger(watch, reports)
            eventually(lambda: serves(port))
        finally:
            rehearsal.kill()
            rehearsal.wait()


def check_ledger(watch, reports):
    """Hold what the rehearsal was told against what the database has."""
    assert [r["judgments"] for r in reports] == [JUDGMENTS] * ROUNDS
    closed = watch.ask(
        "SELECT sum(t.counted) FROM labeling_round r JOIN labeling_task t ON t.round_id = r.id "
        "WHERE r.status = 'closed' GROUP BY r.id ORDER BY r.id"
    )
    assert [int(n) for n in closed] == [JUDGMENTS] * ROUNDS
    assert watch.judged() == ROUNDS * JUDGMENTS
    assert set(watch.ask("SELECT status FROM training_run")) == {"succeeded"}
    doubled = watch.ask(
        "SELECT 1 FROM labeling_slot WHERE status = 'done' GROUP BY task_id, rater_id HAVING count(*) > 1"
    )
    assert doubled == []
    assert watch.count("SELECT count(*) FROM training_run WHERE attempts > 1") >= 2
    gated = watch.count("SELECT count(*) FROM training_evaluation")
    assert gated == watch.count("SELECT count(*) FROM training_run") >= ROUNDS
