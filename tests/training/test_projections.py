"""What each trainer's format makes of canonical rows: golden rows, and properties of any row."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.import_formats import read_records
from training import parquet
from training.export_formats import FORMATS

SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = {"role": "user", "content": "How long do eggs boil?"}
TEN, UGH = {"role": "assistant", "content": "Ten minutes."}, {"role": "assistant", "content": "Ugh."}


def response(name: str, text: str, turns: list[Any] | None = None) -> dict[str, Any]:
    return {"id": name, "text": text, "turns": turns or [], "policy": f"policy-{name}"}


def judged(rater: str, verdict: int, **fields: Any) -> dict[str, Any]:
    shown = {
        "verdict": verdict,
        "ranking": None,
        "order_shown": [1, 0],
        "both_bad": False,
        "comment": "Kind.",
    }
    return {"rater": rater, "counted": True, **shown, **fields}


def row(prompt: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Make a comparison whose second answer two of two raters prefer."""
    return {
        "task": {"id": "t1", "kind": "compare"},
        "prompt_id": "p1",
        "prompt": prompt or [ASKED],
        "responses": [response("a", "Ugh."), response("b", "Ten minutes.")],
        "judgments": [judged("ann", -3), judged("bob", -2)],
        "consensus": {"label": 1, "probability": 0.0, "margin": -2.5, "agreement": 1.0},
        "edits": [],
        "campaign": "kitchen",
        "round": 1,
        "split": "train",
        "language": "en",
        "tags": ["cooking"],
        **fields,
    }


def edited() -> dict[str, Any]:
    edit = {
        "rater": "ann",
        "counted": True,
        "original": "a",
        "edited": {"text": "Ten minutes."},
        "instruction": "Help.",
    }
    return row(responses=[response("a", "Ugh.")], judgments=[], consensus=None, edits=[edit])


def project(format: str, *rows: dict[str, Any]) -> list[Any]:
    return [out for each in rows for out in FORMATS[format].project(each)]


LOST = {"from": "gpt", "value": "Ugh."}
WON = {"from": "gpt", "value": "Ten minutes."}
HUMAN = {"from": "human", "value": "How long do eggs boil?"}
TEXTS = {"chosen": "Ten minutes.", "rejected": "Ugh."}
GOLDEN: dict[str, list[dict[str, Any]]] = {
    "trl-preference": [{"prompt": [ASKED], "chosen": [TEN], "rejected": [UGH]}],
    "trl-margin": [{"prompt": [ASKED], "chosen": [TEN], "rejected": [UGH], "margin": 2.5}],
    "openrlhf": [{"prompt": [ASKED], "chosen": [TEN], "rejected": [UGH], "margin": 2.5}],
    "trl-implicit": [{"chosen": [ASKED, TEN], "rejected": [ASKED, UGH]}],
    "trl-kto": [
        {"prompt": [ASKED], "completion": [TEN], "label": True},
        {"prompt": [ASKED], "completion": [UGH], "label": False},
    ],
    "trl-sft": [],
    "trl-completion": [],
    "trl-prompt": [{"prompt": [ASKED]}],
    "axolotl-dpo": [{"messages": [ASKED], "chosen": TEN, "rejected": UGH}],
    "axolotl-user-defined": [{"system": "", "prompt": "How long do eggs boil?", **TEXTS}],
    "axolotl-rm": [{"system": "", "input": "How long do eggs boil?", **TEXTS}],
    "llama-factory-alpaca": [
        {"instruction": "How long do eggs boil?", "input": "", "system": "", "history": [], **TEXTS}
    ],
    "llama-factory-sharegpt": [{"conversations": [HUMAN], "chosen": WON, "rejected": LOST}],
    "llama-factory-kto": [
        {"conversations": [HUMAN, WON], "kto_tag": True},
        {"conversations": [HUMAN, LOST], "kto_tag": False},
    ],
    "verl-rm": [{"prompt": "How long do eggs boil?", **TEXTS}],
    "verl-rl": [
        {
            "data_source": "touchstone",
            "prompt": [ASKED],
            "ability": "preference",
            "reward_model": {"style": "model", "ground_truth": ""},
            "extra_info": {"split": "train", "prompt_id": "p1"},
        }
    ],
    "nemo-rl": [
        {
            "context": [ASKED],
            "completions": [{"rank": 0, "completion": [TEN]}, {"rank": 1, "completion": [UGH]}],
            "task_name": "kitchen",
        }
    ],
    "hh-rlhf": [
        {
            "chosen": "\n\nHuman: How long do eggs boil?\n\nAssistant: Ten minutes.",
            "rejected": "\n\nHuman: How long do eggs boil?\n\nAssistant: Ugh.",
        }
    ],
    "helpsteer3": [
        {
            "domain": "cooking",
            "language": "en",
            "context": [ASKED],
            "response1": "Ugh.",
            "response2": "Ten minutes.",
            "overall_preference": 2,
            "individual_preference": [
                {"score": 3, "reasoning": "Kind."},
                {"score": 2, "reasoning": "Kind."},
            ],
        }
    ],
    "helpsteer3-edit": [],
    # as the raters saw it: the second answer on the left
    "arena": [
        {
            "question_id": "t1",
            "model_a": "policy-b",
            "model_b": "policy-a",
            "winner": "model_a",
            "judge": judge,
            "conversation_a": [ASKED, TEN],
            "conversation_b": [ASKED, UGH],
            "turn": 1,
            "language": "en",
        }
        for judge in ("ann", "bob")
    ],
}


