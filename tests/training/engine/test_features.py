"""Frozen features: read once, kept, and enough for a head that knows the preference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.engine.conftest import REPOSITORY, World
from training.engine.config import EngineError
from training.engine.features import embed, fingerprint, fit_frozen, principal


def _talks(count: int, seed: int = 0) -> list[list[dict[str, str]]]:
    world = World(seed)
    return [
        [{"role": "user", "content": world.sentence()}, {"role": "assistant", "content": world.sentence()}]
        for _ in range(count)
    ]


@pytest.mark.parametrize("trunk", ["policy", "encoder_trunk"])
def test_features_are_read_once_and_do_not_depend_on_company(
    trunk: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    location, talks = str(request.getfixturevalue(trunk)), _talks(30)
    heard: list[tuple[int, int]] = []
    first = embed(location, talks + talks, cache=tmp_path, progress=lambda *at: heard.append(at))
    again = embed(location, talks[::-1], cache=tmp_path, progress=lambda *at: heard.append(at))
    assert heard == [(30, 30)]
    assert first.dtype == np.float32
    assert first.shape == (60, 32 if trunk == "policy" else 64)
    assert np.array_equal(first[:30], first[30:])
    assert np.array_equal(first[:30], again[::-1])
    alone = embed(location, talks[3:4])
    assert np.allclose(alone[0], first[3], atol=0.05 * np.abs(first[3]).max())


def test_what_is_cached_needs_no_torch(policy: Path, tmp_path: Path) -> None:
    talks = _talks(3)
    embed(str(policy), talks, cache=tmp_path)
    program = (
        "import sys; from pathlib import Path; from training.engine.features import embed;"
        f"found = embed({str(policy)!r}, {talks!r}, cache=Path({str(tmp_path)!r}));"
        "print(found.shape, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert said.stdout.strip() == "(3, 32) False", said.stderr


def test_another_checkpoint_has_another_fingerprint(policy: Path, encoder_trunk: Path) -> None:
    assert fingerprint(str(policy)) == fingerprint(str(policy)) != fingerprint(str(encoder_trunk))
    with pytest.raises(EngineError):
        fingerprint("nowhere at all")


def test_principal_components_have_mean_variance_one() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 5)) * [9, 3, 1, 1, 1] + 4
    mean, directions = principal(features, 3)
    parts = (features - mean) @ directions
    assert directions.shape == (5, 3)
    assert np.allclose(parts.mean(axis=0), 0)
    assert np.isclose(parts.var(axis=0).mean(), 1)
    assert np.all(np.diff(parts.var(axis=0)) < 0)


def test_a_frozen_fit_finds_what_votes_follow() -> None:
    rng = np.random.default_rng(0)
    features, true = rng.normal(size=(400, 20)), rng.normal(size=20)
    chosen, rejected = rng.integers(0, 400, (2, 3000))
    chance = 1 / (1 + np.exp(-(features[chosen] - features[rejected]) @ true))
    probability = (rng.random(3000) < chance).astype(float)
    found = fit_frozen(features, chosen, rejected, probability, np.ones(3000))
    assert np.corrcoef(found, true)[0, 1] > 0.98
    weightless = fit_frozen(features, chosen, rejected, probability, np.zeros(3000))
    assert np.allclose(weightless, 0)


def test_few_votes_between_many_features_are_believed_less() -> None:
    """60 answers of 20 prompts, 50 features of noise, two that count: the ridge keeps the noise down."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(400, 52))
    true = features[:, :2] @ [1.5, -1.5]
    first = 3 * rng.integers(0, 20, 900)
    chosen, rejected = first + rng.integers(0, 3, 900), first + rng.integers(0, 3, 900)
    chance = 1 / (1 + np.exp(true[rejected] - true[chosen]))
    probability = (rng.random(900) < chance).astype(float)
    found = features @ fit_frozen(features, chosen, rejected, probability, np.ones(900))
    assert np.corrcoef(found[60:], true[60:])[0, 1] > 0.6
