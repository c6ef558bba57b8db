"""Turn the lines of an upload into records: one pure function a format. Reads text, knows no database.

docs/data-formats.md says what each format looks like.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NoReturn

from django.utils.translation import gettext_lazy as _

from labeling.import_fields import (
    CLEARLY,
    MOST_RANKED,
    Annotation,
    FieldError,
    ImportRecord,
    Message,
    Rewrite,
    check_storable,
    check_turns,
    expect,
    kind_of,
    make_record,
    read_annotation,
    read_messages,
    read_meta,
    read_name,
    read_ranking,
    read_response,
    read_talk,
    read_text,
)
from labeling.import_source import LineError, SourceError, read_head, read_lines

FORMATS = {
    "touchstone": _("Touchstone JSONL: prompts, answers, judgments, edits"),
    "trl": _("TRL preference JSONL: prompt, chosen, rejected"),
    "hh-rlhf": _("hh-rlhf JSONL: chosen and rejected transcripts"),
    "arena": _("Arena conversations: conversation_a, conversation_b, winner"),
    "csv": _("CSV with a header: prompt, response_a, response_b, …"),
    "prompts": _("JSONL of prompts alone"),
}
csv.field_size_limit(2**24)
_WINNERS = {
    "model_a": (-CLEARLY, False), "model_b": (CLEARLY, False), "tie": (0, False), "tie (bothbad)": (0, True),
}  # fmt: skip
_CSV_KNOWN = {
    "id", "prompt", "system", "response", "response_a", "response_b", "model", "model_a", "model_b",
    "choice", "verdict", "annotator", "comment", "tags", "language", "purpose",
}  # fmt: skip


def guess_format(source: BinaryIO) -> str:
    """Return the key of FORMATS that the beginning of an upload looks like."""
    head = read_head(source).lstrip()
    if not head.startswith("{"):
        return "csv"
    keys = set(re.findall(r'"([a-z_]+)"\s*:', head.partition("\n")[0]))
    if "conversation_a" in keys:
        return "arena"
    if "chosen" in keys or "rejected" in keys:
        return "hh-rlhf" if "prompt" not in keys and re.search(r'"\s*(\\n)+Human:', head) else "trl"
    return "touchstone" if keys & {"responses", "annotations", "ranking", "original", "edited"} else "prompts"


def read_records(source: BinaryIO, format: str) -> Iterator[ImportRecord | LineError]:
    """Yield a record, or what is wrong, for each line of an upload that can be read."""
    parse: Callable[[BinaryIO], Iterator[ImportRecord | LineError]] = (
        read_csv if format == "csv" else lambda lines: read_jsonl(lines, PARSERS[format])
    )
    source.seek(0)
    try:
        yield from parse(source)
    except SourceError as error:
        yield LineError(error.line, "", str(error))


def read_jsonl(
    source: BinaryIO, parse: Callable[[int, dict[str, Any]], ImportRecord]
) -> Iterator[ImportRecord | LineError]:
    """Parse one JSON object a line; blank lines are passed over."""
    for number, line in read_lines(source):
        if not line.strip():
            continue
        try:
            record = parse(number, _load_object(line))
        except FieldError as error:
            yield LineError(number, error.field, str(error))
        else:
            yield record


def _load_object(line: str) -> dict[str, Any]:
    try:
        row = _JSON.decode(line)
    except json.JSONDecodeError as error:
        raise FieldError("", f"this is not valid JSON: {error.msg} (column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise FieldError("", f"this is not valid JSON: {error}") from error
    if not isinstance(row, dict):
        raise FieldError("", f"each line must be a JSON object, not {kind_of(row)}")
    if _UNSTORABLE.search(line):
        check_storable(row, "")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large a number")
    return number


_JSON = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
# What a line that is UTF-8 and JSON can hold such characters by; all else in it can be stored.
_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def parse_touchstone(line: int, row: dict[str, Any]) -> ImportRecord:
    """Parse {"id", "prompt", "responses", "annotations", "ranking", "meta"} or {…, "original", "edited"}."""
    if "original" in row or "edited" in row:
        original = read_response(row.get("original"), "original")
        edited = row.get("edited")
        rewrite = Rewrite(None)
        if edited is not None:
            expect(edited, dict, "edited", "an object with text and editor")
            instruction = read_text(edited.get("instruction", ""), "edited.instruction")
            rewrite = Rewrite(
                read_text(edited.get("text"), "edited.text"), read_name(edited, "editor"), instruction
            )
        return make_record(line, row, [original], edit=rewrite)
    listed = row.get("responses", [])
    expect(listed, list, "responses", "a list of answers")
    answers = [read_talk(item, f"responses[{k}]") for k, item in enumerate(listed)]
    responses, turns = [answer for answer, _ in answers], [turns for _, turns in answers]
    annotated = row.get("annotations", [])
    expect(annotated, list, "annotations", "a list of judgments")
    if (annotated or "ranking" in row) and not 2 <= len(responses) <= MOST_RANKED:
        message = f"people rank up to {MOST_RANKED} or compare two answers, and here are {len(responses)}"
        raise FieldError("annotations" if annotated else "ranking", message)
    if "ranking" in row and len(responses) == 2:
        raise FieldError("ranking", "orders three answers or more; which of two is better is an annotation")
    annotations = [
        read_annotation(item, f"annotations[{k}]", len(responses)) for k, item in enumerate(annotated)
    ]
    if (ranking := row.get("ranking")) is not None:
        order = read_ranking(ranking, "ranking", len(responses))
        annotations.append(Annotation(read_name(row, "annotator"), None, ranking=order))
    return make_record(line, row, responses, annotations, ranks="ranking" in row, turns=turns)


def parse_arena(line: int, row: dict[str, Any]) -> ImportRecord:
    """Parse {"conversation_a", "conversation_b", "model_a", "model_b", "winner", "question_id", "judge"}."""
    sides = {name: read_messages(row.get(f"conversation_{name}"), f"conversation_{name}") for name in "ab"}
    first = next((k for k, message in enumerate(sides["a"]) if message["role"] == "assistant"), 0)
    opening = sides["a"][:first]
    if not opening or sides["b"][:first] != opening:
        raise FieldError("conversation_b", "must open with the same question as conversation_a")
    turns = [check_turns(talk[first:], f"conversation_{name}") for name, talk in sides.items()]
    responses = [
        (said[-1]["content"], read_name(row, f"model_{name}")) for name, said in zip("ab", turns, strict=True)
    ]
    if all(len(said) == 1 for said in turns):
        turns = []
    winner = row.get("winner")
    if winner is not None and (not isinstance(winner, str) or winner not in _WINNERS):
        raise FieldError("winner", f"must be one of {', '.join(_WINNERS)}, not {json.dumps(winner)}")
    said = [] if winner is None else [Annotation(read_name(row, "judge"), *_WINNERS[winner])]
    meta = {name: row[name] for name in ("language", "turn", "tstamp") if name in row}
    shaped = {"id": row.get("question_id"), "prompt": opening, "meta": meta}
    return make_record(line, shaped, responses, said, turns=turns)


def parse_trl(line: int, row: dict[str, Any]) -> ImportRecord:
    """Parse {"prompt", "chosen", "rejected"}: strings or messages; without prompt their common start."""
    for name in ("chosen", "rejected"):
        if name not in row:
            raise FieldError(name, f"the column “{name}” is missing")
    chosen, rejected = row["chosen"], row["rejected"]
    if isinstance(chosen, list) or isinstance(rejected, list):
        a, b = read_messages(chosen, "chosen"), read_messages(rejected, "rejected")
        if not isinstance(row.get("prompt"), list) and len(a) > 1:  # the whole conversation on both sides
            prompt, a, b = _common_turns(a, b)
            row = {**row, "prompt": prompt}
        answers = [_only_answer(a, "chosen"), _only_answer(b, "rejected")]
    else:
        answers = [read_text(chosen, "chosen"), read_text(rejected, "rejected")]
        if "prompt" not in row:
            prompt_text, answers = _common_words(answers[0], answers[1])
            row = {**row, "prompt": prompt_text}
    return _preferred(line, row, answers)


def parse_hh(line: int, row: dict[str, Any]) -> ImportRecord:
    """Parse {"chosen", "rejected"} transcripts of “\\n\\nHuman:” and “\\n\\nAssistant:” turns."""
    turns = [_transcript(row.get(name), name) for name in ("chosen", "rejected")]
    prompt, a, b = _common_turns(*turns)
    return _preferred(
        line, {**row, "prompt": prompt}, [_only_answer(a, "chosen"), _only_answer(b, "rejected")]
    )


def parse_prompt(line: int, row: dict[str, Any]) -> ImportRecord:
    """Parse {"prompt"}, {"messages"} or {"turns"} (the first is asked, the others are kept in meta)."""
    if "turns" in row and "prompt" not in row:
        turns = row["turns"]
        if not isinstance(turns, list) or not turns:
            raise FieldError("turns", "must be a list with at least one text")
        meta = {**read_meta(row, "meta"), "turns": [read_text(t, f"turns[{k}]") for k, t in enumerate(turns)]}
        row = {**row, "prompt": turns[0], "meta": meta}
    return make_record(line, row, [])


PARSERS: dict[str, Callable[[int, dict[str, Any]], ImportRecord]] = {
    "touchstone": parse_touchstone,
    "trl": parse_trl,
    "hh-rlhf": parse_hh,
    "arena": parse_arena,
    "prompts": parse_prompt,
}


def read_csv(source: BinaryIO) -> Iterator[ImportRecord | LineError]:
    """Parse a table with a header; comma, semicolon or tab, whichever the header has most of."""
    header = read_head(source).partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    lines = (line for _, line in read_lines(source))
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        if problem := _header_problem(columns):
            yield LineError(1, *problem)
            return
        start = rows.line_num + 1
        for values in rows:
            line, start = start, rows.line_num + 1
            if not any(values):
                continue
            try:
                if len(values) != len(columns):
                    message = f"this row has {len(values)} fields, the header {len(columns)}"
                    raise FieldError("", message)
                row = dict(zip(columns, values, strict=True))
                check_storable(row, "")
                record = _parse_csv_row(line, row)
            except FieldError as error:
                yield LineError(line, error.field.removeprefix("annotations[0]."), str(error))
            else:
                yield record
    except csv.Error as error:
        yield LineError(rows.line_num, "", f"this is not valid CSV: {error}")


def _header_problem(columns: list[str]) -> tuple[str, str] | None:
    wanted = ["prompt"]
    if {"response_a", "response_b", "choice", "verdict"} & set(columns):
        wanted += ["response_a", "response_b"]
    for name in wanted:
        if name not in columns:
            return name, f"the column “{name}” is missing; the header has: {', '.join(columns) or 'nothing'}"
    twice = next((name for name in columns if columns.count(name) > 1), None)
    return (twice, f"the header has the column “{twice}” twice") if twice is not None else None


def _parse_csv_row(line: int, row: dict[str, str]) -> ImportRecord:
    messages = [{"role": "user", "content": row["prompt"]}]
    if row.get("system", "").strip():
        messages.insert(0, {"role": "system", "content": row["system"]})
    shaped: dict[str, Any] = {
        "id": row.get("id") or None,
        "prompt": messages,
        "tags": [tag.strip() for tag in row.get("tags", "").split(",") if tag.strip()],
        "language": row.get("language", ""),
        "purpose": row.get("purpose", "").strip(),
        "meta": {key: value for key, value in row.items() if key not in _CSV_KNOWN},
    }
    if row.get("response_a") or row.get("response_b"):
        shaped["responses"] = [
            {"text": row[f"response_{side}"], "model": row.get(f"model_{side}") or None} for side in "ab"
        ]
    elif row.get("response"):
        shaped["responses"] = [{"text": row["response"], "model": row.get("model") or None}]
    said: dict[str, Any] = {"annotator": row.get("annotator") or None, "comment": row.get("comment", "")}
    choice, verdict = row.get("choice", "").strip().lower(), row.get("verdict", "").strip()
    if verdict:
        if not re.fullmatch(r"[+-]?\d+", verdict):
            raise FieldError("verdict", f"must be a whole number from −3 to 3, not “{verdict}”")
        shaped["annotations"] = [{**said, "verdict": int(verdict)}]
    elif choice:
        index = {"a": 0, "b": 1, "0": 0, "1": 1}.get(choice, choice)
        shaped["annotations"] = [{**said, "choice": index}]
    return parse_touchstone(line, shaped)


def _preferred(line: int, row: dict[str, Any], answers: list[str]) -> ImportRecord:
    meta: dict[str, Any] = {k: row[k] for k in ("margin", "score_chosen", "score_rejected") if k in row}
    said = Annotation(read_name(row, "annotator"), -CLEARLY, meta=meta)
    return make_record(line, row, [(text, None) for text in answers], [said])


def _transcript(value: Any, name: str) -> list[Message]:
    text = read_text(value, name)
    parts = re.split(r"(?:^|\n\n)(Human|Assistant):", text)
    if parts[0].strip() or len(parts) < 2:
        raise FieldError(name, "must start with “\\n\\nHuman:”, as an hh-rlhf transcript does")
    roles = {"Human": "user", "Assistant": "assistant"}
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return [{"role": roles[who], "content": said.strip()} for who, said in pairs]


def _common_turns(a: list[Message], b: list[Message]) -> tuple[list[Message], list[Message], list[Message]]:
    same = 0
    while same < min(len(a), len(b)) - 1 and a[same] == b[same]:
        same += 1
    return a[:same], a[same:], b[same:]


def _only_answer(messages: list[Message], where: str) -> str:
    if len(messages) != 1 or messages[0]["role"] != "assistant":
        raise FieldError(where, "must differ from the other side in exactly one last assistant message")
    return messages[0]["content"]


def _common_words(chosen: str, rejected: str) -> tuple[str, list[str]]:
    same = next(
        (k for k, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b),
        min(len(chosen), len(rejected)),
    )
    while same and not chosen[same - 1].isspace():
        same -= 1
    if not chosen[:same].strip():
        raise FieldError("prompt", "is missing, and chosen and rejected have no common beginning")
    return chosen[:same].rstrip(), [chosen[same:], rejected[same:]]
