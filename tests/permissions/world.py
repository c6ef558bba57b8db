"""One of everything that an address can name, and one person for each column."""

from typing import Any
from uuid import uuid4

from accounts import people, tokens
from accounts.models import ApiToken, Role
from labeling import assignment, judgments, members
from labeling.models import Adjudication, Gold, GuidelineGap, Import
from tests.cast import (
    add_task,
    make_campaign,
    make_example,
    make_open_round,
    make_policy,
    make_round,
    make_user,
)
from tests.training.cast import make_model
from training import snapshots
from training.models import Run, RunMetric


class World:
    """A campaign in the middle of its first round, and its people."""

    link = ""  # the token of an invitation

    def __init__(self) -> None:
        self._people()
        self._labels()
        self._doubts()
        self._models()
        self._forms()

    def _people(self) -> None:
        self.manager, self.researcher = make_user(Role.MANAGER), make_user(Role.RESEARCHER)
        self.member, self.outsider = make_user(), make_user()
        keeper, guest, neighbour = make_user(), make_user(), make_user()
        self.campaign = make_campaign(by=self.manager, raters=(self.member,))
        self.in_campaign = {"slug": self.campaign.slug}
        elsewhere = make_campaign(by=self.manager)
        members.give_role(self.campaign, keeper, Role.MANAGER, self.manager)
        members.give_role(self.campaign, guest, Role.RESEARCHER, self.manager)
        members.give_role(elsewhere, neighbour, Role.MANAGER, self.manager)
        self.people = {
            "member": self.member,
            "stranger": self.outsider,
            "researcher": self.researcher,
            "manager": self.manager,
            "campaign manager": keeper,
            "campaign researcher": guest,
            "neighbour": neighbour,
        }
        for person in self.people.values():
            person.refresh_from_db()
        tokens.issue(self.manager, "nightly")
        self.token = ApiToken.objects.get()
        self.uid, _ = people.invitation(self.outsider)

    def _labels(self) -> None:
        """Have the member judge one of three comparisons, and hold another."""
        self.round_ = make_open_round(self.campaign, comparisons=3)
        first: Any = assignment.claim(self.member, self.campaign)
        key = uuid4()
        self.said: Any = judgments.submit(self.member, first.lease, idempotency_key=key, verdict=2)
        self.slot: Any = assignment.claim(self.member, self.campaign)
        self.lease = {"lease": str(self.slot.lease), "idempotency_key": str(uuid4())}
        self.in_round = {**self.in_campaign, "number": self.round_.number}
        stored = Import.objects.create(campaign=self.campaign, format="prompts")
        self.of_import = {**self.in_campaign, "pk": stored.pk}

    def _doubts(self) -> None:
        """Put what was judged in doubt, and know the right verdict of something else."""
        dispute = Adjudication.objects.create(
            campaign=self.campaign,
            task=self.said.task,
            reason="disagreement",
            reviewer=self.manager,
            held_until=self.slot.lease_until,
        )
        gap = GuidelineGap.objects.create(
            campaign=self.campaign, text="What of length?", adjudication=dispute, verdict=1
        )
        known, self.could = (add_task(make_round(self.campaign)) for _ in range(2))
        gold = Gold.objects.create(task=known, verdict=1)
        self.example = make_example(self.campaign, "practice")
        self.in_dispute = {**self.in_campaign, "pk": dispute.pk}
        self.in_gap = {**self.in_campaign, "pk": gap.pk}
        self.of_gold = {**self.in_campaign, "pk": gold.pk}

    def _models(self) -> None:
        self.policy = make_policy(self.campaign.model_family)
        judge = make_model(self.campaign.slug, "reward", "judge")
        self.snapshot = snapshots.cut(self.campaign)
        self.run = Run.objects.create(
            campaign=self.campaign, kind="reward", snapshot=self.snapshot, parent=self.policy
        )
        RunMetric.objects.create(run=self.run, name="sft/loss", step=1, value=0.5)
        self.pks = {
            "snapshot": self.snapshot.pk, "run": self.run.pk, "model": self.policy.pk, "card": judge.pk
        }  # fmt: skip

    def _forms(self) -> None:
        """Fill in the forms that pages and the API share."""
        asked = [{"role": "user", "content": "How?"}]
        self.worked = {"use": "test", "verdict": 1, "messages": asked}
        self.line = {
            "text": '{"prompt": "How?", "answer_a": "", "answer_b": "So.", "verdict": 1, "use": "test"}'
        }
        self.registration = {
            "family": self.campaign.slug, "kind": "policy", "name": "another", "backend": "imported"
        }  # fmt: skip
        self.target = {
            "name": "Emails", "description": "It claims to have sent it.", "pattern": "sent",
            "fails": "found",
            "prompts": "Send it.", "weight": 1,
        }  # fmt: skip
        self.settings = {
            "name": "Another", "scale": 7, "overlap": 1, "lease_minutes": 15, "tasks_per_round": 10,
            "edit_share": 0, "retrain_after": 10, "certainty": 0.9, "temperature": 1, "top_p": 1,
            "max_new_tokens": 9,
            "base": "none", "rank_share": 0, "rank_size": 4, "chat_share": 0, "chat_turns": 4,
            "display_rate": 0, "undo_minutes": 60, "test_attempts": 2,
        }  # fmt: skip
        self.criterion = {"key": "kind", "name": "Kindness", "points": 5}
        self.invitation = {"username": "nina", "role": "rater"}
