"""Who may do what: people, their settings and tokens."""

from typing import Any

from tests.permissions.columns import (
    ADMINISTER,
    ADMINISTER_CHANGE,
    API_ADMINISTER,
    API_ADMINISTER_CREATE,
    API_OWN,
    LOGIN,
    OWN,
    Table,
)
from tests.permissions.world import World

# who manages single campaigns sees what concerns these
AUDIT = (LOGIN, 403, 403, 403, 200, 200, 403, 200)

TABLE: Table = {
    "login": {
        "GET": (200, 302, 302, 302, 302, 302, 302, 302),
        "POST": (200, 302, 302, 302, 302, 302, 302, 302),
    },
    "logout": {"POST": (LOGIN, 302, 302, 302, 302, 302, 302, 302)},
    "welcome": {"GET": (200,) * 8, "POST": (200,) * 8},  # a false token is told so
    "settings": {"GET": OWN, "POST": OWN},
    "api_own_settings": {"GET": API_OWN, "PATCH": API_OWN},
    "tokens": {"GET": OWN, "POST": OWN},
    "password": {"GET": OWN, "POST": OWN},
    "revoke_token": {"POST": (LOGIN, 404, 404, 404, 302, 404, 404, 404)},  # it is the manager's token
    "people": {"GET": ADMINISTER, "POST": ADMINISTER},
    "set_active": {"POST": ADMINISTER_CHANGE},
    "note_skills": {"POST": ADMINISTER_CHANGE},
    "audit": {"GET": AUDIT},
    "audit_csv": {"GET": AUDIT},
    "api_audit": {"GET": (401, 403, 403, 403, 200, 200, 403, 200)},
    "api_me": {"GET": API_OWN},
    "api_tokens": {"GET": API_OWN, "POST": (401, 201, 201, 201, 201, 201, 201, 201)},
    "api_token": {"DELETE": (401, 404, 404, 404, 204, 404, 404, 404)},
    "api_people": {"GET": API_ADMINISTER, "POST": API_ADMINISTER_CREATE},
    "api_person_skills": {"PUT": API_ADMINISTER},
    "api-schema": {"GET": API_OWN},
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    return {
        "welcome": {"uidb64": w.uid, "token": "false-token"},
        "revoke_token": {"pk": w.token.pk},
        "api_token": {"pk": w.token.pk},
        "set_active": {"pk": w.outsider.pk},
        "note_skills": {"pk": w.outsider.pk},
        "api_person_skills": {"pk": w.outsider.pk},
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    return {
        "people": w.invitation,
        "api_people": w.invitation,
        "note_skills": {"skills": "french, medicine"},
        "api_person_skills": {"skills": ["french"]},
        "tokens": {"name": "mine"},
        "api_tokens": {"name": "mine"},
    }
