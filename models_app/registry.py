"""Register model versions, promote them, roll them back, and load what they name."""

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import audit, webhooks
from accounts.models import User
from accounts.roles import campaigns_for, can
from models_app.backends import BackendError, Policy, SamplingParams
from models_app.models import ModelVersion, Promotion

if TYPE_CHECKING:
    from models_app.backends.openai_compatible import OpenAICompatiblePolicy
    from models_app.backends.transformers import TransformersRewardModel

# what a registered server may be told: managers name the variable, and where its value goes
KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
MOST_AT_ONCE = 256  # requests to a server
HELLO_SECONDS = 20.0  # that a server has to answer at all before it is registered
_loading = Lock()
HEADS = {ModelVersion.Kind.POLICY: "ForCausalLM", ModelVersion.Kind.REWARD: "ForSequenceClassification"}


class ModelError(Exception):
    """A model can't be registered, promoted or found; the message is a sentence for people."""


def visible_to(user: User, action: str = "view_campaigns") -> QuerySet[ModelVersion]:
    """Return the models of the campaigns in which somebody may take an action: a family bears its slug."""
    if can(user, action):
        return ModelVersion.objects.all()
    return ModelVersion.objects.filter(family__in=campaigns_for(user, action))


def register(
    family: str,
    kind: str,
    name: str,
    backend: str,
    location: str = "",
    *,
    options: dict[str, Any] | None = None,
    parent: ModelVersion | None = None,
    by: User | None = None,
) -> ModelVersion:
    """Add a candidate to a family after looking at what it names; ModelError says what is wrong with it."""
    check(kind, backend, location, options or {})
    try:
        with transaction.atomic():
            version = ModelVersion.objects.create(
                family=family,
                kind=kind,
                name=name,
                backend=backend,
                location=location,
                options=options or {},
                parent=parent,
                created_by=by,
            )
            audit.record(by, "register model", version, name=name, backend=backend, location=location)
    except IntegrityError as error:
        raise ModelError(
            _("This family already has a %(kind)s named “%(name)s”.")
            % {"kind": ModelVersion.Kind(kind).label.lower(), "name": name}
        ) from error
    return version


def check(kind: str, backend: str, location: str, options: dict[str, Any]) -> None:
    """Refuse what could never answer or score: a missing folder, the wrong head, a server that is down."""
    look(kind, backend, location, options)
    if backend == ModelVersion.Backend.OPENAI:
        hello = [{"role": "user", "content": "Say hello."}]
        try:
            server(location, options).answer_once(hello, SamplingParams(max_new_tokens=8), HELLO_SECONDS)
        except BackendError as error:
            raise ModelError(str(error)) from error


def look(kind: str, backend: str, location: str, options: dict[str, Any]) -> None:
    """Refuse what can be seen to be wrong without asking anybody."""
    if backend == ModelVersion.Backend.IMPORTED:
        return
    if not location:
        raise ModelError(_("Say where the model is: a folder, a hub id or an address."))
    if backend == ModelVersion.Backend.OPENAI:
        if kind != ModelVersion.Kind.POLICY:
            raise ModelError(_("A chat-completions server answers prompts; it can't be a reward model."))
        _look_at_options(options)
    else:
        _look_at_checkpoint(kind, location)


def _look_at_options(options: dict[str, Any]) -> None:
    if not options.get("model"):
        raise ModelError(_("Name the model that the server at this address should use."))
    _key(options)
    many = options.get("concurrency") or 1
    if not isinstance(many, int) or isinstance(many, bool) or not 1 <= many <= MOST_AT_ONCE:
        raise ModelError(
            _("“concurrency”, the requests at once, must be from 1 to %(most)s.") % {"most": MOST_AT_ONCE}
        )


def _key(options: dict[str, Any]) -> str:
    name = options.get("api_key_env") or ""
    if name and not (isinstance(name, str) and KEY_NAME.fullmatch(name)):
        raise ModelError(_("The variable of a server's key has a name that ends in _API_KEY."))
    return os.environ.get(name, "")


def _look_at_checkpoint(kind: str, location: str) -> None:
    folder = Path(location)
    if folder.is_dir():
        file = folder / "config.json"
        if not file.is_file():
            raise ModelError(
                _("The folder %(folder)s holds no config.json, so it is no checkpoint.")
                % {"folder": location}
            )
    elif HUB_ID.fullmatch(location) and not folder.exists():
        file = _hub_config(location)
    else:
        raise ModelError(_("There is no folder %(folder)s.") % {"folder": location})
    try:
        config = json.loads(file.read_text())
        architectures = config.get("architectures") or []
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            _("The config.json of %(folder)s can't be read: %(error)s") % {"folder": location, "error": error}
        ) from error
    if not any(str(a).endswith(HEADS[ModelVersion.Kind(kind)]) for a in architectures):
        wanted = {
            "policy": _(
                "A policy needs a checkpoint that answers prompts (…ForCausalLM); this one has: %(found)s."
            ),
            "reward": _(
                "A reward model needs a checkpoint that scores answers (…ForSequenceClassification); "
                "this one has: %(found)s."
            ),
        }
        raise ModelError(wanted[kind] % {"found": ", ".join(map(str, architectures)) or _("no architecture")})
    if kind == ModelVersion.Kind.REWARD and len(config.get("id2label") or {0: "", 1: ""}) != 1:
        raise ModelError(
            _("A reward model needs a head with exactly one label; this one has another number.")
        )


