"""What one record of an import holds, and the checks of its fields: plain data, no database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Message = dict[str, str]

ROLES = ("system", "user", "assistant")
PURPOSES = ("evaluation", "safety", "capability")  # labeling.models.Prompt.Purpose
# How much better, where an annotation says so in words; a bare choice counts as clearly better.
STRENGTHS = {
    "tie": 0, "same": 0, "about-the-same": 0, "slightly": 1, "slightly-better": 1, "better": 2, "clearly": 2,
    "clearly-better": 2, "much": 3, "much-better": 3,
}  # fmt: skip
CLEARLY = 2
MOST_RANKED = 9  # answers in one ranking
TAG_LENGTH = 60
_KINDS = {bool: "true or false", int: "a number", float: "a number", type(None): "null", dict: "an object"}


class FieldError(ValueError):
    """A field of a record is not what the format asks for."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

    def within(self, where: str) -> FieldError:
        """Return the error as one of what stands there, or of a field in it."""
        return FieldError(f"{where}.{self.field}" if self.field else where, str(self))


@dataclass(frozen=True, slots=True)
class Annotation:
    """Hold one judgment: −3 (first answer much better) … +3 (second much better), as listed in the record.

    Of more answers it is a `ranking` instead, groups of equals from best to worst, and there is no verdict.
    `swapped` tells whether the second answer was displayed on the left; None when that is unknown.
    """

    annotator: str | None
    verdict: int | None
    both_bad: bool = False
    ranking: list[list[int]] | None = None
    swapped: bool | None = None
    comment: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Hold an edit of the record's only answer; a text of None asks raters for one."""

    text: str | None
    editor: str | None = None
    instruction: str = ""


