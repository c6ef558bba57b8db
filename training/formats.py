"""What canonical rows say, and what the engine reads of them. What other trainers read is in export_formats.

A canonical row is one task with everything that was said about it (see parquet.ROWS). Nothing here reads the
database.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from preferences.rankings import expand

Row = dict[str, Any]

# Snapshots never change: what earlier versions didn't have is read as absent. Version 2 brought turns and
# rankings, version 3 the raters' reliability and final words, version 4 a hash by columns.
SCHEMA_VERSION = 4
# How sure a verdict of each strength makes us that its side is the better one. Measured on 330 and on 1,000
# votes with 15 % noise: a bag-of-words reward model rose from .736 to .751 and from .789 to .796 of the true
# preferences, against taking every verdict as certain.
SURE = {0: 0.5, 1: 0.6, 2: 0.8, 3: 1.0}


def in_task_order(judgment: Row) -> int:
    """Return a verdict between the task's two positions: below 0 the first is better, above 0 the second."""
    verdict: int = judgment["verdict"]
    return verdict if judgment["order_shown"][0] == 0 else -verdict


def counted(submissions: Iterable[Row] | None) -> Iterator[Row]:
    """Leave out extra, withdrawn and superseded judgments or edits."""
    return (s for s in submissions or () if s["counted"])


def is_identical(row: Row) -> bool:
    """Tell whether all of a task's answers are the same, so that a preference means nothing."""
    responses = row["responses"]
    return all(same(responses[0], other) for other in responses)


def same(first: Row, second: Row) -> bool:
    """Tell whether two answers say the same."""
    return bool(first["text"] == second["text"] and first.get("turns") == second.get("turns"))


def preferences(row: Row, judgment: Row) -> Iterator[tuple[Row, Row, int]]:
    """Yield (first answer, second answer, verdict between them) of a comparison, or a ranking's every pair.

    What a ranking says of each pair is in preferences.rankings.
    """
    if judgment.get("ranking") is None:
        first, second = row["responses"]
        found = [(first, second, in_task_order(judgment))]
    else:
        answers = row["responses"]
        found = [
            (answers[one], answers[other], verdict) for one, other, verdict in expand(judgment["ranking"])
        ]
    yield from (pair for pair in found if not same(pair[0], pair[1]))


def engine_pairs(
    row: Row, points: int = 0, skills: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Row]:
    """Yield the pairs of each counted judgment, less sure the closer the verdict, and one per changed edit.

    A pair weighs what its rater's votes do. A ranking of k answers gives k (k−1) / 2 pairs of weight
    1 / (k−1): each answer counts once. Where a reviewer had the final word, it stands for all judgments and
    weighs as many. `points` is how many verdicts the campaign's scale offers (0: unknown), which rankings and
    edits don't use; `skills` are the raters', by pseudonym. What was asked to watch over-optimisation is left
    out: its answers were picked by the reward model that the votes would test.
    """
    if row.get("task", {}).get("selection") == "watch":
        return
    base = {"weight": 1.0, "round": row["round"], "task": row.get("task", {}).get("id", "")}
    judgments: Iterable[Row] = counted(row["judgments"])
    if (row["consensus"] or {}).get("adjudicated"):
        judgments = [_final_word(row["consensus"])]
    for judgment in judgments:
        weight = worth(judgment) / (len(row["responses"]) - 1)
        ranked = judgment.get("ranking") is not None
        for first, second, preference in preferences(row, judgment):
            turned = preference > 0
            chosen, rejected = (second, first) if turned else (first, second)
            yield {
                **_prompt(row),
                **base,
                **_side("chosen", chosen),
                **_side("rejected", rejected),
                **_rater(judgment["rater"], skills),
                "probability": SURE[abs(preference)],
                "weight": weight,
                "verdict": abs(preference),
                "points": 0 if ranked else points,
                "chosen_left": 0 if ranked else _left(judgment, turned),
                "criteria": "{}" if ranked else _grades(judgment, turned),
            }
    for edit, original in changed(row):
        texts = {**_side("chosen", edit["edited"]), "rejected": original, "rejected_turns": ""}
        sure = {"probability": 1.0, "verdict": max(SURE), "points": 0, "chosen_left": 0, "criteria": "{}"}
        yield {**_prompt(row), **base, **texts, **_rater(edit["rater"], skills), **sure}


def _rater(rater: str, skills: Mapping[str, Sequence[str]] | None) -> Row:
    return {"rater": rater, "skills": json.dumps(sorted((skills or {}).get(rater, [])), ensure_ascii=False)}


def _left(judgment: Row, turned: bool) -> int:
    """Return 1 where the chosen answer was shown on the left, −1 on the right, 0 where nobody knows.

    Files that are imported often list the chosen answer first.
    """
    if judgment.get("source") in (None, "imported"):
        return 0
    return 1 if judgment["order_shown"][0] == int(turned) else -1


def _grades(judgment: Row, turned: bool) -> str:
    """Return the JSON of {criterion: grade of the chosen answer less the other's}, both being graded."""
    found = {}
    for criterion in judgment.get("criteria") or []:
        first, second = criterion["grades"]
        if first is not None and second is not None:
            found[criterion["key"]] = second - first if turned else first - second
    return json.dumps(found, ensure_ascii=False)


def worth(judgment: Row) -> float:
    """Return what a judgment counts for: 1 where votes aren't weighed, or its rater isn't known well."""
    reliability = judgment.get("reliability")
    return 1.0 if reliability is None else float(reliability)


def _final_word(consensus: Row) -> Row:
    """Return a reviewer's final word in the shape of a judgment."""
    return {
        "rater": consensus["adjudicated"],
        "verdict": -round(consensus["margin"]),
        "order_shown": [0, 1],
        "reliability": max(1, consensus["votes"]),
    }


def engine_demonstrations(row: Row) -> Iterator[Row]:
    """Yield an edit's text, or its original where the rater called that good already."""
    for text in demonstrated(row):
        yield {**_prompt(row), "completion": text, "weight": 1.0, "round": row["round"]}


def engine_prompt(prompt: Row) -> Row:
    """Return a prompt of a snapshot as the engine reads it."""
    return _prompt(prompt)


def _prompt(row: Row) -> Row:
    messages = json.dumps(row["prompt"], ensure_ascii=False)
    return {"prompt_id": row["prompt_id"], "prompt": messages, "split": row["split"]}


def _side(name: str, response: Row) -> Row:
    turns = json.dumps(response["turns"], ensure_ascii=False) if response.get("turns") else ""
    return {name: response["text"], f"{name}_turns": turns}


def changed(row: Row) -> Iterator[tuple[Row, str]]:
    """Yield the counted edits that changed a text, each with the original's text."""
    texts = {response["id"]: response["text"] for response in row["responses"]}
    for edit in counted(row["edits"]):
        original = texts[edit["original"]]
        if edit["edited"] is not None and edit["edited"]["text"] != original:
            yield edit, original


def demonstrated(row: Row) -> Iterator[str]:
    """Yield what people wrote, or the original where they called it good already."""
    texts = {response["id"]: response["text"] for response in row["responses"]}
    for edit in counted(row["edits"]):
        yield texts[edit["original"]] if edit["edited"] is None else edit["edited"]["text"]
