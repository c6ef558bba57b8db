"""Withdrawal: what a rater or a prompt said is in nothing to come, and whoever has it is told."""

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts import webhooks
from accounts.models import AuditEvent
from accounts.webhook_models import WebhookEvent
from labeling import assignment
from labeling.models import Adjudication, Judgment, Membership, Prompt, Slot, Task
from models_app import registry
from tests import cast
from tests.training import cast as labels
from training import notices, runs, snapshots, withdrawal
from training.models import Download, Run, WithdrawalNotice
from training.runs import RunError
from training.withdrawal import WithdrawalError, WithdrawnError

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return cast.make_user("manager", username="mara")


@pytest.fixture
def raters():
    return [cast.make_user(username=name) for name in ("ann", "bob")]


@pytest.fixture
def campaign(folders, manager, raters):
    """Make a campaign in which Ann and Bob judged one comparison, and Ann alone edited another prompt."""
    campaign = cast.make_campaign(by=manager, raters=tuple(raters), slug="kitchen")
    round_ = cast.make_round(campaign)
    shared = labels.make_task(round_, ("tea", "coffee"))
    for rater in raters:
        labels.judge(shared, rater, -2)
    labels.edit(labels.make_task(round_, ("rude",)), raters[0], "kind")
    return campaign


def whose(snapshot):
    return {said["rater"] for row in snapshots.rows(snapshot) for said in [*row["judgments"], *row["edits"]]}


def test_a_withdrawn_rater_is_in_no_snapshot_to_come(campaign, manager, raters):
    ann, bob = raters
    before = snapshots.cut(campaign)
    assert whose(before) == {ann.pseudonym, bob.pseudonym}
    done = withdrawal.withdraw_rater(ann, manager, "Asked us to forget them.")
    after = snapshots.cut(campaign)
    assert after.digest != before.digest
    assert whose(after) == {bob.pseudonym}
    assert after.counts["edits"] == 0
    assert (done.counts["judgments"], done.counts["edits"]) == (1, 1)
    assert list(done.snapshots.all()) == [before]
    assert whose(before) == {ann.pseudonym, bob.pseudonym}  # what was cut never changes
    # their words count no more anywhere, stay as they were, and they get no more tasks
    assert Judgment.objects.filter(rater=ann, withdrawn=False, superseded_by=None).count() == 0
    assert Judgment.objects.filter(rater=ann, withdrawn=False).count() == 1
    assert not Membership.objects.filter(user=ann).exists()
    assert AuditEvent.objects.get(action="withdraw rater").detail["reason"] == "Asked us to forget them."
    assert snapshots.standing(before) == after
    assert snapshots.standing(after) == after
    with pytest.raises(WithdrawalError, match="already"):
        withdrawal.withdraw_rater(ann, manager, "Again.")
    with pytest.raises(WithdrawalError, match="Say why"):
        withdrawal.withdraw_rater(bob, manager, " ")


def test_a_withdrawn_reviewer_has_no_final_word(campaign, manager, raters):
    reviewer = cast.make_user("manager", username="ria")
    task = Task.objects.get(kind="compare")
    Adjudication.objects.create(
        task=task, campaign=campaign, reviewer=reviewer, verdict=3, decided_at=task.created_at
    )
    before = snapshots.cut(campaign)
    withdrawal.withdraw_rater(reviewer, manager, "Left.")
    (row,) = [row for row in snapshots.rows(snapshots.cut(campaign)) if row["task"]["kind"] == "compare"]
    assert (row["consensus"]["label"], row["consensus"]["adjudicated"]) == (-1, None)
    assert before.withdrawals.count() == 1


