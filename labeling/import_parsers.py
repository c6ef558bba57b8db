"""Turn a row of a known shape into a record: one pure function a shape, which knows no database.

docs/data-formats.md says what each looks like.
"""

from __future__ import annotations

import json
import re
from typing import Any

from labeling.import_fields import (
    CLEARLY,
    MOST_RANKED,
    Annotation,
    FieldError,
    ImportRecord,
    Message,
    Rewrite,
    check_turns,
    expect,
    make_record,
    read_annotation,
    read_each,
    read_messages,
    read_meta,
    read_name,
    read_ranking,
    read_response,
    read_talk,
    read_text,
)

_WINNERS = {
    "model_a": (-CLEARLY, False), "model_b": (CLEARLY, False), "tie": (0, False), "tie (bothbad)": (0, True),
}  # fmt: skip


def parse_touchstone(line: int, row: dict[str, Any]) -> ImportRecord:
    """Parse {"id", "prompt", "responses", "annotations", "ranking", "meta"} or {…, "original", "edited"}."""
    if "original" in row or "edited" in row:
        try:
            original = read_response(row.get("original"))
        except FieldError as error:
            raise error.within("original") from error
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
    answers = read_each(listed, "responses", read_talk)
    responses, turns = [answer for answer, _ in answers], [turns for _, turns in answers]
    annotated = row.get("annotations", [])
    expect(annotated, list, "annotations", "a list of judgments")
    if (annotated or "ranking" in row) and not 2 <= len(responses) <= MOST_RANKED:
        message = f"people rank up to {MOST_RANKED} or compare two answers, and here are {len(responses)}"
        raise FieldError("annotations" if annotated else "ranking", message)
    if "ranking" in row and len(responses) == 2:
        raise FieldError("ranking", "orders three answers or more; which of two is better is an annotation")
    annotations: list[Annotation] = []
    if annotated:
        annotations = read_each(annotated, "annotations", lambda item: read_annotation(item, len(responses)))
    if (ranking := row.get("ranking")) is not None:
        order = read_ranking(ranking, len(responses))
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
        meta = {**read_meta(row), "turns": read_each(turns, "turns", lambda turn: read_text(turn, ""))}
        row = {**row, "prompt": turns[0], "meta": meta}
    return make_record(line, row, [])


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
