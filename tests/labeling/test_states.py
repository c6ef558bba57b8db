"""A campaign's states: which follows which, what a draft needs to start, and the archive."""

from typing import Any

import pytest

from accounts.models import AuditEvent
from labeling import campaigns, members, overlaps, rounds, setup, states
from labeling.models import Campaign, Slot
from labeling.rounds import StateError
from tests.cast import add_task, make_campaign, make_example, make_policy, make_prompt, make_round, make_user

pytestmark = pytest.mark.django_db
ALLOWED = {
    ("draft", "active"), ("active", "paused"), ("active", "closed"), ("paused", "active"),
    ("paused", "closed"), ("closed", "active"),
}  # fmt: skip


def make_ready(**settings: Any) -> Campaign:
    """Make a draft that lacks nothing."""
    campaign = make_campaign(raters=(make_user(),), status="draft", **settings)
    round_ = make_round(campaign)
    add_task(round_)
    rounds.open_(round_)
    return campaign


@pytest.mark.parametrize("before", Campaign.Status.values)
def test_each_state_is_followed_by_those_of_the_table_alone(before):
    campaign = make_ready()
    mara = campaign.created_by
    for after in Campaign.Status.values:
        Campaign.objects.update(status=before)
        campaign.refresh_from_db()
        if before == after or (before, after) in ALLOWED:
            states.change(campaign, after, mara)
            assert Campaign.objects.get().status == after
        else:
            with pytest.raises(StateError, match="can't become"):
                states.change(campaign, after, mara)
            assert Campaign.objects.get().status == before


def test_a_change_is_noted_and_one_that_came_too_late_is_refused():
    campaign = make_ready()
    stale = Campaign.objects.get()
    states.change(campaign, "active", campaign.created_by)
    event = AuditEvent.objects.filter(action="change campaign").latest("pk")
    assert event.detail == {"before": {"status": "draft"}, "after": {"status": "active"}}
    with pytest.raises(StateError, match="is active; it can't become active"):
        states.change(stale, "active", campaign.created_by)
    with pytest.raises(campaigns.CampaignError, match="can't be “asleep”"):
        states.change(campaign, "asleep", campaign.created_by)


def test_a_draft_says_what_lacks_and_starts_once_nothing_does():
    campaign = make_campaign(status="draft", pass_mark=0.8)
    mara = campaign.created_by

    def lacking() -> list[str]:
        return [lack.step for lack in setup.read(campaign).lacks]

    assert lacking() == ["prompts", "raters", "checks"]
    with pytest.raises(StateError, match=r"nothing to ask about yet.*Nobody could rate.*no question"):
        states.change(campaign, "active", mara)
    make_prompt(campaign)
    assert lacking() == ["answers", "raters", "checks"]
    campaigns.set_base_policy(campaign, mara, name="base", backend="imported")
    campaigns.add_rater(campaign, make_user(), mara)
    make_example(campaign, "test")
    assert lacking() == []
    states.change(campaign, "active", mara)


def test_the_steps_tell_how_far_a_setup_is():
    campaign = make_campaign(status="draft", guideline="")
    found = {step.key: step.state for step in setup.read(campaign).steps}
    assert found == {
        "basics": "done", "question": "optional", "guideline": "optional", "prompts": "open",
        "answers": "open", "raters": "open", "checks": "optional", "training": "optional", "start": "open",
    }  # fmt: skip
    setup.mark_seen(campaign, "question")
    setup.mark_seen(campaign, "question")
    make_prompt(campaign)
    make_policy(campaign.model_family)
    read = setup.read(Campaign.objects.get())
    assert [step.key for step in read.steps if step.state == "done"] == ["basics", "question", "prompts"]
    assert (read.next.key, read.after("prompts").key) == ("guideline", "answers")


def test_a_drafts_imported_tasks_follow_its_overlap():
    campaign = make_ready()
    campaigns.update(campaign, campaign.created_by, overlap=3)
    assert campaign.tasks.get().overlap == 3
    assert Slot.objects.filter(campaign=campaign, status="open").count() == 3
    overlaps.refit(campaign)
    assert Slot.objects.count() == 3
    states.change(campaign, "active", campaign.created_by)
    campaigns.update(campaign, campaign.created_by, overlap=1)
    assert campaign.tasks.get().overlap == 3  # raters are at work


def test_only_what_nobody_works_in_is_archived_and_it_comes_back_as_it_was():
    campaign = make_ready()
    mara, member = campaign.created_by, campaign.memberships.get().user
    states.change(campaign, "active", mara)
    with pytest.raises(StateError, match="close it before"):
        states.archive(campaign, mara)
    states.change(campaign, "closed", mara)
    assert campaign in members.rated_by(member)
    states.archive(campaign, mara)
    states.archive(campaign, mara)  # it is there already
    assert campaign not in members.rated_by(member)
    assert campaign in campaigns.visible_to(mara)
    with pytest.raises(StateError, match="bring it back"):
        states.change(campaign, "active", mara)
    states.bring_back(campaign, mara)
    states.bring_back(campaign, mara)
    assert (campaign.archived_at, campaign.status) == (None, "closed")
    noted = AuditEvent.objects.filter(action__in=["archive campaign", "bring back campaign"])
    assert noted.count() == 2
