"""The plan of the house holds: floors, and a web process without torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_the_web_process_loads_neither_torch_nor_transformers():
    program = (
        "import sys, django; django.setup();"
        "from django.urls import get_resolver; get_resolver().url_patterns;"
        "import config.wsgi;"
        "heavy = {'torch', 'transformers', 'tokenizers'} & set(sys.modules);"
        "print(sorted(heavy)); sys.exit(bool(heavy))"
    )
    done = run(sys.executable, "-c", program)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_import_contracts_hold():
    done = run(str(Path(sys.executable).parent / "lint-imports"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_a_name_that_says_what_it_holds():
    forbidden = {"utils.py", "helpers.py", "services.py", "misc.py", "common.py"}
    packages = ["config", "accounts", "models_app", "labeling", "training", "preferences"]
    found = [p for package in packages for p in (ROOT / package).rglob("*.py") if p.name in forbidden]
    assert found == []
