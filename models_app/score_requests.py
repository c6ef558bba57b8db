"""Small batches of texts that the web application has scored: by a worker, with the cache between them."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext as _

from models_app import registry
from models_app.backends import BackendError, Conversation
from models_app.models import ModelVersion
from models_app.queries import QueryError
from models_app.registry import ModelError
from models_app.scoring import ScoringError, read

MOST = 64  # texts
MOST_BYTES = 1024 * 1024
KEPT_SECONDS = 600

Answer = dict[str, Any]


def ask(
    version: ModelVersion,
    queries: Sequence[Conversation | str],
    send: Callable[[str, int, Sequence[Conversation | str]], None],
) -> Answer:
    """Return what is known of some texts' rewards, {"id", "status", …}; `send` is called for what is not.

    The same texts again are the same request, for ten minutes. Raises ModelError and QueryError.
    """
    if version.kind != ModelVersion.Kind.REWARD:
        raise ModelError(_("“%(name)s” is no reward model.") % {"name": version.name})
    said = json.dumps([version.pk, queries]).encode()
    if len(said) > MOST_BYTES:
        raise QueryError("query", _("At most %(most)s MB fit into one request.") % {"most": 1})
    key = hashlib.sha256(said).hexdigest()[:32]
    queued = {"id": key, "status": "queued"}
    if cache.add(_name(version.pk, key), queued, KEPT_SECONDS):
        send(key, version.pk, queries)
        return queued
    return find(version.pk, key) or queued


def find(model: int, key: str) -> Answer | None:
    """Return what is known of a request to a model (its key): queued, done with its rewards, or failed."""
    found: Answer | None = cache.get(_name(model, key))
    return found


def answer(key: str, model: int, queries: Sequence[Conversation | str]) -> None:
    """Score the texts of a request and keep the answer; loads torch."""
    version = ModelVersion.objects.get(pk=model)
    try:
        scored = read(version.name, registry.reward_model(version), queries)
    except (BackendError, ModelError, ScoringError) as error:
        found: Answer = {"status": "failed", "detail": str(error)}
    else:
        rewards = {"rewards": scored.rewards, "scores": scored.rewards}
        found = {"status": "done", **rewards, "extra_logs": {"tokens": scored.tokens}, "model": scored.model}
    cache.set(_name(model, key), {"id": key, **found}, KEPT_SECONDS)


def _name(model: int, key: str) -> str:
    return f"scores:{model}:{key}"
