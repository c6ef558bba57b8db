"""The pages of a campaign, in groups: a row of groups, and below it the pages of the one that is open."""

from typing import Any

from django import template
from django.template import RequestContext
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.roles import can_here
from labeling.models import Campaign

register = template.Library()

LOOK, MANAGE = "view_campaigns", "manage"
# group → its pages: (tab, name of the address, what it is called, who may open it); the first is the group's
GROUPS: list[tuple[Any, list[tuple[str, str, Any, str]]]] = [
    (_("Overview"), [("overview", "campaign", _("Overview"), LOOK)]),
    (
        _("Work"),
        [
            ("guideline", "guideline", _("Guideline"), LOOK),
            ("examples", "examples", _("Examples"), MANAGE),
            ("import", "import", _("Import"), MANAGE),
            ("selection", "selection", _("Choice of pairs"), LOOK),
        ],
    ),
    (
        _("People"),
        [
            ("raters", "campaign_raters", _("Raters"), LOOK),
            ("invitations", "campaign_invitations", _("Invitations"), MANAGE),
        ],
    ),
    (
        _("Quality"),
        [
            ("figures", "figures", _("Figures"), LOOK),
            ("golds", "golds", _("Gold tasks"), MANAGE),
            ("review", "review", _("Review"), MANAGE),
            ("adjudications", "adjudications", _("Disputes"), MANAGE),
        ],
    ),
    (
        _("Models"),
        [
            ("leaderboard", "leaderboard", _("Leaderboards"), LOOK),
            ("watch", "watch", _("Over-optimisation"), LOOK),
            ("judges", "judges", _("Judges"), LOOK),
            ("targets", "targets", _("Targets"), LOOK),
            ("alarms", "alarms", _("Alarms"), LOOK),
        ],
    ),
    (_("Datasets"), [("datasets", "snapshots", _("Datasets"), LOOK)]),
    (
        _("Settings"),
        [
            ("settings", "campaign_settings", _("Settings"), MANAGE),
            ("criteria", "criteria", _("Criteria"), MANAGE),
            ("webhooks", "campaign_webhooks", _("Webhooks"), MANAGE),
        ],
    ),
]


@register.inclusion_tag("manage/_tabs.html", takes_context=True)
def campaign_tabs(context: RequestContext, campaign: Campaign, tab: str) -> dict[str, Any]:
    """Show the groups whose pages somebody may open, and the pages of the group that `tab` is in."""
    user = context["user"]
    may = {action: can_here(user, action) for action in (LOOK, MANAGE)}
    groups, pages = [], []
    for name, all_pages in GROUPS:
        allowed = [
            {"name": label, "url": address(url, campaign), "here": key == tab}
            for key, url, label, action in all_pages
            if may[action]
        ]
        if not allowed:
            continue
        inside = any(page["here"] for page in allowed)
        groups.append({"name": name, "url": allowed[0]["url"], "inside": inside, "alone": len(allowed) == 1})
        if inside and len(allowed) > 1:
            pages = allowed
    return {"groups": groups, "pages": pages}


def address(url: str, campaign: Campaign) -> str:
    """Return where a page of a campaign is; datasets are one page for all, which can be told the campaign."""
    if url == "snapshots":
        return f"{reverse(url)}?campaign={campaign.slug}"
    return reverse(url, args=[campaign.slug])
