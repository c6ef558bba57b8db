"""What pulls verdicts apart from quality: the side an answer stands on, its length and its format.

Sides are shuffled, so a preference for one is bias. Length and format are shuffled by nobody: that longer
answers win may be because they are better. Hence "at matched quality": give a utility (a reward model's
score) and the pull is what remains beside it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt
from scipy.special import expit, stdtrit

from preferences.intervals import Floats, encode_clusters, wilson
from preferences.types import Estimate, Interval

RIDGE = 1e-2  # prior precision of a coefficient: finite where every longer answer won
FEWEST = 10  # votes on answers that differ; fewer give no coefficient

_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")
_LIST = re.compile(r"^ {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]+\S", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+\S", re.MULTILINE)
_BOLD = re.compile(r"(\*\*|__)(?=\S).+?(?<=\S)\1")
FORMATS = ("lists", "headings", "code", "bold")


@dataclass(frozen=True)
class Format:
    """Tell which of Markdown's marks an answer uses."""

    lists: bool
    headings: bool
    code: bool
    bold: bool


def read_format(text: str) -> Format:
    """Tell which marks an answer uses, as Markdown reads them; what stands in a code block is code only."""
    outside: list[str] = []
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            outside.append(line)
    prose = "\n".join(outside)
    return Format(
        lists=bool(_LIST.search(prose)),
        headings=bool(_HEADING.search(prose)),
        code=bool(_FENCE.search(text) or _CODE.search(prose)),
        bold=bool(_BOLD.search(prose)),
    )


def compare_formats(left: str, right: str) -> dict[str, int]:
    """Return for each mark 1 when only the left answer uses it, −1 when only the right one does, else 0."""
    a, b = read_format(left), read_format(right)
    return {name: int(getattr(a, name)) - int(getattr(b, name)) for name in FORMATS}


def compare_lengths(left_words: npt.ArrayLike, right_words: npt.ArrayLike) -> Floats:
    """Return log((left + 1)/(right + 1)) of lengths in words; an empty answer counts as a word."""
    left, right = np.asarray(left_words, np.float64), np.asarray(right_words, np.float64)
    return np.asarray(np.log((left + 1) / (right + 1)))


def position_bias(
    choices: npt.ArrayLike, raters: Sequence[Hashable] | npt.NDArray[np.generic], *, level: float = 0.95
) -> Estimate:
    """Estimate how often the left side is chosen: the mean of `choices` (1 left, ½ a tie, 0 right).

    Interval: mean ± t·SE with SE² = G/(G−1)·Σ_g(Σ_{i∈g}(x_i − x̄))²/N², clustered by rater (Liang & Zeger
    1986, Biometrika 73:13), and t's degrees of freedom 1/Σ share_r² − 1, as for policies' ratings. `n` is the
    number of votes. Half means no bias.
    """
    left, codes, groups = _read(choices, raters)
    n = len(left)
    if not n:
        return Estimate(None, None, 0, "there are no votes yet")
    value = float(left.mean())
    if groups < 2:
        return Estimate(value, None, n, "an interval needs at least two raters")
    sums = np.bincount(codes, left - value, groups)
    half = _quantile(codes, level) * float(np.sqrt(groups / (groups - 1) * (sums**2).sum())) / n
    return Estimate(value, Interval(max(0.0, value - half), min(1.0, value + half)), n)


def position_bias_by_rater(
    choices: npt.ArrayLike, raters: Sequence[Hashable] | npt.NDArray[np.generic], *, level: float = 0.95
) -> dict[Hashable, Estimate]:
    """Estimate each rater's share of left choices (a tie is half a one), by Wilson's score interval."""
    left, codes, groups = _read(choices, raters)
    won, sizes = np.bincount(codes, left, groups), np.bincount(codes, minlength=groups)
    names = dict.fromkeys(raters)  # in order of appearance, as the codes are
    return {
        name: Estimate(float(w / n), wilson(float(w), float(n), level), int(n))
        for name, w, n in zip(names, won, sizes, strict=True)
    }


