from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.engine.conftest import World
from training.engine.data import Encoder
from training.engine.prefixes import forward_sharing, prefixes, shares
from training.engine.reward_model import forward, grow_reward_model


def answers(tokenizer: object, prompts: int, each: int) -> tuple[list[list[int]], np.ndarray, list[str]]:
    world, encoder = World(4), Encoder(tokenizer, 128)
    rows: list[list[int]] = []
    sides: list[tuple[int, int]] = []
    names: list[str] = []
    for prompt in range(prompts):
        asked = [{"role": "user", "content": world.sentence(20, 40)}]
        first = len(rows)
        rows += [encoder.conversation(asked, world.sentence(2, 9)) for _ in range(each)]
        for i in range(each - 1):
            sides.append((first + i, first + i + 1))
            names.append(str(prompt))
    return rows, np.array(sides), names


def gradients(model: torch.nn.Module, scores: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    (scores * torch.arange(len(scores))).sum().backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("tuned", ["full", "lora"])
def test_a_shared_prompt_changes_no_score_and_no_gradient(
    policy: Path, monkeypatch: pytest.MonkeyPatch, tuned: str
) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    model, tokenizer, _ = grow_reward_model(str(policy), 0)
    if tuned == "lora":
        from training.engine.tuning import _adapted

        model = _adapted(model, model.score, 4, 0, modules_to_save=["score"])
    rows, sides, names = answers(tokenizer, 3, 4)
    common = prefixes(rows, sides, names)
    assert min(common) > 20
    assert shares(model)
    shared = forward_sharing(model, rows, common.tolist())
    assert shared is not None
    alone = forward(model, rows)
    assert shared.detach().numpy() == pytest.approx(alone.detach().numpy(), abs=1e-5)
    for one, other in zip(gradients(model, shared), gradients(model, alone), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_what_saves_little_is_read_whole(policy: Path, encoder_trunk: Path) -> None:
    model, tokenizer, _ = grow_reward_model(str(policy), 0)
    rows, sides, names = answers(tokenizer, 3, 4)
    one_each = [rows[0], rows[4], rows[8]]
    common = prefixes(rows, sides, names)
    assert forward_sharing(model, one_each, [common[0], common[4], common[8]]) is None
    assert forward_sharing(model, rows, [0] * len(rows)) is None
    assert not shares(grow_reward_model(str(encoder_trunk), 0)[0])


def test_a_prefix_is_what_all_answers_of_a_prompt_begin_with() -> None:
    rows = [[1, 2, 3, 4, 5], [1, 2, 3, 9, 9], [1, 2, 7, 7], [8, 8], [8, 8, 8]]
    found = prefixes(rows, np.array([[0, 1], [1, 2], [3, 4]]), ["a", "a", "b"])
    assert found.tolist() == [2, 2, 2, 0, 0]
