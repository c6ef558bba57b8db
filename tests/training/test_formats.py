"""Golden projections: one canonical row in, exactly these rows out."""

import json
from typing import Any

import pytest

from training import formats, projections

PROMPT = [{"role": "user", "content": "How long do eggs boil?"}]
ASKED = json.dumps(PROMPT)


def said(rater: str, **fields: Any) -> dict[str, Any]:
    return {"rater": rater, "counted": True, **fields}


def judged(rater: str, verdict: int, order: tuple[int, int] = (0, 1), **fields: Any) -> dict[str, Any]:
    return said(rater, verdict=verdict, ranking=None, order_shown=list(order), **fields)


def ranked(rater: str, *places: list[int], **fields: Any) -> dict[str, Any]:
    return said(rater, verdict=None, ranking=list(places), order_shown=[3, 2, 1, 0], **fields)


def comparison(*judgments: dict[str, Any], texts=("Ten minutes.", "Ugh."), label: int = 0) -> dict[str, Any]:
    return {
        "task": {"kind": "compare"},
        "prompt_id": "p1",
        "prompt": PROMPT,
        "responses": [{"id": f"r{i}", "text": text, "turns": []} for i, text in enumerate(texts)],
        "judgments": list(judgments),
        "consensus": {"label": label},
        "edits": [],
        "round": 3,
        "split": "train",
    }


def ranking(*judgments: dict[str, Any], texts=("one", "two", "three", "four")) -> dict[str, Any]:
    return {**comparison(*judgments, texts=texts), "task": {"kind": "rank"}, "consensus": None}


def editing(*edits: dict[str, Any]) -> dict[str, Any]:
    row = comparison(texts=("Ugh.",))
    return {**row, "task": {"kind": "edit"}, "consensus": None, "edits": list(edits)}


@pytest.mark.parametrize(
    ("verdict", "order", "chosen", "probability"),
    [
        (-3, (0, 1), "Ten minutes.", 1.0),
        (1, (0, 1), "Ugh.", 0.6),
        (-1, (1, 0), "Ugh.", 0.6),
        (2, (1, 0), "Ten minutes.", 0.8),
        (0, (0, 1), "Ten minutes.", 0.5),
        (0, (1, 0), "Ten minutes.", 0.5),
    ],
)
def test_a_verdict_becomes_a_pair_whatever_the_order_shown(verdict, order, chosen, probability):
    (pair,) = formats.engine_pairs(comparison(judged("ann", verdict, order)))
    assert pair == {
        "prompt_id": "p1",
        "prompt": ASKED,
        "split": "train",
        "weight": 1.0,
        "round": 3,
        "rater": "ann",
        "verdict": abs(verdict),
        "points": 0,
        "chosen_left": 0,
        "criteria": "{}",
        "skills": "[]",
        "task": "",
        "chosen_turns": "",
        "rejected_turns": "",
        "probability": probability,
        "chosen": chosen,
        "rejected": ({"Ten minutes.", "Ugh."} - {chosen}).pop(),
    }


def test_a_pair_says_how_it_was_judged():
    grades = [{"key": "kind", "grades": [5, 2]}, {"key": "true", "grades": [3, None]}]
    shown = {"source": "person", "criteria": grades}
    row = comparison(judged("ann", 1, (1, 0), **shown), judged("bob", 2, (1, 0), **shown))
    row["task"]["id"] = "t1"
    ann, bob = formats.engine_pairs(row, 7, {"bob": ["med", "law"]})
    # Ann saw the second answer on the left and liked the right one, the first; Bob too
    assert (ann["chosen"], ann["verdict"], ann["points"], ann["chosen_left"]) == ("Ten minutes.", 1, 7, -1)
    assert (json.loads(ann["criteria"]), ann["skills"], ann["task"]) == ({"kind": 3}, "[]", "t1")
    assert (bob["verdict"], bob["skills"]) == (2, '["law", "med"]')
    other = comparison(judged("ann", -1, (1, 0), **shown))
    (pair,) = formats.engine_pairs(other, 7)
    assert (pair["chosen"], pair["chosen_left"], json.loads(pair["criteria"])) == ("Ugh.", 1, {"kind": -3})


def test_no_scale_is_claimed_where_there_was_none():
    ranks = formats.engine_pairs(ranking(ranked("ann", [2], [0, 1], [3])), 7)
    assert {(pair["points"], pair["chosen_left"]) for pair in ranks} == {(0, 0)}
    edit = editing(said("ann", original="r0", edited={"text": "Ten minutes, gladly."}))
    (pair,) = formats.engine_pairs(edit, 7)
    assert (pair["verdict"], pair["points"]) == (3, 0)
    (pair,) = formats.engine_pairs(comparison(judged("ann", -3, source="imported")), 7)
    assert (pair["points"], pair["chosen_left"]) == (7, 0)


def test_what_does_not_count_is_not_trained_on():
    row = comparison(judged("ann", -3, counted=False), judged("bob", 1))
    assert [pair["rater"] for pair in formats.engine_pairs(row)] == ["bob"]


def test_identical_answers_are_no_preference_anywhere():
    row = comparison(judged("ann", -3), texts=("same", "same"), label=-1)
    assert list(formats.engine_pairs(row)) == []
    assert list(projections.trl_preference(row)) == []
    assert list(projections.canonical(row)) == [row]


