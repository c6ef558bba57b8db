"""The plan of the house holds: floors, and a web process without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


HEAVY = {"torch", "transformers", "tokenizers", "pyarrow", "scipy"}
PROGRAMS = {
    "the web server": "import django; django.setup(); from django.urls import get_resolver;"
    "get_resolver().url_patterns; import config.wsgi",
    "the workers": "from config import workers; workers.load()",
    "the supervisor": "from config import stack",
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_an_idle_process_has_nothing_heavy_in_memory(what):
    assert loaded_by(what) & HEAVY == set()


def test_the_supervisor_loads_next_to_nothing():
    """It only watches; what it imports stays in memory for as long as the program runs."""
    assert loaded_by("the supervisor") & {"django", "celery", "redis", "psycopg", "numpy"} == set()


def loaded_by(what: str) -> set[str]:
    done = run(sys.executable, "-c", f"{PROGRAMS[what]}; import sys; print(*sys.modules)")
    assert done.returncode == 0, done.stdout + done.stderr
    return set(done.stdout.split())


def test_the_import_contracts_hold():
    done = run(str(Path(sys.executable).parent / "lint-imports"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_a_name_that_says_what_it_holds():
    forbidden = {"utils.py", "helpers.py", "services.py", "misc.py", "common.py"}
    packages = ["config", "accounts", "models_app", "labeling", "training", "preferences"]
    found = [p for package in packages for p in (ROOT / package).rglob("*.py") if p.name in forbidden]
    assert found == []
