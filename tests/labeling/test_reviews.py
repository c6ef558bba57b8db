"""Reviewers leaf through what raters sent and write to them; raters find it and have read it."""

from uuid import uuid4

import pytest
from django.urls import reverse

from accounts.models import AuditEvent, Role
from labeling import assignment, edits, judgments, likeness, reviews
from labeling.models import Edit, Feedback, Judgment
from labeling.reviews import Cursor, ReviewError
from tests.cast import make_campaign, make_open_round, make_response, make_user

NEW = "Take a fork and beat two eggs with some milk, then stir them in a hot pan."

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return make_user(Role.MANAGER, "mara")


@pytest.fixture
def raters():
    return make_user(username="rafi"), make_user(username="rosa")


@pytest.fixture
def campaign(manager, raters):
    return make_campaign(by=manager, raters=raters)


def work(rater, campaign, count=1, **signals):
    """Let somebody answer what is there: comparisons and edits."""
    for _ in range(count):
        slot = assignment.claim(rater, campaign)
        if slot.task.kind == "edit":
            how = {"text": NEW, "signals": signals, "instruction": "Too vague.", "active_ms": 83_000}
            edits.submit(rater, slot.lease, idempotency_key=uuid4(), **how)
        else:
            how = {"verdict": -2, "comment": "Shorter.", "flags": ["unsafe"]}
            judgments.submit(rater, slot.lease, idempotency_key=uuid4(), **how)


def walk(campaign, **asked):
    """Read all pages."""
    rows, before = [], None
    while True:
        page, before = reviews.submissions(campaign, **asked, before=before)
        rows += page
        if before is None:
            return rows
        assert len(page) == reviews.PAGE


def test_pages_show_everything_once_and_newest_first(campaign, raters):
    make_open_round(campaign, comparisons=25, edits=20, overlap=1)
    work(raters[0], campaign, 45)
    rows = walk(campaign)
    assert len(rows) == len({(type(row), row.pk) for row in rows}) == 45
    times = [row.created_at for row in rows]
    assert times == sorted(times, reverse=True)


def test_filters_are_by_rater_kind_and_signals(campaign, raters):
    make_open_round(campaign, comparisons=3, edits=3, overlap=1)
    work(raters[0], campaign, 4, pasted=80, pastes=1, bursts=1, typed=20)
    work(raters[1], campaign, 2)
    assert len(walk(campaign)) == 6
    assert len(walk(campaign, rater="rosa")) == 2
    assert {type(row) for row in walk(campaign, kind="edit")} == {Edit}
    assert {type(row) for row in walk(campaign, kind="compare")} == {Judgment}
    assert walk(campaign, kind="chat") == walk(campaign, kind="rank") == []
    pasted = Edit.objects.filter(rater=raters[0]).count()
    assert len(walk(campaign, with_signals=True)) == pasted
    assert reviews.raters(campaign) == ["rafi", "rosa"]


def test_what_was_taken_back_is_not_there(campaign, raters):
    make_open_round(campaign)
    work(raters[0], campaign)
    judgments.undo(raters[0], Judgment.objects.get())
    assert walk(campaign) == []


@pytest.mark.parametrize("text", ["x", "1", "1-", "1-2-3", "-1-2", "1-99999999999999999999", "²-1"])
def test_a_false_cursor_is_refused(text):
    with pytest.raises(ReviewError):
        reviews.read_cursor(text)


def test_a_cursor_reads_as_it_was_written():
    assert reviews.read_cursor(str(Cursor(12, 7))) == Cursor(12, 7)
    assert reviews.read_cursor("") is None


def test_a_word_reaches_the_rater_and_is_noted(campaign, manager, raters):
    make_open_round(campaign)
    work(raters[0], campaign)
    feedback = reviews.give(manager, campaign, Judgment.objects.get(), " Look\r\ntwice. ")
    assert (feedback.text, feedback.rater, feedback.judgment) == (
        "Look\ntwice.",
        raters[0],
        Judgment.objects.get(),
    )
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor, event.detail["rater"]) == ("feedback", manager, "rafi")
    assert list(reviews.feedback_to(raters[0])) == [feedback]
    assert (reviews.unread_count(raters[0]), reviews.unread_count(raters[1])) == (1, 0)
    assert (reviews.mark_read(raters[0]), reviews.mark_read(raters[0])) == (1, 0)
    assert reviews.unread_count(raters[0]) == 0