@pytest.mark.parametrize("format", [name for name, kind in FORMATS.items() if kind.columns])
def test_a_comparison(format):
    assert project(format, row()) == GOLDEN[format]


def test_an_edit():
    answer = {"role": "assistant", "content": "Ten minutes."}
    assert project("trl-sft", edited()) == [{"messages": [ASKED, answer]}]
    assert project("trl-completion", edited()) == [{"prompt": [ASKED], "completion": [answer]}]
    assert project("trl-margin", edited()) == [
        {"prompt": [ASKED], "chosen": [TEN], "rejected": [UGH], "margin": 3.0}
    ]
    assert project("helpsteer3-edit", edited()) == [
        {
            "domain": "cooking",
            "language": "en",
            "context": [ASKED],
            "original_response": "Ugh.",
            "edited_response": "Ten minutes.",
            "feedback": [],
            "change_summary": "Help.",
        }
    ]


def test_a_system_message_and_earlier_turns():
    talk = [SYSTEM, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, ASKED]
    (found,) = project("llama-factory-alpaca", row(talk))
    assert (found["system"], found["history"]) == ("Be brief.", [["Hi", "Hello"]])
    (found,) = project("axolotl-rm", row([SYSTEM, ASKED]))
    assert (found["system"], found["input"]) == ("Be brief.", "How long do eggs boil?")
    (found,) = project("llama-factory-sharegpt", row(talk))
    assert [said["from"] for said in found["conversations"]] == ["system", "human", "gpt", "human"]
    # what has no place for them is left out, not bent
    for format in ("axolotl-rm", "axolotl-user-defined", "verl-rm"):
        assert project(format, row(talk)) == [None]
    for format in ("verl-rm", "hh-rlhf"):
        assert project(format, row([SYSTEM, ASKED])) == [None]


def test_whole_conversations():
    turns = [{"role": "assistant", "content": "Hard?"}, {"role": "user", "content": "Yes."}]
    talks = [response("a", "Ugh.", [*turns, UGH]), response("b", "Ten minutes.", [*turns, TEN])]
    found = {format: project(format, row(responses=talks)) for format in GOLDEN}
    assert found["trl-preference"] == [
        {"prompt": [ASKED], "chosen": [*turns, TEN], "rejected": [*turns, UGH]}
    ]
    assert found["hh-rlhf"][0]["chosen"].endswith(
        "Assistant: Hard?\n\nHuman: Yes.\n\nAssistant: Ten minutes."
    )
    assert {format for format, rows in found.items() if rows == [None]} == {
        "axolotl-dpo",
        "axolotl-user-defined",
        "axolotl-rm",
        "llama-factory-alpaca",
        "llama-factory-sharegpt",
        "verl-rm",
        "helpsteer3",
    }


