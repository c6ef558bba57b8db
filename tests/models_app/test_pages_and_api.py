"""Models are registered after a look at what they name."""

import pytest
from django.test import Client
from django.urls import reverse

from models_app import queries, registry
from models_app.demo import corpus
from models_app.models import ModelVersion
from models_app.tasks import score_texts
from tests.cast import make_user
from tests.models_app.test_serving import save as save_reward_model

pytestmark = pytest.mark.django_db
DEMO_POLICY = corpus.__file__.replace("corpus.py", "policy")


@pytest.fixture
def client():
    client = Client()
    client.force_login(make_user("manager", username="mara"))
    return client


FORM = {
    "family": "kitchen",
    "kind": "policy",
    "name": "base",
    "backend": "transformers",
    "location": DEMO_POLICY,
}


def test_a_checkpoint_becomes_a_candidate(client):
    done = client.post(reverse("register_model"), FORM)
    version = ModelVersion.objects.get()
    assert done["Location"] == reverse("model", args=[version.pk])
    assert version.status == "candidate"
    assert version.created_by.username == "mara"
    assert "base" in client.get(reverse("models")).text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"location": "/no/such/folder"}, "There is no folder /no/such/folder"),
        ({"kind": "reward"}, "needs a checkpoint that scores answers"),
        ({"location": ""}, "Say where the model is"),
        ({"backend": "openai_compatible", "location": "http://127.0.0.1:9/v1"}, "Name the model"),
        (
            {"backend": "openai_compatible", "location": "http://127.0.0.1:9/v1", "server_model": "m"},
            "127.0.0.1:9",
        ),
        ({"backend": "openai_compatible", "kind": "reward", "location": "http://x"}, "be a reward model"),
    ],
)
def test_what_could_never_answer_is_refused_in_words_by_page_and_api(client, change, says):
    page = client.post(reverse("register_model"), {**FORM, **change})
    assert says in str(page.context["form"].errors)
    body = {**FORM, **change}
    body["options"] = {"model": body.pop("server_model", "")}
    answer = client.post(reverse("api_models"), body, content_type="application/json")
    assert answer.status_code == 400
    assert says in str(answer.json())
    assert not ModelVersion.objects.exists()


def test_a_name_is_taken_once_in_a_family(client):
    client.post(reverse("register_model"), FORM)
    assert "already has a policy named “base”" in client.post(reverse("register_model"), FORM).text


def test_promotion_and_return_by_api(client):
    first, second = (
        client.post(reverse("api_models"), {**FORM, "name": name}, content_type="application/json").json()
        for name in ["one", "two"]
    )
    promote = {"content_type": "application/json", "data": {"reason": "better"}}
    assert client.post(reverse("api_promote", args=[first["id"]]), **promote).status_code == 201
    made = client.post(reverse("api_promote", args=[second["id"]]), **promote).json()
    assert (made["version"], made["previous"]) == (second["id"], first["id"])
    assert made["by"] == "mara"
    assert client.post(reverse("api_promote", args=[second["id"]]), **promote).status_code == 400
    back = {"family": "kitchen", "kind": "policy", "reason": "it rambles"}
    answer = client.post(reverse("api_roll_back"), back, content_type="application/json")
    assert answer.json()["version"] == first["id"]
    champions = client.get(reverse("api_models"), {"status": "champion"}).json()["results"]
    assert [c["name"] for c in champions] == ["one"]


def test_the_list_asks_as_many_queries_for_many_models_as_for_one(client, django_assert_max_num_queries):
    client.post(reverse("register_model"), FORM)
    client.get(reverse("models"))
    with django_assert_max_num_queries(7) as one:
        client.get(reverse("models"))
    cost = len(one)
    for number in range(5):
        client.post(reverse("register_model"), {**FORM, "name": str(number), "backend": "imported"})
    with django_assert_max_num_queries(cost):
        client.get(reverse("models"))


def test_small_batches_are_scored_by_a_worker_once(client, tmp_path, django_capture_on_commit_callbacks):
    version = registry.register("kitchen", "reward", "judge", "transformers", save_reward_model(tmp_path, 0))
    body = {"query": ["<|user|>Rice?<|assistant|>Ten minutes.", {"prompt": "Rice?", "response": "No."}]}
    url = reverse("api_score", args=[version.pk])

    with django_capture_on_commit_callbacks() as sent:
        asked = client.post(url, body, content_type="application/json")
        again = client.post(url, body, content_type="application/json")
    assert (asked.status_code, again.status_code, len(sent)) == (202, 202, 1)
    assert asked.json() == again.json() == {"id": asked.json()["id"], "status": "queued"}

    key = asked.json()["id"]
    score_texts(key, version.pk, queries.read(body))
    done = client.get(reverse("api_scored", args=[version.pk, key]))
    assert done.status_code == 200
    assert done.json() == client.post(url, body, content_type="application/json").json()
    assert done.json()["status"] == "done"
    assert done.json()["rewards"] == pytest.approx(
        registry.reward_model(version).read_tokens(
            [registry.reward_model(version).tokens(query) for query in queries.read(body)]
        )[0],
        abs=1e-4,
    )

    version.location = "/nowhere/at/all"
    version.save()
    score_texts("gone", version.pk, [])
    failed = client.get(reverse("api_scored", args=[version.pk, "gone"])).json()
    assert failed == {"id": "gone", "status": "failed", "detail": "There is no folder /nowhere/at/all."}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "x"}, "query"),
        ({"query": ["x"] * 65}, "query"),
        ({"query": ["x" * 1024**2]}, "query"),
        ({"query": [5]}, "query[0]"),
    ],
)
def test_a_batch_that_cannot_be_scored_is_refused_by_field(client, tmp_path, body, field):
    version = registry.register("kitchen", "reward", "judge", "transformers", save_reward_model(tmp_path, 0))
    refused = client.post(reverse("api_score", args=[version.pk]), body, content_type="application/json")
    assert (refused.status_code, list(refused.json())) == (400, [field])
