"""What stands where in an upload whose columns have names of their own: {field of ours: path of theirs}.

A path is a column's name, or names and places in a list with dots between: data.question, answers.0.text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from django.utils.translation import gettext_lazy as _

from labeling.import_fields import FieldError

FIELDS = {
    "prompt": _("Prompt"),
    "system": _("System message"),
    "response_a": _("Answer A"),
    "response_b": _("Answer B"),
    "chosen": _("The better answer"),
    "rejected": _("The worse answer"),
    "response": _("The only answer"),
    "choice": _("Which is better"),
    "verdict": _("Verdict, −3 … +3"),
    "annotator": _("Who said it"),
    "comment": _("Comment"),
    "model_a": _("Model of A"),
    "model_b": _("Model of B"),
    "model": _("Model of the only answer"),
    "id": _("Id"),
    "tags": _("Tags"),
    "language": _("Language"),
    "purpose": _("Purpose"),
}
ANSWERS = ("response_a", "response_b", "chosen", "rejected", "response")
MOST_COLUMNS = 60
DEEPEST = 4
LISTED = 4  # places of a list that are offered

Row = dict[str, Any]

# Names that columns of these fields have elsewhere, the likeliest first; compared without case and marks.
_NAMES = {
    "prompt": "prompt question instruction instructions query messages userinput userprompt input task post "
    "context text",
    "system": "system systemprompt systemmessage",
    "chosen": "chosen preferred accepted chosenresponse",
    "rejected": "rejected dispreferred chosenrejected rejectedresponse",
    "response": "response answer output completion reply generation",
    "choice": "choice preference winner better betteranswer selected vote label",
    "verdict": "verdict",
    "annotator": "annotator annotatorid rater raterid worker workerid user userid username judge labeler "
    "evaluator",
    "comment": "comment comments reason rationale explanation justification note notes",
    "model": "model modelname",
    "id": "id uid uuid externalid rowid questionid",
    "tags": "tags category categories topic domain",
    "language": "language lang locale",
    "purpose": "purpose",
}  # fmt: skip
_PAIRS = (("a", "b"), ("1", "2"), ("0", "1"), ("left", "right"), ("first", "second"), ("one", "two"))
_STEMS = (
    "response",
    "answer",
    "output",
    "completion",
    "generation",
    "reply",
    "text",
    "summary",
    "candidate",
    "option",
    "",
)
CHOICES = {
    "a": 0, "left": 0, "first": 0, "model_a": 0, "response_a": 0, "0": 0,
    "b": 1, "right": 1, "second": 1, "model_b": 1, "response_b": 1, "1": 1,
    "tie": "tie", "equal": "tie", "same": "tie", "both_bad": "both_bad", "tie (bothbad)": "both_bad",
}  # fmt: skip


def check(mapping: Any) -> dict[str, str]:
    """Return a mapping with names of ours and paths as texts, or say what is wrong with it (FieldError)."""
    if not isinstance(mapping, dict):
        raise FieldError("mapping", "must be an object: {field: column}")
    for field, path in mapping.items():
        if field not in FIELDS:
            raise FieldError("mapping", f"“{field}” is none of our fields: {', '.join(FIELDS)}")
        if not isinstance(path, str) or not path or len(path) > 300 or "\x00" in path:
            raise FieldError("mapping", f"“{field}” must name a column")
    return dict(mapping)


def pick(row: Row, path: str) -> Any:
    """Return what stands at a path, None where there is nothing."""
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def columns(rows: Sequence[Row]) -> list[str]:
    """Return the paths of what a few rows hold, conversations as one."""
    paths = chain.from_iterable(_paths(value, name, DEEPEST) for row in rows for name, value in row.items())
    return list(dict.fromkeys(paths))[:MOST_COLUMNS]


def _paths(value: Any, path: str, deep: int) -> Iterator[str]:
    if deep and isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _paths(item, f"{path}.{name}", deep - 1)
    elif (
        deep
        and isinstance(value, list)
        and value
        and not is_talk(value)
        and isinstance(value[0], dict | list)
    ):
        for place, item in enumerate(value[:LISTED]):
            yield from _paths(item, f"{path}.{place}", deep - 1)
    else:
        yield path


def is_talk(value: Any) -> bool:
    """Tell whether a value is a list of messages."""
    return isinstance(value, list) and all(
        isinstance(m, dict) and {"role", "content"} <= m.keys() for m in value
    )


def guess(rows: Sequence[Row]) -> dict[str, str]:
    """Return which columns are likely what, by their names and what stands in them."""
    plain: dict[str, list[str]] = {}  # name without case and marks, also the last part's alone → paths
    paths = columns(rows)
    for path in paths:
        for name in dict.fromkeys((path, path.rpartition(".")[2])):
            plain.setdefault(_plain(name), []).append(path)
    found: dict[str, str] = {}
    for a, b, stems in (("response_a", "response_b", _STEMS), ("model_a", "model_b", ("model", "modelname"))):
        pair = _pair(plain, stems)
        if pair and (a != "model_a" or "response_a" in found):
            found[a], found[b] = pair
    for field, names in _NAMES.items():
        if field in ("response", "model") and ("response_a" in found or "chosen" in found):
            continue
        for path in chain.from_iterable(plain.get(name, []) for name in names.split()):
            if path not in found.values() and _fits(field, [pick(row, path) for row in rows]):
                found[field] = path
                break
    if ("chosen" in found) != ("rejected" in found):
        found.pop("chosen", None)
        found.pop("rejected", None)
    if "response_a" not in found:
        found.pop("choice", None)
        found.pop("verdict", None)
    return {field: found[field] for field in FIELDS if field in found}


def guess_by_looks(rows: Sequence[Row]) -> dict[str, str]:
    """Return a guess that goes on where names say too little: sentences are what was asked, and the answers.

    Of the columns that hold text, those whose names differ by a place alone ("bot 1", "bot 2") are the two
    answers; else the first is the prompt, and one or two after it are answers.
    """
    found = guess(rows)
    taken = set(found.values())
    texts = [
        path for path in columns(rows) if path not in taken and _is_prose([pick(row, path) for row in rows])
    ]
    if not found.keys() & set(ANSWERS):
        plain = {_plain(path): path for path in texts}
        ends = ((name.removesuffix(a), a, b) for a, b in _PAIRS for name in plain if name.endswith(a))
        pair = next(((plain[s + a], plain[s + b]) for s, a, b in ends if s + b in plain), None)
        left = [path for path in texts if not pair or path not in pair]
        if "prompt" not in found and left:
            found["prompt"] = left.pop(0)
        if pair or len(left) == 2:
            found["response_a"], found["response_b"] = pair or (left[0], left[1])
        elif len(left) == 1:
            found["response"] = left[0]
    elif not found.keys() & {"prompt", "chosen"} and texts:
        found["prompt"] = texts[0]
    return {field: found[field] for field in FIELDS if field in found}


def _is_prose(values: list[Any]) -> bool:
    """Tell whether what stands in a column is talk or text of several words, as far as there is any."""
    given = [value for value in values if value is not None and value != ""]
    sentences = [v for v in given if is_talk(v) or (isinstance(v, str) and len(v.split()) > 2)]
    return len(sentences) * 2 > len(given)


def _pair(plain: dict[str, list[str]], stems: Sequence[str]) -> tuple[str, str] | None:
    for stem in stems:
        for a, b in _PAIRS:
            for first, second in ((stem + a, stem + b), (a + stem, b + stem)):
                if first in plain and second in plain:
                    return plain[first][0], plain[second][0]
    return None


def _fits(field: str, values: list[Any]) -> bool:
    """Tell whether a column that is called like a field can be it."""
    given = [value for value in values if value is not None and value != ""]
    if field == "choice":
        return all(isinstance(v, str | int) and str(v).strip().lower() in CHOICES for v in given)
    if field == "verdict":
        return all(re.fullmatch(r"[+-]?[0-3]", str(v).strip()) for v in given)
    if field in ("prompt", "response", "chosen", "rejected"):
        return all(isinstance(v, str) or is_talk(v) for v in given)
    if field == "language":
        return all(isinstance(v, str) and len(v) <= 16 for v in given)
    return not any(isinstance(v, dict | float) for v in given)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()
