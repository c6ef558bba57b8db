"""The service that trainers ask for rewards: a real server, real requests, a real (small) model."""

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from django.core.management import CommandError, call_command
from transformers import AutoModelForSequenceClassification, AutoTokenizer, LlamaConfig

from accounts import tokens
from accounts.models import ApiToken, Role, User
from models_app import queries, scoring, serving
from models_app.backends.transformers import load_reward_model
from models_app.demo import corpus
from models_app.queries import QueryError
from models_app.scoring import Scorer, Source
from models_app.serving import Doorkeeper, Server
from tests.cast import make_user

POLICY = Path(corpus.__file__).parent / "policy"
SECRET = "what the trainer knows"
TEXTS = [f"<|user|>How long should I boil {'rice ' * n}?<|assistant|>Ten minutes." for n in range(1, 25)]


def save(folder: Path, seed: int) -> str:
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, num_labels=1, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("reward"), 0)


class Service:
    """A server of one's own, and requests to it."""

    def __init__(self, scorer: Scorer) -> None:
        self.server = Server(("127.0.0.1", 0), scorer, Doorkeeper(SECRET))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(
        self, sent: Any, token: str = SECRET, path: str = "/get_reward", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        return self.send("POST", path, body, headers)

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(*self.server.server_address[:2], timeout=30)  # type: ignore[arg-type]
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found


@pytest.fixture(scope="module")
def service(folder: str) -> Iterator[Service]:
    scorer = Scorer(lambda: Source("small", folder))
    service = Service(scorer)
    yield service
    service.server.shutdown()
    service.server.server_close()
    scorer.close()


def test_it_answers_in_the_form_that_trainers_expect(service: Service, folder: str) -> None:
    status, said = service.ask({"query": TEXTS, "prompts": TEXTS, "labels": [None] * len(TEXTS)})
    assert status == 200
    model = load_reward_model(folder)
    own = [model.read_tokens([model.tokens(text)])[0][0] for text in TEXTS]
    assert said["rewards"] == said["scores"] == pytest.approx(own, abs=1e-4)
    assert said["extra_logs"]["tokens"] == [len(model.tokens(text)) for text in TEXTS]
    assert said["model"] == "small"
    assert service.ask({"query": []}) == (
        200,
        {**said, "rewards": [], "scores": [], "extra_logs": {"tokens": []}},
    )


def test_a_conversation_scores_the_same_in_each_of_its_forms(service: Service, folder: str) -> None:
    talk = [{"role": "user", "content": "Rice?"}, {"role": "assistant", "content": "Ten minutes."}]
    written = load_reward_model(folder).tokenizer.apply_chat_template(talk, tokenize=False)
    forms = [talk, {"prompt": "Rice?", "response": "Ten minutes."}, written]
    forms.append({"prompt": talk[:1], "response": "Ten minutes."})
    _status, said = service.ask({"query": forms})
    assert said["rewards"] == pytest.approx([said["rewards"][0]] * 4, abs=1e-4)


def test_neither_order_nor_batch_nor_other_callers_change_a_score(service: Service) -> None:
    together = service.ask({"query": TEXTS})[1]["rewards"]
    assert service.ask({"query": TEXTS[::-1]})[1]["rewards"] == pytest.approx(together[::-1], abs=1e-4)
    parts = [TEXTS[start : start + 3] for start in range(0, len(TEXTS), 3)] * 6
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda part: service.ask({"query": part}), parts))
    apart = [reward for _status, said in answers for reward in said["rewards"]]
    assert apart == pytest.approx(together * 6, abs=1e-4)
    assert service.server.scorer.waiting == 0


def test_what_waits_is_scored_in_one_go(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    began, go_on = threading.Event(), threading.Event()
    read = scoring.read

    def slow(name: str, model: Any, texts: Any) -> scoring.Scored:
        sizes.append(len(texts))
        began.set()
        go_on.wait(10)
        return read(name, model, texts)

    monkeypatch.setattr(scoring, "read", slow)
    scorer = Scorer(lambda: Source("small", folder))
    with ThreadPoolExecutor(5) as callers:
        first = callers.submit(scorer.score, TEXTS[:1])
        assert began.wait(10)
        rest = [callers.submit(scorer.score, TEXTS[:2]) for _ in range(4)]
        while scorer.waiting < 9:
            time.sleep(0.01)
        go_on.set()
        assert len({round(job.result(10).rewards[0], 4) for job in [first, *rest]}) == 1
    scorer.close()
    assert sizes == [1, 8]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ([], "detail"),
        ({}, "query"),
        ({"query": "one text"}, "query"),
        ({"query": ["good", 5]}, "query[1]"),
        ({"query": ["  "]}, "query[0]"),
        ({"query": [[{"role": "user", "content": "Rice?"}]]}, "query[0]"),
        ({"query": [[{"role": "assistant"}]]}, "query[0]"),
        ({"query": [{"prompt": "Rice?"}]}, "query[0]"),
        ({"query": [{"prompt": "Rice?", "response": None}]}, "query[0].response"),
        ({"query": [{"prompt": 5, "response": "Ten."}]}, "query[0].prompt"),
        ({"query": ["good"], "prompts": []}, "prompts"),
        ({"query": ["good"], "labels": "x"}, "labels"),
        ({"query": ["good"] * (queries.MOST + 1)}, "query"),
        (b"{", "detail"),
        (b"[" * 100_000, "detail"),
    ],
)
def test_what_cannot_be_read_is_named(service: Service, sent: Any, field: str) -> None:
    status, said = service.ask(sent)
    assert (status, list(said)) == (400, [field])
    assert said[field][0].endswith(".")


