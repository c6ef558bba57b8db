"""Addresses of webhooks, pages and API: of one campaign, and of all campaigns."""

from django.urls import URLPattern, path

from labeling.api import webhooks as api
from labeling.views import webhooks

pages = [
    path("webhooks/", webhooks.everywhere, name="webhooks"),
    path("webhooks/<int:pk>/", webhooks.one_everywhere, name="webhook"),
    path("campaigns/<slug:slug>/webhooks/", webhooks.in_campaign, name="campaign_webhooks"),
    path("campaigns/<slug:slug>/webhooks/<int:pk>/", webhooks.one_in_campaign, name="campaign_webhook"),
]

VIEWS = {
    "webhooks": ("", api.Webhooks),
    "webhook": ("<int:pk>/", api.OneWebhook),
    "webhook_test": ("<int:pk>/test/", api.TestWebhook),
    "webhook_secret": ("<int:pk>/secret/", api.RotateSecret),
    "webhook_deliveries": ("<int:pk>/deliveries/", api.Deliveries),
    "webhook_retry": ("<int:pk>/deliveries/<int:delivery>/retry/", api.RetryDelivery),
}


def _api(under: str, prefix: str, action: str) -> list[URLPattern]:
    return [
        path(f"{under}webhooks/{rest}", view.as_view(action_for={"*": action}), name=f"{prefix}_{name}")
        for name, (rest, view) in VIEWS.items()
    ]


in_api = _api("", "api", "administer") + _api("campaigns/<slug:slug>/", "api_campaign", "manage")
