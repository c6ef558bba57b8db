"""The workers as processes: forked from one, gone with it, and without torch when they are idle."""

import os
import subprocess
import sys
import time
from urllib.parse import quote

import psutil
from django.db import connection

from config import local_services
from config.celery import app
from tests.config.test_stack import ROOT, eventually, processes_of


def pool_of(worker: subprocess.Popen) -> set[int]:
    return {process.pid for process in psutil.Process(worker.pid).children()}


def test_the_chat_worker_lets_go_of_what_it_loaded_when_nobody_talks(transactional_db):
    found = connection.settings_dict
    url = f"postgresql://{found['USER']}@/{found['NAME']}?host={quote(str(found['HOST']), safe='')}"
    program = "from config import workers as w; w.IDLE_SECONDS = 1.0; w.load(); w.run_worker('chat')"
    environment = {**os.environ, "DATABASE_URL": url}
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)
    try:
        eventually(lambda: len(pool_of(worker)) == 1)
        before = pool_of(worker)
        time.sleep(2)
        assert pool_of(worker) == before, "it has loaded nothing yet"
        for _ in range(2):  # whoever takes its place lets go too
            app.send_task("labeling.tasks.answer_turn", args=[0])
            eventually(lambda gone=before: len(now := pool_of(worker)) == 1 and now != gone, 60)
            before = pool_of(worker)
    finally:
        worker.terminate()
        assert worker.wait(60) == 0


def test_workers_die_with_what_they_are_forked_from_and_come_back(celery_workers):
    var = local_services.var_dir()
    before = {
        name: process for name, process in processes_of(var).items() if name not in {"postgres", "redis"}
    }
    assert set(before) == {"workers", "default", "sample", "chat", "train"}
    before["workers"].kill()
    eventually(
        lambda: (
            set(now := processes_of(var)) >= set(before)
            and all(now[name] != process for name, process in before.items())
        )
    )
    eventually(lambda: not any(process.is_running() for process in before.values()))
    eventually(lambda: len(app.control.inspect().ping() or {}) == 4)