def test_a_request_that_is_too_long_is_refused_however_much_is_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MAX_BYTES", 2 * 1024**2)
    status, said = service.ask({"query": ["x" * 5 * 1024**2]})
    assert status == 413
    assert said == {"query": ["A request may hold 2 MB; send fewer texts at once."]}
    assert service.send("POST", "/get_reward", headers={"Transfer-Encoding": "chunked"})[0] == 411


def test_one_text_that_fails_fails_no_other_caller(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = scoring.read

    def fragile(name: str, model: Any, texts: Any) -> scoring.Scored:
        if "poison" in texts:
            raise RuntimeError("it does not fit")
        return read(name, model, texts)

    monkeypatch.setattr(scoring, "read", fragile)
    service = Service(scorer := Scorer(lambda: Source("small", folder)))
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda t: service.ask({"query": [t]}), ["poison", *TEXTS[:6]] * 3))
    assert [status for status, _ in answers] == [500, *[200] * 6] * 3
    assert "it does not fit" in answers[0][1]["detail"][0]
    service.server.shutdown()
    service.server.server_close()
    scorer.close()


def test_nobody_gets_in_without_a_token(service: Service) -> None:
    for header in (
        "",
        "Bearer",
        "Bearer wrong",
        "Basic !!!",
        "Basic " + base64.b64encode(b"me:wrong").decode(),
    ):
        assert Doorkeeper("").admits("Bearer ") is False
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tokens, "find", lambda token: None)
            status, said = service.ask({"query": TEXTS}, Authorization=header)
        assert (status, list(said)) == (401, ["detail"])
    basic = "Basic " + base64.b64encode(f"trainer:{SECRET}".encode()).decode()
    assert service.ask({"query": TEXTS[:1]}, Authorization=basic)[0] == 200


def test_health_and_other_addresses(service: Service) -> None:
    said = {"status": "ok", "model": "small", "waiting": 0, "trouble": ""}
    assert service.send("GET", "/health") == (200, said)
    assert service.send("GET", "/get_reward")[0] == 405
    assert service.send("GET", "/")[0] == 404
    assert service.ask({"query": TEXTS[:1]}, path="/elsewhere")[0] == 404


@pytest.mark.django_db
def test_tokens_of_who_may_see_campaigns_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models_app.serving.connection.close", lambda: None)  # the test's own transaction
    door = Doorkeeper()
    issued = {role: tokens.issue(make_user(role), "trainer") for role in Role.values}
    admitted = {role: door.admits(f"Bearer {token}") for role, token in issued.items()}
    assert admitted == {Role.RATER: False, Role.MANAGER: True, Role.RESEARCHER: True}
    tokens.revoke(ApiToken.objects.get(user__role=Role.RESEARCHER))
    assert Doorkeeper().admits(f"Bearer {issued[Role.RESEARCHER]}") is False
    assert door.admits(f"Bearer {issued[Role.RESEARCHER]}")  # for half a minute


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.MANAGER, Role.RESEARCHER])
def test_whoever_runs_a_campaign_gets_in_where_its_model_is_served(
    monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    monkeypatch.setattr("models_app.serving.connection.close", lambda: None)  # the test's own transaction
    person = make_user()
    User.objects.filter(pk=person.pk).update(campaign_roles={"kitchen": role})
    header = f"Bearer {tokens.issue(person, 'trainer')}"
    let_in = {family: Doorkeeper(family=family).admits(header) for family in ("kitchen", "garden", "")}
    assert let_in == {"kitchen": True, "garden": False, "": False}


def test_it_follows_a_promotion_and_keeps_a_model_whose_successor_is_broken(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "LOOK_SECONDS", 0.05)
    champion = [Source("first", folder)]
    scorer = Scorer(lambda: champion[0])
    before = scorer.score(TEXTS)

    def wait_for(done: Any) -> None:
        until = time.monotonic() + 60
        while not done() and time.monotonic() < until:
            time.sleep(0.02)
        assert done()

    champion[0] = Source("broken", str(tmp_path / "nowhere"))
    wait_for(lambda: scorer.trouble)
    assert scorer.score(TEXTS) == before
    champion[0] = Source("second", save(tmp_path / "second", 1))
    wait_for(lambda: scorer.model == "second" and not scorer.trouble)
    after = scorer.score(TEXTS)
    assert after.model == "second"
    assert after.rewards != pytest.approx(before.rewards, abs=1e-3)
    scorer.close()


def test_queries_say_what_they_are() -> None:
    with pytest.raises(QueryError) as refused:
        queries.read({"query": ["a", "b"]}, most=1)
    assert refused.value.field == "query"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "9999"}, "There is no reward model 9999."),
        ({"model": "/nowhere/at/all"}, "There is no folder /nowhere/at/all."),
        ({"campaign": "none"}, "There is no campaign “none”."),
        ({"model": "9999", "token_env": "NOT_THERE"}, "The variable NOT_THERE is empty."),
    ],
)
def test_the_command_says_what_is_wrong(options: dict[str, str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("serve_rewards", **options)
