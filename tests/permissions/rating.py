"""Who may do what: the rater's pages."""

from typing import Any

from tests.permissions.columns import API_RATE, API_RATED, LOGIN, ONWARD, RATE, Table
from tests.permissions.world import World

TABLE: Table = {
    "home": {"GET": (LOGIN, 200, 200, 302, 302, 200, 302, 200)},
    "history": {"GET": (LOGIN, 200, 200, 403, 200, 200, 200, 200)},
    "history-undo": {"POST": (LOGIN, 302, 302, 403, 302, 302, 302, 302)},
    "feedback": {"GET": (LOGIN, 200, 200, 403, 200, 200, 200, 200)},
    "rate": {"GET": (LOGIN, 200, 404, 403, 404, 302, 404, 404)},
    "rate-guideline": {"GET": RATE},
    "rate-why": {"GET": (LOGIN, 200, 404, 403, 404, 404, 404, 404)},
    "rate-judge": {"POST": (LOGIN, 302, 404, 403, 404, 409, 404, 404)},
    "rate-edit": {"POST": (LOGIN, 409, 404, 403, 404, 409, 404, 404)},  # the task is a comparison
    "rate-rank": {"POST": (LOGIN, 409, 404, 403, 404, 409, 404, 404)},  # the task is a comparison
    "rate-preview": {"POST": RATE},
    "rate-chat": {"GET": (LOGIN, 404, 404, 403, 404, 404, 404, 404)},  # the task is a comparison
    "rate-chat-turn": {"GET": (LOGIN, 404, 404, 403, 404, 404, 404, 404)},
    "rate-chat-say": {"POST": (LOGIN, 409, 404, 403, 404, 409, 404, 404)},
    "rate-chat-pick": {"POST": (LOGIN, 409, 404, 403, 404, 409, 404, 404)},
    "rate-chat-retry": {"POST": (LOGIN, 409, 404, 403, 404, 409, 404, 404)},
    "rate-chat-end": {"POST": (LOGIN, 409, 404, 403, 404, 409, 404, 404)},
    "rate-skip": {"POST": (LOGIN, 302, 404, 403, 404, 409, 404, 404)},
    "rate-undo": {"POST": (LOGIN, 302, 404, 403, 404, 400, 404, 404)},
    "rate-draft": {"POST": (LOGIN, 200, 404, 403, 404, 409, 404, 404)},
    "rate-heartbeat": {"POST": (LOGIN, 200, 404, 403, 404, 409, 404, 404)},
    "onboarding": {"GET": RATE},
    "onboarding-guideline": {"POST": ONWARD},
    "onboarding-practice": {"GET": RATE, "POST": ONWARD},
    "onboarding-test": {"GET": ONWARD, "POST": ONWARD},  # this campaign has no test
    "api_rate": {"GET": (401, 200, 200, 403, 200, 200, 200, 200)},
    "api_history": {"GET": (401, 200, 200, 403, 200, 200, 200, 200)},
    "api_history_undo": {"POST": (401, 200, 400, 403, 400, 400, 400, 400)},
    "api_own_feedback": {
        "GET": (401, 200, 200, 403, 200, 200, 200, 200),
        "POST": (401, 204, 204, 403, 204, 204, 204, 204),
    },
    "api_next": {"POST": API_RATE},
    "api_way_in": {"GET": API_RATE, "POST": (401, 201, 404, 403, 404, 201, 404, 404)},
    "api_read_guideline": {"POST": (401, 204, 404, 403, 404, 204, 404, 404)},
    "api_heartbeat": {"POST": API_RATED},
    "api_release": {"POST": API_RATED},
    "api_skip": {"POST": API_RATED},
    "api_undo": {"POST": (401, 200, 404, 403, 404, 409, 404, 404)},
    "api_why": {"GET": (401, 200, 404, 403, 404, 404, 404, 404)},
    "api_judge": {"POST": (401, 201, 404, 403, 404, 409, 404, 404)},
    "api_rank": {"POST": (401, 400, 404, 403, 404, 409, 404, 404)},  # the task is a comparison
    "api_chat": {"GET": (401, 404, 404, 403, 404, 404, 404, 404)},  # the task is a comparison
    "api_chat_say": {"POST": (401, 400, 404, 403, 404, 409, 404, 404)},
    "api_chat_pick": {"POST": (401, 400, 404, 403, 404, 409, 404, 404)},
    "api_chat_retry": {"POST": (401, 400, 404, 403, 404, 409, 404, 404)},
    "api_chat_end": {"POST": (401, 400, 404, 403, 404, 409, 404, 404)},
    "api_edit": {"POST": (401, 400, 404, 403, 404, 409, 404, 404)},  # the task is a comparison
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    return {
        "onboarding-practice": {**w.in_campaign, "number": 1},
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    return {
        "rate-judge": {**w.lease, "verdict": 1},
        "rate-edit": {**w.lease, "text": "better"},
        "rate-rank": {**w.lease, "sides": 2, "rank-0": 1, "rank-1": 2},
        "rate-chat-say": {**w.lease, "number": 1, "message": "And rice?"},
        "rate-chat-pick": {**w.lease, "verdict": 1},
        "rate-chat-retry": {**w.lease, "number": 1},
        "rate-chat-end": w.lease,
        "rate-skip": w.lease,
        "rate-draft": w.lease,
        "rate-heartbeat": w.lease,
        "api_history_undo": {"kind": "judgment", "id": w.said.pk},
        "api_heartbeat": w.lease,
        "api_release": w.lease,
        "api_skip": w.lease,
        "api_judge": {**w.lease, "verdict": 1},
        "api_rank": {**w.lease, "ranking": [[1], [0]]},
        "api_chat_say": {**w.lease, "number": 1, "message": "And rice?"},
        "api_chat_pick": {**w.lease, "verdict": 1},
        "api_chat_retry": {**w.lease, "number": 1},
        "api_chat_end": w.lease,
        "api_edit": {**w.lease, "text": "better"},
        "onboarding-practice": {"example": w.example.pk, "verdict": 1},
        "api_way_in": {"example": w.example.pk, "attempt": 0, "verdict": 1},
    }
