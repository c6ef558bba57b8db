"""A checkpoint so small that a run takes seconds, and folders of the test's own."""

# Django is not set up yet when this file is read, so its models are imported within.
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.training.engine.conftest import save_policy

    return save_policy(tmp_path_factory.mktemp("tiny-policy"))


@pytest.fixture
def folders(settings, tmp_path):
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    settings.RUNS_DIR = tmp_path / "runs"
    settings.MODELS_DIR = tmp_path / "models"
    return tmp_path


@pytest.fixture
def champion(tiny_policy):
    """Make a family's base policy, as the champion."""
    from models_app import registry

    def make(family, by):
        version = registry.register(family, "policy", "base", "transformers", str(tiny_policy))
        registry.promote(version, by=by, reason="The base")
        return version

    return make
