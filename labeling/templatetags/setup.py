"""The bar of steps over every page of a draft campaign."""

from typing import Any

from django import template

from labeling.models import Campaign
from labeling.setup import DONE, TOLD, read

register = template.Library()

# the pages of others that are steps of the setup, by the tab that they are under
STEP_OF_TAB = {"import": "prompts", "invitations": "raters", "golds": "checks", "examples": "checks"}


@register.inclusion_tag("manage/_steps.html")
def setup_bar(campaign: Campaign, tab: str) -> dict[str, Any]:
    """Show how far a campaign's setup is, and the way on where a page has no button for it."""
    found = read(campaign)
    here = STEP_OF_TAB.get(tab, tab)
    done = any(step.key == here and step.state == DONE for step in found.steps)
    return {
        "campaign": campaign,
        "steps": found.steps,
        "here": here,
        "next": found.after(here) if done and here in TOLD and here != "answers" else None,
    }
