"""A rater's way into a campaign: guideline, practice with explanations, and the test."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, Skill
from labeling import assignment, campaigns, examples, guidelines, judgments, onboarding, qualification
from labeling.models import Example, Membership, Trial
from labeling.onboarding import Step
from labeling.submissions import SubmissionError
from tests.cast import make_campaign, make_example, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rater():
    return make_user()


@pytest.fixture
def campaign(rater):
    return make_campaign(raters=(rater,), pass_mark=0.75, test_attempts=2)


def step(rater, campaign):
    campaign.refresh_from_db()
    now = onboarding.state(rater, campaign)
    return now.step, now.done, now.total


def say(rater, campaign, question, rightly=True):
    """Answer a question as displayed."""
    verdict = onboarding.as_shown(question.example, question.order)
    verdict = verdict if rightly else -verdict or 1
    return onboarding.answer(
        rater, campaign, example=question.example.pk, attempt=question.attempt, verdict=verdict
    )


def take_test(rater, campaign, right, wrong):
    for rightly in [True] * right + [False] * wrong:
        say(rater, campaign, onboarding.next_question(rater, campaign), rightly)


def read_guideline(rater, campaign):
    guidelines.mark_read(rater, guidelines.newest(campaign))


def qualified(rater, campaign):
    return Membership.objects.get(user=rater, campaign=campaign).qualified_at is not None


def test_the_whole_way_from_the_guideline_to_the_first_task(rater, campaign):
    for _ in range(2):
        make_example(campaign, "practice")
    for _ in range(4):
        make_example(campaign, "test")
    make_open_round(campaign)
    assert step(rater, campaign) == (Step.GUIDELINE, 0, 1)
    read_guideline(rater, campaign)

    first, second = onboarding.practice(rater, campaign)
    assert say(rater, campaign, first, rightly=False).right is False
    assert step(rater, campaign) == (Step.PRACTICE, 1, 2)
    assert say(rater, campaign, first).right is True  # again, and better
    say(rater, campaign, second)
    assert step(rater, campaign) == (Step.TEST, 0, 4)

    assert assignment.claim(rater, campaign) is None
    assert onboarding.obstacle(rater, campaign) == onboarding.Obstacle("qualify")
    take_test(rater, campaign, right=3, wrong=1)
    assert step(rater, campaign)[0] == Step.DONE
    assert onboarding.state(rater, campaign).score == 0.75
    assert onboarding.obstacle(rater, campaign) is None
    assert assignment.claim(rater, campaign) is not None


@pytest.mark.parametrize(
    ("settings", "uses", "expected"),
    [
        ({}, [], Step.DONE),
        ({}, ["edge_case", "test"], Step.DONE),  # without a pass mark nothing is tested
        ({"guideline": ""}, ["practice"], Step.PRACTICE),
        ({}, ["practice"], Step.GUIDELINE),
        ({"guideline": "", "pass_mark": 0.5}, ["test"], Step.TEST),
        ({"guideline": "", "pass_mark": 0.5}, [], Step.TEST),  # nobody passes until there are questions
    ],
)
def test_a_campaign_has_the_steps_that_it_has_rows_for(rater, settings, uses, expected):
    campaign = make_campaign(raters=(rater,), **settings)
    for use in uses:
        make_example(campaign, use)
    assert step(rater, campaign)[0] == expected


def test_who_fails_tries_again_and_then_has_to_ask(rater, campaign):
    campaigns.update(campaign, campaign.created_by, test_attempts=2)
    read_guideline(rater, campaign)
    for _ in range(2):
        make_example(campaign, "test")
    assert onboarding.state(rater, campaign).attempts_left == 2
    take_test(rater, campaign, right=1, wrong=1)
    now = onboarding.state(rater, campaign)
    assert (now.step, now.attempt, now.attempts_left, now.score, now.running) == (Step.TEST, 2, 1, 0.5, False)
    take_test(rater, campaign, right=0, wrong=2)
    assert step(rater, campaign)[0] == Step.FAILED
    assert onboarding.next_question(rater, campaign) is None
    with pytest.raises(SubmissionError):
        onboarding.answer(rater, campaign, example=Example.objects.first().pk, attempt=3, verdict=1)

    qualification.reset(campaign, rater, campaign.created_by)
    assert step(rater, campaign) == (Step.TEST, 0, 2)
    qualification.waive(campaign, rater, campaign.created_by)
    qualification.waive(campaign, rater, campaign.created_by)
    assert step(rater, campaign)[0] == Step.DONE
    told = AuditEvent.objects.filter(action__endswith="qualification").order_by("pk")
    assert [e.action for e in told] == ["reset qualification", "waive qualification"]


def test_an_answer_sent_twice_is_one_and_a_late_one_is_refused(rater, campaign):
    read_guideline(rater, campaign)
    for _ in range(2):
        make_example(campaign, "test")
    question = onboarding.next_question(rater, campaign)
    first = say(rater, campaign, question)
    assert say(rater, campaign, question, rightly=False) == first
    assert Trial.objects.get().right
    with pytest.raises(SubmissionError, match="isn't asked"):
        onboarding.answer(rater, campaign, example=question.example.pk, attempt=2, verdict=1)
    with pytest.raises(SubmissionError, match="must be one of"):
        onboarding.answer(rater, campaign, example=question.example.pk, attempt=1, verdict=9)


@pytest.mark.django_db(transaction=True)
def test_two_windows_answering_the_same_question_make_one_trial(rater, campaign):
    read_guideline(rater, campaign)
    make_example(campaign, "test")
    question = onboarding.next_question(rater, campaign)

    def send(rightly):
        try:
            return say(rater, campaign, question, rightly).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        kept = set(pool.map(send, [True, False] * 4))
    assert len(kept) == Trial.objects.count() == 1


@pytest.mark.parametrize(
    ("right", "verdict", "both_bad", "expected"),
    [
        (-3, -1, False, True),
        (2, 3, False, True),
        (2, -2, False, False),
        (1, 0, False, False),
        (0, 0, False, True),
        (0, 0, True, True),
        (2, 0, True, False),
        (0, 1, False, False),
    ],
)
def test_right_is_the_same_side(rater, campaign, right, verdict, both_bad, expected):
    read_guideline(rater, campaign)
    example = make_example(campaign, "practice", verdict=right)
    order = onboarding.order_for(rater, example, 0)
    shown = verdict if order == [0, 1] else -verdict
    trial = onboarding.answer(
        rater, campaign, example=example.pk, attempt=0, verdict=shown, both_bad=both_bad
    )
    assert (trial.right, trial.order_shown) == (expected, order)


def test_sides_and_questions_are_shuffled_for_each_rater(campaign):
    tests = [make_example(campaign, "test") for _ in range(3)]
    orders, firsts = set(), set()
    for _ in range(20):
        rater = make_user()
        campaigns.add_rater(campaign, rater, campaign.created_by)
        read_guideline(rater, campaign)
        question = onboarding.next_question(rater, campaign)
        assert question == onboarding.next_question(rater, campaign)
        orders.add(tuple(question.order))
        firsts.add(question.example)
    assert orders == {(0, 1), (1, 0)}
    assert firsts == set(tests)


def test_who_works_already_is_sent_back_only_when_a_pass_mark_comes(rater):
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign, comparisons=3)
    slot = assignment.claim(rater, campaign)
    judgments.submit(rater, slot.lease, idempotency_key=slot.lease, verdict=1)
    make_example(campaign, "practice")
    assert step(rater, campaign)[0] == Step.DONE
    assert not onboarding.comes_first(rater, campaign)
    make_example(campaign, "test")
    campaigns.update(campaign, campaign.created_by, pass_mark=0.5)
    assert step(rater, campaign)[0] == Step.TEST
    assert onboarding.comes_first(rater, campaign)
    newcomer = make_user()
    campaigns.add_rater(campaign, newcomer, campaign.created_by)
    assert step(newcomer, campaign)[0] == Step.GUIDELINE


def test_a_new_guideline_or_a_higher_mark_sends_nobody_back_and_a_lower_one_helps(rater, campaign):
    read_guideline(rater, campaign)
    for _ in range(2):
        make_example(campaign, "test")
    take_test(rater, campaign, right=1, wrong=1)
    assert not qualified(rater, campaign)
    campaigns.update(campaign, campaign.created_by, pass_mark=0.5)
    assert qualified(rater, campaign)
    campaigns.update(campaign, campaign.created_by, pass_mark=1.0)
    campaigns.add_guideline(campaign, "Something new.", campaign.created_by)
    assert step(rater, campaign)[0] == Step.DONE


def test_questions_added_or_retired_during_a_test_leave_it_fair(rater, campaign):
    read_guideline(rater, campaign)
    tests = [make_example(campaign, "test") for _ in range(2)]
    take_test(rater, campaign, right=1, wrong=0)
    make_example(campaign, "test")
    assert step(rater, campaign) == (Step.TEST, 1, 2)  # the new one isn't asked in a test that has begun
    left = next(e for e in tests if not e.trials.exists())
    examples.retire(left, campaign.created_by)
    assert qualified(rater, campaign)  # that was the last one asked


def test_ties_are_asked_only_where_one_can_say_so(rater, campaign):
    make_example(campaign, "test", verdict=0)
    make_example(campaign, "test")
    campaigns.update(campaign, campaign.created_by, allow_ties=False)
    read_guideline(rater, campaign)
    assert step(rater, campaign) == (Step.TEST, 0, 1)


def test_lacking_skills_are_named(rater, campaign):
    campaign.skills.add(Skill.objects.create(name="french"), Skill.objects.create(name="arabic"))
    rater.skills.add(Skill.objects.get(name="arabic"))
    assert onboarding.obstacle(rater, campaign) == onboarding.Obstacle("skills", ("french",))


def test_many_campaigns_states_take_three_queries(rater):
    many = [make_campaign(raters=(rater,), pass_mark=0.5) for _ in range(5)]
    for campaign in many:
        make_example(campaign, "test")
        make_example(campaign, "practice")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        states = onboarding.states(rater, many)
    assert len(queries) == 3
    assert {s.step for s in states.values()} == {Step.GUIDELINE}


def test_the_manager_sees_scores_in_three_queries(rater, campaign):
    read_guideline(rater, campaign)
    for _ in range(4):
        make_example(campaign, "test")
    take_test(rater, campaign, right=1, wrong=3)
    take_test(rater, campaign, right=3, wrong=1)
    others = [make_user() for _ in range(3)]
    for other in others:
        campaigns.add_rater(campaign, other, campaign.created_by)
    qualification.waive(campaign, others[0], campaign.created_by)
    with CaptureQueriesContext(connection) as queries:
        found = qualification.standings(campaign, [rater, *others])
    assert len(queries) == 3
    assert (found[rater.pk].scores, found[rater.pk].tried) == ([0.25, 0.75], 2)
    assert found[rater.pk].qualified_at is not None
    assert (found[others[0].pk].qualified_at is not None, found[others[0].pk].scores) == (True, [])
    assert found[others[1].pk].qualified_at is None


# -- the pages ----------------------------------------------------------------------------------------


def verdict_for(question, rightly=True):
    verdict = onboarding.as_shown(question.example, question.order)
    return verdict if rightly else -verdict


def test_the_rate_page_leads_to_the_way_in_and_the_way_in_to_the_work(client, rater, campaign):
    make_open_round(campaign)
    make_example(campaign, "practice")
    make_example(campaign, "test")
    client.force_login(rater)
    rate = reverse("rate", args=[campaign.slug])
    start = reverse("onboarding", args=[campaign.slug])
    assert client.get(rate)["Location"] == start
    assert "I have read it" in client.get(start).text
    client.post(reverse("onboarding-guideline", args=[campaign.slug]))
    assert "Start practising" in client.get(start).text

    (question,) = onboarding.practice(rater, campaign)
    address = reverse("onboarding-practice", args=[campaign.slug, 1])
    said = {"example": question.example.pk, "verdict": verdict_for(question, rightly=False)}
    page = client.post(address, said, follow=True).text
    assert "Not quite" in page
    better, worse = ("B", "A") if question.order == [0, 1] else ("A", "B")
    assert f"The right verdict: {better} is clearly better" in page
    assert f"{better} says why, {worse} does not." in page
    # a reload shows it again; without the answer it is asked anew
    assert "Not quite" in client.get(f"{address}?answered").text
    assert "Not quite" not in client.get(address).text

    question = onboarding.next_question(rater, campaign)
    address = reverse("onboarding-test", args=[campaign.slug])
    assert "Question 1 of 1" in client.get(address).text
    said = {"example": question.example.pk, "attempt": 1, "verdict": verdict_for(question)}
    assert client.post(address, said)["Location"] == start
    assert client.post(address, said)["Location"] == start  # sent twice
    page = client.get(start).text
    assert "Passed" in page
    assert "100.0 %" in page
    assert client.get(rate).status_code == 200


def test_a_test_gives_nothing_away_before_its_end(client, rater, campaign):
    read_guideline(rater, campaign)
    for _ in range(2):
        make_example(campaign, "test", explanation="a secret reason")
    client.force_login(rater)
    address = reverse("onboarding-test", args=[campaign.slug])
    question = onboarding.next_question(rater, campaign)
    said = {"example": question.example.pk, "attempt": 1, "verdict": verdict_for(question, rightly=False)}
    following = client.post(address, said, follow=True).text
    assert "Question 2 of 2" in following
    for word in ["secret", "Not quite", "The right verdict"]:
        assert word not in following


@pytest.mark.parametrize(
    "said", [{}, {"verdict": "many"}, {"verdict": "9"}, {"verdict": "1", "example": "x"}]
)
def test_a_bad_answer_is_refused_in_words_and_keeps_nothing(client, rater, campaign, said):
    read_guideline(rater, campaign)
    make_example(campaign, "test")
    client.force_login(rater)
    question = onboarding.next_question(rater, campaign)
    address = reverse("onboarding-test", args=[campaign.slug])
    page = client.post(address, {"example": question.example.pk, "attempt": 1, **said})
    assert page.status_code == 400
    assert 'class="message error"' in page.text
    assert not Trial.objects.exists()


def test_who_lacks_a_skill_or_may_not_work_yet_is_told_so_by_the_page_at_work(client, rater, campaign):
    make_open_round(campaign)
    client.force_login(rater)
    rate = reverse("rate", args=[campaign.slug])
    assert reverse("onboarding", args=[campaign.slug]) in client.get(rate, headers={"X-Fragment": "1"}).text
    campaign.skills.add(Skill.objects.create(name="french"))
    qualification.waive(campaign, rater, campaign.created_by)
    assert "french" in client.get(rate).text


def test_only_members_come_in(client, campaign):
    client.force_login(make_user())
    for name, args in [("onboarding", []), ("onboarding-practice", [1]), ("onboarding-test", [])]:
        assert client.get(reverse(name, args=[campaign.slug, *args])).status_code == 404


# -- the API ------------------------------------------------------------------------------------------


def test_a_program_goes_the_same_way_in(client, rater, campaign):
    make_example(campaign, "practice")
    make_example(campaign, "test")
    client.force_login(rater)
    address = reverse("api_way_in", args=[campaign.slug])

    def post(**said):
        return client.post(address, said, content_type="application/json")

    client.post(reverse("api_read_guideline", args=[campaign.slug]))
    now = client.get(address).json()
    assert (now["step"], now["steps"], now["question"]) == (
        "practice",
        ["guideline", "practice", "test"],
        None,
    )
    (question,) = now["practice"]
    side = 1 if question["answers"][1].startswith("It is the second") else -1
    told = post(example=question["example"], attempt=0, verdict=-side).json()
    assert (told["right"], told["verdict"]) == (False, 2 * side)
    assert ("B says why" if side == 1 else "A says why") in told["explanation"]

    question = client.get(address).json()["question"]
    side = 1 if question["answers"][1].startswith("It is the second") else -1
    assert post(example=question["example"], attempt=1, verdict=9).json().keys() == {"verdict"}
    told = post(example=question["example"], attempt=1, verdict=side).json()
    assert told == {"right": None, "verdict": None, "explanation": ""}
    now = client.get(address).json()
    assert (now["step"], now["score"], now["qualified"]) == ("done", 1.0, True)
