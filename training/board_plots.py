"""What leaderboards draw: where policies stand, and what each round gained."""

from django.utils.translation import gettext as _

from training.boards import Board, Gains
from training.plots import Level, Mark, Plot, Series


def places_plot(board: Board) -> Plot | None:
    """Draw the policies' points, raw and at equal style, the best on the left."""
    placed = [(at, place) for at, place in enumerate(board.places) if place.elo.value is not None]
    if len(placed) < 2:
        return None
    raw = [Mark(at - 0.08, place.policy, place.elo) for at, place in placed]
    fair = [Mark(at + 0.08, place.policy, place.fair) for at, place in placed]
    series = [Series(_("By votes"), raw), Series(_("At equal style"), fair, hollow=True)]
    return Plot("places", _("Policy"), series, [Level(_("The base"), 0.0)], unit="Elo")


def climb_plot(gains: Gains, board: Board) -> Plot | None:
    """Draw the points of the policy that each round made, counted from the base."""
    at = {place.model: place for place in board.places}
    made = [(step.round, at[step.model]) for step in gains.steps if step.round and step.model in at]
    shown = [(number, place) for number, place in made if place.elo.value is not None]
    if len(shown) < 2:
        return None
    raw = [Mark(number - 0.06, str(number), place.elo) for number, place in shown]
    fair = [Mark(number + 0.06, str(number), place.fair) for number, place in shown]
    series = [
        Series(_("By votes"), raw, joined=True),
        Series(_("At equal style"), fair, joined=True, hollow=True),
    ]
    return Plot("climb", _("Round"), series, [Level(_("The base"), 0.0)], unit="Elo")
