"""Live conversations: the rater writes, two policies answer through the real backend, the rater picks."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.utils import timezone

from labeling import assignment, chat_answers, chats, judgments, rounds, turns
from labeling.assignment import LeaseError
from labeling.chats import WRITING
from labeling.models import Campaign, Draft, Judgment, Response, Round, Slot, Task, Turn
from labeling.submissions import SubmissionError
from models_app import registry, sampling
from tests.cast import POLICY, add_task, make_campaign, make_open_chats, make_round, make_user
from training import loop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def unsent(monkeypatch):
    """Keep turns from a worker's queue; the tests answer them themselves, in this process."""
    cache.clear()
    sent: list[int] = []
    monkeypatch.setattr("labeling.chats.answer_turn.delay", sent.append)
    return sent


@pytest.fixture
def rafi():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rafi):
    return make_campaign(raters=(rafi,), chat_turns=3)


def claim(rater, campaign) -> Slot:
    slot: Slot | None = assignment.claim(rater, campaign)
    assert slot is not None
    return slot


def answered(slot: Slot) -> chats.Talk:
    """Let the worker's function answer the turn under way."""
    talk = chats.read(slot)
    if talk.turn is not None:
        chat_answers.answer(talk.turn.pk)
    return chats.read(slot)


def pick(rater, talk: chats.Talk, verdict: int = -2, **more) -> Judgment:
    assert talk.pick is not None
    assert talk.pick.lease is not None
    return chats.pick(rater, talk.pick.lease, idempotency_key=uuid4(), verdict=verdict, **more)


def shown_texts(talk: chats.Talk) -> list[str]:
    assert talk.turn is not None
    assert talk.turn.task is not None
    assert talk.pick is not None
    places = {p.position: p.response.text for p in talk.turn.task.task_responses.select_related("response")}
    return [places[position] for position in talk.pick.order_shown]


def test_a_whole_conversation(campaign, rafi, unsent):
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    talk = chats.read(slot)
    assert (talk.status, talk.number, unsent) == (Turn.Status.SAMPLING, 1, [talk.turn.pk])
    assert chats.read(slot).turn == talk.turn  # looking twice asks once
    assert len(unsent) == 1

    talk = answered(slot)
    assert talk.status == Turn.Status.READY
    left, right = shown_texts(talk)
    assert left != right
    first = pick(rafi, talk, 3, reasons=[[], ["Right"]], comment="B knows", criteria={})
    assert first.task.chat_id == slot.task_id
    assert (first.task.kind, first.task.overlap, first.task.counted) == ("compare", 1, 1)
    assert (first.task.probability, first.task.selection) == (0.5, "random")

    talk = chats.read(slot)
    assert (talk.status, talk.number, talk.picks) == (WRITING, 2, 1)
    assert talk.messages == [
        {"role": "user", "content": "How long does rice take?"},
        {"role": "assistant", "content": right},
    ]
    chats.say(rafi, slot.lease, number=2, message=" And pasta? ")
    talk = answered(slot)
    assert talk.messages[-1] == {"role": "user", "content": "And pasta?"}
    root = slot.task.prompt
    prompt = talk.turn.prompt
    assert (prompt.opening, prompt.split, prompt.tags) == (root, root.split, root.tags)
    left, right = shown_texts(talk)
    pick(rafi, talk, 0, both_bad=True, goes_on=0)
    assert chats.read(slot).messages[-1]["content"] == left

    chats.say(rafi, slot.lease, number=3, message="Thanks.")
    last = pick(rafi, answered(slot), 0)  # nothing goes on after the last turn, or so the page thinks
    assert chats.chat_of(last) is None


def test_the_last_pick_ends_it_and_both_count(campaign, rafi):
    Campaign.objects.filter(pk=campaign.pk).update(chat_turns=1)
    round_ = make_open_chats(campaign)
    slot = claim(rafi, campaign)
    assert not assignment.claim(rafi, campaign, [slot.lease])
    judgment = pick(rafi, answered(slot), 0)
    assert chats.chat_of(judgment) is None
    slot.refresh_from_db()
    chat = slot.task
    chat.refresh_from_db()
    assert (slot.status, chat.counted, chat.status) == ("done", 1, "done")
    # the round's labels are its picks
    Round.objects.filter(pk=round_.pk).update(origin=Round.Origin.LOOP)
    facts = loop.read_facts(campaign)
    assert (facts.labels, facts.asked) == (1, False)