@dataclass(slots=True)
class ImportRecord:
    """Hold one line: a conversation, its answers as (text, model), and what people said about them.

    `edits` are what further people made of the same answer. `ranks` asks raters to put the answers in order.
    Where answers are whole conversations, `turns` has the messages of each, and its text is the last; empty
    for a plain answer, and where all are plain.
    """

    line: int
    external_id: str
    messages: list[Message]
    responses: list[tuple[str, str | None]] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    edit: Rewrite | None = None
    edits: list[Rewrite] = field(default_factory=list)
    ranks: bool = False
    turns: list[list[Message]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    language: str = ""
    purpose: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    def answers(self) -> list[tuple[str, str | None, list[Message]]]:
        """Return each answer's text, model and turns."""
        if not self.turns:
            return [(text, model, []) for text, model in self.responses]
        return [(text, model, said) for (text, model), said in zip(self.responses, self.turns, strict=True)]


def make_record(
    line: int,
    row: dict[str, Any],
    responses: list[tuple[str, str | None]],
    annotations: list[Annotation] | None = None,
    edit: Rewrite | None = None,
    edits: list[Rewrite] | None = None,
    ranks: bool = False,
    turns: list[list[Message]] | None = None,
) -> ImportRecord:
    """Make a record of a line whose answers and judgments are read; checks what is left."""
    key = "prompt" if "prompt" in row else "messages"
    if key not in row:
        raise FieldError("prompt", "the column “prompt” is missing")
    prompt = row[key]
    messages = (
        [{"role": "user", "content": prompt}] if isinstance(prompt, str) else read_messages(prompt, key)
    )
    if not messages or messages[-1]["role"] == "assistant":
        raise FieldError(
            key, "the last message must come from the user, so that there is something to answer"
        )
    if not messages[-1]["content"].strip():
        raise FieldError(key, "the prompt is empty")
    external_id = _external_id(row)
    meta = read_meta(row)
    language = row.get("language") or ""
    if not isinstance(language, str) or len(language) > 16:
        raise FieldError("language", "must be a short code such as “en” or “pt-BR”")
    return ImportRecord(
        line=line,
        external_id=external_id,
        messages=messages,
        responses=responses,
        annotations=annotations or [],
        edit=edit,
        edits=edits or [],
        ranks=ranks,
        turns=turns if turns and any(turns) else [],
        tags=_tags(row, meta),
        language=language,
        purpose=_purpose(row),
        meta=meta,
    )


def _external_id(row: dict[str, Any]) -> str:
    given = row.get("id")
    if given is None:
        return ""
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise FieldError("id", f"must be text or a whole number, not {kind_of(given)}")
    external_id = str(given)
    if len(external_id) > 200:
        raise FieldError("id", "is longer than 200 characters")
    return external_id


def read_each(values: list[Any], where: str, read: Callable[[Any], T]) -> list[T]:
    """Read the items of a list; the place of one is spelt out only where something is wrong with it."""
    found: list[T] = []
    try:
        for value in values:
            found.append(read(value))
    except FieldError as error:
        raise error.within(f"{where}[{len(found)}]") from error
    return found


def read_response(item: Any) -> tuple[str, str | None]:
    """Read an answer and the name of its model."""
    if isinstance(item, str):
        return item, None
    expect(item, dict, "", "text, or an object with text and model")
    return read_text(item.get("text"), "text"), read_name(item, "model")


def read_talk(item: Any) -> tuple[tuple[str, str | None], list[Message]]:
    """Read an answer, which may be a whole conversation: its text and model, and its turns."""
    if not isinstance(item, dict) or "turns" not in item:
        return read_response(item), []
    turns = check_turns(read_messages(item["turns"], "turns"), "turns")
    if "text" in item and item["text"] != turns[-1]["content"]:
        raise FieldError("text", "is not the last answer of its turns; leave it out")
    return (turns[-1]["content"], read_name(item, "model")), turns if len(turns) > 1 else []


def check_turns(turns: list[Message], where: str) -> list[Message]:
    """Return what follows a prompt if it begins and ends with an answer."""
    if not turns or turns[0]["role"] != "assistant" or turns[-1]["role"] != "assistant":
        raise FieldError(where, "must begin and end with an answer of the assistant")
    return turns


def read_annotation(item: Any, answers: int = 2) -> Annotation:
    """Read one judgment: a choice between two answers, or a ranking of more."""
    expect(item, dict, "", "an object with annotator and choice")
    meta = read_meta(item)
    if answers > 2:
        return Annotation(
            annotator=read_name(item, "annotator"),
            verdict=None,
            ranking=read_ranking(item.get("ranking"), answers),
            comment=read_text(item.get("comment") or "", "comment"),
            meta=meta,
        )
    verdict = _verdict(item, meta)
    both_bad = item.get("both_bad") is True or item.get("choice") == "both_bad"
    if both_bad and verdict:
        raise FieldError("both_bad", "can't go with a verdict for one of the answers")
    swapped = meta.get("shown_swapped")
    if swapped is not None and not isinstance(swapped, bool):
        raise FieldError("meta.shown_swapped", "must be true, false or null")
    comment = next((c for c in (item.get("comment"), meta.get("comment"), meta.get("reason")) if c), "")
    return Annotation(
        annotator=read_name(item, "annotator"),
        verdict=verdict,
        both_bad=both_bad,
        swapped=swapped,
        comment=read_text(comment, "comment"),
        meta=meta,
    )


def read_ranking(value: Any, answers: int) -> list[list[int]]:
    """Read an order of answers, best first: places of the list, or lists of places for equals."""
    words = "a list of the answers' places, best first, with equals in a list of their own"
    expect(value, list, "ranking", words)
    groups = [sorted(item) if _all_places(item) else [item] for item in value]
    places = [place for group in groups for place in group]
    if not _all_places(places) or sorted(places) != list(range(answers)):
        raise FieldError("ranking", f"must hold each number from 0 to {answers - 1} once, and nothing else")
    return groups


def _all_places(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(place) is int for place in value)


def _verdict(item: dict[str, Any], meta: dict[str, Any]) -> int:
    verdict, choice = item.get("verdict"), item.get("choice")
    if verdict is not None:
        if isinstance(verdict, bool) or not isinstance(verdict, int) or not -3 <= verdict <= 3:
            raise FieldError("verdict", f"must be a whole number from −3 to 3, not {verdict!r}")
        return verdict
    if isinstance(choice, str) and choice in ("tie", "both_bad"):
        return 0
    if isinstance(choice, bool) or not isinstance(choice, int) or choice < 0:
        message = f"must be 0, 1, “tie” or “both_bad”, not {json.dumps(choice, ensure_ascii=False)}"
        raise FieldError("choice", message)
    if choice > 1:
        raise FieldError("choice", f"points at answer {choice + 1}, and there are only two")
    return _grade(meta.get("strength")) * (1 if choice else -1)


def _grade(strength: Any) -> int:
    if strength is None:
        return CLEARLY
    grade = STRENGTHS.get(strength.strip().lower().replace(" ", "-"), 0) if isinstance(strength, str) else 0
    if not grade:
        known = ", ".join(word for word, value in STRENGTHS.items() if value)
        shown = json.dumps(strength, ensure_ascii=False)
        raise FieldError("meta.strength", f"must be one of {known} beside a choice, not {shown}")
    return grade


def read_messages(value: Any, where: str) -> list[Message]:
    """Read a conversation."""
    expect(value, list, where, "text, or a list of messages with role and content")
    return read_each(value, where, _message)


def _message(item: Any) -> Message:
    expect(item, dict, "", "an object with role and content")
    if item.get("role") not in ROLES:
        shown = json.dumps(item.get("role"), ensure_ascii=False)
        raise FieldError("role", f"must be system, user or assistant, not {shown}")
    return {"role": item["role"], "content": read_text(item.get("content"), "content")}


def _purpose(row: dict[str, Any]) -> str:
    purpose = row.get("purpose")
    if not purpose:
        return ""
    if purpose not in PURPOSES:
        shown = json.dumps(purpose, ensure_ascii=False)
        raise FieldError("purpose", f"must be one of {', '.join(PURPOSES)} or left out, not {shown}")
    return str(purpose)


def _tags(row: dict[str, Any], meta: dict[str, Any]) -> list[str]:
    category = row.get("category", meta.get("category"))
    beside = [category] if isinstance(category, str) and 0 < len(category) <= TAG_LENGTH else []
    if "tags" not in row:
        return beside
    tags = row["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise FieldError("tags", "must be a list of texts")
    if any(len(tag) > TAG_LENGTH for tag in tags):
        raise FieldError("tags", f"a tag is longer than {TAG_LENGTH} characters")
    return list(dict.fromkeys([*tags, *beside]))


def read_meta(row: dict[str, Any]) -> dict[str, Any]:
    """Read the free-form object “meta”."""
    meta = row.get("meta")
    return {} if meta is None else dict(expect(meta, dict, "meta", "an object"))


def read_name(row: dict[str, Any], key: str, where: str = "") -> str | None:
    """Read an optional name of at most 200 characters; blank means none."""
    value = row.get(key)
    if value is None:
        return None
    path = f"{where}.{key}" if where else key
    name = read_text(value, path)
    if not name or name.isspace():
        return None
    if len(name) > 200:
        raise FieldError(path, "is longer than 200 characters")
    return name


def read_text(value: Any, where: str) -> str:
    """Read a text."""
    return value if isinstance(value, str) else expect(value, str, where, "text")


def expect(value: Any, kind: type[T], where: str, words: str) -> T:
    """Return a value of the right kind, or say what it must be."""
    if isinstance(value, kind):
        return value
    if value is None:
        raise FieldError(where, f"is missing; it must be {words}")
    raise FieldError(where, f"must be {words}, not {kind_of(value)}")


def kind_of(value: Any) -> str:
    """Name the kind of a JSON value in words."""
    return _KINDS.get(type(value), "a list" if isinstance(value, list) else "text")


def check_storable(value: Any, where: str) -> None:
    """Refuse what PostgreSQL can't keep: NUL characters, and halves of surrogate pairs."""
    if isinstance(value, str):
        if "\x00" in value:
            raise FieldError(where, "holds a NUL character, which can't be stored")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise FieldError(where, "holds half a surrogate pair, which is not a character") from error
    elif isinstance(value, dict):
        for key, item in value.items():
            check_storable(key, where)
            check_storable(item, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for k, item in enumerate(value):
            check_storable(item, f"{where}[{k}]")
