"""How close a rewrite is to a model's answer: measured on what the rater added."""

from uuid import uuid4

import pytest

from labeling import assignment, edits, likeness, rounds
from labeling.models import Edit, Likeness, Response
from labeling.prompts import text_hash
from labeling.tasks import measure_later, measure_likeness
from tests.cast import add_task, make_campaign, make_response, make_round, make_user

ORIGINAL = "Boil the egg for six minutes and peel it."
OTHER = "Put the egg into cold water, bring it to the boil, and let it stand for ten minutes."
OWN = "Take a fork and beat two eggs with some milk, then stir them in a hot pan with butter."


@pytest.fixture
def slot(db):
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    round_ = make_round(campaign)
    add_task(round_, (ORIGINAL,))
    rounds.open_(round_)
    slot = assignment.claim(rater, campaign)
    make_response(slot.task.prompt, OTHER, policy="another")
    return slot


def rewrite(slot, text, **fields):
    return edits.submit(slot.rater, slot.lease, idempotency_key=uuid4(), text=text, **fields)


@pytest.mark.parametrize(
    ("original", "edited", "other", "share"),
    [
        (ORIGINAL, OTHER, OTHER, 1.0),
        (ORIGINAL, OTHER.upper().replace(",", " –"), OTHER, 1.0),
        (ORIGINAL, OWN, OTHER, 0.0),
        # what the rater left as it was counts for nothing, though the other model said it, too
        (OTHER, f"{OTHER} {OWN}", f"{OTHER} Enjoy your meal today with salt.", 0.0),
        (OTHER, f"{OTHER} {OWN}", OWN, 1.0),
        # too little was added to say anything
        (ORIGINAL, ORIGINAL.replace("six", "seven"), ORIGINAL.replace("six", "seven"), 0.0),
        ("", "", OTHER, 0.0),
        ("", OTHER, "", 0.0),
        ("水煮蛋要六分钟。", "先把鸡蛋放进冷水里再慢慢煮开。", "先把鸡蛋放进冷水里再慢慢煮开！", 1.0),
    ],
)
def test_the_share_is_of_the_added_words(original, edited, other, share):
    assert likeness.share_of(original, edited, other) == share


def test_half_of_another_answer_is_half():
    share = likeness.share_of(ORIGINAL, f"{OTHER} {OWN}", OTHER)
    assert 0.4 < share < 0.6


def test_the_closest_answer_is_kept_once(slot):
    closer = make_response(slot.task.prompt, f"{OTHER} Salt it.", policy="third")
    edit = rewrite(slot, f"{OTHER} Salt it.")
    measure_likeness(edit.pk)
    measure_likeness(edit.pk)
    kept = Likeness.objects.get()
    assert (kept.edit, kept.response, kept.share) == (edit, closer, 1.0)


def test_an_answer_of_ones_own_is_close_to_none(slot):
    edit = rewrite(slot, OWN)
    assert likeness.measure(edit.pk) is None
    assert not Likeness.objects.exists()


def test_the_original_itself_and_other_peoples_rewrites_are_not_compared(slot):
    original = slot.task.responses.get()
    for text in (ORIGINAL, OWN):
        Response.objects.create(
            prompt=slot.task.prompt,
            text=text,
            text_hash=text_hash(text),
            origin=Response.Origin.EDITED,
            parent=original,
            author=make_user(),
        )
    assert likeness.measure(rewrite(slot, OWN).pk) is None


def test_nothing_is_measured_where_nothing_was_written(slot):
    edit = rewrite(slot, "", already_good=True)
    assert likeness.measure(edit.pk) is None
    assert likeness.measure(edit.pk + 1) is None


def test_the_queue_gets_an_edit_after_it_is_stored_and_a_lost_queue_loses_no_edit(
    slot, monkeypatch, django_capture_on_commit_callbacks
):
    def refuse(pk):
        raise ConnectionError(f"no broker for {pk}")

    monkeypatch.setattr(measure_likeness, "delay", refuse)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        measure_later(rewrite(slot, OTHER))
    assert len(callbacks) == 1
    assert Edit.objects.count() == 1
