"""What people meet before the program runs: the settings' documentation, the Makefile, Docker Compose."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from config.embedded_postgres import WRITERS
from config.stack import QUEUES

ROOT = Path(__file__).resolve().parents[2]
OUR_OWN = {"CELERY_SKIP_CHECKS", "TOUCHSTONE_STACK", "DJANGO_SETTINGS_MODULE", "PATH"}  # nobody sets these


def documented() -> set[str]:
    rows = re.findall(
        r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    return {name for row in rows for name in re.findall(r"[A-Z_]+", row)}


def test_every_setting_that_is_read_is_documented():
    read: set[str] = set()
    for path in (ROOT / "config").glob("*.py"):
        source = path.read_text()
        read |= set(re.findall(r"""(?:environ(?:\.get\(|\[|\.setdefault\()|flag\()\s*"([A-Z_]+)\"""", source))
    assert read >= {"DATABASE_URL", "SECRET_KEY", "HTTPS", "PORT"}
    assert read - OUR_OWN <= documented()


def test_every_documented_setting_is_read():
    sources = "".join(path.read_text() for path in (ROOT / "config").glob("*.py"))
    assert {name for name in documented() if f'"{name}"' not in sources} == set()


def make_with(tmp_path: Path, python: str) -> subprocess.CompletedProcess:
    """Ask make for the virtual environment where this shell script is the only Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (folder / "python3").chmod(0o755)
    make = shutil.which("make")
    assert make is not None
    venv = tmp_path / ".venv"
    environment = {"PATH": str(folder)}
    return subprocess.run(
        [make, f"VENV={venv}", f"{venv}/bin/python"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_make_names_a_python_that_is_too_old(tmp_path):
    result = make_with(tmp_path, 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    assert result.returncode != 0
    assert (
        "Touchstone needs Python 3.11 or newer, and Python 3.9.2 is what python3 gives here." in result.stderr
    )


def test_make_names_a_missing_venv_module(tmp_path):
    result = make_with(tmp_path, 'case "$2" in *venv*) exit 1;; esac')
    assert (
        "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv" in result.stderr
    )


def test_compose_describes_the_same_system():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    workers = {f"worker-{queue}" for queue in QUEUES}
    assert set(services) == {"web", "beat", "postgres", "redis", *workers}
    assert all("healthcheck" in service for service in services.values())
    for queue in QUEUES:
        assert services[f"worker-{queue}"]["command"] == f"python -m config.workers {queue}"
    passed_on = set(services["web"]["environment"])
    assert passed_on - {"OMP_WAIT_POLICY"} <= documented()
    assert services["postgres"]["command"] == " ".join(
        ["postgres", *(f"-c {setting}" for setting in WRITERS)]
    )


def compose() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "version"], capture_output=True).returncode
        ):
            return command
    pytest.skip("Docker Compose is not installed")


def test_compose_accepts_its_file():
    secrets = {"POSTGRES_PASSWORD": "secret", "SECRET_KEY": "secret"}
    command = [*compose(), "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"]
    subprocess.run(command, env={**os.environ, **secrets}, check=True)
    without = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)
    assert "set POSTGRES_PASSWORD in .env" in without.stderr
