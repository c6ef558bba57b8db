"""Turn a row into a record by telling which of its columns is what; of a table in CSV, by its header."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from labeling.import_fields import FieldError, ImportRecord, read_text
from labeling.import_mapping import CHOICES, FIELDS, is_talk, pick
from labeling.import_parsers import parse_touchstone, parse_trl

OWN_NAMES = {name: name for name in FIELDS}


def header_problem(columns: list[str], mapping: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the column that a table lacks, and how to say so."""
    has = f"the header has: {', '.join(columns) or 'nothing'}"
    if mapping:
        lacks = next((path for path in mapping.values() if path not in columns), None)
        return None if lacks is None else (lacks, f"the column “{lacks}” is missing; {has}")
    wanted = ["prompt"]
    if {"response_a", "response_b", "choice", "verdict"} & set(columns):
        wanted += ["response_a", "response_b"]
    lacks = next((name for name in wanted if name not in columns), None)
    return None if lacks is None else (lacks, f"the column “{lacks}” is missing; {has}")


def shape(row: dict[str, Any], mapping: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a mapping names of a row, and what is left of it."""
    named = {field: value for field, path in mapping.items() if (value := pick(row, path)) is not None}
    tops = {path if path in row else path.partition(".")[0] for path in mapping.values()}
    return named, {key: value for key, value in row.items() if key not in tops}


def parse_columns(line: int, row: dict[str, Any], mapping: Mapping[str, str]) -> ImportRecord:
    """Parse a row by what its columns are; what has no field goes to meta."""

    named, rest = shape(row, mapping)
    messages = read_prompt(named)
    shaped: dict[str, Any] = {
        "id": named.get("id") or None,
        "tags": _tags(named.get("tags")),
        "language": named.get("language", ""),
        "purpose": read_text(named.get("purpose", ""), "purpose").strip(),
        "meta": {key: value for key, value in rest.items() if value is not None},
    }
    annotator = name_of(named.get("annotator"))
    if "chosen" in named or "rejected" in named:
        pair = {side: named.get(side) for side in ("chosen", "rejected")}
        prompt = {} if messages is None else {"prompt": messages}
        if any(isinstance(side, str) for side in pair.values()):
            pair = {side: _answer(value, side) for side, value in pair.items()}
        return parse_trl(line, {**shaped, **prompt, **pair, "annotator": annotator})
    if messages is None:
        raise FieldError("prompt", "is missing; it must be text, or a list of messages with role and content")
    shaped["prompt"] = messages
    if named.get("response_a") or named.get("response_b"):
        shaped["responses"] = [
            {
                "text": _answer(named.get(f"response_{side}"), f"response_{side}"),
                "model": named.get(f"model_{side}") or None,
            }
            for side in "ab"
        ]
    elif named.get("response"):
        text = _answer(named["response"], "response")
        shaped["responses"] = [{"text": text, "model": named.get("model") or None}]
    if said := read_choice(named, mapping):
        comment = read_text(named.get("comment", ""), "comment")
        shaped["annotations"] = [{"annotator": annotator, "comment": comment, **said}]
    return parse_touchstone(line, shaped)


def read_prompt(named: dict[str, Any]) -> list[dict[str, str]] | None:
    """Return the conversation that a row asks with, None where it names none."""
    prompt = named.get("prompt")
    if prompt is None:
        return None
    messages = prompt if is_talk(prompt) else [{"role": "user", "content": read_text(prompt, "prompt")}]
    system = read_text(named.get("system", ""), "system")
    return [{"role": "system", "content": system}, *messages] if system.strip() else list(messages)


def read_choice(named: dict[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """Return what a row says of its two answers as an annotation has it; empty when it says nothing."""
    verdict, choice = named.get("verdict"), named.get("choice")
    if verdict is not None and str(verdict).strip():
        text = str(verdict).strip()
        if not re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII):
            raise FieldError("verdict", f"must be a whole number from −3 to 3, not “{verdict}”")
        return {"verdict": int(text)}
    if choice is None or (isinstance(choice, str) and not choice.strip()):
        return {}
    return {"choice": side_of(choice, mapping)}


def side_of(choice: Any, mapping: Mapping[str, str]) -> Any:
    """Return 0, 1, tie or both_bad for a word that names an answer, also by its column; else the word."""
    if isinstance(choice, bool) or not isinstance(choice, str | int):
        raise FieldError("choice", f"must name an answer, not {json.dumps(choice)[:80]}")
    word = str(choice).strip().lower()
    sides = {
        part.lower(): side
        for side, field in enumerate(("response_a", "response_b"))
        for part in (mapping.get(field, field), mapping.get(field, field).rpartition(".")[2])
    }
    return sides.get(word, CHOICES.get(word, word))


def name_of(value: Any) -> str | None:
    """Return a person's name; elsewhere people are numbers, too."""
    return None if value is None or value == "" else str(value)


def _answer(value: Any, where: str) -> str:
    if is_talk(value) and len(value) == 1 and value[0]["role"] == "assistant":
        value = value[0]["content"]
    return read_text(value, where)


def _tags(value: Any) -> Any:
    if value is None:
        return []
    return [tag.strip() for tag in value.split(",") if tag.strip()] if isinstance(value, str) else value
