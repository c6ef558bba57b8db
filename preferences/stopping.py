"""When to stop asking about one comparison."""

from math import comb


def certainty(first: int, second: int, neither: int = 0) -> float:
    """Return how probable it is that most people prefer what most of these votes prefer.

    Votes count each person's side; the share p of people who prefer the first answer is unknown beforehand
    (uniform on 0 to 1), so after a and b votes it is Beta(a + 1, b + 1) distributed, and the result is
    max(P(p > ½), P(p < ½)), from ½ (as good as nothing known) to 1. A vote for neither is half a vote for
    each; of an odd number of them the last is left out. For whole counts P(p > ½) is the chance of at most
    a heads in a + b + 1 throws of a fair coin (Gelman et al., Bayesian Data Analysis, 3rd ed., sec. 2.4).

    ValueError for negative counts.
    """
    if min(first, second, neither) < 0:
        raise ValueError("votes can't be fewer than none")
    a, b = first + neither // 2, second + neither // 2
    throws = a + b + 1
    above = sum(comb(throws, heads) for heads in range(a + 1)) / float(2**throws)
    return max(above, 1 - above)
