"""The gate's checks on figures of known meaning, and what a pass and a block lead to."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.rounds import StateError
from models_app import registry
from models_app.models import Promotion
from tests import cast
from tests.training import cast as labels
from training import gates, parquet, runs, snapshots
from training.engine import evaluation
from training.models import Evaluation, Run, Snapshot

GOOD = {"proxy": {"win_rate": 0.8, "interval": [0.7, 0.88], "n": 200}, "length_ratio": 0.9, "distinct": 0.97}


def blocked(result) -> list[str]:
    return [check["name"] for check in gates.policy_checks(result) if not check["passed"]]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, []),
        ({"proxy": {"win_rate": 0.6, "interval": [0.49, 0.7], "n": 50}}, ["Wins against its parent"]),
        ({"proxy": None}, ["Wins against its parent"]),
        ({"proxy": {"win_rate": 1.0, "interval": None, "n": 1}}, ["Wins against its parent"]),
        ({"length_ratio": 1.2}, []),
        ({"length_ratio": 1.21}, ["Length"]),
        ({"distinct": 0.79}, ["Variety"]),
        (
            {"proxy": None, "length_ratio": None, "distinct": None},
            ["Wins against its parent", "Length", "Variety"],
        ),
    ],
)
def test_a_policy_must_win_without_growing_long_or_monotonous(change, names):
    result = {**GOOD, **change}
    assert blocked(result) == names
    assert all(check["says"].endswith(".") for check in gates.policy_checks(result))


@pytest.fixture
def campaign(folders):
    return cast.make_campaign()


def succeeded(
    campaign,
    margins: list[float],
    texts=("a b c", "d e f"),
    champion=None,
    drift=1e-6,
    comparisons=None,
    new=0,
) -> Run:
    """Make a succeeded reward run whose model gives these margins to as many held-out votes for the first.

    The last `new` votes are of the newest round.
    """
    family = campaign.model_family
    if not campaign.snapshots.exists():
        labels.judge(labels.make_task(cast.make_round(campaign), ("a", "b")), cast.make_user(), 1)
    run = Run.objects.create(
        campaign=campaign,
        kind="reward",
        snapshot=snapshots.cut(campaign),
        parent=cast.make_policy(family),
        status="running",
    )
    folder = runs.folder(run)
    folder.mkdir(parents=True)
    prompt = json.dumps([{"role": "user", "content": "Hello?"}])
    pairs = [
        {"prompt_id": f"p{n}", "prompt": prompt, "chosen": texts[0], "rejected": texts[1], "probability": 1.0,
         "weight": 1.0, "rater": "ann", "round": 1 + (n >= len(margins) - new), "split": "test"}
        for n in range(len(margins))
    ]  # fmt: skip
    parquet.write(folder / "pairs.parquet", parquet.ENGINE_PAIRS, pairs)
    votes = {"margin": pa.array(margins, pa.float64())}
    if champion is not None:
        votes["champion_margin"] = pa.array(champion, pa.float64())
    pq.write_table(pa.table(votes), folder / "test_votes.parquet")
    ones, values = np.ones(len(margins)), np.array(margins)
    test = evaluation.accuracy(ones, values, [pair["prompt_id"] for pair in pairs])
    produced = labels.make_model(family, "reward", f"reward-{run.pk}")
    result = {
        "test": test,
        "length_baseline": {"rule": "longer"},
        "report": {"invariance": {"greatest": drift}},
    }
    Run.objects.filter(pk=run.pk).update(status="succeeded", produced=produced, result=result)
    if comparisons:
        Snapshot.objects.update(counts={"comparisons": comparisons})
    run.refresh_from_db()
    return run


def says(run: Run) -> dict[str, tuple[bool, str]]:
    return {check["name"]: (check["passed"], check["says"]) for check in gates.evaluate(run).checks}


@pytest.mark.django_db
def test_a_reward_model_that_beats_chance_becomes_champion_by_its_report(campaign):
    run = succeeded(campaign, [1.0] * 80 + [-1.0] * 20)
    report = gates.evaluate(run)
    assert report.passed
    assert registry.champion(campaign.model_family, "reward") == run.produced
    promotion = Promotion.objects.get()
    assert promotion.gate["run"] == run.pk
    assert promotion.gate["checks"] == report.checks
    assert says(run)["Beats chance"][1].startswith("It agrees with 80.0% of 100 held-out votes")
    assert "advisory" in says(run)["Enough comparisons"][1]
    # a second evaluation is the same report, and no second promotion
    assert gates.evaluate(run) == report
    assert Promotion.objects.count() == 1


@pytest.mark.django_db
def test_chance_is_not_enough(campaign):
    run = succeeded(campaign, [1.0] * 52 + [-1.0] * 48)
    assert says(run)["Beats chance"] == (False, says(run)["Beats chance"][1])
    assert "may be chance" in says(run)["Beats chance"][1]
    assert registry.champion(campaign.model_family, "reward") is None


@pytest.mark.django_db
def test_no_held_out_votes_blocks_in_words(campaign):
    run = succeeded(campaign, [])
    assert says(run)["Beats chance"] == (
        False,
        "There is no held-out accuracy: there are no votes to test on yet.",
    )


@pytest.mark.django_db
def test_a_model_that_is_clearly_worse_than_length_alone_is_blocked(campaign):
    run = succeeded(campaign, [1.0] * 70 + [-1.0] * 30, texts=("much longer than", "that"))
    passed, sentence = says(run)["Beats length alone"]
    assert not passed
    assert "Always preferring the longer answer agrees with 100.0%" in sentence


def against(campaign, mine: list[float], theirs: list[float], **fields) -> Run:
    """Make a run whose engine scored the champion too."""
    champion = labels.make_model(campaign.model_family, "reward", "old", status="champion")
    run = succeeded(campaign, mine, champion=theirs, **fields)
    run.config = {"champion": champion.location}
    run.save()
    return run


def votes(right: int, of: int = 100) -> list[float]:
    return [1.0] * right + [-1.0] * (of - right)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("champions_hits", "comparisons", "passed", "words"),
    [
        (95, 1999, False, "clearly worse"),
        (72, 1999, True, "not excluded, which blocks only from 2,000 comparisons on"),
        (72, 2000, False, "a loss of more than a point is not excluded."),
        (70, 2000, True, "a loss of more than a point is excluded"),
        (50, 2000, True, "a loss of more than a point is excluded"),
    ],
)
def test_the_champion_is_compared_on_the_same_votes(campaign, champions_hits, comparisons, passed, words):
    run = against(campaign, votes(70), votes(champions_hits), comparisons=comparisons)
    found, sentence = says(run)["Not worse than the champion"]
    assert found is passed
    assert words in sentence
    assert Evaluation.objects.get(run=run).champion.name == "old"


@pytest.mark.django_db
def test_a_loss_on_the_newest_round_alone_blocks(campaign):
    mine, theirs = votes(80) + votes(10, 20), votes(60) + votes(20, 20)
    found = says(against(campaign, mine, theirs, new=20))
    assert found["Not worse than the champion"][0]
    passed, sentence = found["Not worse on the newest round"]
    assert not passed
    assert "On the votes of round 2, the newest, it is −50.0 points".replace("−", "-") in sentence
    assert "clearly worse" in sentence


@pytest.mark.django_db
@pytest.mark.parametrize(("drift", "words"), [(2e-3, "up to 0.002"), (None, "was not measured")])
def test_a_score_that_depends_on_its_batch_blocks(campaign, drift, words):
    passed, sentence = says(succeeded(campaign, votes(90), drift=drift))["Scores alike in any company"]
    assert not passed
    assert words in sentence


@pytest.mark.django_db
@pytest.mark.parametrize(("comparisons", "passed"), [(1999, True), (2000, False)])
def test_no_gain_over_length_blocks_once_there_are_votes_enough(campaign, comparisons, passed):
    run = succeeded(campaign, votes(98), texts=("much longer than", "that"), comparisons=comparisons)
    Run.objects.filter(pk=run.pk).update(result={**run.result, "length_baseline": {"rule": "longer"}})
    assert says(run)["Beats length alone"][0] is passed


@pytest.mark.django_db
def test_a_champion_that_is_gone_leaves_the_decision_to_a_person(campaign):
    labels.make_model(campaign.model_family, "reward", "old", location="/nowhere", status="champion")
    passed, sentence = says(succeeded(campaign, [1.0] * 10))["Not worse than the champion"]
    assert not passed
    assert "old cannot score the same votes" in sentence


@pytest.mark.django_db
def test_only_what_succeeded_is_checked(campaign):
    run = succeeded(campaign, [1.0])
    Run.objects.filter(pk=run.pk).update(status="cancelled")
    run.refresh_from_db()
    with pytest.raises(StateError, match="is cancelled"):
        gates.evaluate(run)
