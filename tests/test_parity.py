"""Whatever a page does, the API does: each action of a page has its twin, or a reason why it has none.

Both lists are those of the table of addresses, which is held against the URLconf. A new page fails here until
its actions are entered.
"""

import pytest

from accounts import limits
from tests.permissions.columns import LOGIN
from tests.test_permissions import PATTERNS, TABLE


class Without(str):
    """Why an action of a page has no twin in the API."""


BROWSER = Without("it begins or ends a browser's session, or chooses its password; programs hold tokens")
LOOKS = Without("how the rater's page looks; what it asks is in the campaign's settings")
FACTOR = Without("a second factor is for people at a browser: programs hold tokens")
FORM = Without("an empty form: the OpenAPI document says what to send")

# page → method → the API's method and name of the address
TWINS: dict[str, dict[str, str]] = {
    # accounts
    "login": {"GET": BROWSER, "POST": BROWSER},
    "logout": {"POST": BROWSER},
    "welcome": {"GET": BROWSER, "POST": BROWSER},
    "password": {"GET": BROWSER, "POST": BROWSER},
    "settings": {"GET": "GET api_own_settings", "POST": "PATCH api_own_settings"},
    "tokens": {"GET": "GET api_tokens", "POST": "POST api_tokens"},
    "revoke_token": {"POST": "DELETE api_token"},
    "audit": {"GET": "GET api_audit"},
    "audit_csv": {"GET": "GET api_audit"},
    "people": {"GET": "GET api_people", "POST": "POST api_people"},
    "note_skills": {"POST": "PUT api_person_skills"},
    # people
    "account_login": {"GET": BROWSER, "POST": BROWSER},
    "mfa_authenticate": {"GET": BROWSER, "POST": BROWSER},
    "account_reauthenticate": {"GET": BROWSER, "POST": BROWSER},
    "mfa_reauthenticate": {"GET": BROWSER, "POST": BROWSER},
    "mfa_reauthenticate_webauthn": {"GET": BROWSER, "POST": BROWSER},
    "mfa_login_webauthn": {"GET": BROWSER, "POST": BROWSER},
    "openid_connect_login": {"GET": BROWSER, "POST": BROWSER},
    "openid_connect_callback": {"GET": BROWSER, "POST": BROWSER},
    "mfa_index": {"GET": FACTOR},
    "mfa_activate_totp": {"GET": FACTOR, "POST": FACTOR},
    "mfa_deactivate_totp": {"GET": FACTOR, "POST": FACTOR},
    "mfa_add_webauthn": {"GET": FACTOR, "POST": FACTOR},
    "mfa_edit_webauthn": {"GET": FACTOR, "POST": FACTOR},
    "mfa_remove_webauthn": {"GET": FACTOR, "POST": FACTOR},
    "mfa_view_recovery_codes": {"GET": FACTOR},
    "mfa_generate_recovery_codes": {"GET": FACTOR, "POST": FACTOR},
    "sessions": {"GET": "GET api_sessions"},
    "end_sessions": {"POST": "DELETE api_sessions"},
    "set_active": {"POST": "POST api_set_active"},
    "sign_out_person": {"POST": "POST api_sign_out_person"},
    "remove_factor": {"POST": "POST api_remove_factor"},
    "join": {"GET": FORM, "POST": Without("makes newcomers; who is here already has POST api_join")},
    "invitations": {"GET": "GET api_invitations", "POST": "POST api_invitations"},
    "revoke_invitation": {"POST": "DELETE api_invitation"},
    "campaign_invitations": {"GET": "GET api_campaign_invitations", "POST": "POST api_campaign_invitations"},
    "revoke_campaign_invitation": {"POST": "DELETE api_campaign_invitation"},
    "pools": {"GET": "GET api_pools", "POST": "POST api_pools"},
    "pool": {"GET": "GET api_pool_members", "POST": "POST api_pool_members"},
    "delete_pool": {"POST": "DELETE api_pool"},
    "leave_pool": {"POST": "DELETE api_pool_member"},
    "use_pool": {"POST": "POST api_campaign_pools"},
    "drop_pool": {"POST": "DELETE api_campaign_pool"},
    "message_raters": {"POST": "POST api_message_raters"},
    "message_rater": {"POST": "POST api_message_rater"},
    "pause_rater": {"POST": "POST api_pause_rater"},
    "release_rater": {"POST": "POST api_release_rater"},
    "rater_skills": {"POST": "PUT api_rater_skills"},
    "read_word": {"POST": "POST api_read_word"},
    # rating
    "home": {"GET": "GET api_rate"},
    "history": {"GET": "GET api_history"},
    "history-undo": {"POST": "POST api_history_undo"},
    "feedback": {"GET": "GET api_own_feedback"},
    "rate": {"GET": "POST api_next"},
    "rate-guideline": {"GET": "POST api_next"},
    "rate-why": {"GET": "GET api_why"},
    "rate-judge": {"POST": "POST api_judge"},
    "rate-edit": {"POST": "POST api_edit"},
    "rate-rank": {"POST": "POST api_rank"},
    "rate-preview": {"POST": Without("HTML of a text that is still being written")},
    "rate-chat": {"GET": "GET api_chat"},
    "rate-chat-turn": {"GET": "GET api_chat"},
    "rate-chat-say": {"POST": "POST api_chat_say"},
    "rate-chat-pick": {"POST": "POST api_chat_pick"},
    "rate-chat-retry": {"POST": "POST api_chat_retry"},
    "rate-chat-end": {"POST": "POST api_chat_end"},
    "rate-skip": {"POST": "POST api_skip"},
    "rate-undo": {"POST": "POST api_undo"},
    "rate-draft": {"POST": Without("keeps what is half written; a program sends what is whole")},
    "rate-heartbeat": {"POST": "POST api_heartbeat"},
    "onboarding": {"GET": "GET api_way_in"},
    "onboarding-guideline": {"POST": "POST api_read_guideline"},
    "onboarding-practice": {"GET": "GET api_way_in", "POST": "POST api_way_in"},
    "onboarding-test": {"GET": "GET api_way_in", "POST": "POST api_way_in"},
    # campaigns
    "campaigns": {"GET": "GET api_campaigns"},
    "new_campaign": {"GET": FORM, "POST": "POST api_campaigns"},
    "setup": {"GET": "GET api_setup"},
    "setup_basics": {"GET": "GET api_setup", "POST": "PATCH api_campaign"},
    "setup_question": {"GET": "GET api_setup", "POST": "PATCH api_campaign"},
    "setup_answers": {"GET": "GET api_setup", "POST": "POST api_base_policy"},
    "setup_checks": {"GET": "GET api_setup", "POST": "PATCH api_campaign"},
    "setup_training": {"GET": "GET api_setup", "POST": "PATCH api_campaign"},
    "setup_start": {"GET": "GET api_setup"},
    "preview": {"GET": LOOKS},
    "preview_page": {"GET": LOOKS},
    "archive": {"POST": "POST api_archive"},
    "clone_campaign": {"GET": FORM, "POST": "POST api_clone"},
    "campaign": {"GET": "GET api_campaign"},
    "campaign_live": {"GET": "GET api_rounds"},
    "campaign_plot_csv": {"GET": "GET api_campaign_plot"},
    "campaign_settings": {"GET": "GET api_campaign", "POST": "PATCH api_campaign"},
    "criteria": {"GET": "GET api_criteria", "POST": "POST api_criteria"},
    "remove_criterion": {"POST": "DELETE api_criterion"},
    "set_status": {"POST": "PATCH api_campaign"},
    "set_loop": {"POST": "POST api_loop"},
    "guideline": {"GET": "GET api_guidelines", "POST": "POST api_guidelines"},
    "campaign_raters": {"GET": "GET api_trust", "POST": "POST api_raters"},
    "rater": {"GET": "GET api_trust"},
    "give_role": {"POST": "PUT api_member"},
    "remove_rater": {"POST": "DELETE api_rater"},
    "qualify_rater": {"POST": "POST api_qualification"},
    "golds": {"GET": "GET api_golds", "POST": "POST api_golds"},
    "accept_gold": {"POST": "POST api_golds"},
    "retire_gold": {"POST": "POST api_retire_gold"},
    "examples": {"GET": "GET api_examples", "POST": "POST api_examples"},
    "import_examples": {"GET": FORM, "POST": "POST api_import_examples"},
    "example": {"GET": "GET api_examples", "POST": "PUT api_example"},
    "retire_example": {"POST": "DELETE api_example"},
    "figures": {"GET": "GET api_figures"},
    "measure_figures": {"POST": "POST api_figures"},
    "selection": {"GET": "GET api_selection"},
    "resume_selection": {"POST": "POST api_selection"},
    "review": {"GET": "GET api_signals", "POST": "POST api_feedback"},
    "adjudications": {"GET": "GET api_disputes", "POST": "POST api_disputes"},
    "adjudication": {"GET": "GET api_dispute"},
    "decide": {"POST": "POST api_decide"},
    "release_dispute": {"POST": "POST api_release_dispute"},
    "sort_dispute": {"POST": "POST api_sort_dispute"},
    "gaps": {"GET": "GET api_gaps"},
    "gap_example": {"POST": "POST api_settle_gap"},
    "dismiss_gap": {"POST": "POST api_settle_gap"},
    "reopen_rater": {"GET": "GET api_reopen", "POST": "POST api_reopen"},
    "import": {"GET": "GET api_imports", "POST": "POST api_imports"},
    "one_import": {"GET": "GET api_import"},
    "import_progress": {"GET": "GET api_import"},
    "start_import": {"POST": "POST api_start_import"},
    "import_errors": {"GET": "GET api_import_errors"},
    "import_failed": {"GET": "GET api_import_failed"},
    "preview_guideline": {"POST": "POST api_preview_guideline"},
    "guideline_diff": {"GET": "GET api_guideline_diff"},
    "guideline_readers": {"GET": "GET api_guideline_readers"},
    "remind_readers": {"POST": "POST api_remind_readers"},
    "restore_guideline": {"POST": "POST api_restore_guideline"},
    "use_example": {"POST": "POST api_use_example"},
    "keep_import": {"POST": "POST api_keep_import"},
    "cancel_import": {"POST": "POST api_cancel_import"},
    "start_round": {"POST": "POST api_rounds"},
    "end_round": {"POST": "POST api_close_round"},
    "webhooks": {"GET": "GET api_webhooks", "POST": "POST api_webhooks"},
    "webhook": {"GET": "GET api_webhook_deliveries", "POST": "PATCH api_webhook"},
    "campaign_webhooks": {"GET": "GET api_campaign_webhooks", "POST": "POST api_campaign_webhooks"},
    "campaign_webhook": {
        "GET": "GET api_campaign_webhook_deliveries",
        "POST": "PATCH api_campaign_webhook",
    },
    # models
    "models": {"GET": "GET api_models"},
    "model": {"GET": "GET api_model"},
    "model_card": {"GET": "GET api_model_card"},
    "model_sample": {"GET": "GET api_model_sample"},
    "compare_models": {"GET": "GET api_compare_models", "POST": "POST api_compare_models"},
    "compared_models": {"GET": "GET api_model_sample"},
    "register_model": {"GET": FORM, "POST": "POST api_models"},
    "promote": {"POST": "POST api_promote"},
    "roll_back": {"POST": "POST api_roll_back"},
    # training
    "leaderboard": {"GET": "GET api_leaderboard"},
    "leaderboard_live": {"GET": "GET api_leaderboard"},
    "leaderboard_csv": {"GET": "GET api_leaderboard"},
    "leaderboards": {"GET": "GET api_leaderboards"},
    "judges": {"GET": "GET api_judges", "POST": "POST api_judges"},
    "judges_live": {"GET": "GET api_judges"},
    "judges_csv": {"GET": "GET api_judges"},
    "targets": {"GET": "GET api_targets", "POST": "POST api_targets"},
    "change_target": {"POST": "PATCH api_target"},
    "target_csv": {"GET": "GET api_target"},
    "watch": {"GET": "GET api_watches", "POST": "POST api_watches"},
    "watch_live": {"GET": "GET api_watches"},
    "watch_csv": {"GET": "GET api_watches"},
    "alarms": {"GET": "GET api_alarms", "POST": "PATCH api_alarms"},
    "resume_alarms": {"POST": "POST api_alarms"},
    "alarms_csv": {"GET": "GET api_alarms"},
    "snapshots": {"GET": "GET api_found_snapshots"},
    "withdrawals_seen": {"POST": "POST api_notices"},
    "statement": {"GET": "GET api_statement", "POST": "PATCH api_statement"},
    "withdrawals": {"GET": "GET api_withdrawals", "POST": "POST api_withdrawals"},
    "datasheet": {"GET": "GET api_datasheet"},
    "datasheet_md": {"GET": "GET api_datasheet"},
    "snapshot": {"GET": "GET api_snapshot"},
    "cut_snapshot": {"POST": "POST api_snapshots"},
    "snapshot_cuts": {"GET": "GET api_preparation"},
    "count_snapshot": {"GET": "POST api_snapshot_count"},
    "snapshot_difference": {"GET": "GET api_snapshot_difference"},
    "snapshot_files": {"GET": "GET api_download"},
    "download": {"GET": "GET api_download"},
    "signed_download": {"GET": Without("made for programs: the token in its address is all that it asks")},
    "make_link": {"POST": "POST api_links"},
    "revoke_link": {"POST": "DELETE api_link"},
    "start_run": {"POST": "POST api_runs"},
    "run": {"GET": "GET api_run"},
    "run_live": {"GET": "GET api_run_log"},
    "run_plot_csv": {"GET": "GET api_run_plot"},
    "run_log": {"GET": "GET api_run_log"},
    "cancel_run": {"POST": "POST api_cancel_run"},
    "retry_run": {"POST": "POST api_retry_run"},
}