def length_bias(
    choices: npt.ArrayLike,
    lengths: npt.ArrayLike,
    raters: Sequence[Hashable] | npt.NDArray[np.generic],
    utilities: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """Estimate how often an answer twice as long as the other wins: σ(β·ln 2), ½ without bias.

    β is the coefficient of `lengths`, log(left/right) of each vote (`compare_lengths`), in `choice_biases`;
    with `utilities` (left − right) it is the share at matched quality. `n` counts votes on unequal lengths.
    """
    slope = choice_biases(choices, {"length": lengths}, raters, utilities, level=level)["length"]
    if slope.value is None:
        return Estimate(None, None, slope.n, "too few votes yet on answers of unequal length")

    def share(x: float) -> float:
        return float(expit(x * log(2)))

    interval = None if slope.interval is None else Interval(*(share(end) for end in slope.interval))
    return Estimate(share(slope.value), interval, slope.n, slope.why)


def choice_biases(
    choices: npt.ArrayLike,
    differences: Mapping[str, npt.ArrayLike],
    raters: Sequence[Hashable] | npt.NDArray[np.generic],
    utilities: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Estimate in logits how much each difference (left − right) pulls a choice, all beside one another.

    P(left) = σ(b + Σ_k β_k·x_k + γ·Δu), b the pull of the side; `choices` are 1, ½ (a tie) or 0; a mark's
    difference is 1, 0 or −1 (`compare_formats`), so that e^β is the odds of the answer that has it. Style as
    covariates: Li et al. 2024, "Does style matter?" (Chatbot Arena). Quasi-likelihood by Newton's method;
    variance H⁻¹MH⁻¹ with M clustered by rater, × G/(G−1), and Student's t, as in `position_bias`. `n` counts
    the votes whose difference isn't 0; below ten of them a coefficient is undefined. Raises ValueError on
    unequal lengths.
    """
    left, codes, groups = _read(choices, raters)
    columns = {name: _column(values, len(left)) for name, values in differences.items()}
    counts = {name: int(np.count_nonzero(column)) for name, column in columns.items()}
    kept = [name for name in columns if counts[name] >= FEWEST]
    estimates = {
        name: Estimate(None, None, counts[name], "too few votes yet on answers that differ in it")
        for name in columns
    }
    if not kept:
        return estimates
    extra = [] if utilities is None else [_column(utilities, len(left))]
    x = np.column_stack([columns[name] for name in kept] + extra + [np.ones(len(left))])
    beta, hessian = _maximise(x, left)
    residual = (left - expit(x @ beta))[:, None] * x
    scores = np.zeros((groups, x.shape[1]))
    np.add.at(scores, codes, residual)
    single = groups < 2
    meat = residual.T @ residual if single else scores.T @ scores * groups / (groups - 1)
    bread = np.linalg.inv(hessian)
    errors = np.sqrt(np.diag(bread @ meat @ bread))
    t = _quantile(np.arange(len(left)) if single else codes, level)
    for k, name in enumerate(kept):
        value, half = float(beta[k]), t * float(errors[k])
        estimates[name] = Estimate(value, Interval(value - half, value + half), counts[name])
    return estimates


def _read(
    choices: npt.ArrayLike, raters: Sequence[Hashable] | npt.NDArray[np.generic]
) -> tuple[Floats, npt.NDArray[np.intp], int]:
    left = np.asarray(choices, np.float64)
    if left.ndim != 1 or len(left) != len(raters):
        raise ValueError(f"{left.shape} choices need as many raters, not {len(raters)}")
    if len(left) and not ((left >= 0) & (left <= 1)).all():
        raise ValueError("a choice is 1 (left), ½ (a tie) or 0 (right)")
    codes, groups = encode_clusters(raters)
    return left, codes, groups


def _column(values: npt.ArrayLike, n: int) -> Floats:
    column = np.asarray(values, np.float64)
    if column.shape != (n,) or not np.isfinite(column).all():
        raise ValueError(f"{column.shape} differences must be {n} finite numbers")
    return column


def _quantile(codes: npt.NDArray[np.intp], level: float) -> float:
    shares = np.bincount(codes) / len(codes)
    return float(stdtrit(max(1.0, 1.0 / float((shares**2).sum()) - 1.0), 0.5 + level / 2))


def _maximise(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Climb the logistic likelihood by Newton with backtracking; returns β and the negative Hessian."""

    def value_at(beta: Floats) -> float:
        eta = x @ beta
        return float((y * eta - np.logaddexp(0, eta)).sum() - RIDGE / 2 * beta @ beta)

    beta = np.zeros(x.shape[1])
    value = value_at(beta)
    while True:
        p = expit(x @ beta)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(beta))
        gradient = x.T @ (y - p) - RIDGE * beta
        step, size = np.linalg.solve(hessian, gradient), 1.0
        if np.abs(gradient).max() < 1e-9 * len(y):
            return beta, hessian
        while (new := value_at(beta + size * step)) < value and size > 1e-8:
            size /= 2
        if size <= 1e-8:
            return beta, hessian
        beta, value = beta + size * step, new
