"""Who may do what: campaigns, their people, imports and rounds."""

from typing import Any

from tests.permissions.columns import (
    ADMINISTER,
    ADMINISTER_CHANGE,
    API_ADMINISTER_CREATE,
    API_CREATE,
    API_LIST,
    API_LOOK,
    API_MANAGE,
    CHANGE,
    LIST,
    LOOK,
    MANAGE,
    Table,
)
from tests.permissions.world import World

TABLE: Table = {
    "campaigns": {"GET": LIST},
    "new_campaign": {"GET": ADMINISTER, "POST": ADMINISTER_CHANGE},
    # this campaign has begun: it has its settings instead
    "setup": {"GET": CHANGE},
    "setup_basics": {"GET": CHANGE, "POST": CHANGE},
    "setup_question": {"GET": CHANGE, "POST": CHANGE},
    "setup_answers": {"GET": CHANGE, "POST": CHANGE},
    "setup_checks": {"GET": CHANGE, "POST": CHANGE},
    "setup_training": {"GET": CHANGE, "POST": CHANGE},
    "setup_start": {"GET": CHANGE},
    "preview": {"GET": LOOK},
    "preview_page": {"GET": LOOK},
    "archive": {"POST": CHANGE},
    "clone_campaign": {"GET": ADMINISTER, "POST": ADMINISTER_CHANGE},
    "api_setup": {"GET": API_MANAGE},
    "api_base_policy": {"POST": API_CREATE},
    "api_archive": {"POST": API_MANAGE},
    "api_clone": {"POST": API_ADMINISTER_CREATE},
    "campaign": {"GET": LOOK},
    "campaign_live": {"GET": LOOK},
    "campaign_plot_csv": {"GET": LOOK},
    "api_campaign_plots": {"GET": API_LOOK},
    "api_campaign_plot": {"GET": API_LOOK},
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
    "remove_rater": {"POST": CHANGE},
    "import": {"GET": MANAGE, "POST": CHANGE},
    "one_import": {"GET": MANAGE},
    "import_progress": {"GET": MANAGE},
    "keep_import": {"POST": CHANGE},
    "cancel_import": {"POST": CHANGE},
    "start_round": {"POST": CHANGE},
    "end_round": {"POST": CHANGE},
    "api_campaigns": {"GET": API_LIST, "POST": API_ADMINISTER_CREATE},
    "api_campaign": {"GET": API_LOOK, "PATCH": API_MANAGE},
    "api_loop": {"POST": API_MANAGE},
    "api_guidelines": {"GET": API_LOOK, "POST": API_CREATE},
    "api_raters": {"GET": API_LOOK, "POST": API_CREATE},
    "api_rater": {"DELETE": (401, 403, 403, 403, 204)},
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
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    return {
        "remove_rater": {**w.in_campaign, "pk": w.member.pk},
        "rater": {**w.in_campaign, "pk": w.member.pk},
        "one_import": w.of_import,
        "import_progress": w.of_import,
        "keep_import": w.of_import,
        "cancel_import": w.of_import,
        "api_import": w.of_import,
        "api_keep_import": w.of_import,
        "api_cancel_import": w.of_import,
        "api_reserve": {**w.in_campaign, "pk": w.round_.tasks.exclude(slots__rater=w.member).get().pk},
        "api_rater": {**w.in_campaign, "username": w.member.username},
        "remove_criterion": {**w.in_campaign, "key": "kind"},
        "api_criterion": {**w.in_campaign, "key": "kind"},
        "end_round": w.in_round,
        "api_close_round": w.in_round,
        "api_cancel_round": w.in_round,
        "campaign_plot_csv": {**w.in_campaign, "key": "hours"},
        "api_campaign_plot": {**w.in_campaign, "key": "hours"},
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    return {
        "new_campaign": {"name": "Another", "kind": "compare"},
        "clone_campaign": {"name": "A copy"},
        "api_clone": {"name": "A copy", "policy": False},
        "api_base_policy": {"name": "base", "backend": "imported"},
        "api_archive": {"archived": False},
        "campaign_settings": w.settings,
        "guideline": {"text": "Be kind."},
        "criteria": w.criterion,
        "api_criteria": w.criterion,
        "campaign_raters": {"users": [w.outsider.pk]},
        "import": {"text": '{"prompt": "How?"}', "format": "prompts", "dry_run": "on"},
        "api_campaigns": {"name": "Another"},
        "api_priority": {"priority": 5, "round": w.round_.number},
        "api_reserve": {"rater": w.member.username},
        "api_campaign": {"overlap": 2},
        "api_loop": {"paused": True},
        "api_guidelines": {"text": "Be kind."},
        "api_raters": {"username": w.outsider.username},
        "api_imports": {"text": '{"prompt": "How?"}', "format": "prompts"},
        "set_status": {"status": "paused"},
    }