def _hub_config(location: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(location, "config.json", etag_timeout=5))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelError(
            _("There is no folder %(folder)s, and the hub has no such model or can't be reached.")
            % {"folder": location}
        ) from error


def champion(family: str, kind: str) -> ModelVersion | None:
    """Return the version in use, if the family has one."""
    return ModelVersion.objects.filter(family=family, kind=kind, status=ModelVersion.Status.CHAMPION).first()


def promote(
    version: ModelVersion, *, gate: dict[str, Any] | None = None, by: User | None = None, reason: str = ""
) -> Promotion:
    """Make a version the champion of its family; needs a gate's report, or a named person and a reason."""
    if gate is None and (by is None or not reason.strip()):
        raise ModelError(_("A promotion without a gate's report needs a named person and a reason."))
    with transaction.atomic():
        family = ModelVersion.objects.select_for_update().filter(family=version.family, kind=version.kind)
        previous = {v.status: v for v in family}.get(ModelVersion.Status.CHAMPION)
        if previous == version:
            raise ModelError(_("“%(name)s” is the champion already.") % {"name": version.name})
        family.filter(status=ModelVersion.Status.CHAMPION).update(status=ModelVersion.Status.RETIRED)
        family.filter(pk=version.pk).update(status=ModelVersion.Status.CHAMPION)
        version.status = ModelVersion.Status.CHAMPION
        promotion = Promotion.objects.create(
            version=version, previous=previous, gate=gate, by=by, reason=reason.strip()
        )
        audit.record(by, "promote model", version, previous=previous and previous.name, reason=reason)
        said = {"id": version.pk, "kind": version.kind, "name": version.name, "family": version.family}
        # a campaign's line of models bears its short name
        webhooks.emit("model.promoted", version.family, **said, by_gate=gate is not None, reason=reason)
    return promotion


def roll_back(family: str, kind: str, *, by: User, reason: str) -> Promotion:
    """Make the champion's predecessor the champion again; once more goes one further back."""
    current = champion(family, kind)
    earlier = replaced_by(current) if current else None
    if earlier is None:
        raise ModelError(_("There is no earlier champion to go back to."))
    return promote(earlier, by=by, reason=reason)


def replaced_by(version: ModelVersion) -> ModelVersion | None:
    """Return the champion that a version replaced when it first became one, if there was any."""
    first = version.promotions.select_related("previous").order_by("pk").first()
    return first.previous if first else None


def server(location: str, options: dict[str, Any]) -> "OpenAICompatiblePolicy":
    """Return the policy behind a server's address; nobody is asked yet."""
    from models_app.backends.openai_compatible import OpenAICompatiblePolicy

    many, pieces = options.get("concurrency") or 0, bool(options.get("stream"))
    key = _key(options)
    return OpenAICompatiblePolicy(location, options["model"], api_key=key, concurrency=many, stream=pieces)


def policy(version: ModelVersion) -> Policy:
    """Load a policy, or take one of the last two; transformers checkpoints bring torch into this process."""
    if version.backend == ModelVersion.Backend.IMPORTED:
        raise ModelError(
            _("“%(name)s” is only a name for imported answers; it can't answer prompts.")
            % {"name": version.name}
        )
    if version.backend == ModelVersion.Backend.OPENAI:
        return server(version.location, version.options)
    with _loading:
        return _checkpoint(version.location, changed_at(version.location))


def changed_at(location: str) -> float:
    """Return when a checkpoint in a folder was written; 0 for one of the hub, which never changes."""
    folder = Path(location)
    return max((file.stat().st_mtime for file in folder.glob("*")), default=0.0) if folder.is_dir() else 0.0


@lru_cache(maxsize=2)  # as many as answer side by side
def _checkpoint(location: str, changed_at: float) -> Policy:
    from models_app.backends.transformers import load_policy

    return load_policy(location)


def reward_model(version: ModelVersion) -> "TransformersRewardModel":
    """Load a reward model, and torch with it."""
    from models_app.backends.transformers import load_reward_model

    return load_reward_model(version.location)
