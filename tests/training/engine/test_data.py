from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.engine.conftest import World, build_tokenizer
from training.engine.config import EngineError
from training.engine.data import Encoder, batches, hold_out_raters, pad, read_pairs, read_prompts

ASK = [{"role": "user", "content": "how long do i boil soup"}]


def said(tokenizer: Any, ids: list[int]) -> str:
    return " ".join(tokenizer.convert_ids_to_tokens(ids))


def write(folder: Path, rows: list[dict[str, Any]], name: str = "pairs") -> Path:
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def test_pairs_are_read_whole(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, World().pairs(12)))
    assert len(pairs) == 12
    assert pairs[9].probability == 0.5
    assert pairs[0].messages[0]["role"] == "user"


def test_what_an_older_folder_lacks_is_not_known(tmp_path: Path) -> None:
    new = {"verdict": 2, "points": 7, "chosen_left": -1, "criteria": '{"kind": 3}', "skills": '["law"]'}
    (pair,) = read_pairs(write(tmp_path, [{**World().pair(2), **new, "task": "t"}]))
    assert (pair.verdict, pair.points, pair.chosen_left, pair.task) == (2, 7, -1, "t")
    assert (pair.criteria, pair.skills) == ({"kind": 3.0}, ("law",))
    (old,) = read_pairs(write(tmp_path, [World().pair(2)]))
    assert (old.verdict, old.points, old.chosen_left, old.task) == (0, 0, 0, "")
    assert (old.criteria, old.skills, old.rater_held_out) == ({}, (), False)


def test_the_same_raters_are_held_out_whatever_else_is_there(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, [{**World().pair(n), "rater": f"r{n % 100}"} for n in range(200)]))
    out = {pair.rater for pair in hold_out_raters(pairs, 0.1) if pair.rater_held_out}
    assert 4 <= len(out) <= 18
    kept = {pair.rater for pair in hold_out_raters(pairs[:60], 0.1) if pair.rater_held_out}
    assert kept == out & {pair.rater for pair in pairs[:60]}
    few = hold_out_raters([pair for pair in pairs if int(pair.rater[1:]) < 19], 0.5)
    assert not any(pair.rater_held_out for pair in few)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"split": "dev"}, "row 0: split"),
        ({"probability": 1.5}, "row 0: probability"),
        ({"weight": -1.0}, "row 0: weight"),
        ({"weight": float("nan")}, "row 0: weight"),
        ({"chosen": None}, "row 0: chosen"),
        ({"prompt": "how long"}, "row 0: prompt"),
        ({"prompt": "[]"}, "row 0: prompt"),
        ({"prompt": '[{"role": "user"}]'}, "row 0: prompt"),
        ({"verdict": 4}, "row 0: verdict"),
        ({"points": 1}, "row 0: points"),
        ({"chosen_left": 2}, "row 0: chosen_left"),
        ({"criteria": "kind"}, "row 0: criteria"),
        ({"criteria": '{"kind": "3"}'}, "row 0: criteria"),
        ({"skills": '{"law": 1}'}, "row 0: skills"),
        ({"task": 3}, "row 0: task"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(EngineError, match=named):
        read_pairs(write(tmp_path, [{**World().pair(2), **change}]))


def test_an_answer_may_be_a_whole_conversation(tmp_path: Path) -> None:
    turns = [
        {"role": "assistant", "content": "gladly"},
        {"role": "user", "content": "soup"},
        {"role": "assistant", "content": "the tea"},
    ]
    pair = {**World().pair(2), "chosen": "the tea", "chosen_turns": json.dumps(turns), "rejected_turns": ""}
    (read,) = read_pairs(write(tmp_path, [pair]))
    assert read.before_chosen == [*read.messages, *turns[:2]]
    assert read.before_rejected == read.messages
    for wrong in ("tea", json.dumps(turns[:2]), json.dumps([{"role": "assistant", "content": "tea"}])):
        with pytest.raises(EngineError, match="chosen_turns"):
            read_pairs(write(tmp_path, [{**pair, "chosen_turns": wrong}]))


def test_a_missing_column_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no prompts\.parquet"):
        read_prompts(tmp_path)
    row = World().pair(2)
    del row["rejected"]
    with pytest.raises(EngineError, match="'rejected'"):
        read_pairs(write(tmp_path, [row]))
    (tmp_path / "pairs.parquet").write_bytes(b"nonsense")
    with pytest.raises(EngineError, match="not a readable"):
        read_pairs(tmp_path)


def test_only_the_answer_and_its_end_are_learnt() -> None:
    tokenizer = build_tokenizer()
    row = Encoder(tokenizer, 64).reply(ASK, "gladly two minutes")
    assert said(tokenizer, row.prompt).endswith("boil soup <|assistant|>")
    assert said(tokenizer, row.reply) == "gladly two minutes </s>"


def test_long_prompts_are_cut_from_the_left_and_counted() -> None:
    tokenizer = build_tokenizer()
    encoder = Encoder(tokenizer, 8)
    row = encoder.reply(ASK, "gladly two minutes")
    assert said(tokenizer, row.reply) == "gladly two minutes </s>"
    assert said(tokenizer, row.prompt) == "i boil soup <|assistant|>"
    assert len(encoder.reply(ASK, "no " * 30).reply) == 7
    assert said(tokenizer, encoder.conversation(ASK, "gladly two minutes")).endswith(
        "soup <|assistant|> gladly two minutes </s>"
    )
    assert encoder.truncated == 3
    encoder.conversation([{"role": "user", "content": "soup"}], "no")
    assert encoder.truncated == 3


def test_batches_cover_every_example_once_in_an_order_of_seed_and_epoch() -> None:
    lengths = list(np.random.default_rng(0).integers(1, 100, 101))
    first = batches(lengths, 8, 0, 0)
    assert sorted(np.concatenate(first)) == list(range(101))
    assert [list(b) for b in first] == [list(b) for b in batches(lengths, 8, 0, 0)]
    assert [list(b) for b in first] != [list(b) for b in batches(lengths, 8, 0, 1)]
    spread = np.mean([np.ptp([lengths[i] for i in batch]) for batch in first])
    assert spread < 15  # of 99: similar lengths lie together


def test_padding_goes_to_the_right() -> None:
    ids, mask = pad([[5, 6, 7], [8]], 1)
    assert ids.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
