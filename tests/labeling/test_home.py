"""The rater's home: what each campaign needs, how far it is, and what comes next."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Skill
from labeling import assignment, judgments, onboarding, progress, reviews
from labeling.models import Campaign, Example, GuidelineRead, Judgment
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rater():
    return make_user(username="rafi")


@pytest.fixture
def signed_in(client, rater):
    client.force_login(rater)
    return client


def judge(rater, campaign, left_better=None, **remarks):
    """Judge the next task; with `left_better`, prefer the answer at position 0, or the other."""
    slot = assignment.claim(rater, campaign)
    verdict = 2 if left_better is None else (-2 if (slot.order_shown[0] == 0) == left_better else 2)
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict, **remarks)


def work(rater):
    (only,) = progress.of_rater(rater)
    return only


def test_what_comes_next_is_named(rater):
    campaign = make_campaign(raters=(rater,))
    assert work(rater).next == "wait"
    make_open_round(campaign, comparisons=1)
    assert work(rater).next == "start"
    slot = assignment.claim(rater, campaign)
    assert work(rater).next == "go_on"
    judgments.skip(rater, slot.lease)
    assert work(rater).next == "wait"
    for status in ("paused", "closed"):
        Campaign.objects.update(status=status)
        assert work(rater).next == status


def test_a_campaign_says_which_skills_it_needs_and_which_are_lacking(signed_in, rater):
    campaign = make_campaign(raters=(rater,))
    arabic, law = (Skill.objects.create(name=name) for name in ("arabic", "law"))
    campaign.skills.set([arabic, law])
    rater.skills.add(law)
    make_open_round(campaign)
    assert work(rater).skills == [("arabic", False), ("law", True)]
    page = signed_in.get(reverse("home")).content.decode()
    assert "To rate here you need: arabic." in page
    assert "Start rating" not in page


def test_the_way_in_comes_before_the_work(signed_in, rater):
    campaign = make_campaign(raters=(rater,), pass_mark=1.0, test_attempts=1)
    make_open_round(campaign)
    example = {"messages": [{"role": "user", "content": "?"}], "answers": ["a", "b"], "explanation": "So."}
    for use in ("practice", "test"):
        Example.objects.create(campaign=campaign, use=use, verdict=-2, **example)

    def shown():
        return work(rater).next, signed_in.get(reverse("home")).content.decode()

    assert shown()[0] == "guideline"
    assert "Read the guideline" in shown()[1]
    GuidelineRead.objects.create(guideline=campaign.guidelines.get(), user=rater)
    assert (shown()[0], "Practise" in shown()[1]) == ("practice", True)
    (question,) = onboarding.practice(rater, campaign)
    onboarding.answer(rater, campaign, example=question.example.pk, attempt=0, verdict=2)
    assert (shown()[0], "Take the test" in shown()[1]) == ("test", True)
    asked = onboarding.next_question(rater, campaign)
    wrong = -onboarding.as_shown(asked.example, asked.order)
    onboarding.answer(rater, campaign, example=asked.example.pk, attempt=1, verdict=wrong)
    name, page = shown()
    assert name == "failed"
    assert "Test: 0 of 1 right." in page
    assert "You have used all your tries" in page
    assert "Start rating" not in page


def test_counts_are_ones_own_standing_ones(rater):
    other = make_user()
    campaign = make_campaign(raters=(rater, other), overlap=2)
    make_open_round(campaign, comparisons=3)
    judge(rater, campaign)
    judgments.undo(rater, judge(rater, campaign))
    judge(other, campaign)
    assert work(rater).mine == progress.Counts(1, 1, 1)
    assert (work(rater).counted, work(rater).wanted) == (2, 6)


def test_agreement_counts_the_same_answer_whatever_side_it_stood_on(rater):
    other = make_user()
    campaign = make_campaign(raters=(rater, other), overlap=2)
    make_open_round(campaign, comparisons=6)
    undefined = work(rater).agreement
    assert (undefined.value, undefined.n) == (None, 0)
    assert undefined.why == "Nobody else has judged your comparisons yet."
    for _ in range(6):
        judge(rater, campaign, left_better=True)
    for number in range(6):
        judge(other, campaign, left_better=number < 3)
        if number == 0:
            assert "Only 1 of your comparisons" in work(rater).agreement.why
    found = work(rater).agreement
    assert Judgment.objects.count() == 12
    assert (found.value, found.n) == (0.5, 6)
    assert found.interval.low == pytest.approx(0.188, abs=0.001)
    Campaign.objects.update(show_figures=False)
    assert work(rater).agreement is None


def test_the_number_of_queries_does_not_grow_with_the_campaigns(signed_in, rater):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert signed_in.get(reverse("home")).status_code == 200
        return len(captured)

    def add():
        campaign = make_campaign(raters=(rater,), guideline="Be fair.")
        campaign.skills.add(Skill.objects.get_or_create(name="english")[0])
        make_open_round(campaign, comparisons=2)
        judge_anyway(campaign)

    def judge_anyway(campaign):
        rater.skills.set(Skill.objects.all())
        judge(rater, campaign)

    add()
    first = queries()
    for _ in range(4):
        add()
    assert queries() == first <= 19


def test_unread_feedback_stands_first_until_it_is_read(signed_in, rater):
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign)
    judgment = judge(rater, campaign, comment="B names the source.")
    reviews.give(campaign.created_by, campaign, judgment, "Look at the <b>dates</b> as well.")
    page = signed_in.get(reverse("home")).content.decode()
    assert "New feedback from reviewers" in page
    assert "Look at the &lt;b&gt;dates&lt;/b&gt; as well." in page
    page = signed_in.get(reverse("feedback")).content.decode()
    assert "New" in page
    assert "B names the source." in page
    link = f"#judgment-{judgment.pk}"
    assert link in page
    assert "New feedback from reviewers" not in signed_in.get(reverse("home")).content.decode()


def test_home_without_campaigns_says_whom_to_ask(signed_in):
    page = signed_in.get(reverse("home")).content.decode()
    assert "No campaign yet" in page
    assert "<strong>rafi</strong>" in page
    assert "No feedback yet" in signed_in.get(reverse("feedback")).content.decode()
    assert "Nothing here yet" in signed_in.get(reverse("history")).content.decode()


def test_feedback_takes_a_fixed_number_of_queries(signed_in, rater):
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign, comparisons=5)
    counts = []
    for _ in range(5):
        reviews.give(campaign.created_by, campaign, judge(rater, campaign), "Well seen.")
        with CaptureQueriesContext(connection) as captured:
            signed_in.get(reverse("feedback"))
        counts.append(len(captured))
    assert counts[0] == counts[-1] <= 12
