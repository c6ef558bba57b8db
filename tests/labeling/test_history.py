"""A rater's history: everything they said, in words, newest first, with what can be taken back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from labeling import assignment, edits, history, judgments, reviews, rounds
from labeling.models import Campaign, Criterion, Judgment, Slot
from labeling.submissions import SubmissionError
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rater():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rater):
    return make_campaign(raters=(rater,), name="Kitchen talk")


@pytest.fixture
def signed_in(client, rater):
    client.force_login(rater)
    return client


def judge(rater, campaign, verdict=2, **remarks):
    slot = assignment.claim(rater, campaign)
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict, **remarks)


def entries(rater, **options):
    return history.of_rater(rater, **options)[0]


def test_everything_that_was_said_is_there_newest_first_in_words(rater, campaign):
    Criterion.objects.create(campaign=campaign, key="help", name="Helpful")
    make_open_round(campaign, comparisons=3)
    first = judge(
        rater, campaign, -2, comment="Plainer.", criteria={"help": [4, 2]}, reasons=[["Right"], []],
        flags=["unsafe"],
    )  # fmt: skip
    judge(rater, campaign, 0, both_bad=True)
    slot = assignment.claim(rater, campaign)
    judgments.skip(rater, slot.lease, "cannot_judge", "Cut off")
    make_open_round(campaign, comparisons=0, edits=2)
    slot = assignment.claim(rater, campaign)
    edits.submit(rater, slot.lease, idempotency_key=uuid4(), text="", already_good=True)
    slot = assignment.claim(rater, campaign)
    edits.submit(rater, slot.lease, idempotency_key=uuid4(), text="Short.", instruction="Too long")

    said = entries(rater)
    assert [entry.words for entry in said][1:] == [
        "Already good", "Can't be judged", "Both bad", "A is clearly better",
    ]  # fmt: skip
    assert "changed" in said[0].words
    assert [entry.state for entry in said] == ["counts", "counts", "passed", "counts", "counts"]
    last = said[-1]
    left = first.task.responses.get(task_responses__position=first.order_shown[0])
    assert [answer.name for answer in last.answers] == ["A", "B"]
    assert last.answers[0].text == left.text
    assert (last.answers[0].grades, last.answers[1].grades) == ([("Helpful", 4)], [("Helpful", 2)])
    assert last.answers[0].reasons == ["Right"]
    assert last.flags == ["Unsafe"]


def test_it_never_says_which_model_wrote_what(signed_in, rater, campaign):
    make_open_round(campaign, comparisons=2)
    for _ in range(2):
        judge(rater, campaign)
    assert "writer" not in signed_in.get(reverse("history")).content.decode()


def test_only_ones_own(rater, campaign, signed_in):
    other = make_user()
    theirs = make_campaign(raters=(other, rater))
    make_open_round(theirs)
    judgment = judge(other, theirs, comment="A secret of theirs")
    assert entries(rater) == []
    with pytest.raises(SubmissionError, match="what you sent yourself"):
        history.find(rater, "judgment", judgment.pk)
    answer = signed_in.post(reverse("history-undo"), {"kind": "judgment", "id": judgment.pk}, follow=True)
    assert "You can only undo what you sent yourself." in answer.content.decode()
    assert Judgment.objects.count() == 1


def test_a_ranking_is_said_by_the_letters_that_were_shown():
    judgment = Judgment(order_shown=[2, 0, 3, 1], ranking=[[0], [2, 1], [3]])
    assert history.words(judgment) == "B, then A = D, then C"


def test_an_undo_brings_the_task_back_as_it_was_left(signed_in, rater, campaign):
    make_open_round(campaign, comparisons=3)
    judgment = judge(rater, campaign, -1, comment="Hm, no.")
    judge(rater, campaign)
    assignment.claim(rater, campaign)
    answer = signed_in.post(reverse("history-undo"), {"kind": "judgment", "id": judgment.pk}, follow=True)
    page = answer.content.decode()
    assert "Taken back. Here it is again." in page
    assert "Hm, no." in page
    assert Slot.objects.get(task=judgment.task, status="claimed").order_shown == judgment.order_shown
    again = signed_in.post(reverse("history-undo"), {"kind": "judgment", "id": judgment.pk}, follow=True)
    assert "This was already undone." in again.content.decode()
    entry = entries(rater)[-1]
    assert (entry.state, entry.takeable) == ("undone", False)


def test_what_can_be_taken_back_is_marked_by_the_rule_that_undo_obeys(rater, campaign):
    round_ = make_open_round(campaign, comparisons=2)
    judgment = judge(rater, campaign)
    assert entries(rater)[0].takeable
    campaign.undo_minutes = 0
    campaign.save()
    assert not entries(rater)[0].takeable
    Campaign.objects.update(undo_minutes=60)
    rounds.close(round_)
    assert not entries(rater)[0].takeable
    with pytest.raises(SubmissionError, match="round is over"):
        history.take_back(rater, history.find(rater, "judgment", judgment.pk))


@pytest.mark.parametrize(
    "body", [{}, {"kind": "skip", "id": 1}, {"kind": "judgment", "id": "x"}, {"kind": "edit", "id": 2**70}]
)
def test_an_undo_of_nothing_says_so(signed_in, body):
    answer = signed_in.post(reverse("history-undo"), body, follow=True)
    assert answer.status_code == 200
    assert "message error" in answer.content.decode()


def test_late_ones_are_kept_and_said_to_be_late(rater, campaign):
    make_open_round(campaign, comparisons=1)
    slot = assignment.claim(rater, campaign)
    other = make_user()
    campaign.memberships.create(user=other)
    Slot.objects.filter(pk=slot.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    judge(other, campaign)
    judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=1)
    assert entries(rater)[0].state == "late"


def test_pages_follow_each_other_without_gaps_whatever_the_kind(rater, campaign):
    make_open_round(campaign, comparisons=8, edits=4)
    for number in range(12):
        slot = assignment.claim(rater, campaign)
        if number % 4 == 3:
            judgments.skip(rater, slot.lease)
        elif slot.task.kind == "edit":
            edits.submit(rater, slot.lease, idempotency_key=uuid4(), text="", already_good=True)
        else:
            judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=1)
    whole = [entry.place for entry in entries(rater)]
    assert len(whole) == 12
    found, start = [], ""
    while True:
        page, start = history.of_rater(rater, start=start, size=5)
        found += [entry.place for entry in page]
        if not start:
            break
    assert found == whole


@pytest.mark.parametrize("start", ["x", "1.2", "1.judgment.x", f"{10**40}.judgment.1", "1.planet.1"])
def test_a_place_that_is_none_is_refused(signed_in, start):
    answer = signed_in.get(reverse("history"), {"from": start}, follow=True)
    assert "no such place" in answer.content.decode() or start == "1.planet.1"


def test_it_takes_a_fixed_number_of_queries(signed_in, rater, campaign):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert signed_in.get(reverse("history")).status_code == 200
        return len(captured)

    make_open_round(campaign, comparisons=8, edits=8)
    kinds, first = set(), 0
    for _ in range(12):
        slot = assignment.claim(rater, campaign)
        key = {"idempotency_key": uuid4()}
        if slot.task.kind == "edit":
            said = edits.submit(rater, slot.lease, text="Another.", **key)
        else:
            said = judgments.submit(rater, slot.lease, verdict=1, **key)
        reviews.give(campaign.created_by, campaign, said, "Well seen.")
        kinds.add(slot.task.kind)  # in an order that chance gives
        if len(kinds) == 2:
            first = first or queries()
    assert queries() == first <= 12


def test_the_api_gives_the_same_and_takes_back(signed_in, rater, campaign):
    make_open_round(campaign, comparisons=1)
    judgment = judge(rater, campaign, -2, comment="Plainer.", flags=["broken"])
    reviews.give(campaign.created_by, campaign, judgment, "Well seen.")
    page = signed_in.get(reverse("api_history")).json()
    (entry,) = page["entries"]
    assert (entry["words"], entry["comment"], entry["flags"]) == (
        "A is clearly better",
        "Plainer.",
        ["broken"],
    )
    assert (entry["state"], entry["takeable"], page["next"]) == ("counts", True, None)
    back = signed_in.post(
        reverse("api_history_undo"), {"kind": "judgment", "id": judgment.pk}, content_type="application/json"
    )
    assert back.json()["task"] == judgment.task_id
    assert signed_in.get(reverse("api_history")).json()["entries"][0]["state"] == "undone"
    (word,) = signed_in.get(reverse("api_own_feedback")).json()["results"]
    assert (word["text"], word["judgment"], word["read_at"]) == ("Well seen.", judgment.pk, None)
    signed_in.post(reverse("api_own_feedback"))
    assert signed_in.get(reverse("api_own_feedback")).json()["results"][0]["read_at"]
    assert signed_in.get(reverse("api_history"), {"campaign": "none"}).status_code == 404
