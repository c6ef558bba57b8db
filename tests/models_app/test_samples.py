"""A model answers a question before anybody registers it, and says in words why it can't."""

import pytest
from django.test import Client
from django.urls import reverse

from models_app import samples
from models_app.backends import BackendError, SamplingParams
from models_app.backends.openai_compatible import OpenAICompatiblePolicy
from models_app.backends.transformers import load_reward_model
from models_app.models import ModelVersion
from tests import chat_server
from tests.cast import POLICY, make_user
from tests.models_app.test_serving import save

pytestmark = pytest.mark.django_db
HELLO = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
def client():
    client = Client()
    client.force_login(make_user("manager", username="mara"))
    return client


@pytest.fixture
def sent(monkeypatch):
    """Collect the keys that a worker would get."""
    keys: list[str] = []
    monkeypatch.setattr("models_app.tasks.draw_samples.delay_on_commit", keys.append)
    return keys


def form(**change):
    return {
        "family": "kitchen", "kind": "policy", "name": "base", "backend": "openai_compatible",
        "server_model": "m", "question": "How long does rice take?", "try": "1", **change,
    }  # fmt: skip


def test_a_server_answers_on_the_page_before_it_is_registered(client, sent):
    with chat_server.running() as server:
        page = client.post(reverse("register_model"), form(location=server.url))
        assert "Waiting for a worker" in page.text
        assert client.post(reverse("register_model"), form(location=server.url)).status_code == 200
        assert len(sent) == 1  # the same again is the same
        samples.answer(sent[0])
        asked = server.requests[0]["messages"]
        answer = chat_server.answer_to(server.requests[0])
    assert asked == [{"role": "user", "content": "How long does rice take?"}]
    shown = client.get(reverse("model_sample", args=[sent[0]])).text
    assert answer in shown
    assert "the server doesn't count its tokens" in shown or "the server doesn&#x27;t" in shown
    assert not ModelVersion.objects.exists()


def test_a_checkpoint_is_drawn_from_with_its_pace(client, sent):
    body = {"backend": "transformers", "location": POLICY, "question": "Rice?", "max_new_tokens": 8}
    asked = client.post(reverse("api_model_samples"), body, content_type="application/json")
    assert (asked.status_code, asked.json()["status"]) == (202, "queued")
    samples.answer(sent[0])
    told = client.get(reverse("api_model_sample", args=[sent[0]]))
    assert (told.status_code, told.json()["status"], told.json()["done"]) == (200, "done", 1)
    [model] = told.json()["models"]
    assert model["answers"][0]
    assert model["tokens_per_second"] > 0


def test_what_fails_says_why_and_may_be_tried_again(client, sent):
    body = {"backend": "transformers", "location": "/nowhere", "question": "Rice?"}
    client.post(reverse("api_model_samples"), body, content_type="application/json")
    samples.answer(sent[0])
    told = client.get(reverse("api_model_sample", args=[sent[0]])).json()
    assert told["status"] == "failed"
    assert told["models"][0]["error"] == "There is no folder /nowhere."
    assert "There is no folder" in client.get(reverse("model_sample", args=[sent[0]])).text
    client.post(reverse("api_model_samples"), body, content_type="application/json")
    assert sent == [sent[0]] * 2


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("slow", "does not answer within 0.01 seconds"),
        ("down", "answers with status 503"),
        ("cut", "cannot be"),
    ],
)
def test_a_server_in_trouble_is_asked_once(trouble, says):
    with chat_server.running() as server:
        server.trouble = (trouble,)
        policy = OpenAICompatiblePolicy(server.url, "m")
        with pytest.raises(BackendError, match=says):
            policy.answer_once(HELLO, SamplingParams(), 0.01 if trouble == "slow" else 5)
        assert len(server.requests) <= 1


def test_answers_are_for_who_asked_and_the_rest_is_refused_in_words(client, sent):
    mara = make_user("manager")
    model = {"name": "m", "backend": "openai_compatible", "location": "http://x", "options": {"model": "m"}}
    key = samples.ask(mara, [model], [HELLO], {}, sent.append)["id"]
    assert samples.find(key, mara)["status"] == "queued"
    assert client.get(reverse("api_model_sample", args=[key])).status_code == 404
    assert client.get(reverse("model_sample", args=[key])).status_code == 404
    with pytest.raises(samples.QueryError, match="at most 20"):
        samples.ask(mara, [model], [HELLO] * 21, {}, sent.append)
    body = {"kind": "reward", "backend": "transformers", "location": "/x", "question": "Rice?"}
    for said, fault in (
        ({}, "Give the answers"),
        ({"kind": "policy", "answers": ["18"]}, "Only a reward model"),
    ):
        told = client.post(reverse("api_model_samples"), {**body, **said}, content_type="application/json")
        assert (told.status_code, fault in told.json()["answers"][0]) == (400, True)


def test_a_reward_model_scores_answers_before_it_is_registered(client, sent, tmp_path):
    model = {"kind": "reward", "backend": "transformers", "location": save(tmp_path, 0)}
    page = client.post(reverse("register_model"), form(**model, answers="18 minutes.\n\nNo idea."))
    assert "Waiting for a worker" in page.text
    samples.answer(sent[0])
    shown = client.get(reverse("model_sample", args=[sent[0]])).text
    assert "18 minutes." in shown
    assert "No idea." in shown
    body = {**model, "question": "How long does rice take?", "answers": ["18 minutes.", "No idea."]}
    client.post(reverse("api_model_samples"), body, content_type="application/json")
    samples.answer(sent[1])
    [told] = client.get(reverse("api_model_sample", args=[sent[1]])).json()["models"]
    assert told["answers"] == ["18 minutes.", "No idea."]
    asked = samples.exchanges("How long does rice take?", told["answers"])
    assert told["rewards"] == pytest.approx(load_reward_model(model["location"]).score(asked), abs=1e-4)
    assert f"{told['rewards'][0]:.3f}" in shown
    assert not ModelVersion.objects.exists()
