"""Who may do what: one table of every address, method and role. What is not in the table is refused."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts import people, tokens
from accounts.models import ApiToken, Role
from labeling import assignment, judgments
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
from training.models import Run

pytestmark = pytest.mark.django_db

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
LOGIN = "login"  # sent to the sign-in page

# what each role gets: nobody, a rater who is a member, one who is not, a researcher, a manager
LOOK = (LOGIN, 403, 403, 200, 200)
MANAGE = (LOGIN, 403, 403, 403, 200)
CHANGE = (LOGIN, 403, 403, 403, 302)
OWN = (LOGIN, 200, 200, 200, 200)
RATE = (LOGIN, 200, 404, 403, 404)  # the manager may rate, but is no member
ONWARD = (LOGIN, 302, 404, 403, 404)
API_LOOK = (401, 403, 403, 200, 200)
API_MANAGE = (401, 403, 403, 403, 200)
API_CREATE = (401, 403, 403, 403, 201)
API_RATE = (401, 200, 404, 403, 404)
API_RATED = (401, 204, 404, 403, 404)
API_SUBMIT = (401, 201, 404, 403, 404)

TABLE: dict[str, dict[str, tuple[int | str, ...]]] = {
    # accounts
    "login": {"GET": (200, 302, 302, 302, 302), "POST": (200, 302, 302, 302, 302)},
    "logout": {"POST": (LOGIN, 302, 302, 302, 302)},
    "welcome": {"GET": (200,) * 5, "POST": (200,) * 5},  # a false token is told so
    "settings": {"GET": OWN, "POST": OWN},
    "api_own_settings": {"GET": (401, 200, 200, 200, 200), "PATCH": (401, 200, 200, 200, 200)},
    "tokens": {"GET": OWN, "POST": OWN},
    "password": {"GET": OWN, "POST": OWN},
    "revoke_token": {"POST": (LOGIN, 404, 404, 404, 302)},  # it is the manager's token
    "people": {"GET": MANAGE, "POST": MANAGE},
    "set_active": {"POST": CHANGE},
    "note_skills": {"POST": CHANGE},
    "audit": {"GET": MANAGE},
    "api_me": {"GET": (401, 200, 200, 200, 200)},
    "api_tokens": {"GET": (401, 200, 200, 200, 200), "POST": (401, 201, 201, 201, 201)},
    "api_token": {"DELETE": (401, 404, 404, 404, 204)},
    "api_people": {"GET": API_MANAGE, "POST": API_CREATE},
    "api_person_skills": {"PUT": API_MANAGE},
    "api-schema": {"GET": (401, 200, 200, 200, 200)},
    # rating
    "home": {"GET": (LOGIN, 200, 200, 302, 302)},
    "history": {"GET": (LOGIN, 200, 200, 403, 200)},
    "history-undo": {"POST": (LOGIN, 302, 302, 403, 302)},
    "feedback": {"GET": (LOGIN, 200, 200, 403, 200)},
    "rate": {"GET": RATE},
    "rate-guideline": {"GET": RATE},
    "rate-why": {"GET": RATE},
    "rate-judge": {"POST": (LOGIN, 302, 404, 403, 404)},
    "rate-edit": {"POST": (LOGIN, 409, 404, 403, 404)},  # the task is a comparison
    "rate-rank": {"POST": (LOGIN, 409, 404, 403, 404)},  # the task is a comparison
    "rate-preview": {"POST": RATE},
    "rate-chat": {"GET": (LOGIN, 404, 404, 403, 404)},  # the task is a comparison
    "rate-chat-turn": {"GET": (LOGIN, 404, 404, 403, 404)},
    "rate-chat-say": {"POST": (LOGIN, 409, 404, 403, 404)},
    "rate-chat-pick": {"POST": (LOGIN, 409, 404, 403, 404)},
    "rate-chat-retry": {"POST": (LOGIN, 409, 404, 403, 404)},
    "rate-chat-end": {"POST": (LOGIN, 409, 404, 403, 404)},
    "rate-skip": {"POST": (LOGIN, 302, 404, 403, 404)},
    "rate-undo": {"POST": (LOGIN, 302, 404, 403, 404)},
    "rate-draft": {"POST": RATE},
    "rate-heartbeat": {"POST": RATE},
    "onboarding": {"GET": RATE},
    "onboarding-guideline": {"POST": ONWARD},
    "onboarding-practice": {"GET": RATE, "POST": ONWARD},
    "onboarding-test": {"GET": ONWARD, "POST": ONWARD},  # this campaign has no test
    "api_rate": {"GET": (401, 200, 200, 403, 200)},
    "api_history": {"GET": (401, 200, 200, 403, 200)},
    "api_history_undo": {"POST": (401, 200, 400, 403, 400)},
    "api_own_feedback": {"GET": (401, 200, 200, 403, 200), "POST": (401, 204, 204, 403, 204)},
    "api_next": {"POST": API_RATE},
    "api_way_in": {"GET": API_RATE, "POST": API_SUBMIT},
    "api_read_guideline": {"POST": API_RATED},
    "api_heartbeat": {"POST": API_RATED},
    "api_release": {"POST": API_RATED},
    "api_skip": {"POST": API_RATED},
    "api_undo": {"POST": API_RATE},
    "api_why": {"GET": (401, 200, 404, 403, 404)},
    "api_judge": {"POST": API_SUBMIT},
    "api_rank": {"POST": (401, 400, 404, 403, 404)},  # the task is a comparison
    "api_chat": {"GET": (401, 404, 404, 403, 404)},  # the task is a comparison
    "api_chat_say": {"POST": (401, 400, 404, 403, 404)},
    "api_chat_pick": {"POST": (401, 400, 404, 403, 404)},
    "api_chat_retry": {"POST": (401, 400, 404, 403, 404)},
    "api_chat_end": {"POST": (401, 400, 404, 403, 404)},
    "api_edit": {"POST": (401, 400, 404, 403, 404)},  # the task is a comparison
    # campaigns
    "campaigns": {"GET": LOOK},
    "new_campaign": {"GET": MANAGE, "POST": CHANGE},
    "campaign": {"GET": LOOK},
    "campaign_live": {"GET": LOOK},
    "campaign_settings": {"GET": MANAGE, "POST": CHANGE},
    "criteria": {"GET": MANAGE, "POST": CHANGE},
    "remove_criterion": {"POST": CHANGE},
    "api_criteria": {"GET": API_LOOK, "POST": API_CREATE},
    "api_criterion": {"DELETE": (401, 403, 403, 403, 204)},
    "set_status": {"POST": CHANGE},
    "set_loop": {"POST": CHANGE},
    "guideline": {"GET": LOOK, "POST": CHANGE},
    "campaign_raters": {"GET": LOOK, "POST": CHANGE},
    "rater": {"GET": LOOK},
    "golds": {"GET": MANAGE, "POST": CHANGE},
    "accept_gold": {"POST": CHANGE},
    "retire_gold": {"POST": CHANGE},
    "api_trust": {"GET": API_LOOK},
    "api_golds": {"GET": API_MANAGE, "POST": API_CREATE},
    "api_gold_proposals": {"GET": API_MANAGE},
    "api_retire_gold": {"POST": (401, 403, 403, 403, 204)},
    "remove_rater": {"POST": CHANGE},
    "qualify_rater": {"POST": CHANGE},
    "examples": {"GET": MANAGE, "POST": CHANGE},
    "import_examples": {"GET": CHANGE, "POST": CHANGE},
    "example": {"GET": MANAGE, "POST": CHANGE},
    "retire_example": {"POST": CHANGE},
    "api_qualification": {"GET": API_LOOK, "POST": API_MANAGE},
    "api_examples": {"GET": API_MANAGE, "POST": API_CREATE},
    "api_import_examples": {"POST": API_CREATE},
    "api_example": {"PUT": API_MANAGE, "DELETE": (401, 403, 403, 403, 204)},
    "figures": {"GET": LOOK},
    "measure_figures": {"POST": CHANGE},
    "selection": {"GET": LOOK},
    "resume_selection": {"POST": CHANGE},
    "api_selection": {"GET": API_LOOK, "POST": API_MANAGE},
    "review": {"GET": MANAGE, "POST": CHANGE},
    "adjudications": {"GET": MANAGE, "POST": CHANGE},
    "adjudication": {"GET": MANAGE},
    "decide": {"POST": CHANGE},
    "release_dispute": {"POST": CHANGE},
    "sort_dispute": {"POST": CHANGE},
    "gaps": {"GET": MANAGE},
    "gap_example": {"POST": CHANGE},
    "dismiss_gap": {"POST": CHANGE},
    "reopen_rater": {"GET": MANAGE, "POST": CHANGE},
    "api_disputes": {"GET": API_MANAGE, "POST": API_MANAGE},
    "api_dispute": {"GET": (401, 403, 403, 403, 400)},  # it isn't decided yet
    "api_decide": {"POST": API_MANAGE},
    "api_release_dispute": {"POST": (401, 403, 403, 403, 204)},
    "api_sort_dispute": {"POST": (401, 403, 403, 403, 400)},  # it isn't decided yet
    "api_signals": {"GET": API_MANAGE},
    "api_gaps": {"GET": API_MANAGE},
    "api_settle_gap": {"POST": API_MANAGE},
    "api_reopen": {"GET": API_MANAGE, "POST": API_MANAGE},
    "import": {"GET": MANAGE, "POST": CHANGE},
    "one_import": {"GET": MANAGE},
    "import_progress": {"GET": MANAGE},
    "keep_import": {"POST": CHANGE},
    "cancel_import": {"POST": CHANGE},
    "start_round": {"POST": CHANGE},
    "end_round": {"POST": CHANGE},
    "api_campaigns": {"GET": API_LOOK, "POST": API_CREATE},
    "api_campaign": {"GET": API_LOOK, "PATCH": API_MANAGE},
    "api_loop": {"POST": API_MANAGE},
    "api_guidelines": {"GET": API_LOOK, "POST": API_CREATE},
    "api_raters": {"GET": API_LOOK, "POST": API_CREATE},
    "api_rater": {"DELETE": (401, 403, 403, 403, 204)},
    "api_figures": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 202)},
    "api_imports": {"GET": API_MANAGE, "POST": API_CREATE},
    "api_import": {"GET": API_MANAGE},
    "api_keep_import": {"POST": (401, 403, 403, 403, 409)},  # it is not a checked one
    "api_cancel_import": {"POST": (401, 403, 403, 403, 409)},  # it is over
    "api_prompts": {"GET": API_LOOK},
    "api_rounds": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},  # there is no policy to answer
    "api_close_round": {"POST": API_MANAGE},
    "api_cancel_round": {"POST": API_MANAGE},
    "api_tasks": {"GET": API_LOOK},
    "api_priority": {"POST": API_MANAGE},
    "api_reserve": {"POST": (401, 403, 403, 403, 204)},
    "api_judgments": {"GET": API_LOOK},
    "api_edits": {"GET": API_LOOK},
    "api_feedback": {"GET": API_MANAGE, "POST": API_CREATE},
    # models
    "models": {"GET": LOOK},
    "model": {"GET": LOOK},
    "model_card": {"GET": LOOK},
    "register_model": {"GET": MANAGE, "POST": CHANGE},
    "promote": {"POST": CHANGE},
    "roll_back": {"POST": (LOGIN, 403, 403, 403, 404)},  # it is no champion
    "api_models": {"GET": API_LOOK, "POST": API_CREATE},
    "api_model": {"GET": API_LOOK},
    "api_model_card": {"GET": API_LOOK},
    "api_promote": {"POST": API_CREATE},
    "api_score": {"POST": (401, 403, 403, 400, 400)},  # it is a policy
    "api_scored": {"GET": (401, 403, 403, 404, 404)},  # nobody asked for them
    "api_roll_back": {"POST": (401, 403, 403, 403, 400)},  # there is no champion
    # training
    "leaderboard": {"GET": LOOK},
    "leaderboard_live": {"GET": LOOK},
    "leaderboard_csv": {"GET": LOOK},
    "leaderboards": {"GET": LOOK},
    "api_leaderboard": {"GET": API_LOOK},
    "api_leaderboards": {"GET": API_LOOK},
    "judges": {"GET": LOOK, "POST": MANAGE},  # nobody has judged
    "judges_live": {"GET": LOOK},
    "judges_csv": {"GET": (LOGIN, 403, 403, 404, 404)},  # there is none
    "api_judges": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},  # nobody has judged
    "targets": {"GET": LOOK, "POST": MANAGE},  # no policy can answer
    "change_target": {"POST": (LOGIN, 403, 403, 403, 404)},  # there is none
    "target_csv": {"GET": (LOGIN, 403, 403, 404, 404)},
    "api_targets": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},
    "api_target": {"GET": (401, 403, 403, 404, 404), "PATCH": (401, 403, 403, 403, 404)},
    "watch": {"GET": LOOK, "POST": CHANGE},
    "watch_live": {"GET": LOOK},
    "watch_csv": {"GET": (LOGIN, 403, 403, 404, 404)},  # there is none
    "api_watches": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},  # there is no reward model
    "alarms": {"GET": LOOK, "POST": CHANGE},
    "resume_alarms": {"POST": CHANGE},
    "alarms_csv": {"GET": LOOK},
    "api_alarms": {"GET": API_LOOK, "PATCH": API_MANAGE, "POST": API_MANAGE},
    "snapshots": {"GET": LOOK},
    "withdrawals": {"GET": LOOK, "POST": CHANGE},
    "withdrawals_seen": {"POST": (LOGIN, 403, 403, 302, 302)},
    "datasheet": {"GET": LOOK},
    "datasheet_md": {"GET": LOOK},
    "statement": {"GET": MANAGE, "POST": CHANGE},
    "api_withdrawals": {"GET": API_LOOK, "POST": API_CREATE},
    "api_datasheet": {"GET": API_LOOK},
    "snapshot": {"GET": LOOK},
    "cut_snapshot": {"POST": (LOGIN, 403, 403, 302, 302)},
    "snapshot_difference": {"GET": (LOGIN, 403, 403, 200, 200)},
    "api_snapshot_difference": {"GET": (401, 403, 403, 200, 200)},
    "count_snapshot": {"GET": (LOGIN, 403, 403, 200, 200)},
    "api_snapshot_count": {"POST": (401, 403, 403, 200, 200)},
    "download": {"GET": LOOK},
    "start_run": {"POST": CHANGE},
    "run": {"GET": LOOK},
    "run_live": {"GET": LOOK},
    "cancel_run": {"POST": CHANGE},
    "retry_run": {"POST": CHANGE},
    "api_snapshots": {"GET": API_LOOK, "POST": (401, 403, 403, 201, 201)},
    "api_snapshot": {"GET": API_LOOK},
    "api_found_snapshots": {"GET": API_LOOK},
    "api_download": {"GET": API_LOOK},
    "snapshot_files": {"GET": LOOK},
    "snapshot_cuts": {"GET": LOOK},
    "signed_download": {"GET": (404,) * 5},  # a false token
    "make_link": {"POST": (LOGIN, 403, 403, 302, 302)},
    "revoke_link": {"POST": (LOGIN, 403, 403, 404, 404)},  # there is none
    "api_links": {"GET": API_LOOK, "POST": (401, 403, 403, 201, 201)},
    "api_link": {"DELETE": (401, 403, 403, 404, 404)},
    "api_preparation": {"GET": (401, 403, 403, 404, 404)},
    "api_runs": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 409)},  # there is no policy with a checkpoint
    "api_run": {"GET": API_LOOK},
    "api_metrics": {"GET": API_LOOK},
    "api_cancel_run": {"POST": API_MANAGE},
    "api_retry_run": {"POST": (401, 403, 403, 403, 409)},  # it is queued
    "api_statement": {"GET": API_MANAGE, "PATCH": API_MANAGE},
    "api_notices": {"GET": API_LOOK, "POST": (401, 403, 403, 204, 204)},
}


def named_patterns(patterns: list[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                yield from named_patterns(pattern.url_patterns)
        else:
            yield pattern


@pytest.fixture
def world():
    """Make one of everything that an address can name."""
    manager, researcher = make_user(Role.MANAGER), make_user(Role.RESEARCHER)
    member, outsider = make_user(), make_user()
    campaign = make_campaign(by=manager, raters=(member,))
    round_ = make_open_round(campaign, comparisons=3)
    first = assignment.claim(member, campaign)
    said = judgments.submit(member, first.lease, idempotency_key=uuid4(), verdict=2)
    slot = assignment.claim(member, campaign)
    policy = make_policy(campaign.model_family)
    snapshot = snapshots.cut(campaign)
    run = Run.objects.create(campaign=campaign, kind="reward", snapshot=snapshot, parent=policy)
    tokens.issue(manager, "nightly")
    token = ApiToken.objects.get()
    uid, _ = people.invitation(outsider)
    example = make_example(campaign, "practice")
    worked = {"use": "test", "verdict": 1, "messages": [{"role": "user", "content": "How?"}]}
    line = {"text": '{"prompt": "How?", "answer_a": "", "answer_b": "So.", "verdict": 1, "use": "test"}'}
    in_campaign = {"slug": campaign.slug}
    of_import = {**in_campaign, "pk": Import.objects.create(campaign=campaign, format="prompts").pk}
    in_round = {**in_campaign, "number": round_.number}
    dispute = Adjudication.objects.create(
        campaign=campaign,
        task=said.task,
        reason="disagreement",
        reviewer=manager,
        held_until=slot.lease_until,
    )
    in_dispute = {**in_campaign, "pk": dispute.pk}
    gap = GuidelineGap.objects.create(
        campaign=campaign, text="What of length?", adjudication=dispute, verdict=1
    )
    in_gap = {**in_campaign, "pk": gap.pk}
    known, could = (add_task(make_round(campaign)) for _ in range(2))
    gold = Gold.objects.create(task=known, verdict=1)
    of_gold = {**in_campaign, "pk": gold.pk}
    judge = make_model(campaign.slug, "reward", "judge")
    pks = {"snapshot": snapshot.pk, "run": run.pk, "model": policy.pk, "card": judge.pk}
    args = {
        "leaderboard_csv": {**in_campaign, "table": "policies"},
        "welcome": {"uidb64": uid, "token": "false-token"},
        "revoke_token": {"pk": token.pk},
        "api_token": {"pk": token.pk},
        "set_active": {"pk": outsider.pk},
        "note_skills": {"pk": outsider.pk},
        "api_person_skills": {"pk": outsider.pk},
        "remove_rater": {**in_campaign, "pk": member.pk},
        "qualify_rater": {**in_campaign, "pk": member.pk},
        "adjudication": in_dispute,
        "decide": in_dispute,
        "release_dispute": in_dispute,
        "sort_dispute": in_dispute,
        "gap_example": in_gap,
        "dismiss_gap": in_gap,
        "rater": {**in_campaign, "pk": member.pk},
        "retire_gold": of_gold,
        "api_retire_gold": of_gold,
        "reopen_rater": {**in_campaign, "pk": member.pk},
        "api_dispute": in_dispute,
        "api_decide": in_dispute,
        "api_release_dispute": in_dispute,
        "api_sort_dispute": in_dispute,
        "api_settle_gap": in_gap,
        "api_reopen": {**in_campaign, "username": member.username},
        "one_import": of_import,
        "import_progress": of_import,
        "keep_import": of_import,
        "cancel_import": of_import,
        "api_import": of_import,
        "api_keep_import": of_import,
        "api_cancel_import": of_import,
        "api_reserve": {**in_campaign, "pk": round_.tasks.exclude(slots__rater=member).get().pk},
        "example": {**in_campaign, "pk": example.pk},
        "retire_example": {**in_campaign, "pk": example.pk},
        "api_example": {**in_campaign, "pk": example.pk},
        "api_qualification": {**in_campaign, "username": member.username},
        "api_rater": {**in_campaign, "username": member.username},
        "remove_criterion": {**in_campaign, "key": "kind"},
        "api_criterion": {**in_campaign, "key": "kind"},
        "onboarding-practice": {**in_campaign, "number": 1},
        "end_round": in_round,
        "api_close_round": in_round,
        "api_cancel_round": in_round,
        "cut_snapshot": in_campaign,
        "count_snapshot": in_campaign,
        "api_snapshot_count": in_campaign,
        "watch_csv": {**in_campaign, "pk": 1},
        "judges_csv": {**in_campaign, "pk": 1},
        "change_target": {**in_campaign, "pk": 1},
        "target_csv": {**in_campaign, "pk": 1},
        "api_target": {**in_campaign, "pk": 1},
        "start_run": {"pk": snapshot.pk},
        "datasheet": {"pk": snapshot.pk},
        "datasheet_md": {"pk": snapshot.pk},
        "api_datasheet": {"pk": snapshot.pk},
        "snapshot_difference": {"first": snapshot.pk, "second": snapshot.pk},
        "api_snapshot_difference": {"first": snapshot.pk, "second": snapshot.pk},
        "download": {"pk": snapshot.pk, "format": "trl-preference"},
        "api_download": {"pk": snapshot.pk},
        "snapshot_files": {"pk": snapshot.pk},
        "snapshot_cuts": in_campaign,
        "signed_download": {"token": "1.false"},
        "make_link": {"pk": snapshot.pk},
        "revoke_link": {"pk": 1},
        "api_links": {"pk": snapshot.pk},
        "api_link": {"pk": 1},
        "api_preparation": {"pk": 1},
        "api_metrics": {"pk": run.pk},
        "api_retry_run": {"pk": run.pk},
        "promote": {"pk": policy.pk},
        "roll_back": {"pk": policy.pk},
        "api_promote": {"pk": policy.pk},
        "api_score": {"pk": policy.pk},
        "api_scored": {"pk": policy.pk, "key": "none"},
    }
    lease = {"lease": str(slot.lease), "idempotency_key": str(uuid4())}
    registration = {"family": campaign.slug, "kind": "policy", "name": "another", "backend": "imported"}
    target = {
        "name": "Emails", "description": "It claims to have sent it.", "pattern": "sent", "fails": "found",
        "prompts": "Send it.", "weight": 1,
    }  # fmt: skip
    settings = {
        "name": "Another", "scale": 7, "overlap": 1, "lease_minutes": 15, "tasks_per_round": 10,
        "edit_share": 0, "retrain_after": 10, "certainty": 0.9, "temperature": 1, "top_p": 1,
        "max_new_tokens": 9,
        "base": "none", "rank_share": 0, "rank_size": 4, "chat_share": 0, "chat_turns": 4,
        "display_rate": 0, "undo_minutes": 60, "test_attempts": 2,
    }  # fmt: skip
    criterion = {"key": "kind", "name": "Kindness", "points": 5}
    invitation = {"username": "nina", "role": "rater"}
    body = {
        "people": invitation,
        "api_people": invitation,
        "note_skills": {"skills": "french, medicine"},
        "api_person_skills": {"skills": ["french"]},
        "tokens": {"name": "mine"},
        "api_tokens": {"name": "mine"},
        "rate-judge": {**lease, "verdict": 1},
        "rate-edit": {**lease, "text": "better"},
        "rate-rank": {**lease, "sides": 2, "rank-0": 1, "rank-1": 2},
        "rate-chat-say": {**lease, "number": 1, "message": "And rice?"},
        "rate-chat-pick": {**lease, "verdict": 1},
        "rate-chat-retry": {**lease, "number": 1},
        "rate-chat-end": lease,
        "rate-skip": lease,
        "rate-draft": lease,
        "rate-heartbeat": lease,
        "api_history_undo": {"kind": "judgment", "id": said.pk},
        "review": {"kind": "judgment", "id": said.pk, "text": "Look twice."},
        "api_feedback": {"kind": "judgment", "id": said.pk, "text": "Look twice."},
        "decide": {"verdict": 1},
        "sort_dispute": {"cause": "rater_error"},
        "gap_example": {"explanation": "{A} is right."},
        "dismiss_gap": {"why": "It says so."},
        "golds": {"task": could.pk, "verdict": 1},
        "accept_gold": {"task": could.pk},
        "api_golds": {"task": could.pk, "verdict": 1},
        "retire_gold": {"why": "Unclear."},
        "api_retire_gold": {"why": "Unclear."},
        "reopen_rater": {"reason": "Clicked through."},
        "alarms": {"low-length": "0.5", "high-length": "2"},
        "resume_alarms": {"reason": "It is the taste."},
        "api_alarms": {"bands": {"length": [0.5, 2]}, "reason": "It is the taste."},
        "api_decide": {"verdict": 1},
        "api_sort_dispute": {"cause": "rater_error"},
        "api_settle_gap": {"dismiss": "It says so."},
        "api_reopen": {"reason": "Clicked through."},
        "api_heartbeat": lease,
        "api_release": lease,
        "api_skip": lease,
        "api_judge": {**lease, "verdict": 1},
        "api_rank": {**lease, "ranking": [[1], [0]]},
        "api_chat_say": {**lease, "number": 1, "message": "And rice?"},
        "api_chat_pick": {**lease, "verdict": 1},
        "api_chat_retry": {**lease, "number": 1},
        "api_chat_end": lease,
        "api_edit": {**lease, "text": "better"},
        "qualify_rater": {"how": "waive"},
        "api_qualification": {"how": "waive"},
        "examples": {**worked, "messages": "How?", "answer_a": "So.", "answer_b": "Thus."},
        "example": {**worked, "messages": "How?", "answer_a": "So.", "answer_b": "Thus."},
        "import_examples": line,
        "api_examples": {**worked, "answers": ["So.", "Thus."]},
        "api_example": {**worked, "answers": ["So.", "Thus."]},
        "api_import_examples": line,
        "onboarding-practice": {"example": example.pk, "verdict": 1},
        "api_way_in": {"example": example.pk, "attempt": 0, "verdict": 1},
        "new_campaign": settings,
        "campaign_settings": settings,
        "guideline": {"text": "Be kind."},
        "criteria": criterion,
        "api_criteria": criterion,
        "campaign_raters": {"users": [outsider.pk]},
        "import": {"text": '{"prompt": "How?"}', "format": "prompts", "dry_run": "on"},
        "api_campaigns": {"name": "Another"},
        "api_priority": {"priority": 5, "round": round_.number},
        "api_reserve": {"rater": member.username},
        "api_campaign": {"overlap": 2},
        "api_loop": {"paused": True},
        "api_guidelines": {"text": "Be kind."},
        "api_raters": {"username": outsider.username},
        "api_imports": {"text": '{"prompt": "How?"}', "format": "prompts"},
        "set_status": {"status": "paused"},
        "register_model": registration,
        "api_models": registration,
        "promote": {"reason": "It is better."},
        "api_promote": {"reason": "It is better."},
        "api_score": {"query": ["How?"]},
        "judges": {"judge": policy.pk, "tasks": 5, "template": "{conversation} {a} {b}"},
        "api_judges": {"judge": policy.pk, "tasks": 5},
        "targets": target,
        "api_targets": target,
        "withdrawals": {"what": "rater", "name": outsider.username, "reason": "Asked for it."},
        "api_withdrawals": {"what": "rater", "name": outsider.username, "reason": "Asked for it."},
        "statement": {"licence": "cc-by-4.0"},
        "api_statement": {"licence": "cc-by-4.0"},
        "watch": {"prompts": 8},
        "api_watches": {"prompts": 8},
        "api_roll_back": {"family": campaign.slug, "kind": "policy", "reason": "It is worse."},
        "api_runs": {"kind": "policy", "snapshot": snapshot.pk},
        "make_link": {"export": "trl-preference jsonl", "days": 7},
        "api_links": {"format": "trl-preference", "days": 7},
    }
    people_ = {"member": member, "outsider": outsider, "researcher": researcher, "manager": manager}
    return {"people": people_, "in_campaign": in_campaign, "pks": pks, "args": args, "body": body}


def address(world: dict[str, Any], pattern: URLPattern) -> str:
    name = pattern.name or ""
    known = world["args"].get(name)
    if known is None:
        names = set(pattern.pattern.converters)
        thing = name.removeprefix("api_").split("_")[-1]
        thing = "run" if name.startswith(("run", "cancel_run", "retry_run")) else thing
        known = {"pk": world["pks"].get(thing)} if names == {"pk"} else world["in_campaign"] if names else {}
    queries = {
        "api_download": "?format=trl-preference",
        "api_why": f"?lease={world['body']['rate-skip']['lease']}",
        "rate-why": f"?lease={world['body']['rate-skip']['lease']}",
        "api_chat": f"?lease={world['body']['rate-skip']['lease']}",
    }
    return reverse(name, kwargs=known) + queries.get(name, "")


def outcome(client: Client, method: str, url: str, body: dict[str, Any]) -> int | str:
    """Send a request, undo what it changed, and return its status."""
    kind: dict[str, Any] = {"content_type": "application/json"} if url.startswith("/api/") else {}
    with transaction.atomic():
        send = getattr(client, method.lower())
        response = send(url) if method == "GET" else send(url, body, **kind)
        if response.streaming:
            b"".join(response)
        transaction.set_rollback(True)
    if response.status_code == 302 and response["Location"].startswith("/login/?next="):
        return LOGIN
    return int(response.status_code)


PATTERNS = {pattern.name: pattern for pattern in named_patterns(get_resolver().url_patterns)}


def test_every_address_is_in_the_table():
    assert sorted(PATTERNS) == sorted(TABLE)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_each_role_gets_what_the_table_says(world, name):
    pattern = PATTERNS[name]
    url = address(world, pattern)
    roles = ["nobody", *world["people"]]
    found, expected = {}, {}
    for method in METHODS:
        for role, wanted in zip(roles, TABLE[name].get(method, [None] * 5), strict=True):
            beyond = method not in {"GET", "POST"} and not url.startswith("/api/")
            if wanted is None and (beyond or role not in {"nobody", "manager"}):
                continue  # who may do least and most stand for all; a page takes PUT and the rest like GET
            client = Client()
            if role != "nobody":
                client.force_login(world["people"][role])
            got = outcome(client, method, url, world["body"].get(name, {}))
            refused = wanted is None and got in {LOGIN, 401, 403, 405}
            found[method, role], expected[method, role] = got, got if refused else wanted
    assert found == expected


def test_the_admin_is_for_staff_alone(world):
    for person in world["people"].values():
        client = Client()
        client.force_login(person)
        assert client.get(reverse("admin:index")).status_code == 302


def test_a_token_acts_as_its_user_until_it_is_revoked(world):
    manager = world["people"]["manager"]
    secret = tokens.issue(manager, "script")
    client = Client(headers={"Authorization": f"Token {secret}"})
    assert client.get(reverse("api_campaigns")).status_code == 200
    tokens.revoke(ApiToken.objects.get(name="script"))
    answer = client.get(reverse("api_campaigns"))
    assert answer.status_code == 401
    assert answer.json() == {"detail": "This token is unknown or revoked."}


def test_somebody_kept_out_is_out_at_once(world):
    outsider = world["people"]["outsider"]
    client = Client()
    client.force_login(outsider)
    assert client.get(reverse("home")).status_code == 200
    people.set_active(outsider, False, by=world["people"]["manager"])
    assert client.get(reverse("home")).status_code == 302