def test_where_most_find_both_bad_neither_is_wanted():
    bad = judged("ann", 0, both_bad=True)
    tie = row(judgments=[bad, bad, judged("cleo", 1)], consensus={"label": 0, "margin": -0.3})
    assert [found["label"] for found in project("trl-kto", tie)] == [False, False]
    assert [found["winner"] for found in project("arena", tie)] == [
        "tie (bothbad)",
        "tie (bothbad)",
        "model_b",
    ]
    assert project("helpsteer3", tie)[0]["overall_preference"] == 0


def test_a_ranking_has_a_margin_for_each_pair():
    answers = [response(name, name) for name in "abc"]
    ranks = [judged("ann", 0, ranking=[[0], [1], [2]]), judged("bob", 0, ranking=[[0], [2], [1]])]
    several = row(responses=answers, judgments=ranks, consensus=None)
    pairs = {(p["chosen"][0]["content"], p["rejected"][0]["content"]) for p in project("trl-margin", several)}
    assert pairs == {("a", "b"), ("a", "c")}
    assert project("arena", several) == project("helpsteer3", several) == []


def test_the_files_that_llama_factory_looks_for():
    told = FORMATS["llama-factory-alpaca"].beside("touchstone_kitchen", {"train": "data/train.jsonl"})
    entry = told["dataset_info.json"]["touchstone_kitchen_train"]
    assert (entry["file_name"], entry["ranking"]) == ("data/train.jsonl", True)
    assert set(entry["columns"].values()) == set(FORMATS["llama-factory-alpaca"].columns or {})


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
words = texts.map(str.strip).filter(lambda text: text and "Human:" not in text and "Assistant:" not in text)
verdicts = st.integers(-3, 3)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    turns = [
        {"role": role, "content": draw(words)}
        for role in draw(st.sampled_from([["user"], ["user", "assistant", "user"]]))
    ]
    if draw(st.booleans()):
        turns = [{"role": "system", "content": draw(words)}, *turns]
    first, second = draw(st.lists(words, min_size=2, max_size=2, unique=True))
    given_ = draw(st.lists(verdicts, min_size=1, max_size=3))
    mean = sum(given_) / len(given_)  # the second answer was on the left
    label = (mean < 0) - (mean > 0)
    return row(
        turns,
        responses=[response("a", first), response("b", second)],
        judgments=[judged(f"r{i}", verdict) for i, verdict in enumerate(given_)],
        consensus={"label": label, "margin": mean},
    )


@given(rows())
@settings(deadline=None)
def test_any_row_fits_the_columns_of_every_format(any_row):
    for kind in FORMATS.values():
        for out in kind.project(any_row):
            if kind.columns is not None and out is not None:
                assert list(out) == list(kind.columns)
                table = pa.Table.from_pylist([out], parquet.schema(kind.columns))
                assert table.to_pylist() == [out]


@given(rows())
@settings(deadline=None)
@pytest.mark.parametrize(
    ("format", "known"), [("trl-preference", "trl"), ("trl-implicit", "trl"), ("hh-rlhf", "hh-rlhf")]
)
def test_what_is_exported_comes_in_again(format, known, any_row):
    for out in FORMATS[format].project(any_row):
        if out is not None:
            (record,) = read_records(io.BytesIO(json.dumps(out).encode()), known)
            label = any_row["consensus"]["label"]
            better, worse = any_row["responses"][label > 0], any_row["responses"][label < 0]
            assert [text for text, _ in record.responses] == [better["text"], worse["text"]]
            assert list(record.messages) == any_row["prompt"]


@given(rows())
@settings(deadline=None)
def test_battles_come_in_again(any_row):
    for out, judgment in zip(FORMATS["arena"].project(any_row), any_row["judgments"], strict=True):
        (record,) = read_records(io.BytesIO(json.dumps(out).encode()), "arena")
        (said,) = record.annotations
        assert (said.annotator, said.verdict) == (
            judgment["rater"],
            (judgment["verdict"] > 0) * 2 - (judgment["verdict"] < 0) * 2,
        )
        assert [text for text, _ in record.responses] == [any_row["responses"][i]["text"] for i in (1, 0)]
