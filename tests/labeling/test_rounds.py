from collections import Counter
from itertools import product

import pytest

from labeling import planning, rounds
from labeling.models import Campaign, Prompt, Round, RoundEvent, Slot, Task
from labeling.rounds import TRANSITIONS, StateError
from models_app import registry
from tests.cast import (
    add_task,
    make_campaign,
    make_open_round,
    make_policy,
    make_prompt,
    make_round,
    make_user,
)

pytestmark = pytest.mark.django_db


def campaign_with_policy(prompts=10, **settings):
    campaign = make_campaign(**settings)
    registry.promote(make_policy(campaign.model_family), by=make_user("manager"), reason="base")
    for _ in range(prompts):
        make_prompt(campaign)
    return campaign


@pytest.mark.parametrize(("before", "after"), [*product(Round.Status.values, Round.Status.values)])
def test_only_the_transitions_of_the_table_happen(before, after):
    round_ = Round.objects.create(campaign=make_campaign(), number=1, status=before)
    if after in TRANSITIONS[before]:
        rounds.change(round_, after, reason="test")
        assert RoundEvent.objects.get().before == before
    else:
        with pytest.raises(StateError):
            rounds.change(round_, after)
        assert not RoundEvent.objects.exists()
    round_.refresh_from_db()
    assert round_.status == (after if after in TRANSITIONS[before] else before)


def test_next_round_takes_the_champion_and_waits_for_the_last_one():
    campaign = campaign_with_policy(tasks_per_round=4)
    round_ = rounds.create_next(campaign)
    assert round_.number == 1
    assert [p.name for p in round_.policies.all()] == ["writer"]
    with pytest.raises(StateError, match="under way"):
        rounds.create_next(campaign)
    rounds.cancel(round_)
    assert rounds.create_next(campaign).number == 2


def test_no_champion_no_round():
    with pytest.raises(StateError, match="champion policy"):
        rounds.create_next(make_campaign())


def test_no_prompts_no_tasks_and_the_round_stays_draft():
    round_ = rounds.create_next(campaign_with_policy(prompts=0))
    with pytest.raises(StateError, match="import some"):
        rounds.start_generating(round_)
    round_.refresh_from_db()
    assert round_.status == "draft"


def test_plan_asks_the_least_asked_prompts_and_stores_their_probability():
    campaign = campaign_with_policy(prompts=10, tasks_per_round=6, edit_share=0.5)
    first = rounds.create_next(campaign)
    rounds.start_generating(first)
    assert set(first.tasks.values_list("probability", flat=True)) == {0.6}
    assert Counter(first.tasks.values_list("kind", flat=True)) == {"compare": 3, "edit": 3}
    rounds.cancel(first)
    second = rounds.create_next(campaign)
    rounds.start_generating(second)
    # four prompts had not been asked: all of them, and two of the other six
    assert Counter(second.tasks.values_list("probability", flat=True)) == {1.0: 4, 2 / 6: 2}
    asked = Counter(campaign.tasks.values_list("prompt", flat=True))
    assert sorted(asked.values()) == [1] * 8 + [2] * 2


def test_more_tasks_than_prompts_ask_prompts_again():
    campaign = campaign_with_policy(prompts=3, tasks_per_round=7)
    round_ = rounds.create_next(campaign)
    rounds.start_generating(round_)
    assert sorted(Counter(round_.tasks.values_list("prompt", flat=True)).values()) == [2, 2, 3]


def test_plan_shares_its_tasks_among_the_kinds():
    campaign = campaign_with_policy(
        prompts=10, tasks_per_round=10, edit_share=0.1, rank_share=0.3, chat_share=0.2
    )
    round_ = rounds.create_next(campaign)
    rounds.start_generating(round_)
    kinds = Counter(round_.tasks.values_list("kind", flat=True))
    assert kinds == {"edit": 1, "rank": 3, "chat": 2, "compare": 4}


def test_shares_that_are_the_whole_never_ask_for_more():
    campaign = Campaign(edit_share=0.5, rank_share=0.5)
    assert [len(planning.share_kinds(campaign, n, {})) for n in range(8)] == list(range(8))
    assert Counter(kind for kind, _ in planning.share_kinds(campaign, 3, {})) == {"edit": 2, "rank": 1}


def test_what_a_conversation_came_to_is_never_asked_in_a_round():
    campaign = campaign_with_policy(prompts=2, tasks_per_round=4)
    opening, continued = campaign.prompts.order_by("pk")
    Prompt.objects.filter(pk=continued.pk).update(opening=opening)
    round_ = rounds.create_next(campaign)
    rounds.start_generating(round_)
    assert set(round_.tasks.values_list("prompt", flat=True)) == {opening.pk}


def test_opening_gives_each_open_task_its_slots_once():
    campaign = make_campaign(overlap=3)
    round_ = make_round(campaign)
    task = add_task(round_)
    cancelled = add_task(round_)
    Task.objects.filter(pk=cancelled.pk).update(status="cancelled")
    rounds.open_(round_)
    assert task.slots.count() == 3
    assert not cancelled.slots.exists()
    with pytest.raises(StateError):
        rounds.open_(round_)
    assert task.slots.count() == 3


def test_closing_drops_the_work_that_is_left():
    round_ = make_open_round(make_campaign(), comparisons=2)
    rounds.close(round_, reason="enough")
    assert set(Slot.objects.values_list("status", flat=True)) == {"cancelled"}
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}
    assert round_.events.filter(after="closed", reason="enough").exists()


def test_only_one_worker_at_a_time_holds_generation():
    round_ = make_round(make_campaign())
    assert rounds.hold_generation(round_, 60)
    assert not rounds.hold_generation(round_, 60)
    rounds.keep_generation(round_, -1)
    assert rounds.hold_generation(round_, 60)