def test_a_withdrawn_prompt_is_asked_no_more_and_in_no_snapshot_to_come(campaign, manager, raters):
    open_round = cast.make_open_round(campaign, 1)
    task = Task.objects.get(round=open_round)
    slot = assignment.claim(raters[0], campaign)
    assert slot.task_id == task.pk
    labels.judge(task, raters[1], 1)
    before = snapshots.cut(campaign)
    follow_up = cast.make_prompt(campaign)
    Prompt.objects.filter(pk=follow_up.pk).update(opening=task.prompt)
    elsewhere = cast.make_campaign(by=manager)
    copy = cast.make_prompt(elsewhere, task.prompt.messages[0]["content"])
    done = withdrawal.withdraw_prompt(task.prompt, manager, "It names a person.")
    after = snapshots.cut(campaign)
    gone = {task.prompt.content_hash, follow_up.content_hash}
    assert not gone & {row["prompt_id"] for row in [*snapshots.rows(after), *snapshots.prompts(after)]}
    assert after.digest != before.digest
    assert done.counts == {"prompts": 3, "tasks": 1}
    assert set(Prompt.objects.filter(withdrawn=True)) == {task.prompt, follow_up, copy}
    task.refresh_from_db()
    assert task.status == "cancelled"
    assert not Slot.objects.filter(task=task, status__in=["open", "claimed"]).exists()
    assert assignment.claim(raters[0], campaign) is None
    with pytest.raises(WithdrawalError, match="already"):
        withdrawal.withdraw_prompt(copy, manager, "Again.")


def test_what_learnt_from_it_is_marked_down_the_line(campaign, manager, raters, tiny_policy):
    family = campaign.model_family
    base = registry.register(family, "policy", "base", "transformers", str(tiny_policy))
    before = snapshots.cut(campaign)

    def train(kind, name, snapshot, parent, **fields):
        made = registry.register(family, kind, name, "imported", parent=parent)
        Run.objects.create(
            campaign=campaign, kind=kind, snapshot=snapshot, parent=parent, produced=made,
            status="succeeded", **fields
        )  # fmt: skip
        return made

    judge = train("reward", "judge", before, base)
    queued = runs.queue_reward(campaign, before, trunk=base)
    withdrawal.withdraw_rater(raters[0], manager, "Gone.")
    after = snapshots.cut(campaign)
    improved = train("policy", "improved", after, base, reward_model=judge)
    child = train("policy", "child", after, improved)
    clean = train("reward", "clean", after, base)
    found = withdrawal.of_models([base, judge, improved, child, clean])
    assert set(found) == {judge.pk, improved.pk, child.pk}
    assert withdrawal.sentence(found[child.pk][0]).endswith("The reason: Gone.")
    queued.refresh_from_db()
    assert queued.status == "cancelled"
    with pytest.raises(RunError, match="holds withdrawn data"):
        runs.queue_reward(campaign, before, trunk=base)
    assert runs.retry(queued).snapshot == after


def test_whoever_downloaded_it_is_told_and_nobody_else_gets_it(campaign, manager, raters, tmp_path):
    ruth, late = (cast.make_user("researcher", username=name) for name in ("ruth", "lena"))
    before = snapshots.cut(campaign)
    Download.objects.create(snapshot=before, by=ruth, format="trl-sft", file="jsonl", via="page")
    withdrawal.refuse(before, late)
    withdrawal.withdraw_rater(raters[0], manager, "Gone.")
    assert [notice.user for notice in WithdrawalNotice.objects.all()] == [ruth]
    assert withdrawal.unseen(ruth).count() == 1
    assert withdrawal.unseen(late).count() == 0
    for nobody in (ruth, late, None):
        with pytest.raises(WithdrawnError, match=r"withdrawn data.*Gone"):
            withdrawal.refuse(before, nobody)
    withdrawal.refuse(before, manager)
    command = ("export_snapshot", "kitchen", tmp_path / "out", "--digest", before.digest)
    with pytest.raises(CommandError, match=r"withdrawn data.*Gone"):
        call_command(*command)
    assert not (tmp_path / "out").exists()
    call_command(*command, "--withdrawn")
    withdrawal.refuse(snapshots.cut(campaign), late)


def test_a_cut_that_began_before_a_withdrawal_is_marked_too(campaign, manager, raters):
    done = withdrawal.withdraw_rater(raters[0], manager, "Gone.")
    done.delete()
    late = snapshots.cut(campaign)  # its rows were read when nothing was withdrawn yet
    again = withdrawal.Withdrawal.objects.create(rater=raters[0], reason="Gone.", by=manager)
    withdrawal.mark_if_late(late, again.pk - 1)
    assert list(late.withdrawals.all()) == [again]


