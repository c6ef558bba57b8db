"""The shapes of a campaign's figures, and how they are read back from JSON."""

from dataclasses import dataclass, field
from typing import Any

from preferences.standings import Standings
from preferences.types import Estimate, Interval


@dataclass(frozen=True)
class GroupFigure:
    """How far raters agree within a group of tasks or of raters."""

    by: str  # kind, skill, language or round
    name: str
    alpha: Estimate
    pairs: Estimate
    ceiling: Estimate


@dataclass(frozen=True)
class PolicyFigure:
    """What share of the votes a policy takes from the reference policy, a tie counting half."""

    policy: str
    model: int  # its key
    votes: int
    share: Estimate
    fair: Estimate  # the same at equal length and format


@dataclass(frozen=True)
class DuelFigure:
    """Where the direct comparison of two policies stands: whether asking on is worth it."""

    first: str
    second: str
    outcome: str  # preferences.stopping.Outcome
    votes: int
    cap: int
    evidence: float  # E_n; the comparison ends at 20
    share: Estimate  # of the first policy, with an interval that holds however often one looks


@dataclass(frozen=True)
class StyleFigure:
    """How many logits one standard deviation of a difference in style is worth to raters."""

    name: str
    effect: Estimate


@dataclass(frozen=True)
class RoundFigure:
    """How many labels a round has: judgments and edits that count."""

    number: int
    labels: int


@dataclass(frozen=True)
class BoardFigure:
    """What differences between any two policies need, with where the votes came from.

    `answered` names the rounds of each policy, `apart` the keys of policies that no vote joins with these;
    `left_out` counts votes by why they say nothing of policies at
    large (labeling.verdicts.Votes).
    """

    raw: Standings
    fair: Standings  # the same at equal length and format
    votes: int
    models: dict[str, int]
    answered: dict[str, list[int]]
    apart: list[int]
    left_out: dict[str, int]


@dataclass(frozen=True)
class Figures:
    """A campaign's figures; where `policies` is empty, `policies_why` says why."""

    agreement: Estimate  # share of pairs of verdicts on the same task that agree on the winner or a tie
    alpha: Estimate  # Krippendorff's α over the same three outcomes
    ceiling: Estimate  # of accuracy against single clear verdicts
    left: Estimate  # share of clear verdicts that went to the side shown left
    fleiss: Estimate  # for display beside published figures
    cohen: Estimate  # only where exactly two raters judged
    groups: list[GroupFigure] = field(default_factory=list)
    reference: str = ""
    policies: list[PolicyFigure] = field(default_factory=list)
    policies_why: str = ""
    styles: list[StyleFigure] = field(default_factory=list)
    duels: list[DuelFigure] = field(default_factory=list)
    board: BoardFigure | None = None
    rounds: list[RoundFigure] = field(default_factory=list)


def load(stored: dict[str, Any]) -> Figures:
    """Read figures back from JSON."""
    values = {name: value for name, value in stored.items() if name != "shape"}
    for name in ("agreement", "alpha", "ceiling", "left", "fleiss", "cohen"):
        values[name] = _estimate(values[name])
    lists: dict[str, tuple[Any, tuple[str, ...]]] = {
        "groups": (GroupFigure, ("alpha", "pairs", "ceiling")),
        "policies": (PolicyFigure, ("share", "fair")),
        "styles": (StyleFigure, ("effect",)),
        "duels": (DuelFigure, ("share",)),
    }
    for name, (shape, estimates) in lists.items():
        values[name] = [
            shape(**{**item, **{key: _estimate(item[key]) for key in estimates}}) for item in values[name]
        ]
    values["rounds"] = [RoundFigure(**item) for item in values["rounds"]]
    if values["board"] is not None:
        sides = {side: Standings(**values["board"][side]) for side in ("raw", "fair")}
        values["board"] = BoardFigure(**{**values["board"], **sides})
    return Figures(**values)


def _estimate(stored: dict[str, Any]) -> Estimate:
    interval = stored["interval"]
    return Estimate(stored["value"], interval and Interval(*interval), stored["n"], stored["why"])
