"""`decide`, over every combination of small facts."""

from dataclasses import replace
from itertools import product

import pytest

from training.loop import Action, Facts, RunFacts, Step, decide

RUNS = [
    None,
    RunFacts("queued"),
    RunFacts("running"),
    RunFacts("succeeded"),
    RunFacts("succeeded", gated=True),
    *(
        RunFacts(status, reported=reported, error="It broke.")
        for status in ("failed", "cancelled")
        for reported in (False, True)
    ),
]
LOST = {"failed", "cancelled"}
ROUNDS = [None, "draft", "generating", "open", "closed"]
STANDING = [(status, paused) for status in ("draft", "active", "paused", "closed") for paused in ("", "No.")]
EVERYTHING = [
    Facts(*standing, *combination)  # type: ignore[arg-type]
    for standing in STANDING
    for combination in product(
        [False, True],
        [False, True],
        [False, True],
        ROUNDS,
        [False, True],
        [0, 2],
        [2],
        [False, True],
        RUNS if standing == ("active", "") else RUNS[:4:3],  # what doesn't move tells few runs apart
        [False, True],
        RUNS if standing == ("active", "") else RUNS[:4:3],
    )
]


def test_every_combination_has_one_step_in_words():
    for facts in EVERYTHING:
        step = decide(facts)
        assert isinstance(step, Step)
        assert step.says
        assert decide(facts) == step


def test_nothing_is_done_while_the_campaign_or_its_loop_is_paused():
    for facts in EVERYTHING:
        if facts.status != "active" or facts.paused:
            assert decide(facts).action is Action.WAIT


def test_no_step_is_taken_before_its_time():
    for facts in EVERYTHING:
        action, round_ = decide(facts).action, facts.round
        if action in {Action.QUEUE_REWARD, Action.GATE_REWARD, Action.QUEUE_POLICY, Action.GATE_POLICY}:
            assert round_ == "closed"
        if action is Action.CREATE_ROUND:
            assert round_ in {None, "closed"}
            assert facts.prompts
            assert facts.policy
            assert facts.more_rounds
        if action is Action.CLOSE_ROUND:
            assert round_ == "open"
            assert facts.labels >= facts.retrain_after or not facts.asked
        if action is Action.GENERATE:
            assert not facts.generating
        if action is Action.QUEUE_REWARD:
            assert facts.reward is None
        if action is Action.QUEUE_POLICY:
            assert facts.reward is not None
            assert facts.reward.status == "succeeded"
            assert facts.reward.gated
            assert facts.policy_run is None
        if action is Action.RETRY:
            assert "reported" in repr(facts)


def after(facts: Facts, action: Action) -> Facts:
    """Return what is true once a step is done and its worker has succeeded."""
    queued, done, gated = RunFacts("queued"), RunFacts("succeeded"), RunFacts("succeeded", gated=True)
    match action:
        case Action.CREATE_ROUND:
            return replace(facts, round="draft", labels=0, reward=None, policy_run=None, more_rounds=False)
        case Action.START_GENERATING:
            return replace(facts, round="generating", generating=False)
        case Action.GENERATE:
            return replace(facts, round="open", asked=True)
        case Action.CLOSE_ROUND:
            return replace(facts, round="closed")
        case Action.QUEUE_REWARD:
            return replace(facts, reward=queued)
        case Action.GATE_REWARD:
            return replace(facts, reward=gated)
        case Action.QUEUE_POLICY:
            return replace(facts, policy_run=queued)
        case Action.GATE_POLICY:
            return replace(facts, policy_run=gated)
        case Action.PAUSE:
            return replace(facts, paused="Something broke.")
        case Action.RETRY:
            key = "reward" if facts.reward and facts.reward.status in LOST else "policy_run"
            return replace(facts, **{key: queued})  # type: ignore[arg-type]
    for key in ("reward", "policy_run") if facts.round == "closed" else ():
        run = getattr(facts, key)
        if run is not None and run.status in {"queued", "running"}:
            return replace(facts, **{key: done})  # type: ignore[arg-type]
    if facts.round == "generating":
        return replace(facts, round="open", asked=True)
    if facts.round == "open":
        return replace(facts, labels=facts.retrain_after)
    return facts


def rank(facts: Facts) -> tuple[int, ...]:
    """Order facts along the loop; PAUSE counts as an end."""

    def of(run: RunFacts | None) -> int:
        if run is None or run.status in LOST:
            return 0
        return {"queued": 1, "running": 2, "succeeded": 3}[run.status] + run.gated

    return (
        int(not facts.more_rounds),
        ROUNDS.index(facts.round),
        facts.labels,
        of(facts.reward),
        of(facts.policy_run),
        int(bool(facts.paused)),
    )


def test_from_everywhere_the_loop_only_goes_forward_until_it_ends_or_pauses():
    for facts in EVERYTHING:
        if facts.status != "active" or facts.paused:
            continue
        for _ in range(30):
            step = decide(facts)
            then = after(facts, step.action)
            if then == facts:
                break
            assert rank(then) > rank(facts), (facts, step, then)
            facts = then
        else:
            raise AssertionError(f"the loop never comes to rest from {facts}")
        assert decide(facts).action is Action.WAIT


def test_a_whole_turn():
    facts, seen = Facts(), []
    for _ in range(20):
        step = decide(facts)
        seen.append(step.action)
        then = after(facts, step.action)
        if then == facts:
            break
        facts = then
    assert [action for action in seen if action is not Action.WAIT] == [
        Action.CREATE_ROUND,
        Action.START_GENERATING,
        Action.GENERATE,
        Action.CLOSE_ROUND,
        Action.QUEUE_REWARD,
        Action.GATE_REWARD,
        Action.QUEUE_POLICY,
        Action.GATE_POLICY,
    ]
    assert decide(facts).says == "All rounds are finished."


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_lost_run_pauses_once_and_is_tried_again_after_that(status):
    facts = Facts(round="closed", reward=RunFacts(status, error="The disk is full."))
    assert decide(facts) == Step(Action.PAUSE, f"The reward model run {status}: The disk is full.")
    assert decide(replace(facts, reward=RunFacts(status, reported=True))).action is Action.RETRY


def test_a_blocked_reward_model_without_a_champion_skips_the_policy_run():
    facts = Facts(round="closed", reward=RunFacts("succeeded", gated=True), improvable=False)
    assert decide(facts).action is Action.CREATE_ROUND


def test_an_alarm_pauses_the_loop_wherever_it_is_and_once():
    for facts in EVERYTHING[::97]:
        alarmed = replace(facts, alarm="Answers grow.")
        if facts.status != "active" or facts.paused:
            assert decide(alarmed) == decide(facts)
        else:
            assert decide(alarmed) == Step(Action.PAUSE_FOR_ALARM, "Answers grow.")
