"""Models as judges: both orders, strict reading, agreement beside people's own, and nothing counted."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils import timezone

from labeling.models import Campaign, Judgment, Slot, Task
from labeling.rounds import StateError
from models_app import registry
from models_app.backends import openai_compatible
from models_app.models import ModelVersion
from tests import cast
from tests.training import cast as labels
from training import judges, judging, snapshots
from training.models import JudgeTemplate, JudgeVerdict, Judging

pytestmark = pytest.mark.django_db


class Endpoint(ThreadingHTTPServer):
    """A judge that takes the answer with "good"; A where both have it; and babbles about "odd" prompts."""

    asked = 0
    broken = False


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        if self.server.broken:
            self.send_response(400)
            self.end_headers()
            return
        text = body["messages"][0]["content"]
        found = re.search(r"Answer A:\n(.*)\n\nAnswer B:\n(.*)\n", text)
        a, b = found.groups() if found else ("", "")
        word = "A" if "good" in a else "B" if "good" in b else "tie"
        said = "I like both." if "odd" in text else f"Let me see.\n**Verdict: {word}**"
        answer = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output quiet."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    cache.clear()
    monkeypatch.setattr(openai_compatible, "FIRST_PAUSE", 0.01)
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: found.append((name, *args)))
    yield found
    cache.clear()


@pytest.fixture
def campaign(folders: Any) -> Campaign:
    return cast.make_campaign(by=cast.make_user("manager"))


@pytest.fixture
def judge(campaign: Campaign, endpoint: Endpoint) -> ModelVersion:
    url = f"http://127.0.0.1:{endpoint.server_address[1]}"
    return registry.register(
        campaign.model_family, "policy", "judge", "openai_compatible", url, options={"model": "m"}
    )


def compare(campaign: Campaign, texts: tuple[str, str], *verdicts: int, prompt: str = "") -> Task:
    """Make a comparison with people's verdicts in the task's order, shown the other way round at times."""
    round_ = campaign.rounds.first() or cast.make_round(campaign)
    task = labels.make_task(round_, texts)
    if prompt:
        task.prompt.messages = [{"role": "user", "content": prompt}]
        task.prompt.save()
    for number, verdict in enumerate(verdicts):
        shown = [1, 0] if number % 2 else [0, 1]
        labels.judge(task, cast.make_user(), -verdict if number % 2 else verdict, order_shown=shown)
    return task


def done(campaign: Campaign, judge: ModelVersion, tasks: int = 100, **how: Any) -> Judging:
    started = judges.start(campaign, judge, tasks, by=campaign.created_by, **how)
    judging.judge(started.pk)
    started.refresh_from_db()
    return started


def figures(found: Judging) -> dict[str, float | None]:
    return {key: figure.value for key, _what, figure in judges.read(found).figures}


def test_verdicts_are_read_strictly() -> None:
    read = {text: judges.read_answer(text) for text in ("A", " b.", "**Tie**", "so:\nVerdict: B", "[[A]]")}
    assert read == {"A": -1, " b.": 1, "**Tie**": 0, "so:\nVerdict: B": 1, "[[A]]": -1}
    assert {
        judges.read_answer(text) for text in ("", "A or B", "A\nbecause it is good", "AB", "neither")
    } == {None}


def test_a_template_is_filled_in_once_and_kept_by_its_hash(campaign: Campaign) -> None:
    messages = [{"role": "user", "content": "Say {a}."}]
    assert judges.question("{conversation}|{a}|{b}", messages, "{b}", "x") == "Say {a}.|{b}|x"
    first = judges.keep_template(campaign, "{conversation} {a} {b}", None)
    assert judges.keep_template(campaign, " {conversation} {a} {b}\r\n", None) == first
    with pytest.raises(ValidationError, match=r"lacks \{b\}"):
        judges.keep_template(campaign, "{conversation} {a}", None)
    assert JudgeTemplate.objects.count() == 1


def test_both_orders_are_asked_and_held_against_people(campaign: Campaign, judge: ModelVersion) -> None:
    for _ in range(6):
        compare(campaign, ("a good one", "it is the longer one"), -2, -1)  # all agree, and so does the judge
    for _ in range(2):
        compare(campaign, ("short", "good but longer"), -2, 2)  # people differ
    compare(campaign, ("good here", "good there"), -2, -2)  # the judge takes what is shown first
    compare(campaign, ("none", "neither"), 0, 0)
    compare(campaign, ("a good one", "another"), -1, prompt="odd?")  # can't be read
    found = done(campaign, judge)
    assert (found.status, found.error, found.votes) == ("done", "", 21)
    reading, value = judges.read(found), figures(found)
    assert (reading.tasks, reading.unread) == (11, 2)
    flipped = JudgeVerdict.objects.get(task__task_responses__response__text="good here")
    assert (flipped.first, flipped.second) == (-1, 1)
    assert value["consistency"] == pytest.approx(9 / 10)
    assert value["people"] == pytest.approx(8 / 10)
    # 6 tasks of 1, 2 of ½, the flipped one 0 (it says tie), the tie 1: by votes
    assert value["judge"] == pytest.approx((12 + 2 + 0 + 2) / 20)
    assert value["difference"] == pytest.approx((0 * 6 + 0.5 * 2 - 1 + 0) / 10)
    assert value["position"] == pytest.approx((8 + 2) / 18)
    assert value["longer"] == pytest.approx(2 / 8)
    assert value["clear"] == pytest.approx(14 / 16)
    assert any("2 of its 22 answers" in sentence for sentence in reading.says)


def test_a_judge_is_nobody(campaign: Campaign, judge: ModelVersion) -> None:
    compare(campaign, ("a good one", "another"), -2, 2)
    before = (Judgment.objects.count(), Slot.objects.count(), list(Task.objects.values_list("pk", "counted")))
    digest = snapshots.cut(campaign).digest
    done(campaign, judge)
    assert JudgeVerdict.objects.count() == 1
    after = (Judgment.objects.count(), Slot.objects.count(), list(Task.objects.values_list("pk", "counted")))
    assert (after, snapshots.cut(campaign).digest) == (before, digest)


def test_what_was_said_is_not_asked_again(
    campaign: Campaign, judge: ModelVersion, endpoint: Endpoint, sent: list[tuple[str, int]]
) -> None:
    tasks = [compare(campaign, ("a good one", "another"), -2, -2) for _ in range(3)]
    asked = endpoint.asked
    endpoint.broken = True
    failed = done(campaign, judge)
    assert failed.status == "failed"
    assert "refuses with 400" in failed.error
    endpoint.broken = False
    JudgeVerdict.objects.create(
        task=tasks[0], judge=judge, template=failed.template, answers=["A", "B"], first=-1, second=-1
    )
    asked = endpoint.asked
    again = done(campaign, judge)
    assert (again.status, endpoint.asked - asked) == ("done", 4)
    judging.judge(again.pk)
    assert (JudgeVerdict.objects.count(), endpoint.asked - asked) == (3, 4)
    # words changed: asked anew, and kept apart
    done(campaign, judge, template=judges.FIRST_TEMPLATE + " Be strict.")
    assert JudgeVerdict.objects.count() == 6
    # a worker that is gone is followed by another
    lost = judges.start(campaign, judge, 3)
    Judging.objects.filter(pk=lost.pk).update(
        status="running", heartbeat_at=timezone.now() - timedelta(minutes=9)
    )
    cache.clear()
    judges.tend()
    judging.judge(lost.pk)
    lost.refresh_from_db()
    assert lost.status == "done"


def test_new_votes_are_counted(campaign: Campaign, judge: ModelVersion) -> None:
    task = compare(campaign, ("a good one", "another"), -2)
    found = done(campaign, judge)
    assert (found.votes, figures(found)["people"]) == (1, None)
    assert "Too few comparisons" in judges.read(found).says[0]
    labels.judge(task, cast.make_user(), -1)
    judging.count(found.pk)
    found.refresh_from_db()
    assert (found.votes, figures(found)["people"]) == (2, 1.0)


def test_what_cannot_judge_is_said(campaign: Campaign, judge: ModelVersion) -> None:
    with pytest.raises(StateError, match="Nobody has judged"):
        judges.start(campaign, judge, 5)
    compare(campaign, ("a good one", "another"), -2)
    with pytest.raises(StateError, match="1 to 2000"):
        judges.start(campaign, judge, 0)
    with pytest.raises(StateError, match="can't judge"):
        judges.start(campaign, cast.make_policy(campaign.model_family), 5)
    judges.start(campaign, judge, 5)
    with pytest.raises(StateError, match="still at work"):
        judges.start(campaign, judge, 5)


def test_a_reward_model_judges_by_its_scores(campaign: Campaign, tiny_policy: Any, tmp_path: Any) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    AutoModelForSequenceClassification.from_pretrained(tiny_policy, num_labels=1).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_policy).save_pretrained(tmp_path)
    model = registry.register(campaign.model_family, "reward", "scorer", "transformers", str(tmp_path))
    compare(campaign, ("gladly", "ugh no"), -2, -2)
    found = done(campaign, model)
    verdict = JudgeVerdict.objects.get()
    assert (found.status, found.template, verdict.first) == ("done", None, verdict.second)
    a, b = map(float, verdict.answers)
    assert verdict.first == (b > a) - (b < a)


def test_a_checkpoint_is_asked_in_words(campaign: Campaign, champion: Any) -> None:
    compare(campaign, ("gladly", "ugh no"), -2, -2)
    found = done(campaign, champion(campaign.model_family, campaign.created_by))
    assert found.error == ""
    assert judges.read(found).unread == 2  # a random model says neither