@pytest.mark.parametrize("text", ["", " \n", "x" * 5001, "a\x00b"])
def test_an_empty_word_is_refused(campaign, manager, raters, text):
    make_open_round(campaign)
    work(raters[0], campaign)
    with pytest.raises(ReviewError) as refused:
        reviews.give(manager, campaign, Judgment.objects.get(), text)
    assert refused.value.field == "text"
    assert not Feedback.objects.exists()


@pytest.fixture
def signed_in(client, manager):
    client.force_login(manager)
    return client


def test_the_page_tells_all_about_an_edit(signed_in, campaign, raters):
    make_open_round(campaign, comparisons=0, edits=1)
    slot = assignment.claim(raters[0], campaign)
    make_response(slot.task.prompt, f"{NEW} Done.", policy="another")
    work(raters[0], campaign, pastes=2, bursts=2, pasted=62, typed=38, typing_ms=6000)
    likeness.measure(Edit.objects.get().pk)
    html = signed_in.get(reverse("review", args=[campaign.slug])).content.decode()
    for said in (
        "62 % of the new text came by paste, in 2 bursts; many people draft elsewhere.",
        "Typed at 380 characters a minute.",
        "100 % of the words that were added also stand in the answer of another",
        "Only a signal",
        "Too vague.",
        "1 min 23 s active",
        "<ins>Take a fork",
        "rafi",
    ):
        assert said in html, said


def test_the_page_escapes_what_people_and_models_wrote(signed_in, campaign, raters):
    make_open_round(campaign, comparisons=0, edits=1)
    slot = assignment.claim(raters[0], campaign)
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    how = {"text": hostile, "instruction": hostile}
    edits.submit(raters[0], slot.lease, idempotency_key=uuid4(), **how)
    html = signed_in.get(reverse("review", args=[campaign.slug])).content.decode()
    assert "<script>alert" not in html
    assert "<img" not in html


def test_the_page_asks_as_much_of_the_database_for_many_rows_as_for_few(
    signed_in, campaign, raters, django_assert_max_num_queries
):
    address = reverse("review", args=[campaign.slug])
    make_open_round(campaign, comparisons=10, edits=10, overlap=1)
    work(raters[0], campaign, 20)
    for row in walk(campaign):
        reviews.give(campaign.created_by, campaign, row, "Look twice.")
    signed_in.get(address)
    with django_assert_max_num_queries(20):
        answer = signed_in.get(address)
    assert answer.content.decode().count("Look twice.") == 20


def test_a_word_is_sent_from_the_page_and_a_refused_one_is_kept_there(signed_in, campaign, raters):
    make_open_round(campaign)
    work(raters[0], campaign)
    judgment = Judgment.objects.get()
    address = reverse("review", args=[campaign.slug]) + "?rater=rafi"
    long = "x" * 5001
    refused = signed_in.post(address, {"kind": "judgment", "id": judgment.pk, "text": long})
    assert refused.status_code == 400
    assert long in refused.content.decode()
    sent = signed_in.post(address, {"kind": "judgment", "id": judgment.pk, "text": "Look twice."})
    assert sent["Location"] == f"{address}#judgment-{judgment.pk}"
    for kind, pk in (("judgment", judgment.pk + 1), ("edit", judgment.pk), ("skip", 1), ("judgment", "x")):
        assert signed_in.post(address, {"kind": kind, "id": pk, "text": "?"}).status_code == 400
    assert Feedback.objects.count() == 1


def test_another_campaigns_submission_is_not_there(signed_in, campaign, raters):
    other = make_campaign(raters=raters)
    make_open_round(other)
    work(raters[0], other)
    with pytest.raises(ReviewError, match="no such"):
        reviews.find(campaign, "judgment", Judgment.objects.get().pk)


def test_the_api_gives_and_lists_feedback(signed_in, campaign, raters):
    make_open_round(campaign)
    work(raters[0], campaign)
    judgment = Judgment.objects.get()
    address = reverse("api_feedback", args=[campaign.slug])
    body = {"kind": "judgment", "id": judgment.pk, "text": "Look twice."}
    made = signed_in.post(address, body, content_type="application/json")
    assert made.status_code == 201
    listed = signed_in.get(address).json()["results"]
    assert listed == [made.json()]
    assert (listed[0]["judgment"], listed[0]["rater"]) == (judgment.pk, raters[0].pseudonym)
    for wrong, field in (({"kind": "skip"}, "kind"), ({"id": 10**6}, "id"), ({"text": " "}, "text")):
        answer = signed_in.post(address, {**body, **wrong}, content_type="application/json")
        assert answer.status_code == 400
        assert field in answer.json()
