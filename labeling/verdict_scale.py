"""How a campaign's verdicts are worded and keyed on the page."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from labeling.judgments import verdicts
from labeling.models import Campaign


@dataclass(frozen=True)
class Point:
    """One verdict on the bar: its key is its number from the left."""

    verdict: int
    key: int
    word: str  # under the key
    name: str  # for screen readers
    chosen: bool


def points(campaign: Campaign, chosen: str) -> list[Point]:
    """Return the points of a campaign's scale from left to right."""
    plain = campaign.scale == Campaign.Scale.TWO
    words = {3: _("much"), 2: _("better") if plain else _("clearly"), 1: _("slightly"), 0: _("same")}
    return [
        Point(
            verdict=verdict,
            key=key,
            word=words[abs(verdict)],
            name=say(campaign, verdict),
            chosen=chosen == str(verdict),
        )
        for key, verdict in enumerate(verdicts(campaign), start=1)
    ]


def say(campaign: Campaign, verdict: int) -> str:
    """Say a verdict on the sides as displayed in a few words."""
    plain = campaign.scale == Campaign.Scale.TWO
    names = {
        3: _("%(side)s is much better"),
        2: _("%(side)s is better") if plain else _("%(side)s is clearly better"),
        1: _("%(side)s is slightly better"),
        0: _("About the same"),
    }
    return names[abs(verdict)] % {"side": "A" if verdict < 0 else "B"}
