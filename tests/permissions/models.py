"""Who may do what: the registry."""

from typing import Any

from tests.permissions.columns import (
    ADMINISTER,
    ADMINISTER_CHANGE,
    API_ADMINISTER_CREATE,
    API_LIST,
    API_LOOK,
    CHANGE,
    LIST,
    LOGIN,
    LOOK,
    Table,
)
from tests.permissions.world import World

TABLE: Table = {
    "models": {"GET": LIST},
    "model": {"GET": LOOK},
    "model_card": {"GET": LOOK},
    "model_sample": {"GET": (LOGIN, 403, 403, 404, 404)},  # nobody asked for it
    "compare_models": {"GET": LOOK, "POST": CHANGE},
    "compared_models": {"GET": (LOGIN, 403, 403, 404, 404)},  # nobody asked for it
    "register_model": {"GET": ADMINISTER, "POST": ADMINISTER_CHANGE},
    "promote": {"POST": ADMINISTER_CHANGE},
    "roll_back": {"POST": (LOGIN, 403, 403, 403, 404, 403, 403, 403)},  # it is no champion
    "api_models": {"GET": API_LIST, "POST": API_ADMINISTER_CREATE},
    "api_model": {"GET": API_LOOK},
    "api_model_card": {"GET": API_LOOK},
    "api_lineage": {"GET": API_LOOK},
    "api_model_samples": {"POST": (401, 403, 403, 403, 202, 403, 403, 403)},
    "api_model_sample": {"GET": (401, 403, 403, 404, 404)},  # nobody asked for it
    "api_compare_models": {"GET": API_LOOK, "POST": (401, 403, 403, 403, 400)},  # it exists in name only
    "api_promote": {"POST": API_ADMINISTER_CREATE},
    "api_score": {"POST": (401, 403, 403, 400, 400)},  # it is a policy
    "api_scored": {"GET": (401, 403, 403, 404, 404)},  # nobody asked for them
    "api_roll_back": {"POST": (401, 403, 403, 403, 400, 403, 403, 403)},  # there is no champion
}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    return {
        **{name: {"key": "none"} for name in ("model_sample", "compared_models", "api_model_sample")},
        **{name: {"pk": w.policy.pk} for name in ("compare_models", "api_compare_models", "api_lineage")},
        "promote": {"pk": w.policy.pk},
        "roll_back": {"pk": w.policy.pk},
        "api_promote": {"pk": w.policy.pk},
        "api_score": {"pk": w.policy.pk},
        "api_scored": {"pk": w.policy.pk, "key": "none"},
    }


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    return {
        "register_model": w.registration,
        "api_models": w.registration,
        "compare_models": {"prompts": "1"},
        "api_compare_models": {"prompts": 1},
        "api_model_samples": {"backend": "transformers", "location": "/nowhere", "question": "How?"},
        "promote": {"reason": "It is better."},
        "api_promote": {"reason": "It is better."},
        "api_score": {"query": ["How?"]},
        "api_roll_back": {"family": w.campaign.slug, "kind": "policy", "reason": "It is worse."},
    }
