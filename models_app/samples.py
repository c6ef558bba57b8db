"""Answers that models are asked for to be looked at, a few at a time: by a worker, with the cache between.

`ask` has them drawn, `find` says how far that is, `answer` is the worker's part. A model need not be
registered. A reward model is given conversations with their answers instead, and says what these are worth.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from celery.exceptions import SoftTimeLimitExceeded
from django.core.cache import cache
from django.utils.translation import gettext as _

from accounts.models import User
from models_app import registry, scoring
from models_app.backends import BackendError, Conversation, Policy, SamplingParams
from models_app.models import ModelVersion
from models_app.queries import QueryError
from models_app.registry import ModelError
from models_app.scoring import ScoringError

if TYPE_CHECKING:
    from models_app.backends.transformers import TransformersRewardModel

MOST = 20  # questions
MOST_TOKENS = 512  # of an answer
MOST_BYTES = 256 * 1024
SECONDS = 30.0  # that a server has for an answer
KEPT_SECONDS = 1800

Sample = dict[str, Any]


def spell(version: ModelVersion) -> dict[str, Any]:
    """Return what a worker needs to know of a model: {"kind", "name", "backend", "location", "options"}."""
    return {
        "kind": version.kind,
        "name": version.name,
        "backend": version.backend,
        "location": version.location,
        "options": version.options,
    }


def exchanges(question: str, answers: Sequence[str]) -> list[Conversation]:
    """Return what is asked: the question, or for a reward model the question with each of the answers."""
    asked = {"role": "user", "content": question}
    return [[asked, {"role": "assistant", "content": text}] for text in answers] or [[asked]]


def ask(
    by: User,
    models: Sequence[dict[str, Any]],
    questions: Sequence[Conversation],
    params: dict[str, Any],
    send: Callable[[str], None],
) -> Sample:
    """Have each model answer each question; return what is known, {"id", "status", …}.

    `models` are as `spell` says, policies if no kind is said; a reward model's questions end with an answer.
    `params` are {"temperature", "top_p", "max_new_tokens", "seed"} or some of them; `send` gives the key to a
    worker. The same again, while it is kept and hasn't failed, is the same request. Raises QueryError and
    ModelError.
    """
    if not questions or len(questions) > MOST:
        raise QueryError("questions", _("Ask at least one question and at most %(most)s.") % {"most": MOST})
    if not 0 < params.get("max_new_tokens", 1) <= MOST_TOKENS:
        raise QueryError(
            "max_new_tokens", _("An answer to look at has 1 to %(most)s tokens.") % {"most": MOST_TOKENS}
        )
    for model in models:
        if model["backend"] == ModelVersion.Backend.IMPORTED:
            raise ModelError(
                _("“%(name)s” is only a name for imported answers; it can't answer prompts.")
                % {"name": model["name"]}
            )
    wanted = {"by": by.pk, "models": list(models), "questions": list(questions), "params": params}
    said = json.dumps(wanted, sort_keys=True).encode()
    if len(said) > MOST_BYTES:
        raise QueryError("questions", _("The questions are too long to be asked at once."))
    key = hashlib.sha256(said).hexdigest()[:32]
    known = find(key, by)
    if known is not None and known["status"] != "failed":
        return known
    begun = {"id": key, "status": "queued", "done": 0, "total": len(models) * len(questions)}
    cache.set_many({_name(key): begun, _name(key, "asked"): wanted}, KEPT_SECONDS)
    send(key)
    return begun


def find(key: str, by: User) -> Sample | None:
    """Return what is known of somebody's own request: queued, running, done or failed, with its answers."""
    found = cache.get_many([_name(key), _name(key, "asked")])
    asked = found.get(_name(key, "asked"))
    if asked is None or asked["by"] != by.pk or _name(key) not in found:
        return None
    told: Sample = found[_name(key)]
    return told


def asked(key: str, by: User) -> dict[str, Any] | None:
    """Return what somebody asked for: {"models", "questions", "params"}."""
    wanted: dict[str, Any] | None = cache.get(_name(key, "asked"))
    return wanted if wanted and wanted["by"] == by.pk else None


