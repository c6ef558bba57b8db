"""Sampling and scoring with the real demo checkpoint, and a real chat-completions server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BloomConfig,
    GPT2Config,
    MistralConfig,
)

from models_app.backends import BackendError, Conversation, SamplingParams, openai_compatible
from models_app.backends.openai_compatible import OpenAICompatiblePolicy
from models_app.backends.transformers import (
    TransformersPolicy,
    TransformersRewardModel,
    load_policy,
    load_reward_model,
)
from models_app.demo import corpus

POLICY = str(Path(corpus.__file__).parent / "policy")
TALKS: list[Conversation] = [prompt["messages"] for prompt in corpus.prompts(24, seed=5)]


@pytest.fixture(scope="module")
def policy() -> TransformersPolicy:
    return load_policy(POLICY)


@pytest.fixture(scope="module")
def reward_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reward")
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(
        POLICY, num_labels=1, dtype=torch.float32
    ).save_pretrained(folder)
    AutoTokenizer.from_pretrained(POLICY).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def reward_model(reward_folder: str) -> TransformersRewardModel:
    return load_reward_model(reward_folder)


def test_sampling_is_the_same_for_a_seed_and_differs_between_seeds(policy: TransformersPolicy) -> None:
    first = dict(policy.generate(TALKS, SamplingParams(seed=1)))
    assert first == dict(policy.generate(TALKS, SamplingParams(seed=1)))
    assert sorted(first) == list(range(len(TALKS)))
    other = dict(policy.generate(TALKS, SamplingParams(seed=2)))
    assert sum(first[i] != other[i] for i in first) > 20


def test_an_answer_does_not_depend_on_its_batch(policy: TransformersPolicy) -> None:
    together = dict(policy.generate(TALKS, SamplingParams(seed=3)))
    small = TransformersPolicy(policy.model, policy.tokenizer, batch_size=5)
    apart = dict(small.generate(TALKS, SamplingParams(seed=3)))
    assert sum(together[i] == apart[i] for i in together) >= len(TALKS) - 1


def test_greedy_cached_decoding_agrees_with_the_library(policy: TransformersPolicy) -> None:
    answers = dict(policy.generate(TALKS[:6], SamplingParams(temperature=0, max_new_tokens=30)))
    for index, talk in enumerate(TALKS[:6]):
        ids = policy.tokenizer.apply_chat_template(
            talk, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = policy.model.generate(**ids, do_sample=False, max_new_tokens=30)[0, ids["input_ids"].shape[1] :]
        assert policy.tokenizer.decode(out, skip_special_tokens=True).strip() == answers[index]


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(vocab_size=2048, n_embd=32, n_layer=2, n_head=2, eos_token_id=1, bos_token_id=1),
        BloomConfig(vocab_size=2048, hidden_size=32, n_layer=2, n_head=2, eos_token_id=1, pad_token_id=0),
        MistralConfig(
            vocab_size=2048, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, sliding_window=16, eos_token_id=1, pad_token_id=0, bos_token_id=None,
        ),
    ],
    ids=["learned positions", "no positions", "sliding window"],
)  # fmt: skip
def test_other_architectures_pad_and_cache_rightly(policy: TransformersPolicy, config: Any) -> None:
    torch.manual_seed(0)
    other = TransformersPolicy(AutoModelForCausalLM.from_config(config), policy.tokenizer)
    talks = [[{"role": "user", "content": "rice " * n}] for n in (1, 30, 7, 50)]
    answers = dict(other.generate(talks, SamplingParams(temperature=0, max_new_tokens=24)))
    for index, talk in enumerate(talks):
        alone = dict(other.generate([talk], SamplingParams(temperature=0, max_new_tokens=24)))
        assert alone[0] == answers[index]
    sampled = dict(other.generate(talks * 8, SamplingParams(max_new_tokens=60)))
    assert len(sampled) == 32


def test_sampling_follows_the_model_distribution_and_top_p() -> None:
    from models_app.backends.transformers import _pick

    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).repeat(20_000, 1)
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    shares = torch.bincount(_pick(logits, uniform, SamplingParams()), minlength=4) / 20_000
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.015)
    nucleus = torch.bincount(_pick(logits, uniform, SamplingParams(top_p=0.7)), minlength=4) / 20_000
    assert torch.allclose(nucleus, torch.tensor([0.625, 0.375, 0.0, 0.0]), atol=0.015)
    sharp = torch.bincount(_pick(logits, uniform, SamplingParams(temperature=0.5)), minlength=4) / 20_000
    assert sharp[0] > 0.65


def test_answers_keep_to_the_token_limit_and_hold_no_special_tokens(policy: TransformersPolicy) -> None:
    answers = dict(policy.generate(TALKS, SamplingParams(max_new_tokens=4)))
    assert all(len(policy.tokenizer(answer)["input_ids"]) <= 5 for answer in answers.values())
    assert not any("<|" in answer for answer in answers.values())
    assert list(policy.generate([], SamplingParams())) == []


def test_a_streamed_answer_comes_in_pieces_and_is_the_one_that_is_generated(
    policy: TransformersPolicy,
) -> None:
    for seed, talk in enumerate(TALKS[:6]):
        params = SamplingParams(max_new_tokens=40, seed=seed)
        pieces = list(policy.stream(talk, params))
        assert "".join(pieces) == dict(policy.generate([talk], params))[0]
        assert len(pieces) > 3


def test_a_prompt_that_is_too_long_loses_its_beginning(policy: TransformersPolicy) -> None:
    long = [{"role": "user", "content": "rice " * 2000 + "How long should I boil rice?"}]
    assert len(list(policy.generate([long], SamplingParams(max_new_tokens=8)))) == 1
    with pytest.raises(BackendError, match="max_new_tokens"):
        list(policy.generate([long], SamplingParams(max_new_tokens=100_000)))


def test_scores_do_not_depend_on_order_or_neighbours(reward_model: TransformersRewardModel) -> None:
    answers = ("Yes.", "Of course, happy to help with that long and winding question of yours. " * 4, "")
    talks = [[*talk, {"role": "assistant", "content": answers[i % 3]}] for i, talk in enumerate(TALKS)]
    together = reward_model.score(talks)
    assert together[::-1] == pytest.approx(reward_model.score(talks[::-1]), abs=1e-4)
    assert together == pytest.approx([reward_model.score([talk])[0] for talk in talks], abs=1e-4)
    assert len(set(together)) > 20
    assert reward_model.score([]) == []


def test_wrong_heads_and_missing_folders_are_named(reward_folder: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="not a language model"):
        load_policy(reward_folder)
    with pytest.raises(BackendError, match="not a reward model"):
        load_reward_model(POLICY)
    with pytest.raises(BackendError, match=r"There is no folder /nowhere/at/all\."):
        load_policy("/nowhere/at/all")
    with pytest.raises(BackendError, match="cannot be read as a model"):
        load_policy(str(tmp_path))


def test_a_classifier_with_two_labels_is_no_reward_model(tmp_path: Path) -> None:
    AutoModelForSequenceClassification.from_pretrained(POLICY, num_labels=2).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(POLICY).save_pretrained(tmp_path)
    with pytest.raises(BackendError, match="has 2 labels"):
        load_reward_model(str(tmp_path))


def test_a_headless_reward_model_and_a_missing_template_are_refused(
    reward_folder: str, tmp_path: Path
) -> None:
    AutoModelForCausalLM.from_pretrained(POLICY).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BackendError, match="no chat template"):
        load_policy(str(tmp_path))
    AutoTokenizer.from_pretrained(POLICY).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match=r"lacks the weights score\.weight"):
        load_reward_model(str(tmp_path))


class ChatServer(ThreadingHTTPServer):
    """A small server that answers, fails a few times first, or talks nonsense."""

    failures = 0
    whole = True  # whether a streamed answer is sent to its end
    reply: bytes | None = None
    requests: list[dict[str, object]]


class Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(
            body | {"path": self.path, "authorization": self.headers.get("Authorization")}
        )
        if self.server.failures > 0:
            self.server.failures -= 1
            self.send_response(429)
            self.end_headers()
            return
        said = f" You said: {body['messages'][-1]['content']} "
        reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": said}}]}).encode()
        if body.get("stream") and self.server.reply is None:
            pieces = [" ", " You said: ", body["messages"][-1]["content"], "\n"]
            events = [json.dumps({"choices": [{"delta": {"content": piece}}]}) for piece in pieces]
            kept = [json.dumps({"choices": []}), *events, *(["[DONE]"] if self.server.whole else [])]
            reply = b": hello\n\n" + b"".join(f"data: {event}\n\n".encode() for event in kept)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.reply if self.server.reply is not None else reply)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(openai_compatible, "FIRST_PAUSE", 0.01)
    running = ChatServer(("127.0.0.1", 0), Handler)
    running.requests = []
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def _remote(server: ChatServer) -> OpenAICompatiblePolicy:
    return OpenAICompatiblePolicy(f"http://127.0.0.1:{server.server_port}/v1/", "tiny", api_key="k")


def test_a_chat_server_is_asked_and_read(server: ChatServer) -> None:
    server.failures = 2
    params = SamplingParams(temperature=0.5, top_p=0.9, max_new_tokens=7, seed=3)
    answers = dict(_remote(server).generate(TALKS, params))
    assert answers == {i: f"You said: {talk[0]['content']}" for i, talk in enumerate(TALKS)}
    asked = server.requests[-1]
    assert (asked["path"], asked["authorization"]) == ("/v1/chat/completions", "Bearer k")
    assert (asked["model"], asked["temperature"], asked["top_p"], asked["max_tokens"]) == (
        "tiny",
        0.5,
        0.9,
        7,
    )
    assert len({request["seed"] for request in server.requests}) == len(TALKS)


@pytest.mark.parametrize(
    "reply", [b"<html>hello</html>", b'{"choices": []}', b'{"choices": [{"message": {"content": 5}}]}', b"[]"]
)
def test_garbage_from_a_server_is_refused(server: ChatServer, reply: bytes) -> None:
    server.reply = reply
    with pytest.raises(BackendError, match=r"chat completions|not text"):
        list(_remote(server).generate(TALKS[:2], SamplingParams()))


def test_an_answer_without_an_end_is_not_kept(server: ChatServer) -> None:
    server.reply = b" " * (openai_compatible.MOST_BYTES + 1)
    with pytest.raises(BackendError, match="doesn't end"):
        _remote(server).answer_once(TALKS[0], SamplingParams(), 20.0)


def test_a_server_that_is_down_or_busy_for_long_is_named(server: ChatServer) -> None:
    server.failures = 1000
    with pytest.raises(BackendError, match="status 429"):
        list(_remote(server).generate(TALKS[:2], SamplingParams()))
    for url in ("http://127.0.0.1:1", "not a url", "ftp://x"):
        with pytest.raises(BackendError, match=r"cannot be reached|not a web address"):
            list(OpenAICompatiblePolicy(url, "tiny").generate(TALKS[:2], SamplingParams()))


def test_a_chat_server_streams_its_answer(server: ChatServer) -> None:
    talk: Conversation = [{"role": "user", "content": "How long\nfor rice?"}]
    pieces = list(_remote(server).stream(talk, SamplingParams(max_new_tokens=7, seed=3)))
    assert pieces == ["You said:", " How long\nfor rice?"]
    assert (server.requests[-1]["stream"], server.requests[-1]["max_tokens"]) == (True, 7)


def test_a_stream_that_breaks_off_or_is_none_is_refused(server: ChatServer) -> None:
    server.whole = False
    with pytest.raises(BackendError, match="breaks off"):
        list(_remote(server).stream(TALKS[0], SamplingParams()))
    server.reply = b'data: {"choices": [{"delta": 5}]}\n\n'
    with pytest.raises(BackendError, match="does not stream"):
        list(_remote(server).stream(TALKS[0], SamplingParams()))
    server.failures = 1
    with pytest.raises(BackendError, match="status 429"):
        list(_remote(server).stream(TALKS[0], SamplingParams()))
    for url in ("http://127.0.0.1:1", "not a url", "ftp://x"):
        with pytest.raises(BackendError, match=r"cannot be (reached|asked)"):
            list(OpenAICompatiblePolicy(url, "tiny").stream(TALKS[0], SamplingParams()))


def test_features_are_what_the_head_makes_the_reward_of(reward_model: TransformersRewardModel) -> None:
    talks = [
        [*talk, {"role": "assistant", "content": "Of course. " * (n % 5 + 1)}] for n, talk in enumerate(TALKS)
    ]
    scores, features = reward_model.read(talks)
    weight = reward_model.model.score.weight.detach().numpy()[0]
    assert features.shape == (len(talks), len(weight))
    assert features @ weight == pytest.approx(scores, abs=1e-4)
    assert scores == pytest.approx(reward_model.score(talks[::-1])[::-1], abs=1e-5)
