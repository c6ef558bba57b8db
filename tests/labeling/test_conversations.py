"""Whole conversations before a rater, and the pages of a live one."""

from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from labeling import assignment, chat_answers, chats, rounds
from labeling.models import Judgment, Response, Slot, Turn
from labeling.prompts import text_hash
from tests.cast import add_task, make_campaign, make_open_chats, make_round, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def unsent(monkeypatch):
    cache.clear()
    monkeypatch.setattr("labeling.chats.answer_turn.delay", lambda turn: None)


@pytest.fixture
def rafi():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rafi):
    return make_campaign(raters=(rafi,), chat_turns=2)


@pytest.fixture
def client(rafi):
    browser = Client()
    browser.force_login(rafi)
    return browser


def at(name, campaign):
    return reverse(name, kwargs={"slug": campaign.slug})


def test_each_side_shows_its_turns_and_its_transcript(client, campaign):
    round_ = make_round(campaign)
    task = add_task(round_, ("Ten.", "Ugh."))
    for response in Response.objects.filter(tasks=task):
        turns = [
            {"role": "assistant", "content": "*Five* minutes."},
            {"role": "user", "content": "Hard ones?"},
            {"role": "assistant", "content": response.text},
        ]
        Response.objects.filter(pk=response.pk).update(turns=turns, text_hash=text_hash("", turns))
    rounds.open_(round_)
    page = client.get(at("rate", campaign)).content.decode()
    assert page.count("<em>Five</em> minutes.") == 2
    assert page.count("Hard ones?") == 4  # rendered, and in the transcripts
    assert "Assistant: *Five* minutes.\n\nUser: Hard ones?\n\nAssistant: Ten." in page
    assert "writer" not in page


def test_a_conversation_page_by_page(client, campaign, rafi):
    make_open_chats(campaign)
    page = client.get(at("rate", campaign)).content.decode()
    slot = Slot.objects.get(task__kind="chat", status="claimed")
    assert f"lease={slot.lease}" in page
    query = {"lease": str(slot.lease)}
    turn = Turn.objects.get()
    cache.set(f"chat-answer:{turn.pk}:0", "<script>Rice")
    poll = client.get(at("rate-chat-turn", campaign), query)
    assert (poll.status_code, b"&lt;script&gt;Rice" in poll.content) == (200, True)
    chat_answers.answer(turn.pk)
    assert client.get(at("rate-chat-turn", campaign), query).status_code == 286
    page = client.get(at("rate-chat", campaign), query).content.decode()
    pick = chats.read(slot).pick
    assert str(pick.lease) in page
    assert "demo-" not in page  # nothing names the policy

    wrong = client.post(at("rate-chat-pick", campaign), {"lease": pick.lease, "idempotency_key": uuid4()})
    assert (wrong.status_code, b"Choose which answer" in wrong.content) == (400, True)
    said = {"lease": pick.lease, "idempotency_key": uuid4(), "verdict": "both_bad", "comment": "Hm."}
    refused = client.post(at("rate-chat-pick", campaign), said)
    assert refused.status_code == 400
    assert b"Hm." in refused.content  # as it was filled in
    done = client.post(at("rate-chat-pick", campaign), said | {"goes_on": 1, "attention-prompt": 5})
    assert (done.status_code, done["Location"]) == (302, at("rate", campaign))
    assert Judgment.objects.get().comment == "Hm."

    said = {"lease": slot.lease, "number": 2, "message": " "}
    empty = client.post(at("rate-chat-say", campaign), said, headers={"X-Fragment": "1"})
    assert (empty.status_code, b"Write a message first" in empty.content) == (400, True)
    fragment = client.post(
        at("rate-chat-say", campaign), said | {"message": "And <b>pasta?"}, headers={"X-Fragment": "1"}
    )
    assert b"And &lt;b&gt;pasta?" in fragment.content
    assert b"<html" not in fragment.content
    ended = client.post(at("rate-chat-end", campaign), {"lease": slot.lease}, headers={"X-Fragment": "1"})
    assert b"The conversation is over" in ended.content
    assert client.get(at("rate-chat", campaign), query).status_code == 404


def test_undo_on_the_page_shows_the_conversation_again(client, campaign, rafi):
    make_open_chats(campaign)
    slot = assignment.claim(rafi, campaign)
    chat_answers.answer(chats.read(slot).turn.pk)
    chats.pick(
        rafi, chats.read(slot).pick.lease, idempotency_key=uuid4(), verdict=0, goes_on=1, comment="Hm."
    )
    back = client.post(at("rate-undo", campaign), headers={"X-Fragment": "1"}).content.decode()
    assert 'data-kind="chat"' in back
    assert "Hm." in back
    assert 'name="goes_on" value="1" checked' in back
    assert f'data-lease="{slot.lease}"' in back


def test_looking_at_a_conversation_asks_the_database_a_few_times(
    client, campaign, rafi, django_assert_max_num_queries
):
    make_open_chats(campaign)
    slot = assignment.claim(rafi, campaign)
    query = {"lease": str(slot.lease)}
    client.get(at("rate-chat", campaign), query)
    with django_assert_max_num_queries(10):
        client.get(at("rate-chat-turn", campaign), query)
    chat_answers.answer(Turn.objects.get().pk)
    with django_assert_max_num_queries(20):
        client.get(at("rate-chat", campaign), query)


def test_a_conversation_by_program(client, campaign, rafi):
    make_open_chats(campaign)
    base = f"/api/v1/rate/{campaign.slug}/"
    post = lambda path, **body: client.post(base + path, body, content_type="application/json")  # noqa: E731
    work = post("next/").json()
    assert (work["kind"], work["answers"], work["verdicts"]) == ("chat", [], [])
    lease = work["lease"]
    look = lambda: client.get(base + "chat/", {"lease": lease}).json()  # noqa: E731
    assert (look()["status"], look()["pick"]) == ("sampling", None)
    chat_answers.answer(Turn.objects.get().pk)
    talk = look()
    assert (talk["status"], len(talk["answers"]), talk["number"]) == ("ready", 2, 1)
    said = {"lease": talk["pick"], "idempotency_key": str(uuid4()), "verdict": 0}
    assert "goes_on" in post("chat/picks/", **said).json()
    kept = post("chat/picks/", **said, goes_on=1)
    assert kept.status_code == 201
    assert post("chat/picks/", **said, goes_on=1).json() == kept.json()
    talk = look()
    assert (talk["status"], talk["number"]) == ("writing", 2)
    assert "message" in post("chat/messages/", lease=lease, number=2, message=" ").json()
    assert post("chat/messages/", lease=lease, number=2, message="And pasta?").json()["status"] == "sampling"
    Turn.objects.filter(number=2).update(status=Turn.Status.FAILED)
    assert post("chat/retry/", lease=lease, number=2).json()["status"] == "sampling"
    assert post("chat/end/", lease=lease).json() == {"counts": True}
    assert client.get(base + "chat/", {"lease": lease}).status_code == 404
