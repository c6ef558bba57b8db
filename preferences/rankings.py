"""Rankings with ties as what they say about each pair."""

from collections.abc import Iterator, Sequence
from itertools import combinations

# Which of two ranked answers is better is clear; by how much, ranks don't say. The strength of "clearly".
CLEARLY = 2


def expand(ranking: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    """Yield (one, other, verdict) for every pair of a ranking of k answers: k (k − 1) / 2 of them.

    `ranking` holds groups of equals from best to worst. `one` < `other`; the verdict is −2 where `one` ranks
    higher, 0 where they are equals, +2 where `other` does.
    """
    places = sorted((answer, place) for place, equals in enumerate(ranking) for answer in equals)
    for (one, a), (other, b) in combinations(places, 2):
        yield one, other, CLEARLY * ((a > b) - (a < b))
