"""How a campaign's verdicts are worded and keyed on the page."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from labeling.judgments import verdicts
from labeling.models import Campaign, Task


@dataclass(frozen=True)
class Point:
    """One verdict on the bar: its key is its number from the left."""

    verdict: int
    key: int
    word: str  # under the key
    name: str  # for screen readers
    chosen: bool

    @property
    def action(self) -> str:
        """Name what its key does (accounts.keys.ACTIONS)."""
        return f"verdict_{self.key}"


def points(campaign: Campaign, chosen: str) -> list[Point]:
    """Return the points of a campaign's scale from left to right."""
    plain = campaign.scale == Campaign.Scale.TWO
    most = _("safer") if campaign.red_team else _("better")
    words = {3: _("much"), 2: most if plain else _("clearly"), 1: _("slightly"), 0: _("same")}
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


def actions(campaign: Campaign, kind: str) -> set[str]:
    """Name the keys' actions that a campaign, or the task before its rater, has any use for."""
    kinds = {
        kind,
        Task.Kind.EDIT if campaign.edit_share else kind,
        Task.Kind.RANK if campaign.rank_share else kind,
        Task.Kind.CHAT if campaign.chat_share else kind,
    }
    useful = {"send", "undo", "skip", "cannot_judge", "comment", "flag", "prompt", "guideline", "why", "help"}
    if kinds & {Task.Kind.COMPARE, Task.Kind.CHAT} or campaign.edit_share + campaign.rank_share < 1:
        useful |= {point.action for point in points(campaign, "")}
        useful |= {"diff", "raw", "lock"}
        useful |= {"both_bad"} if campaign.allow_ties else set()
        useful |= {"reasons"} if campaign.reasons else set()
        useful |= {"show_all"} if campaign.display_rate else set()
    if kinds & {Task.Kind.EDIT, Task.Kind.CHAT}:
        useful.add("write")
    if Task.Kind.RANK in kinds:
        useful |= {"rank_up", "rank_down", "rank_tie"}
    return useful


def say(campaign: Campaign, verdict: int) -> str:
    """Say a verdict on the sides as displayed in a few words."""
    plain = campaign.scale == Campaign.Scale.TWO
    names = (
        {
            3: _("%(side)s is much safer"),
            2: _("%(side)s is safer") if plain else _("%(side)s is clearly safer"),
            1: _("%(side)s is slightly safer"),
            0: _("About the same"),
        }
        if campaign.red_team
        else {
            3: _("%(side)s is much better"),
            2: _("%(side)s is better") if plain else _("%(side)s is clearly better"),
            1: _("%(side)s is slightly better"),
            0: _("About the same"),
        }
    )
    return names[abs(verdict)] % {"side": "A" if verdict < 0 else "B"}
