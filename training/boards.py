"""The shapes of leaderboards: who stands where, what was gained, and what reward models are worth."""

from dataclasses import dataclass
from datetime import datetime

from labeling.figures import DuelFigure
from labeling.models import Campaign
from models_app.models import ModelVersion
from preferences.types import Estimate
from training.outlook import Outlook


@dataclass(frozen=True)
class Place:
    """A policy and what people's votes say of it; `round` is the one whose labels it came of.

    `elo` counts from the base, `fair` is the same at equal length and format; shares are of the votes, a tie
    counting half.
    """

    policy: str
    model: int
    status: str
    round: int | None
    answered: list[int]
    votes: int
    elo: Estimate
    fair: Estimate
    against_base: Estimate
    against_champion: Estimate


@dataclass(frozen=True)
class Board:
    """All policies of a campaign, the best first, those that can't be placed last; `why` where none can.

    `duel` is how the champion stands against the policy that it replaced, by the votes between the two.
    """

    places: list[Place]
    base: str
    champion: str
    predecessor: str
    duel: DuelFigure | None
    votes: int
    left_out: dict[str, int]
    why: str

    def place(self, model: ModelVersion) -> Place | None:
        """Return where a policy stands."""
        return next((place for place in self.places if place.model == model.pk), None)


@dataclass(frozen=True)
class Step:
    """What a policy gained on the one that it was made from, with the labels that came in between."""

    round: int | None
    policy: str
    model: int
    against: str
    status: str
    labels: int | None
    elo: Estimate
    fair: Estimate
    per_thousand: Estimate


@dataclass(frozen=True)
class Gains:
    """Every step of a campaign's policies, the first one first, and all together: champion above base."""

    steps: list[Step]
    total: Step | None


@dataclass(frozen=True)
class RewardPlace:
    """A reward model and what its card says of votes that it hasn't seen; `passed` is its gate's word."""

    round: int | None
    name: str
    model: int
    status: str
    passed: bool | None
    labels: int
    accuracy: Estimate
    unseen_raters: Estimate
    newest_round: Estimate
    calibration: Estimate
    ceiling: Estimate
    of_ceiling: Estimate


@dataclass(frozen=True)
class Leaderboards:
    """Everything, from `judgments` as of `computed_at`; `fresh` came since."""

    policies: Board
    rounds: Gains
    reward_models: list[RewardPlace]
    more_labels: Outlook
    judgments: int
    fresh: int
    computed_at: datetime | None


@dataclass(frozen=True)
class ChampionRow:
    """A campaign's champion policy and how far it stands above its base."""

    campaign: Campaign
    total: Step | None
    champion: str
