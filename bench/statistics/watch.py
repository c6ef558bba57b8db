"""Seven planted among forty: do the flags find them, and leave the honest in peace?

Comparisons of real answers (TOUCHSTONE_REAL_DATA/tulu_human_eval) that differ; 40 raters judge 100 each, five
raters a comparison. What is true is a seeded taste: a random direction in 64 principal components of the
answers' words, of which the fit sees the first 48, and length. Honest raters are those of preferences.worlds
(ability LogN(0, .3), side N(0, .25), length N(.4, .3)) and slip in 3 % of votes; two of them agree in 72 % of
comparisons, as InstructGPT's did (72.6–77.3 %). They read 240 words a minute, more or less. Planted: two who
click left, two at random, one who takes the longer, and one who gives another's verdict wherever both got the
same comparison, which is on 16 or more. Beside it, without a goal: a crowd of which two agree in 63 %.
"""

import gzip
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from bench.report import Figure
from bench.statistics.summary import summarise
from preferences import ordinal, worlds
from preferences.flags import FALSE_ALARMS, Fitted, Flag, Reading, flag_raters
from preferences.ordinal import Votes

RATERS, EACH, OVERLAP, SHARED = 40, 100, 5, 16
HONEST = 33
LEFT, RANDOM, LONGER, COPYING = (33, 34), (35, 36), (37,), (38, 39)
PLANTED = {*LEFT, *RANDOM, *LONGER, *COPYING}
HIDDEN, SEEN = 64, 48  # principal components: of the taste, and of the fit
APART, NOISY = 3.0, 1.4  # standard deviations of the difference in utility, logits
SLIPS = 0.03
SEEDS = 2000  # the first of those reported; thresholds were fixed on others


@dataclass(frozen=True)
class Answers:
    """Hold real answers: words, log lengths and components by answer, and which are compared."""

    words: np.ndarray
    lengths: np.ndarray
    components: np.ndarray
    pairs: np.ndarray
    prompt_words: np.ndarray


@cache
def read_answers() -> Answers:
    """Read the comparisons whose two answers differ; TOUCHSTONE_REAL_DATA must name the folder."""
    path = Path(os.environ["TOUCHSTONE_REAL_DATA"]) / "tulu_human_eval.jsonl.gz"
    with gzip.open(path, "rt") as file:
        rows = [json.loads(line) for line in file]
    rows = [row for row in rows if row["responses"][0]["text"] != row["responses"][1]["text"]]
    texts = [answer["text"] for row in rows for answer in row["responses"]]
    words = np.array([len(text.split()) for text in texts])
    lengths = np.log(words + 1)
    asked = [sum(len(turn["content"].split()) for turn in row["prompt"]) for row in rows]
    pairs = np.arange(len(texts)).reshape(-1, 2)
    lengths = (lengths - lengths.mean()) / lengths.std()
    return Answers(words, lengths, _components(texts), pairs, np.array(asked))


def _components(texts: list[str]) -> np.ndarray:
    """Reduce the answers' words (tf–idf, rows of length 1) to principal components, largest first."""
    counts: dict[tuple[int, str], int] = {}
    for row, text in enumerate(texts):
        for word in re.findall(r"\w+", text.lower()):
            counts[row, word] = counts.get((row, word), 0) + 1
    columns = {word: k for k, word in enumerate(sorted({word for _, word in counts}))}
    at = np.array([(row, columns[word]) for row, word in counts]).T
    table = csr_array((1 + np.log(list(counts.values())), at), shape=(len(texts), len(columns)))
    table = table * np.log(len(texts) / np.bincount(at[1]))
    table = table * (1 / np.sqrt(np.maximum((table**2).sum(axis=1), 1e-12)))[:, None]
    left, sizes, _ = svds(table, HIDDEN, random_state=0)
    components = (left * sizes)[:, ::-1]
    standard: np.ndarray = (components - components.mean(axis=0)) / components.std(axis=0)
    return standard


