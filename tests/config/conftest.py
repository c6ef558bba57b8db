"""Folders for services of a test's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def var() -> Iterator[Path]:
    """Give an empty folder that every user may enter, as root's PostgreSQL must; in memory if possible."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="touchstone-", dir=memory if memory.exists() else "/tmp")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
