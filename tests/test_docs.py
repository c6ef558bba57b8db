"""What exists is documented: every command, every export and import format, every address of the API."""

import re
from pathlib import Path

import pytest

from config.urls import document
from labeling.import_formats import FORMATS as IMPORT_FORMATS
from training.export_formats import FORMATS as EXPORT_FORMATS

ROOT = Path(__file__).resolve().parent.parent
DOCS = {path: path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]}
COMMANDS = sorted(
    path.stem
    for app in ["accounts", "models_app", "labeling", "training"]
    for path in (ROOT / app).glob("management/commands/*.py")
    if path.stem != "__init__"
)


ROW = re.compile(r"\| (`/[^|]*`) \| ([A-Z, ]+) \|")  # an address or several, and methods


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command):
    assert any(f"manage.py {command}" in text for text in DOCS.values())


@pytest.mark.parametrize("format", sorted({*EXPORT_FORMATS, *IMPORT_FORMATS}))
def test_every_format_is_documented(format):
    assert f"`{format}`" in DOCS[ROOT / "docs" / "data-formats.md"]


def test_the_api_has_the_addresses_and_methods_that_are_documented():
    written = {
        (method, address.replace("{pk}", "{id}"))
        for addresses, methods in ROW.findall(DOCS[ROOT / "docs" / "api.md"])
        for address in re.findall("`([^`]*)`", addresses)
        for method in methods.split(", ")
    }
    there = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in document()["paths"].items()
        for method in methods
    }
    assert written - there == {("GET", "/schema/")}  # the document leaves itself out
    assert there - written == set()
