"""Who may do what: how far raters are trusted, and what is decided and taught."""

from typing import Any

from tests.permissions.columns import API_CREATE, API_LOOK, API_MANAGE, CHANGE, LOGIN, LOOK, MANAGE, Table
from tests.permissions.world import World

TABLE: Table = {
    "golds": {"GET": MANAGE, "POST": CHANGE},
    "accept_gold": {"POST": CHANGE},
    "retire_gold": {"POST": CHANGE},
    "api_trust": {"GET": API_LOOK},
    "api_golds": {"GET": API_MANAGE, "POST": API_CREATE},
    "api_gold_proposals": {"GET": API_MANAGE},
    "api_retire_gold": {"POST": (401, 403, 403, 403, 204)},
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
    "adjudication": {"GET": (LOGIN, 403, 403, 403, 200, 302, 403, 404)},
    "decide": {"POST": CHANGE},
    "release_dispute": {"POST": CHANGE},
    "sort_dispute": {"POST": CHANGE},
    "gaps": {"GET": MANAGE},
    "gap_example": {"POST": CHANGE},
    "dismiss_gap": {"POST": CHANGE},
    "reopen_rater": {"GET": MANAGE, "POST": CHANGE},
    "api_disputes": {"GET": API_MANAGE, "POST": (401, 403, 403, 403, 200, 204, 403, 404)},
    "api_dispute": {"GET": (401, 403, 403, 403, 400)},  # it isn't decided yet
    "api_decide": {"POST": (401, 403, 403, 403, 200, 400, 403, 404)},
    "api_release_dispute": {"POST": (401, 403, 403, 403, 204, 400, 403, 404)},
    "api_sort_dispute": {"POST": (401, 403, 403, 403, 400)},  # it isn't decided yet
    "api_signals": {"GET": API_MANAGE},
    "api_gaps": {"GET": API_MANAGE},
    "api_settle_gap": {"POST": API_MANAGE},
    "api_reopen": {"GET": API_MANAGE, "POST": API_MANAGE},
    "api_figures": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 202)},
    "api_feedback": {"GET": API_MANAGE, "POST": API_CREATE},
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    return {
        "qualify_rater": {**w.in_campaign, "pk": w.member.pk},
        "adjudication": w.in_dispute,
        "decide": w.in_dispute,
        "release_dispute": w.in_dispute,
        "sort_dispute": w.in_dispute,
        "gap_example": w.in_gap,
        "dismiss_gap": w.in_gap,
        "retire_gold": w.of_gold,
        "api_retire_gold": w.of_gold,
        "reopen_rater": {**w.in_campaign, "pk": w.member.pk},
        "api_dispute": w.in_dispute,
        "api_decide": w.in_dispute,
        "api_release_dispute": w.in_dispute,
        "api_sort_dispute": w.in_dispute,
        "api_settle_gap": w.in_gap,
        "api_reopen": {**w.in_campaign, "username": w.member.username},
        "example": {**w.in_campaign, "pk": w.example.pk},
        "retire_example": {**w.in_campaign, "pk": w.example.pk},
        "api_example": {**w.in_campaign, "pk": w.example.pk},
        "api_qualification": {**w.in_campaign, "username": w.member.username},
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    return {
        "review": {"kind": "judgment", "id": w.said.pk, "text": "Look twice."},
        "api_feedback": {"kind": "judgment", "id": w.said.pk, "text": "Look twice."},
        "decide": {"verdict": 1},
        "sort_dispute": {"cause": "rater_error"},
        "gap_example": {"explanation": "{A} is right."},
        "dismiss_gap": {"why": "It says so."},
        "golds": {"task": w.could.pk, "verdict": 1},
        "accept_gold": {"task": w.could.pk},
        "api_golds": {"task": w.could.pk, "verdict": 1},
        "retire_gold": {"why": "Unclear."},
        "api_retire_gold": {"why": "Unclear."},
        "reopen_rater": {"reason": "Clicked through."},
        "api_decide": {"verdict": 1},
        "api_sort_dispute": {"cause": "rater_error"},
        "api_settle_gap": {"dismiss": "It says so."},
        "api_reopen": {"reason": "Clicked through."},
        "qualify_rater": {"how": "waive"},
        "api_qualification": {"how": "waive"},
        "examples": {**w.worked, "messages": "How?", "answer_a": "So.", "answer_b": "Thus."},
        "example": {**w.worked, "messages": "How?", "answer_a": "So.", "answer_b": "Thus."},
        "import_examples": w.line,
        "api_examples": {**w.worked, "answers": ["So.", "Thus."]},
        "api_example": {**w.worked, "answers": ["So.", "Thus."]},
        "api_import_examples": w.line,
    }
