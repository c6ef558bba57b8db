"""Real people: 66,000 judgments of 13,302 pairs of arguments by 3,778 annotators, each one known.

Habernal & Gurevych (2016, ACL), in the file ukp_convarg1_train.jsonl.gz of TOUCHSTONE_REAL_DATA; without it
there are no figures. Of every pair one judgment is held out in turn, and predicted from the others: by their
majority, and by their consensus weighted by reliability. Which arguments were shown left isn't known.
"""

import gzip
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.report import Figure
from bench.statistics.naive import tally
from preferences.intervals import paired_difference
from preferences.ordinal import Votes, fit, label_pairs
from preferences.types import Estimate

FILE = "ukp_convarg1_train.jsonl.gz"
FOLDS = 5
SECONDS = 5.0


@dataclass(frozen=True)
class Arguments:
    """Hold judgments: grades 2 (left better), 1 (a tie), 0; `turn` numbers those of a pair, shuffled.

    `answers` are the arguments, each with its topic.
    """

    votes: Votes
    topics: np.ndarray
    turn: np.ndarray
    answers: list[tuple[str, str]]

    @property
    def n_answers(self) -> int:
        """Return how many arguments there are."""
        return len(self.answers)


def read_arguments(path: Path) -> Arguments:
    """Read the file; a pair's two arguments are answers, known by topic and text."""
    answers: dict[tuple[str, str], int] = {}
    raters: dict[str, int] = {}
    topics: dict[str, int] = {}
    rows = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for pair, line in enumerate(lines):
            item = json.loads(line)
            topic = item["meta"]["topic"]
            left, right = (answers.setdefault((topic, r["text"]), len(answers)) for r in item["responses"])
            if left == right:
                continue
            for said in item["annotations"]:
                grade = 1 if said["choice"] == "tie" else 2 - 2 * said["choice"]
                rater = raters.setdefault(said["annotator"], len(raters))
                rows.append((left, right, rater, grade, pair, topics.setdefault(topic, len(topics))))
    left, right, rater, grade, pairs, about = np.array(rows).T
    order = np.lexsort((np.random.default_rng(0).random(len(pairs)), pairs))
    starts = np.flatnonzero(np.diff(pairs[order], prepend=-1))
    turn = np.empty(len(pairs), dtype=np.int64)
    turn[order] = np.arange(len(pairs)) - np.repeat(starts, np.diff(starts, append=len(pairs)))
    return Arguments(Votes(left, right, rater, grade, 3, len(raters)), about, turn, list(answers))


@dataclass(frozen=True)
class Prediction:
    """Hold hits (1, ½, 0) on held-out choices by each method, and the seconds of each fit."""

    hits: dict[str, np.ndarray]
    topics: np.ndarray
    seconds: list[float]

    def gain(self, method: str) -> Estimate:
        """Estimate a method's hits less the majority's, by the bootstrap over topics."""
        return paired_difference(self.hits[method], self.hits["majority"], self.topics.tolist())


def predict(data: Arguments, features: np.ndarray, folds: int) -> Prediction:
    """Hold out every pair's first judgment, then its second, …; ties among the held-out are left out.

    By majority, by votes that weigh their rater's ability, and by the label that the model gives the pair.
    """
    votes, lengths = data.votes, np.zeros(data.n_answers)
    hits: dict[str, list[np.ndarray]] = {"majority": [], "weighted votes": [], "labels": []}
    seconds, topics = [], []
    for fold in range(folds):
        kept = data.turn != fold
        known = Votes(
            votes.left[kept], votes.right[kept], votes.raters[kept], votes.grades[kept], 3, votes.n_raters
        )
        begin = time.process_time()
        found = fit(features, lengths, known)
        seconds.append(time.process_time() - begin)
        labels, counted = label_pairs(found, features, lengths, known), tally(known, data.n_answers)
        weights = np.maximum(found.ability, 0)[known.raters]
        sums = {
            "majority": counted.sums,
            "weighted votes": np.bincount(counted.of, weights * counted.sides),
            "labels": labels.utility,
        }
        asked = (data.turn == fold) & (votes.grades != 1)
        left, right = votes.left[asked], votes.right[asked]
        keys = labels.first * data.n_answers + labels.second
        key = np.minimum(left, right) * data.n_answers + np.maximum(left, right)
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        chosen = np.where((votes.grades[asked] == 2) == (left < right), 1, -1)
        for method, side in sums.items():
            unknown = (keys[at] != key) | (side[at] == 0)
            hits[method].append(np.where(unknown, 0.5, np.sign(side[at]) == chosen))
        topics.append(data.topics[asked])
    return Prediction(
        {method: np.concatenate(each) for method, each in hits.items()}, np.concatenate(topics), seconds
    )


def figures(seeds: int, small: bool) -> list[Figure]:
    """Measure both ways of knowing an argument; as many folds as `seeds` allows."""
    folder = os.environ.get("TOUCHSTONE_REAL_DATA")
    if not folder:
        return []
    data = read_arguments(Path(folder) / FILE)
    result = []
    for name, features in (
        ("votes on the pair alone", np.zeros((data.n_answers, 0))),
        ("each argument a column", np.eye(data.n_answers)),
    ):
        seen = predict(data, features, 1 if small else min(seeds, FOLDS))
        row = f"arguments, {name}"
        for method, hits in seen.hits.items():
            result.append(Figure(f"{row}: held-out, {method}", float(hits.mean()), f"of {len(hits):,}"))
        for method in ("weighted votes", "labels"):
            interval = seen.gain(method).interval
            assert interval is not None
            goal = "> 0", interval.low > 0
            result += [
                Figure(f"{row}: gain of {method}, lower end", interval.low, "share", *goal),
                Figure(f"{row}: gain of {method}, upper end", interval.high, "share"),
            ]
        slowest = max(seen.seconds)
        result.append(Figure(f"{row}: refit", slowest, "CPU s", f"<= {SECONDS:g}", slowest <= SECONDS))
    return result
