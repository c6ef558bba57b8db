"""Leaderboards: who stands where by people's votes, what rounds gained, and that all ways show the same."""

import csv
import io
import random
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from labeling import measuring, quality
from labeling.models import Judgment, Prompt, Response, Round, Slot, Task, TaskResponse
from labeling.prompts import content_hash, text_hash
from models_app.models import ModelVersion, Promotion
from tests import cast
from tests.training.cast import judge, make_model
from training import leaderboards
from training.models import Evaluation, Run, Snapshot

pytestmark = pytest.mark.django_db
POINTS = [
    {
        "share": 1 / 8 * 2**k,
        "votes": 250 * 2**k,
        "value": value,
        "interval": [value - 0.03, value + 0.03],
        "n": 800,
    }
    for k, value in enumerate((0.64, 0.68, 0.7, 0.715))
]
REPORT = {
    "held_out_raters": {"value": 0.7, "interval": [0.66, 0.74], "n": 500},
    "newest_round": {"value": 0.69, "interval": [0.6, 0.78], "n": 120},
    "calibration": {"after": {"value": 0.03, "interval": [0.02, 0.06], "n": 800}},
    "ceiling": {"value": 0.83, "interval": [0.82, 0.85], "n": 300},
    "of_ceiling": {"value": 0.87, "interval": [0.8, 0.93], "n": 800},
    "learning_curve": {
        "points": POINTS,
        "covariance": [[2e-4 + 1e-5 * (i == j) for i in range(4)] for j in range(4)],
    },
}


