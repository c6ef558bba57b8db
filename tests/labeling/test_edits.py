"""Edits: a rewrite that says something, or the word that nothing needs mending."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling import assignment, edits, rounds, typing_signals
from labeling.edits import EditError
from labeling.models import Edit, Response, Slot, Task
from labeling.words import compare, distance
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user

ORIGINAL = "Boil the egg for six minutes."


@pytest.fixture
def rater(db):
    return make_user()


@pytest.fixture
def campaign(rater):
    return make_campaign(raters=(rater,))


@pytest.fixture
def slot(rater, campaign):
    round_ = make_round(campaign)
    add_task(round_, (ORIGINAL,))
    rounds.open_(round_)
    return assignment.claim(rater, campaign)


def submit(rater, slot, text, **fields):
    return edits.submit(rater, slot.lease, **{"idempotency_key": uuid4(), "text": text, **fields})


def test_a_rewrite_becomes_an_answer_of_its_own(rater, slot):
    edit = submit(rater, slot, "Boil the egg\r\nfor seven minutes.", instruction=" too soft ")
    edited = Response.objects.get(origin=Response.Origin.EDITED)
    assert edit.edited == edited
    assert (edited.text, edited.author, edited.parent.text) == (
        "Boil the egg\nfor seven minutes.",
        rater,
        ORIGINAL,
    )
    assert edited.prompt == slot.task.prompt
    assert (edit.instruction, edit.distance, edit.extra, edit.slot_id) == ("too soft", 1, False, slot.pk)
    assert (Task.objects.get().counted, Task.objects.get().status) == (1, Task.Status.DONE)


@pytest.mark.parametrize("text", [ORIGINAL, f"  {ORIGINAL}\n", ORIGINAL.replace(" ", "\r\n")])
def test_a_rewrite_that_changes_only_white_space_is_refused(rater, slot, text):
    with pytest.raises(EditError, match="white space") as refused:
        submit(rater, slot, text)
    assert refused.value.field == "text"
    assert not Edit.objects.exists()


@pytest.mark.parametrize(
    ("text", "fields", "field"),
    [
        ("", {}, "text"),
        (" \n", {}, "text"),
        (7, {}, "text"),
        ("a\x00", {}, "text"),
        ("x" * 100_001, {}, "text"),
        ("Something else.", {"already_good": True}, "already_good"),
        ("Something else.", {"instruction": 3}, "instruction"),
        ("Something else.", {"active_ms": 1.5}, "active_ms"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(rater, slot, text, fields, field):
    with pytest.raises(EditError) as refused:
        submit(rater, slot, text, **fields)
    assert refused.value.field == field
    assert not Edit.objects.exists()
    assert not Response.objects.filter(origin=Response.Origin.EDITED).exists()


@pytest.mark.parametrize("text", [ORIGINAL, ""])
def test_already_good_is_said_without_a_new_text(rater, slot, text):
    edit = submit(rater, slot, text, already_good=True)
    assert (edit.edited, edit.distance) == (None, 0)
    assert Task.objects.get().counted == 1


def test_an_empty_answer_is_not_already_good(rater, campaign):
    round_ = make_round(campaign)
    add_task(round_, ("",))
    rounds.open_(round_)
    slot = assignment.claim(rater, campaign)
    with pytest.raises(EditError, match="empty"):
        submit(rater, slot, "", already_good=True)
    assert submit(rater, slot, "An answer.").distance == 3


def test_a_double_submit_gives_the_same_row(rater, slot):
    key = uuid4()
    first = submit(rater, slot, "Better.", idempotency_key=key)
    assert submit(rater, slot, "Other.", idempotency_key=key) == first
    assert Response.objects.filter(origin=Response.Origin.EDITED).count() == 1


def test_a_late_edit_is_kept_as_extra(rater, campaign, slot):
    Slot.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assignment.expire_leases()
    rounds.close(slot.task.round)
    edit = submit(rater, slot, "Better.")
    assert edit.extra
    assert edit.edited.text == "Better."
    assert Task.objects.get().counted == 0


def test_a_comparison_takes_no_edit(rater, campaign):
    make_open_round(campaign)
    with pytest.raises(EditError, match="asks for something else"):
        submit(rater, assignment.claim(rater, campaign), "Better.")


def test_an_undone_edit_can_be_made_anew(rater, slot):
    first = submit(rater, slot, "Better.")
    again = edits.undo(rater, first)
    assert Task.objects.get().counted == 0
    second = submit(rater, again, "Best.")
    assert second.supersedes.supersedes == first
    assert list(Edit.objects.filter(extra=False, withdrawn=False, superseded_by=None)) == [second]
    assert Task.objects.get().counted == 1


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("", "", 0),
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b c", "a c", 1),
        ("", "one two", 2),
        ("Go home.", "Go home!", 1),
        ("我爱你", "我恨你", 1),
        ("a_b", "a_b c", 1),
        ("one two three four five", "two three four five six", 2),
        ("มาก", "มากๆ", 1),
        ("मैं घर", "मैं हिन्दी", 1),
        ("كيف حالك؟", "كيف حالك!", 1),
        ("naïve café", "naïve cafe", 1),
        ("a\u2028b", "a b", 0),
        ("𠀀𠀁", "𠀁", 1),
    ],
)
def test_distance_counts_words(before, after, words):
    assert distance(before, after) == words
    assert distance(after, before) == words


def test_two_long_texts_have_a_distance():
    one = " ".join(f"w{n * n % 977}" for n in range(15_000))
    other = " ".join(f"w{n * n % 983}" for n in range(15_000))
    assert distance(one, other) > 10_000


@pytest.mark.parametrize(
    ("signals", "share", "speed", "said"),
    [
        ({}, None, None, ["not recorded"]),
        ({"typed": 300, "typing_ms": 60_000}, 0.0, 300, ["300 characters a minute."]),
        ({"pasted": 5, "pastes": 1, "bursts": 1, "typed": 5, "typing_ms": 900}, 0.5, None, ["in one burst"]),
        ({"pasted": 5, "pastes": 3, "bursts": 2}, 1.0, None, ["100 % of the new text", "draft elsewhere"]),
        ({"typed": 2000, "typing_ms": 60_000}, 0.0, 2000, ["dictation"]),
        ({"typed": 3, "typing_ms": 1}, 0.0, None, []),
    ],
)
def test_signals_are_told_without_a_verdict(rater, slot, signals, share, speed, said):
    told = typing_signals.read(submit(rater, slot, "Better.", signals=signals))
    assert (told.paste_share, told.speed) == (share, speed)
    for words in said:
        assert any(words in sentence for sentence in told.sentences)
    assert said or told.sentences == []


@pytest.mark.parametrize("signals", [{"typed": -1}, {"typed": "x"}, {"pasted": 1.5}, {"bursts": True}])
def test_signals_that_are_no_counts_are_refused(rater, slot, signals):
    with pytest.raises(EditError) as refused:
        submit(rater, slot, "Better.", signals=signals)
    assert refused.value.field == "signals"


def test_signals_are_read_from_the_form(client, rater, slot):
    client.force_login(rater)
    said = {"lease": slot.lease, "idempotency_key": uuid4(), "text": "Better."}
    address = reverse("rate-edit", args=[slot.campaign.slug])
    refused = client.post(address, {**said, "signals": "{"}, headers={"X-Fragment": "1"})
    assert refused.status_code == 400
    assert not Edit.objects.exists()
    client.post(address, {**said, "signals": '{"typed": 7, "unknown": 1}'})
    assert Edit.objects.get().signals == {"typed": 7}


def test_the_preview_is_sanitised(client, rater, slot):
    client.force_login(rater)
    address = reverse("rate-preview", args=[slot.campaign.slug])
    html = client.post(address, {"text": "**Bold** <script>x</script> [a](javascript:x)"}).content.decode()
    assert "<strong>Bold</strong>" in html
    assert "<script" not in html
    assert "href" not in html
    assert client.post(address, {"text": "x" * 100_001}).status_code == 400


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("a b", "a b", [("=", "a b")]),
        ("a b c", "a x c", [("=", "a "), ("-", "b"), ("+", "x"), ("=", " c")]),
        ("a b c d", "x y c d", [("-", "a b"), ("+", "x y"), ("=", " c d")]),
        ("a\nb", "x\ny", [("-", "a"), ("+", "x"), ("=", "\n"), ("-", "b"), ("+", "y")]),
        ("", "new", [("+", "new")]),
        ("old", "", [("-", "old")]),
        ("我爱你", "我恨你", [("=", "我"), ("-", "爱"), ("+", "恨"), ("=", "你")]),
    ],
)
def test_changes_are_told_word_by_word(before, after, changes):
    assert compare(before, after) == changes


def test_texts_with_nothing_in_common_are_not_compared():
    assert compare("a " * 2000, "b. " * 2000) is None
