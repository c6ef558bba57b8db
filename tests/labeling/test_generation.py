"""Rounds are filled by a real checkpoint and by a real chat-completions server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.utils import timezone

from labeling import batches, generation, rounds
from labeling.models import Response, Round, Slot
from labeling.tasks import generate_round
from models_app import demo, registry, sampling
from models_app.backends import openai_compatible
from tests.cast import make_campaign, make_prompt, make_user

pytestmark = pytest.mark.django_db

POLICY = str(Path(demo.__path__[0]) / "policy")


class Server(ThreadingHTTPServer):
    """Answers "answer 0", "answer 1", …; or only so many different ones; or breaks after some answers."""

    asked = 0
    different: int | None = None
    breaks_after: int | None = None


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        number, self.server.asked = self.server.asked, self.server.asked + 1
        broken = self.server.breaks_after is not None and number >= self.server.breaks_after
        text = f"answer {number % self.server.different if self.server.different else number}"
        body = b"garbage" if broken else json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test output quiet."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(openai_compatible, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(openai_compatible, "CONCURRENCY", 1)
    running = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def round_of(base_policy, prompts=6, **settings):
    settings = {"tasks_per_round": prompts, "overlap": 2, **settings}
    campaign = make_campaign(by=make_user("manager"), base_policy=base_policy, **settings)
    for number in range(prompts):
        make_prompt(campaign, f"How long do I boil {number} eggs?")
    round_ = rounds.create_next(campaign)
    rounds.start_generating(round_)
    return round_


def remote(server):
    location = f"http://127.0.0.1:{server.server_port}/v1"
    return {"name": "base", "backend": "openai_compatible", "location": location, "options": {"model": "m"}}


def test_a_round_is_filled_and_opened_by_the_demo_policy():
    base = {"name": "base", "backend": "transformers", "location": POLICY}
    config = sampling.get_config(max_new_tokens=24)
    round_ = round_of(base, prompts=8, edit_share=0.25, sampling=config)
    seen = []
    assert generation.generate(round_.pk, progress=lambda done, total: seen.append((done, total)))
    round_.refresh_from_db()
    assert round_.status == "open"
    assert seen[-1] == (14, 14)
    for task in round_.tasks.all():
        answers = list(task.responses.all())
        assert len(answers) == (2 if task.kind == "compare" else 1)
        assert len({a.text for a in answers}) == len(answers)
        assert all(a.prompt_id == task.prompt_id and a.policy and a.sampling == config for a in answers)
        assert task.slots.count() == 2
    assert not generation.generate(round_.pk)


def test_answers_that_are_there_are_not_drawn_again(server):
    round_ = round_of(remote(server))
    server.breaks_after = server.asked + 5
    generation.BATCH, batch = 1, generation.BATCH
    try:
        assert not generation.generate(round_.pk)
    finally:
        generation.BATCH = batch
    round_.refresh_from_db()
    assert round_.status == "generating"
    assert round_.error
    kept = set(Response.objects.values_list("pk", flat=True))
    assert 4 <= len(kept) <= 5
    assert not generation.generate(round_.pk), "the failed worker's pause holds"
    Round.objects.filter(pk=round_.pk).update(generation_lease_until=timezone.now())
    server.breaks_after = None
    generate_round(round_.pk)
    round_.refresh_from_db()
    assert (round_.status, round_.error) == ("open", "")
    assert kept <= set(Response.objects.values_list("pk", flat=True))
    assert Response.objects.count() == 12


def test_two_equal_answers_are_drawn_again_and_at_last_left_out(server):
    round_ = round_of(remote(server), prompts=2)
    server.different = 1
    generation.generate(round_.pk)
    assert set(round_.tasks.values_list("status", flat=True)) == {"cancelled"}
    assert Response.objects.count() == 2 * (2 + generation.REDRAWS)
    round_.refresh_from_db()
    assert round_.status == "open"


def test_a_ranking_gets_as_many_answers_as_the_campaign_ranks_and_a_talk_gets_none(server):
    round_ = round_of(remote(server), prompts=4, rank_share=0.5, rank_size=5, chat_share=0.25)
    generation.generate(round_.pk)
    got = sorted((task.kind, task.responses.count()) for task in round_.tasks.all())
    assert got == [("chat", 0), ("compare", 2), ("rank", 5), ("rank", 5)]
    assert {task.status for task in round_.tasks.all()} == {"open"}
    assert all(task.slots.count() == 2 for task in round_.tasks.all())


@pytest.mark.parametrize(
    ("different", "kind", "answers", "status"),
    [(3, "rank", 3, "open"), (2, "compare", 2, "open"), (1, "rank", 0, "cancelled")],
)
def test_a_ranking_keeps_the_answers_that_differ(server, different, kind, answers, status):
    round_ = round_of(remote(server), prompts=1, rank_share=1.0, rank_size=5)
    server.different = different
    generation.generate(round_.pk)
    task = round_.tasks.get()
    assert (task.kind, task.responses.count(), task.status) == (kind, answers, status)
    assert len(set(task.responses.values_list("text", flat=True))) == answers
    assert list(task.task_responses.values_list("position", flat=True)) == list(range(answers))


def test_a_repeated_answer_of_a_ranking_is_drawn_again(server):
    round_ = round_of(remote(server), prompts=1, rank_share=1.0, rank_size=4)
    server.different = 3
    generation.generate(round_.pk)
    # whatever is drawn, three answers are all that this model has
    assert 4 < Response.objects.count() <= 4 + generation.REDRAWS
    assert round_.tasks.get().responses.count() == 3


def test_a_worker_killed_after_the_answers_were_placed_leaves_nothing_to_draw(server):
    round_ = round_of(remote(server), prompts=2, rank_share=1.0, rank_size=3)
    server.different = 2
    generation.fill(Round.objects.get(pk=round_.pk), lambda done, total: None)
    drawn = Response.objects.count()
    Round.objects.filter(pk=round_.pk).update(generation_lease_until=timezone.now())
    assert generation.generate(round_.pk)
    assert Response.objects.count() == drawn
    assert set(round_.tasks.values_list("kind", flat=True)) == {"compare"}
    assert all(task.responses.count() == 2 for task in round_.tasks.all())


def test_prompts_asked_twice_get_answers_of_their_own(server):
    round_ = round_of(remote(server), prompts=3, tasks_per_round=6)
    generation.generate(round_.pk)
    assert Response.objects.count() == 12
    assert sorted(Response.objects.values_list("task_responses__task", flat=True).distinct()) == sorted(
        round_.tasks.values_list("pk", flat=True)
    )


def test_a_round_that_chooses_draws_several_answers_and_asks_a_first_batch(server):
    round_ = round_of(remote(server), prompts=30, choose_pairs=True, answers_per_prompt=5)
    assert round_.selection == {"answers": 5}
    generation.generate(round_.pk)
    round_.refresh_from_db()
    assert (round_.status, round_.responses_done, round_.responses_total) == ("open", 150, 150)
    asked = round_.tasks.exclude(task_responses=None)
    assert asked.count() == 20
    assert all(task.responses.count() == 2 and task.slots.count() == 2 for task in asked)
    assert Slot.objects.count() == 40, "what is still to be chosen has no slots"
    assert not generation.generate(round_.pk)


def test_comparisons_of_a_prompt_share_enough_answers_for_a_pair_each(server):
    round_ = round_of(remote(server), prompts=3, tasks_per_round=21, choose_pairs=True, answers_per_prompt=3)
    generation.generate(round_.pk)
    assert Response.objects.count() == 3 * 5, "seven pairs need five answers"
    round_.refresh_from_db()
    assert batches.ask_at_random(round_, 30) == 1
    assert not batches.waiting(round_).exists()


def test_a_first_batch_that_was_asked_before_the_worker_died_is_not_asked_twice(server):
    round_ = round_of(remote(server), prompts=30, choose_pairs=True, answers_per_prompt=3)
    generation.fill(Round.objects.get(pk=round_.pk), lambda done, total: None)
    drawn = Response.objects.count()
    Round.objects.filter(pk=round_.pk).update(generation_lease_until=timezone.now())
    assert generation.generate(round_.pk)
    assert round_.tasks.exclude(task_responses=None).count() == 20
    assert Response.objects.count() == drawn == 90


def test_two_policies_share_the_answers(server):
    round_ = round_of(remote(server))
    second = registry.register(round_.campaign.model_family, "policy", "second", **remote_again(server))
    round_.policies.add(second)
    generation.generate(round_.pk)
    assert Response.objects.filter(policy=second).count() == 6
    assert all(
        {r.policy.name for r in task.responses.all()} == {"base", "second"} for task in round_.tasks.all()
    )


def remote_again(server):
    return {k: v for k, v in remote(server).items() if k != "name"}


def test_a_cancelled_round_is_left_alone(server):
    round_ = round_of(remote(server))
    rounds.cancel(round_)
    assert not generation.generate(round_.pk)


def test_an_endpoint_that_goes_away_leaves_its_sentence(server):
    round_ = round_of(remote(server), prompts=2)
    server.shutdown()
    server.server_close()
    assert not generation.generate(round_.pk)
    round_.refresh_from_db()
    assert "127.0.0.1" in round_.error
    assert not Response.objects.exists()
