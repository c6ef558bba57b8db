import json
import os
import shutil
import time
from pathlib import Path

import pytest

from accounts.models import AuditEvent, Role
from models_app import registry
from models_app.demo import corpus
from models_app.models import ModelVersion, Promotion
from models_app.registry import ModelError
from tests.cast import make_user

pytestmark = pytest.mark.django_db
POLICY = Path(corpus.__file__).parent / "policy"


def checkpoint(folder, **config):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "config", "says"),
    [
        ("policy", {"architectures": ["LlamaForSequenceClassification"]}, "answers prompts"),
        ("policy", {}, "no architecture"),
        ("reward", {"architectures": ["LlamaForCausalLM"]}, "scores answers"),
        ("reward", {"architectures": ["BertForSequenceClassification"]}, "exactly one label"),
        (
            "reward",
            {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b"}},
            "one",
        ),
    ],
)
def test_wrong_head_is_refused(tmp_path, kind, config, says):
    with pytest.raises(ModelError, match=says):
        registry.register("f", kind, "x", "transformers", checkpoint(tmp_path / "m", **config))
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "DATABASE_URL", "OIDC_CLIENT_SECRET", "x_API_KEY\n", 5, ["A_API_KEY"]]
)
def test_no_secret_of_the_installation_is_sent_to_a_server(monkeypatch, name):
    monkeypatch.setenv("SECRET_KEY", "secret")
    monkeypatch.setenv("THEIR_API_KEY", "theirs")
    options = {"model": "m", "api_key_env": name}
    with pytest.raises(ModelError, match="ends in _API_KEY"):
        registry.register("f", "policy", "x", "openai_compatible", "http://127.0.0.1:9/v1", options=options)
    with pytest.raises(ModelError, match="ends in _API_KEY"):
        registry.server("http://127.0.0.1:9/v1", options)
    known = registry.server("http://127.0.0.1:9/v1", options | {"api_key_env": "THEIR_API_KEY"})
    assert known.headers == {"Authorization": "Bearer theirs"}


def test_missing_folder_empty_folder_and_garbage_are_refused(tmp_path):
    with pytest.raises(ModelError, match="There is no folder /nope/model"):
        registry.register("f", "policy", "x", "transformers", "/nope/model")
    with pytest.raises(ModelError, match="holds no config"):
        registry.register("f", "policy", "x", "transformers", str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="can't be read"):
        registry.register("f", "policy", "x", "transformers", str(tmp_path))
    with pytest.raises(ModelError, match="hub"):
        registry.register("f", "policy", "x", "transformers", "nobody/no-such-model-here")
    with pytest.raises(ModelError, match="Say where"):
        registry.register("f", "policy", "x", "transformers")
    assert not ModelVersion.objects.exists()


def test_endpoint_that_is_down_or_unnamed_is_refused():
    with pytest.raises(ModelError, match="Name the model"):
        registry.register("f", "policy", "x", "openai_compatible", "http://127.0.0.1:9/v1")
    with pytest.raises(ModelError):
        registry.register(
            "f", "policy", "x", "openai_compatible", "http://127.0.0.1:9/v1", options={"model": "m"}
        )
    with pytest.raises(ModelError, match="reward model"):
        registry.register(
            "f", "reward", "x", "openai_compatible", "http://127.0.0.1:9/v1", options={"model": "m"}
        )


def test_a_name_is_registered_once_per_family_and_kind():
    registry.register("f", "policy", "x", "imported")
    registry.register("g", "policy", "x", "imported")
    with pytest.raises(ModelError, match="already has"):
        registry.register("f", "policy", "x", "imported")


def test_promotion_needs_a_gate_or_a_named_person_with_a_reason():
    version = registry.register("f", "policy", "x", "imported")
    with pytest.raises(ModelError, match="named person"):
        registry.promote(version)
    with pytest.raises(ModelError, match="reason"):
        registry.promote(version, by=make_user(Role.MANAGER), reason=" ")
    assert registry.champion("f", "policy") is None
    registry.promote(version, gate={"passed": True})
    assert registry.champion("f", "policy") == version
    with pytest.raises(ModelError, match="already"):
        registry.promote(version, gate={"passed": True})


def test_roll_back_returns_to_the_earlier_champion_and_is_audited():
    mara = make_user(Role.MANAGER)
    first = registry.register("f", "policy", "one", "imported")
    second = registry.register("f", "policy", "two", "imported")
    registry.promote(first, by=mara, reason="base")
    with pytest.raises(ModelError, match="no earlier champion"):
        registry.roll_back("f", "policy", by=mara, reason="oops")
    registry.promote(second, gate={"passed": True})
    registry.roll_back("f", "policy", by=mara, reason="It began to flatter.")
    assert registry.champion("f", "policy") == first
    assert ModelVersion.objects.get(pk=second.pk).status == "retired"
    assert Promotion.objects.count() == 3
    assert AuditEvent.objects.filter(action="promote model", detail__reason="It began to flatter.").exists()


def test_rolling_back_twice_goes_two_back():
    mara = make_user(Role.MANAGER)
    versions = [registry.register("f", "policy", name, "imported") for name in ("one", "two", "three")]
    for version in versions:
        registry.promote(version, gate={"passed": True})
    for expected in (versions[1], versions[0]):
        registry.roll_back("f", "policy", by=mara, reason="It began to flatter.")
        assert registry.champion("f", "policy") == expected
    with pytest.raises(ModelError, match="no earlier champion"):
        registry.roll_back("f", "policy", by=mara, reason="Further.")


def test_an_imported_name_answers_nothing():
    with pytest.raises(ModelError, match="only a name"):
        registry.policy(registry.register("f", "policy", "x", "imported"))


def test_a_policy_stays_loaded_until_its_checkpoint_changes(tmp_path):
    folder = shutil.copytree(POLICY, tmp_path / "policy")
    version = registry.register("f", "policy", "kept", "transformers", str(folder))
    first = registry.policy(version)
    assert registry.policy(version) is first
    later = time.time() + 10
    os.utime(folder / "model.safetensors", (later, later))
    assert registry.policy(version) is not first