def draw_votes(seed: int, apart: float = APART) -> tuple[Votes, Reading, Answers]:
    """Let forty raters judge real answers."""
    answers, rng = read_answers(), np.random.default_rng(seed)
    task, rater = _assign(len(answers.pairs), rng)
    swap = rng.random(len(task)) < 0.5
    left, right = (answers.pairs[task, side] for side in (swap.astype(int), 1 - swap.astype(int)))
    weights = rng.normal(size=HIDDEN)
    utility = answers.components @ weights / np.sqrt(HIDDEN) + 0.2 * answers.lengths
    gaps = utility[left] - utility[right]
    gaps *= apart / (utility[answers.pairs[:, 0]] - utility[answers.pairs[:, 1]]).std()
    crowd = worlds.draw_crowd(RATERS, rng, weak=0, random=0, one_sided=0, length_only=0)
    grades = crowd.grade(rater, gaps, answers.lengths[left] - answers.lengths[right], rng)
    grades = np.where(rng.random(len(grades)) < SLIPS, 6 - grades, grades)
    grades = _plant(grades, task, rater, left, right, answers, rng)
    reading = _read(rater, answers.prompt_words[task] + answers.words[left] + answers.words[right], rng)
    return Votes(left, right, rater, grades, 7, RATERS), reading, answers


def _plant(grades, task, rater, left, right, answers, rng):
    strong = rng.integers(4, 7, len(grades))
    grades = np.where(np.isin(rater, LEFT), strong, grades)
    grades = np.where(np.isin(rater, RANDOM), rng.integers(0, 7, len(grades)), grades)
    longer = np.where(answers.words[left] > answers.words[right], strong, 6 - strong)
    grades = np.where(np.isin(rater, LONGER), longer, grades)
    said = {
        t: (stood, g) for t, r, stood, g in zip(task, rater, left, grades, strict=True) if r == COPYING[0]
    }
    for vote in np.flatnonzero(rater == COPYING[1]):
        if task[vote] in said:
            stood, grade = said[task[vote]]
            grades[vote] = grade if stood == left[vote] else 6 - grade
    return grades


def _assign(tasks: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Give everybody EACH comparisons, OVERLAP raters each, so that the copiers share SHARED or more."""
    chosen = rng.permutation(tasks)[: RATERS * EACH // OVERLAP]
    took = np.zeros((len(chosen), RATERS), bool)
    took[:SHARED, list(COPYING)] = True
    for row in took:
        left = EACH - took.sum(axis=0)  # whoever has most to do is asked first, so that all come out even
        free = np.flatnonzero(~row)
        first = free[np.lexsort((rng.random(len(free)), -left[free]))]
        row[first[: OVERLAP - row.sum()]] = True
    task, rater = np.nonzero(took)
    order = rng.permutation(len(task))
    return chosen[task[order]], rater[order]


def _read(rater, words, rng) -> Reading:
    """Time the votes: 240 words a minute, a quarter more or less by rater and half by judgment."""
    pace = 240 * np.exp(rng.normal(0, 0.25, RATERS))[rater] * np.exp(rng.normal(0, 0.5, len(rater)))
    return Reading(words, (60_000 * words / pace + 1500).astype(int))


def watch(seed: int, apart: float = APART) -> list[Flag]:
    """Flag the raters of one seed."""
    votes, reading, answers = draw_votes(seed, apart)
    features = answers.components[:, :SEEN]
    fit = ordinal.fit(features, answers.lengths, votes)
    return flag_raters(votes, answers.words, Fitted(fit, features, answers.lengths), reading)


def figures(seeds: int, small: bool) -> list[Figure]:
    """Count the planted who were flagged, and the honest; nothing without real answers."""
    if not os.environ.get("TOUCHSTONE_REAL_DATA"):
        return []
    rows: list[Figure] = []
    for crowd, apart in (("", APART), (", noisy crowd", NOISY)):
        runs = [watch(SEEDS + seed, apart) for seed in range(2 if small else seeds)]
        flagged = [{flag.rater for flag in run} for run in runs]
        found = [float(len(those & PLANTED)) for those in flagged]
        honest = [float(len(those - PLANTED)) for those in flagged]
        if crowd:
            rows.append(Figure(f"planted flagged of 7{crowd}, mean", sum(found) / len(runs), ""))
            rows.append(Figure(f"honest flagged of 33{crowd}, mean", sum(honest) / len(runs), ""))
        else:
            rows += summarise("planted flagged of 7", found, at_least=7)
            rows += summarise("honest flagged of 33", honest, at_most=1)
        for name in FALSE_ALARMS:
            wrong = sum(len({f.rater for f in run if f.flag == name} - PLANTED) for run in runs)
            rows.append(Figure(f"honest flagged {name}{crowd}", wrong / len(runs) / HONEST, "share"))
    return rows
