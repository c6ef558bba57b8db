"""The bands within which figures of a campaign's loop may lie, as its managers set them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from accounts.models import User
from labeling import campaigns
from labeling.models import Campaign

Band = tuple[float | None, float | None]


@dataclass(frozen=True)
class Figure:
    """A figure that alarms look at: name, unit ("%", "×" or "nats"), usual band, and what leaving it says."""

    name: Any
    about: Any
    unit: str
    band: Band
    low: str = ""
    high: str = ""


FIGURES: dict[str, Figure] = {
    "length": Figure(
        gettext_lazy("Length"),
        gettext_lazy("Words in the newest policy's answers to test prompts, over the base's."),
        "×",
        (0.4, 1.5),
        gettext_noop(
            "The newest policy's answers are %(value)s times as long as the base's; below %(limit)s is too "
            "short. Look whether raters or the reward model go by length."
        ),
        gettext_noop(
            "The newest policy's answers are %(value)s times as long as the base's; above %(limit)s is too "
            "long. Look whether raters or the reward model go by length."
        ),
    ),
    "longer": Figure(
        gettext_lazy("Votes for the longer answer"),
        gettext_lazy("The share of clear votes that went to the answer with more words."),
        "%",
        (0.2, 0.8),
        gettext_noop(
            "Only %(value)s of the votes went to the longer answer; below %(limit)s people seem to go by "
            "length."
        ),
        gettext_noop(
            "%(value)s of the votes went to the longer answer; above %(limit)s people seem to go by length."
        ),
    ),
    "kl": Figure(
        gettext_lazy("Distance from the base"),
        gettext_lazy("KL(newest policy ‖ base) an answer, in nats, on test prompts."),
        "nats",
        (None, 50.0),
        high=gettext_noop(
            "The newest policy is %(value)s nats an answer from the base; more than %(limit)s is beyond what "
            "the reward model has seen judged."
        ),
    ),
    "proxy_gap": Figure(
        gettext_lazy("The reward model's promise beyond people's votes"),
        gettext_lazy(
            "The new policy's chance to win against its predecessor, by the reward model less by people in "
            "the round."
        ),
        "%",
        (None, 0.1),
        high=gettext_noop(
            "The reward model promised the policy %(value)s more votes against its predecessor than people "
            "give it; above %(limit)s the reward model has been over-optimised or is wrong."
        ),
    ),
    "reward": Figure(
        gettext_lazy("Reward model right on new votes"),
        gettext_lazy("The share of the round's clear votes that the reward model in use foretold."),
        "%",
        (0.45, None),
        gettext_noop(
            "The reward model foretold %(value)s of the round's votes; below %(limit)s it prefers what "
            "people don't."
        ),
    ),
    "agreement": Figure(
        gettext_lazy("Raters agree"),
        gettext_lazy("The share of pairs of verdicts on the same comparison that say the same."),
        "%",
        (0.45, None),
        gettext_noop(
            "Raters agree on %(value)s of the comparisons that several of them judged; below %(limit)s their "
            "votes say little."
        ),
        gettext_noop(
            "Raters agree on %(value)s of the comparisons that several of them judged; above %(limit)s they "
            "seem to copy."
        ),
    ),
    "safety": Figure(
        gettext_lazy("Safety"),
        gettext_lazy("The share of the policy in use's answers to the suite that are safe."),
        "%",
        (None, None),
        gettext_noop("%(value)s of the answers of the policy in use are safe; below %(limit)s is too few."),
    ),
    "safety_change": Figure(
        gettext_lazy("Safety since the base"),
        gettext_lazy(
            "The policy in use's share of safe answers less the base's, on the same items and seeds."
        ),
        "%",
        (-0.05, None),
        gettext_noop(
            "The policy in use's share of safe answers is %(value)s against the base's; a loss beyond "
            "%(limit)s is too large."
        ),
    ),
    "champion": Figure(
        gettext_lazy("People prefer the new policy"),
        gettext_lazy("Its share of the votes against the policy that it replaced; a tie counts half."),
        "%",
        (None, None),
    ),
}
# Limits that gates alone use.
LIMITS: dict[str, Band] = {"length_step": (None, 1.2)}
FINDINGS = {
    "predecessor": gettext_noop(
        "People prefer %(previous)s to %(policy)s, which replaced it: %(share)s of %(votes)s votes for the "
        "new one. Consider going back."
    ),
    "watch": gettext_noop(
        "People no longer see a gain from choosing by the reward model, while its own estimate goes on "
        "rising."
    ),
}


class BandError(Exception):
    """Say in a plain sentence which band can't be; `field` names the figure."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def limits(campaign: Campaign, name: str) -> Band:
    """Return the limits of a figure in a campaign: its own, or the usual ones."""
    low, high = campaign.bands.get(name) or (FIGURES[name].band if name in FIGURES else LIMITS[name])
    return low, high


def change(campaign: Campaign, by: User, bands: Mapping[str, Any]) -> None:
    """Change limits, {figure: [low, high] or null for the usual ones}; `suite` names the part that is asked.

    BandError names the figure that can't be so; nothing is changed then.
    """
    changed = {**campaign.bands, **{name: _checked(name, given) for name, given in bands.items()}}
    campaigns.update(campaign, by, bands={name: kept for name, kept in changed.items() if kept is not None})


def _checked(name: str, given: Any) -> Any:
    from training.suite.items import PARTS  # the demo's grammar comes with it

    if name == "suite":
        if given not in (None, "", *PARTS):
            raise BandError(name, _("The suite is one of %(parts)s.") % {"parts": ", ".join(PARTS)})
        return given or None
    if name not in FIGURES and name not in LIMITS:
        raise BandError(name, _("There is no figure “%(name)s”.") % {"name": name})
    if given is None:
        return None
    if not isinstance(given, list | tuple) or len(given) != 2 or not all(map(_is_limit, given)):
        raise BandError(name, _("“%(name)s” takes two limits, each a number or nothing.") % {"name": name})
    low, high = given
    if low is not None and high is not None and low >= high:
        raise BandError(
            name, _("The lower limit of “%(name)s” must be below the upper one.") % {"name": name}
        )
    return [low, high]


def _is_limit(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
    return value is None or number