def test_who_writes_first_and_what_is_refused(campaign, rafi):
    make_open_chats(campaign, [{"role": "system", "content": "You sell trains."}])
    slot = claim(rafi, campaign)
    assert chats.read(slot).status == WRITING
    for message, field in (("  ", "message"), ("x" * 20_000, "message"), ("a\x00b", "message")):
        with pytest.raises(SubmissionError) as refusal:
            chats.say(rafi, slot.lease, number=1, message=message)
        assert refusal.value.field == field
    with pytest.raises(SubmissionError, match="Pick an answer first"):
        chats.end(rafi, slot.lease)
    with pytest.raises(SubmissionError, match="your turn"):
        chats.say(rafi, slot.lease, number=2, message="Hello")
    with pytest.raises(LeaseError):
        chats.say(make_user(), slot.lease, number=1, message="Hello")
    turn = chats.say(rafi, slot.lease, number=1, message="Hello")
    assert chats.say(rafi, slot.lease, number=1, message="Hello") == turn  # sent twice
    with pytest.raises(SubmissionError, match="your turn"):
        chats.say(rafi, slot.lease, number=1, message="Hello?")
    assert Turn.objects.count() == 1

    talk = answered(slot)
    for given, field in (
        ({"verdict": 0}, "goes_on"),
        ({"verdict": 0, "goes_on": 2}, "goes_on"),
        ({"verdict": 5}, "verdict"),
    ):
        with pytest.raises(SubmissionError) as refusal:
            chats.pick(rafi, talk.pick.lease, idempotency_key=uuid4(), **given)
        assert refusal.value.field == field
    with pytest.raises(SubmissionError, match="live conversation"):
        judgments.submit(rafi, talk.pick.lease, idempotency_key=uuid4(), verdict=1)
    assert not Judgment.objects.exists()


def test_a_pick_sent_twice_is_one(campaign, rafi):
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    talk, key = answered(slot), uuid4()
    first, again = (chats.pick(rafi, talk.pick.lease, idempotency_key=key, verdict=1) for _ in "ab")
    assert first == again
    assert chats.end(rafi, slot.lease)
    assert chats.end(rafi, slot.lease)
    slot.task.refresh_from_db()
    assert slot.task.counted == 1


def test_a_worker_that_answers_twice_stores_once(campaign, rafi):
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    turn = chats.read(slot).turn
    pair = chat_answers.policies(turn.chat.round)
    chat_answers.answer(turn.pk)
    chat_answers.answer(turn.pk)
    chat_answers.store(turn, pair, ["late", "later"])  # a second worker that had begun before
    assert Response.objects.filter(prompt=turn.prompt).count() == 2
    assert Task.objects.filter(chat=slot.task).count() == 1
    cache.set(f"chat-answer:{turn.pk}:worker", 1, 10)
    Turn.objects.filter(pk=turn.pk).update(status=Turn.Status.SAMPLING)
    chat_answers.answer(turn.pk)  # somebody is at it
    assert Turn.objects.get(pk=turn.pk).status == Turn.Status.SAMPLING


def test_equal_answers_are_refused_and_tried_again(campaign, rafi, unsent):
    make_open_chats(campaign, temperature=0.0001)
    slot = claim(rafi, campaign)
    talk = answered(slot)
    assert talk.status == Turn.Status.FAILED
    assert "the same" in talk.turn.error
    Round.objects.update(sampling=sampling.get_config(max_new_tokens=12))
    chats.retry(rafi, slot.lease, 1)
    assert len(unsent) == 2
    assert answered(slot).status == Turn.Status.READY


def test_a_lost_worker_is_noticed(campaign, rafi, unsent):
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    turn = chats.read(slot).turn
    chats.retry(rafi, slot.lease, 1)
    assert len(unsent) == 1  # it has hardly begun
    long_ago = timezone.now() - timedelta(seconds=chat_answers.STALLED_SECONDS + 1)
    cache.set(f"chat-answer:{turn.pk}:at", long_ago)
    assert chat_answers.stalled(turn)
    chats.retry(rafi, slot.lease, 1)
    assert len(unsent) == 2
    assert not chat_answers.stalled(turn)


def test_undo_brings_the_pick_back_and_drops_what_came_after(campaign, rafi):
    Campaign.objects.filter(pk=campaign.pk).update(chat_turns=2)
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    first = pick(rafi, answered(slot))
    chats.say(rafi, slot.lease, number=2, message="And pasta?")
    waiting = answered(slot)
    judgments.undo(rafi, first)
    talk = chats.read(slot)
    assert (talk.status, talk.number, talk.turn.task) == (Turn.Status.READY, 1, first.task)
    assert Draft.objects.get(task=slot.task).data == {"message": "And pasta?"}
    waiting.pick.refresh_from_db()
    assert waiting.pick.status == Slot.Status.CANCELLED

    first = pick(rafi, talk, 2)
    chats.say(rafi, slot.lease, number=2, message="And pasta?")
    last = pick(rafi, answered(slot))
    assert chats.chat_of(last) is None
    with pytest.raises(SubmissionError, match="later picks"):
        judgments.undo(rafi, first)
    judgments.undo(rafi, last)
    held = claim(rafi, campaign)
    assert held.task_id == slot.task_id  # the conversation is back, not the comparison alone
    assert chats.read(held).status == Turn.Status.READY
    assert Task.objects.get(pk=slot.task_id).counted == 0
    assert chats.chat_of(pick(rafi, chats.read(held), 1)) is None


