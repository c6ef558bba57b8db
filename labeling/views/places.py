"""A ranking as its form has it: the place of each displayed side, 1 the best; equals share a place."""

from typing import Any

from django.http.request import QueryDict
from django.utils.translation import gettext as _

from labeling.models import Judgment
from labeling.submissions import SubmissionError
from labeling.views.reading import read_number, read_sides


def read_ranking(said: QueryDict) -> list[list[int]]:
    """Read the order of the sides, from best to worst; every one must have been given a place."""
    places = [read_number(said, f"rank-{side}") for side in range(read_sides(said))]
    if None in places:
        raise SubmissionError("ranking", _("Put the answers in order first: each needs a place."))
    groups: dict[int, list[int]] = {}
    for side, place in enumerate(places):
        groups.setdefault(place or 0, []).append(side)
    return [groups[place] for place in sorted(groups)]


def as_places(judgment: Judgment) -> dict[str, str]:
    """Return a stored ranking as the values of its form."""
    places = {
        position: place for place, equals in enumerate(judgment.ranking or [], start=1) for position in equals
    }
    return {f"rank-{side}": str(places[position]) for side, position in enumerate(judgment.order_shown)}


def cards(sides: list[Any], graded: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers to be ranked, each with the places to choose from and its own criteria."""
    return [
        {
            "side": side,
            "field": f"rank-{number}",
            "places": [
                (place, values.get(f"rank-{number}") == str(place)) for place in range(1, len(sides) + 1)
            ],
            "grades": [{**criterion["sides"][number], **criterion} for criterion in graded],
        }
        for number, side in enumerate(sides)
    ]