ACTIONS = {(name, method) for name, row in TABLE.items() for method in row}


def of_api(name: str) -> bool:
    return "rest_framework" in PATTERNS[name].callback.__module__ or hasattr(PATTERNS[name].callback, "cls")


PAGE_ACTIONS = sorted((name, method) for name, method in ACTIONS if not of_api(name))
API_ACTIONS = {f"{method} {name}" for name, method in ACTIONS if of_api(name)}


def test_each_action_of_a_page_has_its_twin_in_the_api_or_a_reason():
    entered = sorted((page, method) for page, row in TWINS.items() for method in row)
    assert entered == PAGE_ACTIONS
    twins = {twin for row in TWINS.values() for twin in row.values() if not isinstance(twin, Without)}
    assert not twins - API_ACTIONS


@pytest.mark.parametrize(("page", "method"), PAGE_ACTIONS)
def test_whoever_may_use_the_page_may_use_its_twin(page, method):
    twin = TWINS[page][method]
    if isinstance(twin, Without):
        return
    twin_method, name = twin.split()
    rows = zip(TABLE[page][method], TABLE[name][twin_method], strict=True)
    refused = {LOGIN, 401, 403}
    sent_elsewhere = {302} if method == "GET" else set()
    assert [api for on_page, api in rows if on_page not in refused | sent_elsewhere and api in refused] == []


@pytest.mark.parametrize("page", sorted(limits.COSTLY & TWINS.keys()))
def test_what_is_costly_on_a_page_is_so_in_the_api(page):
    assert TWINS[page]["POST"].removeprefix("POST ") in limits.COSTLY