def answer(key: str) -> None:
    """Draw what a request asks for and keep it as it comes; checkpoints bring torch into this process.

    Kept are {"status", "done", "total", "models": [{"name", "answers": [text or None], a reward model's
    "rewards" of these, "loaded" and "seconds" in seconds, "tokens_per_second" or None, "error"}]}. A request
    fails when no model has answered.
    """
    wanted = cache.get(_name(key, "asked"))
    if wanted is None:
        return  # nobody waits for it any more
    total = len(wanted["models"]) * len(wanted["questions"])
    told: list[dict[str, Any]] = []
    for model in wanted["models"]:
        told.append({"name": model["name"], "answers": [None] * len(wanted["questions"]), "error": ""})
        for _new in _answers(model, wanted, told[-1]):
            _keep(key, "running", told, total)
    answered = any(text is not None for model in told for text in model["answers"])
    _keep(key, "done" if answered else "failed", told, total)


def _keep(key: str, status: str, told: Sequence[dict[str, Any]], total: int) -> None:
    done = sum(text is not None for model in told for text in model["answers"])
    kept = {"id": key, "status": status, "done": done, "total": total, "models": list(told)}
    cache.set(_name(key), kept, KEPT_SECONDS)


def _answers(model: dict[str, Any], wanted: dict[str, Any], told: dict[str, Any]) -> Iterator[None]:
    """Write a model's answers into `told` one by one, with what they took or why there are none."""
    version = ModelVersion(**{"kind": ModelVersion.Kind.POLICY, **model})
    began = time.monotonic()
    tokens: list[int | None] = []
    try:
        registry.look(version.kind, version.backend, version.location, version.options)
        if version.kind == ModelVersion.Kind.REWARD:
            drawn = _score(version.name, registry.reward_model(version), wanted["questions"], told)
        else:
            drawn = _draw(registry.policy(version), wanted["questions"], SamplingParams(**wanted["params"]))
        told["loaded"] = round(time.monotonic() - began, 3)
        began = time.monotonic()
        for index, text, length in drawn:
            told["answers"][index] = text
            tokens.append(length)
            yield
    except (BackendError, ModelError, ScoringError) as error:
        told["error"] = str(error)
    except SoftTimeLimitExceeded:
        told["error"] = _("It took longer than is waited for.")
    except Exception as error:
        # whatever a stranger's checkpoint raises is what one wants to see
        told["error"] = f"{type(error).__name__}: {error}"[:500]
    seconds = time.monotonic() - began
    counted = [length for length in tokens if length is not None]
    told["seconds"] = round(seconds, 3)
    told["tokens_per_second"] = round(sum(counted) / seconds, 1) if counted and seconds > 0 else None


def _draw(
    policy: Policy, questions: Sequence[Conversation], params: SamplingParams
) -> Iterator[tuple[int, str, int | None]]:
    """Yield (index, answer, its tokens where they are known)."""
    from models_app.backends.openai_compatible import OpenAICompatiblePolicy

    if isinstance(policy, OpenAICompatiblePolicy):
        for index, question in enumerate(questions):
            yield index, *policy.answer_once(question, params, SECONDS)
        return
    tokenizer = getattr(policy, "tokenizer", None)
    for index, text in policy.generate(questions, params):
        yield index, text, len(tokenizer(text)["input_ids"]) if tokenizer else None


def _score(
    name: str, model: "TransformersRewardModel", answered: Sequence[Conversation], told: dict[str, Any]
) -> Iterator[tuple[int, str, int | None]]:
    """Write what answers are worth into `told`, and yield (index, answer, tokens that were read)."""
    scored = scoring.read(name, model, answered)
    told["rewards"] = scored.rewards
    for index, (conversation, length) in enumerate(zip(answered, scored.tokens, strict=True)):
        yield index, conversation[-1]["content"], length


def _name(key: str, what: str = "told") -> str:
    return f"samples:{what}:{key}"
