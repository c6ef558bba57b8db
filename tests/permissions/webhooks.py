"""Who may do what: webhooks of a campaign, and those of all campaigns."""

from typing import Any

from accounts import webhooks
from tests.permissions.columns import (
    ADMINISTER,
    ADMINISTER_CHANGE,
    API_ADMINISTER,
    API_ADMINISTER_CREATE,
    API_CREATE,
    API_MANAGE,
    CHANGE,
    MANAGE,
    Table,
)
from tests.permissions.world import World

API_ADMINISTER_LATER = (401, 403, 403, 403, 202, 403, 403, 403)
API_ADMINISTER_GONE = (401, 403, 403, 403, 204, 403, 403, 403)
API_LATER = (401, 403, 403, 403, 202)
API_GONE = (401, 403, 403, 403, 204)

TABLE: Table = {
    "webhooks": {"GET": ADMINISTER, "POST": ADMINISTER},  # the answer shows the secret, once
    "webhook": {"GET": ADMINISTER, "POST": ADMINISTER_CHANGE},
    "campaign_webhooks": {"GET": MANAGE, "POST": MANAGE},
    "campaign_webhook": {"GET": MANAGE, "POST": CHANGE},
    "api_webhooks": {"GET": API_ADMINISTER, "POST": API_ADMINISTER_CREATE},
    "api_webhook": {"GET": API_ADMINISTER, "PATCH": API_ADMINISTER, "DELETE": API_ADMINISTER_GONE},
    "api_webhook_test": {"POST": API_ADMINISTER_LATER},
    "api_webhook_secret": {"POST": API_ADMINISTER},
    "api_webhook_deliveries": {"GET": API_ADMINISTER},
    "api_webhook_retry": {"POST": API_ADMINISTER_LATER},
    "api_campaign_webhooks": {"GET": API_MANAGE, "POST": API_CREATE},
    "api_campaign_webhook": {"GET": API_MANAGE, "PATCH": API_MANAGE, "DELETE": API_GONE},
    "api_campaign_webhook_test": {"POST": API_LATER},
    "api_campaign_webhook_secret": {"POST": API_MANAGE},
    "api_campaign_webhook_deliveries": {"GET": API_MANAGE},
    "api_campaign_webhook_retry": {"POST": API_LATER},
}
ASKED: dict[str, Any] = {"url": "https://hooks.example.org/", "events": ["run.failed"]}


def args(w: World) -> dict[str, dict[str, Any]]:
    """Return what fills the addresses, by their names."""
    found: dict[str, dict[str, Any]] = {}
    for prefix, slug in (("", ""), ("campaign_", w.campaign.slug)):
        hook, _secret = webhooks.add(slug, ASKED["url"], ["run.failed"], by=w.manager)
        one = {"pk": hook.pk, **({"slug": slug} if slug else {})}
        told = {**one, "delivery": webhooks.test(hook, by=w.manager).pk}
        names = [f"{prefix}webhook", f"api_{prefix}webhook", f"api_{prefix}webhook_test"]
        names += [f"api_{prefix}webhook_secret", f"api_{prefix}webhook_deliveries"]
        found |= dict.fromkeys(names, one) | {f"api_{prefix}webhook_retry": told}
    return found


def bodies(w: World) -> dict[str, dict[str, Any]]:
    """Return what is sent to the addresses."""
    lists = ["webhooks", "campaign_webhooks", "api_webhooks", "api_campaign_webhooks"]
    changes = {"webhook": {"do": "test"}, "campaign_webhook": {"do": "test"}}
    paused = {"api_webhook": {"active": False}, "api_campaign_webhook": {"active": False}}
    return dict.fromkeys(lists, ASKED) | changes | paused
