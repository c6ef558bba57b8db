from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.training.engine.conftest import World, build_tokenizer
from training.engine import data
from training.engine.batching import Answers, batches, encode, splitter
from training.engine.data import Encoder, read_pairs


def answers(pairs: list[tuple[int, int]], longest: int = 60) -> Answers:
    sides = np.array(pairs)
    lengths = np.random.default_rng(0).integers(4, longest, sides.max() + 1)
    return Answers([[1] * n for n in lengths], sides)


def test_each_answer_is_encoded_once(tmp_path: Path) -> None:
    world = World()
    first, second = world.pair(0), world.pair(1)
    pairs = [
        first,
        {**first, "rater": "bob"},
        {**first, "chosen": first["rejected"], "rejected": first["chosen"]},
    ]
    pq.write_table(pa.Table.from_pylist([*pairs, second]), tmp_path / "pairs.parquet")
    found = encode(Encoder(build_tokenizer(), 64), read_pairs(tmp_path))
    assert found.sides.tolist() == [[0, 1], [0, 1], [1, 0], [2, 3]]
    assert len(found.rows) == 4


def test_pairs_of_their_own_are_batched_as_ever() -> None:
    one_each = answers([(2 * i, 2 * i + 1) for i in range(101)])
    longest = one_each.lengths[one_each.sides].max(axis=1).tolist()
    prompts = [str(i) for i in range(101)]
    now = batches(one_each, prompts, 8, 0, 0, 1)
    assert [batch.tolist() for batch in now] == [b.tolist() for b in data.batches(longest, 8, 0, 1)]


def test_a_prompts_votes_stay_together() -> None:
    """Three votes on each of three pairs of three answers are one forward of three."""
    pairs = [(3 * p + a, 3 * p + b) for p in range(40) for a, b in ((0, 1), (1, 2), (2, 0)) for _ in range(3)]
    prompts = [str(i // 9) for i in range(len(pairs))]
    held = answers(pairs)
    found = batches(held, prompts, 6, 0, 0, 0)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(pairs)))
    for batch in found:
        assert len(np.unique(held.sides[batch])) <= 12
    where = {prompts[i]: n for n, batch in enumerate(found) for i in batch}
    assert all(where[prompts[i]] == n for n, batch in enumerate(found) for i in batch)
    assert len(found) == 10


def test_a_prompt_with_many_answers_is_parted_by_pairs() -> None:
    pairs = [(a, b) for a in range(30) for b in range(a) for _ in range(2)]
    held = answers(pairs)
    found = batches(held, ["p"] * len(pairs), 4, 0, 0, 0)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(pairs)))
    assert max(len(np.unique(held.sides[batch])) for batch in found) <= 8
    where: dict[tuple[int, int], set[int]] = {}
    for n, batch in enumerate(found):
        for i in batch:
            where.setdefault(pairs[i], set()).add(n)
    assert all(len(places) == 1 for places in where.values())
    other = batches(held, ["p"] * len(pairs), 4, 0, 0, 1)
    assert [b.tolist() for b in found] != [b.tolist() for b in other]


def test_a_budget_of_tokens_bounds_what_is_padded() -> None:
    held = answers([(2 * i, 2 * i + 1) for i in range(200)])
    found = batches(held, [str(i) for i in range(200)], 16, 600, 0, 0)
    assert sorted(np.concatenate(found).tolist()) == list(range(200))
    padded = [len(np.unique(held.sides[b])) * held.lengths[held.sides[b]].max() for b in found]
    assert max(padded) <= 600
    assert np.mean(padded) > 450  # and it is used
    (alone,) = batches(answers([(0, 1)]), ["p"], 16, 1, 0, 0)
    assert alone.tolist() == [0]


def test_micro_batches_are_bounded_by_answers() -> None:
    held = answers([(0, 1), (0, 1), (0, 2), (3, 4), (5, 6)])
    parts = splitter(held, 2, 0)(np.arange(5))
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4]]
    longest = int(held.lengths.max())
    parts = splitter(held, 9, 3 * longest)(np.arange(5))
    assert np.concatenate(parts).tolist() == [0, 1, 2, 3, 4]
    assert len(parts) > 1
    for part in parts:  # one vote's answers may be too many already
        read = np.unique(held.sides[part])
        assert len(part) == 1 or len(read) * held.lengths[read].max() <= 3 * longest
    assert len(splitter(held, 2, 99 * longest)(np.arange(5))) == 2