def test_a_rewrite_is_preferred_to_its_original_and_demonstrated():
    row = editing(said("ann", original="r0", edited={"text": "Ten minutes, gladly."}))
    (pair,) = formats.engine_pairs(row)
    assert (pair["chosen"], pair["rejected"], pair["probability"]) == ("Ten minutes, gladly.", "Ugh.", 1.0)
    demonstration = {"completion": "Ten minutes, gladly.", "weight": 1.0, "round": 3}
    base = {"prompt_id": "p1", "prompt": ASKED, "split": "train"}
    assert list(formats.engine_demonstrations(row)) == [{**base, **demonstration}]
    assert list(projections.trl_sft(row)) == [
        {"messages": [*PROMPT, {"role": "assistant", "content": "Ten minutes, gladly."}]}
    ]


def test_already_good_is_a_demonstration_and_no_pair():
    row = editing(said("ann", original="r0", edited=None))
    assert list(formats.engine_pairs(row)) == []
    assert [d["completion"] for d in formats.engine_demonstrations(row)] == ["Ugh."]


@pytest.mark.parametrize(("label", "chosen"), [(-1, "Ten minutes."), (1, "Ugh.")])
def test_trl_reads_the_consensus_as_messages(label, chosen):
    (pair,) = projections.trl_preference(comparison(judged("ann", 1), label=label))
    assert pair["prompt"] == PROMPT
    assert pair["chosen"] == [{"role": "assistant", "content": chosen}]
    assert pair["rejected"] != pair["chosen"]


def test_trl_leaves_ties_out():
    assert list(projections.trl_preference(comparison(judged("ann", 0)))) == []


def test_a_ranking_is_worth_its_pairs_and_each_answer_counts_once():
    row = ranking(ranked("ann", [2], [0, 1], [3]))
    pairs = list(formats.engine_pairs(row))
    assert {pair["weight"] for pair in pairs} == {1 / 3}
    clear = {(pair["chosen"], pair["rejected"]) for pair in pairs if pair["probability"] == 0.8}
    assert clear == {
        ("three", "one"),
        ("three", "two"),
        ("three", "four"),
        ("one", "four"),
        ("two", "four"),
    }
    (tie,) = [pair for pair in pairs if pair["probability"] == 0.5]
    assert {tie["chosen"], tie["rejected"]} == {"one", "two"}
    assert len(pairs) == 6


def test_equal_answers_of_a_ranking_are_no_pair():
    row = ranking(ranked("ann", [2], [0], [1], [3]), texts=("one", "one", "three", "four"))
    assert len(list(formats.engine_pairs(row))) == 5


def test_trl_takes_each_pair_of_several_rankings_by_their_majority():
    row = ranking(
        ranked("ann", [0], [1], [2, 3]),
        ranked("bob", [0], [1], [2], [3]),
        ranked("cleo", [1], [0], [3], [2]),
        ranked("dan", [3], [2], [1], [0], counted=False),
    )
    pairs = {
        (pair["chosen"][0]["content"], pair["rejected"][0]["content"])
        for pair in projections.trl_preference(row)
    }
    # "three" and "four" are preferred once each and once equal: a tie, which is left out
    assert pairs == {
        ("one", "two"),
        ("one", "three"),
        ("one", "four"),
        ("two", "three"),
        ("two", "four"),
    }


def test_whole_conversations_keep_their_turns():
    talks = [
        [{"role": "assistant", "content": "Five."}, {"role": "user", "content": "Hard?"}, answer]
        for answer in ({"role": "assistant", "content": "Ten."}, {"role": "assistant", "content": "Ugh."})
    ]
    row = comparison(judged("ann", -3), texts=("Ten.", "Ugh."), label=-1)
    for response, turns in zip(row["responses"], talks, strict=True):
        response["turns"] = turns
    (pair,) = formats.engine_pairs(row)
    assert (pair["chosen"], json.loads(pair["chosen_turns"])) == ("Ten.", talks[0])
    assert (pair["rejected"], json.loads(pair["rejected_turns"])) == ("Ugh.", talks[1])
    (kept,) = projections.trl_preference(row)
    assert (kept["prompt"], kept["chosen"], kept["rejected"]) == (PROMPT, *talks)
    row["responses"][1]["text"] = "Ten."  # the same last word after another talk is another answer
    row["responses"][1]["turns"] = [{"role": "assistant", "content": "Six."}, *talks[0][1:]]
    assert len(list(formats.engine_pairs(row))) == 1


def test_rows_from_before_turns_and_rankings_still_project():
    row = comparison(judged("ann", -3), label=-1)
    old = json.loads(json.dumps(row))
    for response in old["responses"]:
        del response["turns"]
    del old["judgments"][0]["ranking"]
    for project in (formats.engine_pairs, projections.trl_preference):
        assert list(project(old)) == list(project(row)) != []


def test_what_a_reward_model_picked_for_its_own_watch_does_not_test_it():
    row = comparison(judged("ann", -2))
    assert list(formats.engine_pairs(row))
    row["task"]["selection"] = "watch"
    assert not list(formats.engine_pairs(row))
