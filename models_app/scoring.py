"""Score answers with a reward model."""

from collections.abc import Sequence

from models_app import registry
from models_app.backends import Conversation
from models_app.models import ModelVersion


def score(version: ModelVersion, conversations: Sequence[Conversation]) -> list[float]:
    """Return one reward per conversation; each ends with the answer to score."""
    return list(registry.reward_model(version).score(conversations))