def test_whoever_downloaded_it_is_mailed_once_in_their_language(campaign, manager, raters, settings):
    ruth = cast.make_user("researcher", username="ruth", email="ruth@example.org")
    silent = cast.make_user("researcher", username="sam")
    before = snapshots.cut(campaign)
    for who in (ruth, silent):
        Download.objects.create(snapshot=before, by=who, format="trl-sft", file="jsonl", via="page")
    done = withdrawal.withdraw_rater(raters[0], manager, "Asked us to forget them.")
    settings.EMAIL_HOST = ""
    assert notices.mail(done.pk) == 0
    settings.EMAIL_HOST = "mail.example.org"
    settings.EMAIL_BACKEND = "tests.training.test_withdrawal.Away"
    with pytest.raises(ConnectionRefusedError):
        notices.mail(done.pk)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert (notices.mail(done.pk), notices.mail(done.pk)) == (1, 0)
    (letter,) = mail.outbox
    assert letter.to == ["ruth@example.org"]
    assert raters[0].pseudonym in letter.body
    assert "Asked us to forget them." in letter.body
    assert WithdrawalNotice.objects.get(user=silent).mailed_at is None


class Away(BaseEmailBackend):
    """A mail server that doesn't answer."""

    def send_messages(self, messages):
        raise ConnectionRefusedError


def test_what_was_mixed_in_is_traced_too(campaign, manager, raters, tiny_policy):
    """A target's small campaign holds the data; a run of another campaign mixes its edits in."""
    big = cast.make_campaign(by=manager, slug="big")
    labels.judge(labels.make_task(cast.make_round(big), ("a", "b")), raters[1], 1)
    base = registry.register(big.model_family, "policy", "base", "transformers", str(tiny_policy))
    own, mixed = snapshots.cut(big), snapshots.cut(campaign)
    made = registry.register(big.model_family, "policy", "taught", "imported", parent=base)
    config = {"mix": [{"target": 1, "snapshot": mixed.pk, "weight": 2.0}]}
    common = {"campaign": big, "kind": "policy", "snapshot": own, "parent": base, "config": config}
    Run.objects.create(**common, produced=made, status="succeeded")
    queued = Run.objects.create(**common, status="queued")
    done = withdrawal.withdraw_rater(raters[0], manager, "Gone.")
    assert list(done.snapshots.all()) == [mixed]
    assert set(withdrawal.of_models([base, made])) == {made.pk}
    queued.refresh_from_db()
    assert queued.status == "cancelled"
    again = runs.retry(queued)
    assert again.config["mix"] == [{"target": 1, "snapshot": snapshots.cut(campaign).pk, "weight": 2.0}]
    client = Client()
    client.force_login(manager)
    listed = client.get(reverse("models")).content.decode()
    assert listed.count("withdrawn data") == 1


def test_webhooks_of_the_campaigns_that_had_it_are_told_and_no_others(campaign, manager, raters):
    cast.make_campaign(by=manager, slug="garden")
    asked_too = cast.make_campaign(by=manager, slug="cellar")
    silent_in = cast.make_campaign(by=manager, raters=tuple(raters), slug="attic")
    for slug in ("", "kitchen", "garden", "cellar", "attic"):
        webhooks.add(slug, "https://hooks.example.org/", ["data.withdrawn"], by=manager)
    prompt = Task.objects.get(kind="compare").prompt
    Prompt.objects.filter(pk=cast.make_prompt(asked_too).pk).update(content_hash=prompt.content_hash)
    withdrawal.withdraw_rater(raters[0], manager, "Asked us to forget them.")
    assert not silent_in.memberships.filter(user=raters[0]).exists()
    withdrawal.withdraw_prompt(prompt, manager, "It names somebody.")
    told = [(each.campaign, each.data) for each in WebhookEvent.objects.order_by("created_at")]
    assert [slug for slug, _data in told] == ["", "kitchen", "", "cellar", "kitchen"]
    assert told[0][1]["campaigns"] == ["kitchen"]
    assert told[2][1]["campaigns"] == ["cellar", "kitchen"]
    assert told[1][1]["rater"] == raters[0].pseudonym
    assert {*told[4][1]} == {"id", "rater", "prompt"}  # nothing of what other campaigns had
