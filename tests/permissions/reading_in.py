"""Who may do what: how an upload is read in, and the guideline's versions and readers."""

from typing import Any

from tests.permissions.columns import API_CREATE, API_LOOK, API_MANAGE, CHANGE, LOOK, MANAGE, Table
from tests.permissions.world import World

# the import is over, and nothing of it failed
GONE = (401, 403, 403, 403, 404)
OVER = (401, 403, 403, 403, 409)

TABLE: Table = {
    "start_import": {"POST": CHANGE},
    "import_errors": {"GET": ("login", 403, 403, 403, 404)},
    "import_failed": {"GET": ("login", 403, 403, 403, 404)},
    "api_preview_import": {"GET": OVER},
    "api_start_import": {"POST": OVER},
    "api_import_errors": {"GET": GONE},
    "api_import_failed": {"GET": GONE},
    "preview_guideline": {"POST": MANAGE},
    "guideline_diff": {"GET": LOOK},
    "guideline_readers": {"GET": MANAGE},
    "remind_readers": {"POST": CHANGE},
    "restore_guideline": {"POST": CHANGE},
    "use_example": {"POST": CHANGE},
    "api_preview_guideline": {"POST": API_MANAGE},
    "api_guideline_diff": {"GET": API_LOOK},
    "api_guideline_readers": {"GET": API_MANAGE},
    "api_remind_readers": {"POST": API_MANAGE},
    "api_restore_guideline": {"POST": API_CREATE},
    "api_use_example": {"POST": API_CREATE},
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    imports = ("start_import", "import_errors", "import_failed")
    api = ("api_preview_import", "api_start_import", "api_import_errors", "api_import_failed")
    example = {**w.in_campaign, "pk": w.example.pk}
    return {
        **dict.fromkeys((*imports, *api), w.of_import),
        "restore_guideline": {**w.in_campaign, "number": 1},
        "api_restore_guideline": {**w.in_campaign, "number": 1},
        "api_guideline_diff": {**w.in_campaign, "old": 1, "new": 1},
        "use_example": example,
        "api_use_example": example,
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    return {
        "start_import": {"how": "check"},
        "preview_guideline": {"text": "Be kind."},
        "api_preview_guideline": {"text": "Be kind."},
        "use_example": {"use": "test"},
        "api_use_example": {"use": "test"},
    }
