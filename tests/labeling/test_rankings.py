"""Rankings: every answer has one place, and a place is kept whatever the order shown."""

from uuid import uuid4

import pytest

from labeling import assignment, judgments, measuring, rankings, rounds
from labeling.models import Criterion, Judgment, Task
from labeling.submissions import SubmissionError
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rater():
    return make_user()


@pytest.fixture
def campaign(rater):
    return make_campaign(raters=(rater,))


@pytest.fixture
def slot(rater, campaign):
    make_open_round(campaign, comparisons=0, rankings=1)
    return assignment.claim(rater, campaign)


def submit(rater, slot, ranking, **fields):
    return rankings.submit(rater, slot.lease, **{"idempotency_key": uuid4(), "ranking": ranking, **fields})


def test_a_ranking_is_stored_by_place_in_the_task_with_all_that_goes_with_it(rater, campaign, slot):
    Criterion.objects.create(campaign=campaign, key="kind", name="Kind", points=5)
    judgment = submit(
        rater,
        slot,
        [[2], [3, 0], [1]],
        criteria={"kind": [1, 2, 3, 4]},
        reasons=[["Wrong"], [], ["Right", "Clear"], []],
        flags=["broken"],
        comment="C says when.",
        attention={"prompt": 5, "answers": [10, 20, 30, 40]},
    )
    judgment.refresh_from_db()
    at = slot.order_shown
    assert judgment.verdict is None
    assert judgment.ranking == [[at[2]], sorted([at[3], at[0]]), [at[1]]]
    assert [judgment.criteria["kind"][at[side]] for side in range(4)] == [1, 2, 3, 4]
    assert judgment.reasons[at[2]] == ["Right", "Clear"]
    assert [judgment.attention["answers"][at[side]] for side in range(4)] == [10, 20, 30, 40]
    assert (judgment.comment, judgment.flags) == ("C says when.", ["broken"])
    assert Task.objects.get().status == "done"


def test_a_double_submit_gives_the_same_row_and_undo_the_task(rater, campaign, slot):
    key = uuid4()
    first = submit(rater, slot, [[0], [1], [2], [3]], idempotency_key=key)
    assert submit(rater, slot, [[3], [2], [1], [0]], idempotency_key=key) == first
    back = judgments.undo(rater, first)
    assert back.order_shown == slot.order_shown
    again = submit(rater, back, [[1, 2, 3, 0]])
    assert again.ranking == [[0, 1, 2, 3]]
    assert again.supersedes.withdrawn
    assert again.supersedes.ranking == first.ranking


@pytest.mark.parametrize(
    "ranking",
    [
        "0123",
        None,
        [],
        [[0], [1], [2]],
        [[0], [1], [2], [3], [4]],
        [[0], [1], [2], [2]],
        [[0, 1, 2, 3], []],
        [0, 1, 2, 3],
        [["0"], ["1"], ["2"], ["3"]],
        [[False], [True], [2], [3]],
        [[-1], [1], [2], [3]],
    ],
)
def test_a_ranking_that_isnt_one_is_refused_and_nothing_is_kept(rater, slot, ranking):
    with pytest.raises(SubmissionError) as refused:
        submit(rater, slot, ranking)
    assert refused.value.field == "ranking"
    assert not Judgment.objects.exists()
    slot.refresh_from_db()
    assert slot.status == "claimed"


def test_a_verdict_on_a_ranking_and_a_ranking_of_a_pair_are_refused(rater, campaign, slot):
    with pytest.raises(SubmissionError, match="something else"):
        judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=1)
    submit(rater, slot, [[0, 1, 2, 3]])
    make_open_round(campaign)
    pair = assignment.claim(rater, campaign)
    with pytest.raises(SubmissionError, match="something else"):
        submit(rater, pair, [[0], [1]])


def test_a_ranking_counts_as_all_its_pairs_for_the_policies_and_not_for_agreement(rater, campaign):
    round_ = make_round(campaign)
    for _ in range(6):
        add_task(round_, ("one", "two", "three"))
    rounds.open_(round_)
    for _ in range(6):
        slot = assignment.claim(rater, campaign)
        sides = [slot.order_shown.index(position) for position in range(3)]
        submit(rater, slot, [[sides[1]], [sides[0], sides[2]]])
    found = measuring.measure(campaign)
    votes = {figure.policy: (figure.votes, figure.share.value) for figure in found.policies}
    assert found.reference == "writer-0"
    assert votes["writer-1"][0] == votes["writer-2"][0] == 12
    assert votes["writer-1"][1] > 0.9
    assert votes["writer-2"][1] == pytest.approx(0.5, abs=0.01)
    assert found.agreement.value is None
    assert found.left.value is None
