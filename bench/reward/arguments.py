"""Arguments that people compared, as the pairs of a run: whole debates are held out.

Habernal & Gurevych (2016, ACL), ukp_convarg1_train.jsonl.gz of TOUCHSTONE_REAL_DATA: 13,302 pairs of
arguments for 24 stances in 13 debates, some five votes each by raters who are known. The two stances of a
debate share its title, so that debates, not stances, are held out.
"""

import gzip
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from models_app.backends import Conversation
from training.formats import Row

FILE = "ukp_convarg1_train.jsonl.gz"
RIDGE = (
    3000.0  # of the words' weights; of 100, 1,000 and 5,000 the last was best on held-out debates, by a point
)


@dataclass(frozen=True)
class Comparison:
    """Hold two arguments and their votes: (rater, 1 the first is better, −1 the second, 0 a tie)."""

    stance: str
    prompt: str
    first: str
    second: str
    votes: tuple[tuple[str, int], ...]

    @property
    def debate(self) -> str:
        """Name the debate, which the other stance shares."""
        return self.stance.split("_")[0]

    @property
    def majority(self) -> int:
        """Say what most votes say: 1, −1, or 0 where they are in balance."""
        return int(np.sign(sum(verdict for _, verdict in self.votes)))

    def conversation(self, argument: str) -> Conversation:
        """Put an argument as the answer to its debate."""
        return [{"role": "user", "content": self.prompt}, {"role": "assistant", "content": argument}]


def read() -> list[Comparison]:
    """Read all comparisons; raises KeyError where TOUCHSTONE_REAL_DATA is not set."""
    found = []
    with gzip.open(Path(os.environ["TOUCHSTONE_REAL_DATA"]) / FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            votes = tuple(
                (said["annotator"], 0 if said["choice"] == "tie" else 1 - 2 * said["choice"])
                for said in item["annotations"]
            )
            first, second = (response["text"] for response in item["responses"])
            if first != second:
                found.append(
                    Comparison(item["meta"]["topic"], item["prompt"][0]["content"], first, second, votes)
                )
    return found


def folds(comparisons: Sequence[Comparison], n: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Number each comparison's fold 0…n−1, debates kept whole and the folds about equally large."""
    debates, sizes = np.unique([each.debate for each in comparisons], return_counts=True)
    filled, place = np.zeros(n), {}
    shuffled = np.random.default_rng(seed).permutation(len(debates))
    for i in sorted(shuffled, key=lambda i: -sizes[i]):
        place[str(debates[i])] = int(filled.argmin())
        filled[filled.argmin()] += sizes[i]
    return np.array([place[each.debate] for each in comparisons])


def majority_rows(comparisons: Sequence[Comparison], split: str, alone: bool = False) -> list[Row]:
    """Make a pair of each comparison whose votes are not in balance, as trainers without raters have it.

    With `alone` each says that it has a prompt of its own, so that a step holds no more pairs than others do.
    """
    kept = [each for each in comparisons if each.majority]
    return [
        _row(each, each.majority, split, "majority") | ({"prompt_id": f"{each.stance} {i}"} if alone else {})
        for i, each in enumerate(kept)
    ]


def vote_rows(comparisons: Sequence[Comparison], split: str) -> list[Row]:
    """Make a pair of each vote, with its rater; ties are kept."""
    return [_row(each, said, split, rater) for each in comparisons for rater, said in each.votes]


def _row(each: Comparison, verdict: int, split: str, rater: str) -> Row:
    chosen, rejected = (each.first, each.second) if verdict >= 0 else (each.second, each.first)
    return {
        "prompt_id": each.stance,
        "prompt": json.dumps(each.conversation("")[:1]),
        "chosen": chosen,
        "rejected": rejected,
        "chosen_turns": "",
        "rejected_turns": "",
        "probability": 1.0 if verdict else 0.5,
        "weight": 1.0,
        "rater": rater,
        "round": 1,
        "split": split,
        "verdict": abs(verdict),
        "points": 3,
        "chosen_left": 0,
        "criteria": "{}",
        "skills": "[]",
        "task": "",
    }


def hits(comparisons: Sequence[Comparison], margins: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Score margins (first less second) against the majorities: 1, ½ at a margin of 0, else 0."""
    sides = np.array([each.majority for each in comparisons])
    found: npt.NDArray[np.float64] = (np.sign(margins) * sides + 1) / 2
    return found


def word_margins(train: Sequence[Comparison], test: Sequence[Comparison]) -> npt.NDArray[np.float64]:
    """Predict by Bradley–Terry on TF-IDF of words (sublinear, not scaled: a longer text has more of it)."""
    texts = list(dict.fromkeys(t for each in [*train, *test] for t in (each.first, each.second)))
    rows = {text: i for i, text in enumerate(texts)}
    known = {rows[t] for each in train for t in (each.first, each.second)}
    features = _tf_idf(texts, np.array(sorted(known)))
    gaps, sides = {}, np.array([each.majority for each in train])
    for name, part in (("train", train), ("test", test)):
        left, right = (np.array([rows[getattr(each, side)] for each in part]) for side in ("first", "second"))
        gaps[name] = (features[left] - features[right]).tocsr()
    signed = gaps["train"].multiply(sides[:, None]).tocsr()[sides != 0]

    def loss(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        z = signed @ w
        slope = -1 / (1 + np.exp(z))
        return float(np.logaddexp(0, -z).sum() + RIDGE / 2 * w @ w), signed.T @ slope + RIDGE * w

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B").x
    margins: npt.NDArray[np.float64] = gaps["test"] @ found
    return margins


def _tf_idf(texts: Sequence[str], known: npt.NDArray[np.int64]) -> sparse.csr_matrix:
    """Weigh the words of texts; those that fewer than two of the `known` texts have are left out."""
    columns: dict[str, int] = {}
    row, column = [], []
    for i, text in enumerate(texts):
        for word in re.findall(r"\w+|[^\w\s]", text.lower()):
            row.append(i)
            column.append(columns.setdefault(word, len(columns)))
    counts = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(len(texts), len(columns)))
    counts.sum_duplicates()
    seen = np.asarray((counts[known] > 0).sum(axis=0)).ravel()
    counts.data = 1 + np.log(counts.data)
    weighted = counts.multiply(np.log((1 + len(known)) / (1 + seen)) + 1).tocsr()
    found: sparse.csr_matrix = weighted[:, seen > 1]
    return found
