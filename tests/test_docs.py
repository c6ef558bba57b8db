"""What exists is documented: every command, every export and import format, every address of the API."""

import re
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

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


def api_addresses(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> list[str]:
    found = []
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += api_addresses(pattern.url_patterns, address)
        elif address.startswith("/api/v1/"):
            found.append(re.sub(r"<\w+:(\w+)>", r"{\1}", address))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command):
    assert any(f"manage.py {command}" in text for text in DOCS.values())


@pytest.mark.parametrize("format", sorted({*EXPORT_FORMATS, *IMPORT_FORMATS}))
def test_every_format_is_documented(format):
    assert f"`{format}`" in DOCS[ROOT / "docs" / "data-formats.md"]


@pytest.mark.parametrize("address", api_addresses(get_resolver().url_patterns))
def test_every_address_of_the_api_is_documented(address):
    assert f"`{address.removeprefix('/api/v1')}`" in DOCS[ROOT / "docs" / "api.md"]