def test_a_skipped_conversation_is_over_and_its_picks_stay(campaign, rafi):
    round_ = make_open_chats(campaign)
    slot = claim(rafi, campaign)
    first = pick(rafi, answered(slot))
    chats.say(rafi, slot.lease, number=2, message="And pasta?")
    talk = answered(slot)
    judgments.skip(rafi, slot.lease, "skip", "Dull")
    talk.pick.refresh_from_db()
    assert talk.pick.status == Slot.Status.CANCELLED
    assert assignment.claim(rafi, campaign) is None
    assert Judgment.objects.get() == first
    with pytest.raises(SubmissionError, match="don't hold"):
        judgments.undo(rafi, first)
    rosa = make_user(username="rosa")
    campaign.memberships.create(user=rosa)
    assert chats.read(claim(rosa, campaign)).number == 1  # with others it begins anew
    assert round_.status == Round.Status.OPEN


def test_a_lapsed_conversation_goes_on_where_it_was(campaign, rafi):
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    talk = answered(slot)
    Slot.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assignment.expire_leases()
    assert not Slot.objects.filter(status=Slot.Status.CLAIMED).exists()
    again = claim(rafi, campaign)
    assert again.pk != slot.pk
    back = chats.read(again)
    assert (back.status, back.turn) == (Turn.Status.READY, talk.turn)
    assert back.pick.order_shown == talk.pick.order_shown
    assert not pick(rafi, back).extra


def test_answers_that_come_after_the_end_are_dropped(campaign, rafi):
    round_ = make_open_chats(campaign)
    slot = claim(rafi, campaign)
    turn = chats.read(slot).turn
    rounds.close(round_)
    chat_answers.answer(turn.pk)
    turn.refresh_from_db()
    assert turn.status == Turn.Status.FAILED
    assert not Task.objects.filter(chat=slot.task).exists()


def test_two_raters_talk_apart_about_the_same_prompt(campaign, rafi):
    rosa = make_user(username="rosa")
    campaign.memberships.create(user=rosa)
    make_open_chats(campaign, overlap=2)
    slots = [claim(rater, campaign) for rater in (rafi, rosa)]
    for rater, slot in zip((rafi, rosa), slots, strict=True):
        pick(rater, answered(slot))
        chats.end(rater, slot.lease)
    assert Task.objects.get(kind="chat").counted == 2
    assert Response.objects.values("prompt", "copy").distinct().count() == 4


def test_two_policies_answer_one_each(campaign, rafi):
    round_ = make_open_chats(campaign)
    other = registry.register(campaign.model_family, "policy", "second", "transformers", POLICY)
    round_.policies.add(other)
    talk = answered(claim(rafi, campaign))
    assert set(talk.turn.task.responses.values_list("policy__name", flat=True)) == {
        "second",
        f"demo-{round_.pk}",
    }


def test_what_is_there_so_far_can_be_seen(campaign, rafi, monkeypatch):
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    turn = chats.read(slot).turn
    monkeypatch.setattr(chat_answers, "WRITE_SECONDS", 0)
    seen = []
    stream = sampling.stream

    def watched(*args, **kwargs):
        for piece in stream(*args, **kwargs):
            yield piece
            seen.append(chat_answers.so_far(turn))

    monkeypatch.setattr(sampling, "stream", watched)
    chat_answers.answer(turn.pk)
    assert len({texts[0] for texts in seen}) > 3
    assert sorted(seen[-1]) == sorted(turn.prompt.responses.values_list("text", flat=True))


def test_sides_are_settled_by_chance_before_the_first_word(campaign):
    orders = [tuple(turns.order_shown(Turn(pk=pk))) for pk in range(200)]
    assert 70 < orders.count((0, 1)) < 130


def test_comparisons_and_conversations_are_claimed_side_by_side(campaign, rafi):
    make_open_chats(campaign)
    slot = claim(rafi, campaign)
    answered(slot)
    other = make_round(campaign)
    add_task(other)
    rounds.open_(other)
    ahead = assignment.claim(rafi, campaign, [slot.lease])
    assert ahead.task.kind == "compare"
    assert ahead.task.chat is None
    assert claim(rafi, campaign) == slot