def compare(round_: Round, votes: list[tuple[dict[str, str], bool]], raters: list, **task) -> list[Task]:
    """Store a vote on each pair of answers, given by policy: whether the first one won."""
    campaign, n = round_.campaign, len(votes)
    talks = [[{"role": "user", "content": f"Question {next(cast.numbers)}?"}] for _ in range(n)]
    prompts = Prompt.objects.bulk_create(
        Prompt(campaign=campaign, messages=talk, content_hash=content_hash(talk), split="train")
        for talk in talks
    )
    tasks = Task.objects.bulk_create(
        Task(campaign=campaign, round=round_, prompt=prompt, kind="compare", overlap=9, counted=1, **task)
        for prompt in prompts
    )
    policies = {
        name: cast.make_policy(campaign.model_family, name) for texts, _won in votes for name in texts
    }
    answers = Response.objects.bulk_create(
        Response(
            prompt=prompt, text=text, text_hash=text_hash(text), policy=policies[name], round=round_,
            origin="sampled", sampling=round_.sampling, copy=copy,
        )
        for prompt, (texts, _won) in zip(prompts, votes, strict=True)
        for copy, (name, text) in enumerate(texts.items())
    )  # fmt: skip
    TaskResponse.objects.bulk_create(
        TaskResponse(task=tasks[at // 2], response=answer, position=at % 2)
        for at, answer in enumerate(answers)
    )
    by = [raters[at % len(raters)] for at in range(n)]
    slots = Slot.objects.bulk_create(
        Slot(
            campaign=campaign, task=task, status="done", order_key=0.5, rater=rater, lease=uuid4(),
            lease_until=timezone.now(),
        )
        for task, rater in zip(tasks, by, strict=True)
    )  # fmt: skip
    Judgment.objects.bulk_create(
        Judgment(
            task=task, rater=rater, slot=slot, verdict=-1 if won else 1, order_shown=[0, 1],
            idempotency_key=uuid4(), guideline=campaign.guidelines.first(),
        )
        for task, rater, slot, (_texts, won) in zip(tasks, by, slots, votes, strict=True)
    )  # fmt: skip
    return tasks


def wins(texts: dict[str, str], won: int, of: int) -> list[tuple[dict[str, str], bool]]:
    """Let the first policy win so many times."""
    return [(texts, number < won) for number in range(of)]


def make_run(
    campaign, kind: str, produced: ModelVersion, parent: ModelVersion, round_: Round | None, **fields
) -> Run:
    """Store a run that made a model."""
    snapshot, _ = Snapshot.objects.get_or_create(
        campaign=campaign, digest=f"{campaign.pk:064}", defaults={"counts": {"judgments": 160}}
    )
    return Run.objects.create(
        campaign=campaign, kind=kind, status="succeeded", produced=produced, parent=parent, round=round_,
        snapshot=snapshot, **fields,
    )  # fmt: skip


def make_loop(campaign):
    """Play two rounds: each makes a policy that raters like better, and the second is the champion."""
    raters = [cast.make_user() for _ in range(8)]
    base = make_model(campaign.model_family, "policy", "base", status="retired")
    one = make_model(campaign.model_family, "policy", "one", status="retired", parent=base)
    two = make_model(campaign.model_family, "policy", "two", status="champion", parent=one)
    first, second = cast.make_round(campaign), cast.make_round(campaign)
    for round_, made, parent in ((first, one, base), (second, two, one)):
        make_run(campaign, "policy", made, parent, round_)
        Promotion.objects.create(version=made, previous=parent, gate={"passed": True})
    compare(first, wins({"one": "It is so.", "base": "It was so."}, 28, 40), raters)
    compare(second, wins({"two": "It is so.", "one": "It was so."}, 26, 40), raters)
    reward = make_model(campaign.model_family, "reward", "reward-1", status="champion")
    result = {"test": {"accuracy": 0.715, "interval": [0.68, 0.75], "n": 800}, "report": REPORT}
    run = make_run(campaign, "reward", reward, base, first, result=result)
    Evaluation.objects.create(run=run, passed=True)
    return base, one, two


@pytest.fixture
def manager(client):
    user = cast.make_user(Role.MANAGER)
    client.force_login(user)
    return user


@pytest.fixture
def campaign(manager):
    return cast.make_campaign(by=manager, name="Kitchen talk")


@pytest.fixture
def loop(campaign):
    policies = make_loop(campaign)
    quality.refresh(campaign)
    return policies


def test_each_policy_stands_where_votes_put_it(campaign, loop):
    _base, _one, two = loop
    board = leaderboards.policies(campaign)
    assert [place.policy for place in board.places] == ["two", "one", "base"]
    assert (board.base, board.champion, board.predecessor, board.votes) == ("base", "two", "one", 80)
    best, middle, last = board.places
    assert best.elo.value > middle.elo.value > 0 == last.elo.value
    assert middle.elo.value == pytest.approx(147, abs=2)  # 400 log10(28/12)
    assert best.against_base.interval.low > 0.5
    assert middle.against_champion.value == pytest.approx(14 / 40, abs=0.01)
    assert last.elo.interval is None
    assert (best.round, best.answered, best.votes, middle.answered) == (2, [2], 40, [1, 2])
    assert board.duel is not None
    assert {board.duel.first, board.duel.second} == {"two", "one"}
    assert board.place(two) == best


def test_rounds_gain_points_and_so_many_for_a_thousand_labels(campaign, loop):
    gains = leaderboards.rounds(campaign)
    assert [(step.round, step.policy, step.against, step.labels) for step in gains.steps] == [
        (1, "one", "base", 40), (2, "two", "one", 40),
    ]  # fmt: skip
    first, second = gains.steps
    assert first.per_thousand.value == pytest.approx(first.elo.value * 25)
    assert first.per_thousand.interval.low == pytest.approx(first.elo.interval.low * 25)
    assert gains.total is not None
    assert gains.total.elo.value == pytest.approx(first.elo.value + second.elo.value)
    assert (gains.total.against, gains.total.labels) == ("base", 80)
    assert gains.total.elo.interval.low > 0


def test_a_policy_that_follows_a_refused_one_took_the_labels_of_both_rounds(campaign, loop):
    _base, one, _two = loop
    made = make_model(campaign.model_family, "policy", "three", parent=one)
    make_run(campaign, "policy", made, one, cast.make_round(campaign))
    *_, last = leaderboards.rounds(campaign).steps
    assert (last.round, last.against, last.labels) == (3, "one", 40)
    assert last.elo.why == leaderboards.UNCOMPARED


def test_votes_that_are_no_random_draw_are_left_out_and_counted(campaign, loop):
    before = leaderboards.policies(campaign)
    round_, raters = campaign.rounds.first(), [cast.make_user() for _ in range(3)]
    compare(round_, wins({"base": "a", "two": "b"}, 5, 5), raters, selection="active")
    compare(round_, wins({"here": "a", "there": "b"}, 3, 4), raters)
    campaign.overlap_cap, campaign.overlap = 5, 1
    campaign.save()
    again = round_.tasks.filter(selection="random").first()
    for rater in raters[:2]:
        judge(again, rater, 1)
    quality.refresh(campaign)
    board = leaderboards.policies(campaign)
    assert (board.left_out["chosen"], board.left_out["apart"], board.left_out["asked again"]) == (5, 4, 2)
    assert [place.elo for place in board.places[:3]] == [place.elo for place in before.places]
    apart = next(place for place in board.places if place.policy == "here")
    assert (apart.elo.why, apart.votes) == (leaderboards.APART, 0)


def test_a_policy_that_wins_by_length_falls_at_equal_style(campaign):
    chance, round_ = random.Random(0), cast.make_round(campaign)
    raters = [cast.make_user() for _ in range(10)]
    votes = []
    for _ in range(120):
        longer = chance.random() < 0.75
        words = {"wordy": "word " * (24 if longer else 6), "plain": "word " * (6 if longer else 24)}
        votes.append((words, (chance.random() < 0.85) == longer))
    compare(round_, votes, raters)
    quality.refresh(campaign)
    assert leaderboards.policies(campaign).places[0].policy == "wordy"
    board = quality.latest(campaign).figures.board
    assert board is not None
    raw, fair = board.raw.elo("wordy", "plain"), board.fair.elo("wordy", "plain")
    assert raw.interval.low > 0
    assert fair.value < raw.value / 2
    assert fair.interval.low < 0 < fair.interval.high


def test_reward_models_stand_side_by_side_and_more_labels_have_a_price(campaign, loop):
    (row,) = leaderboards.reward_models(campaign)
    assert (row.round, row.name, row.passed, row.labels) == (1, "reward-1", True, 160)
    assert row.accuracy.value == 0.715
    assert row.of_ceiling.interval == (0.8, 0.93)
    outlook = leaderboards.more_labels(campaign)
    assert [row.votes for row in outlook.ahead] == [3000, 4000, 10_000]
    rising = [row.accuracy.value for row in outlook.ahead]
    assert 0.715 < rising[0] < rising[1] < rising[2] < 0.85
    assert outlook.ahead[0].gain.interval.low >= 0
    assert "1,000 more would buy about" in outlook.says[0]


def test_the_page_says_how_it_is_and_the_files_say_the_same(
    client, campaign, loop, django_assert_max_num_queries
):
    at = [campaign.slug]
    with django_assert_max_num_queries(9):
        page = client.get(reverse("leaderboard", args=at)).text
    for text in (
        "What each round gained",
        "What more labels would buy",
        'data-plot="places"',
        'data-plot="climb"',
    ):
        assert text in page
    assert "style=" not in page
    assert "None" not in page
    assert "data-live" not in page
    found = client.get(reverse("api_leaderboard", args=at)).json()
    assert (found["judgments"], found["policies"]["champion"]) == (80, "two")
    tables = {
        "policies": (found["policies"]["places"], "elo"),
        "rounds": ([*found["rounds"]["steps"], found["rounds"]["total"]], "per_thousand"),
        "reward-models": (found["reward_models"], "accuracy"),
        "more-labels": ([*found["more_labels"]["points"], *found["more_labels"]["ahead"]], "accuracy"),
    }
    for table, (rows, figure) in tables.items():
        text = client.get(reverse("leaderboard_csv", args=[*at, table])).text
        lines = list(csv.DictReader(io.StringIO(text)))
        assert [float(line[figure]) for line in lines] == pytest.approx(
            [row[figure]["value"] for row in rows]
        )
    assert client.get(reverse("leaderboard_csv", args=[*at, "others"])).status_code == 404
    live = client.get(reverse("leaderboard_live", args=at)).text
    assert 'id="gains"' in live
    assert "<html" not in live


def test_what_is_empty_says_what_to_do(client, campaign):
    page = client.get(reverse("leaderboard", args=[campaign.slug])).text
    assert "No policy yet. Register one" in page
    assert "No round has made a policy yet" in page
    assert "No reward model yet" in page
    assert "the first reward model brings a learning curve" in page
    assert "data-live" in page
    assert client.get(reverse("leaderboard_csv", args=[campaign.slug, "rounds"])).text == ""


def test_policies_without_votes_and_runs_without_rounds_say_why(campaign, manager):
    base = make_model(campaign.model_family, "policy", "base")
    new = make_model(campaign.model_family, "policy", "new", status="champion", parent=base)
    make_run(campaign, "policy", new, base, None)
    places = leaderboards.policies(campaign).places
    assert {(place.policy, place.elo.why) for place in places} == {
        ("base", leaderboards.UNCOMPARED), ("new", leaderboards.UNCOMPARED),
    }  # fmt: skip
    raters = [cast.make_user() for _ in range(4)]
    compare(cast.make_round(campaign), wins({"new": "It is.", "base": "It was."}, 9, 12), raters)
    quality.refresh(campaign)
    (step,) = leaderboards.rounds(campaign).steps
    assert (step.labels, step.per_thousand.why) == (None, leaderboards.NO_LABELS)
    assert step.elo.value > 0


def test_all_champions_are_listed_in_as_many_queries_for_many_campaigns(
    client, campaign, loop, manager, django_assert_max_num_queries
):
    for number in range(3):
        cast.make_campaign(by=manager, name=f"Another {number}")
    with django_assert_max_num_queries(7):
        page = client.get(reverse("leaderboards")).text
    assert "Kitchen talk" in page
    assert "no policy has been improved and promoted yet" in page
    with django_assert_max_num_queries(7):
        rows = client.get(reverse("api_leaderboards")).json()["results"]
    total = next(row["total"] for row in rows if row["campaign"] == campaign.slug)
    assert total["elo"]["value"] == pytest.approx(leaderboards.rounds(campaign).total.elo.value)


def test_the_figures_keep_what_the_board_needs(campaign, loop):
    assert quality.latest(campaign).figures == measuring.measure(campaign)
