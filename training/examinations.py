"""Have policies answer the suite, and hold two of them against each other by what code makes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np

from models_app import sampling
from models_app.models import ModelVersion, SamplingConfig
from preferences.intervals import Floats, clustered_bootstrap, paired_difference
from preferences.types import Estimate
from training.models import Examination
from training.suite.items import Item, digest
from training.suite.judging import judge

ANSWERS = 160  # at least, so that a suite of few items is asked more often …
FEWEST_DRAWS = 3  # … and an item never so seldom that one unlucky draw decides it
OFFSET = 0x5AFE  # of the seed: the suite gets the same random numbers in every examination


@dataclass(frozen=True)
class Comparison:
    """Two policies on the same items and draws: shares of answers as they should be, and the paired gap."""

    topic: str
    mine: Estimate
    theirs: Estimate
    gap: Estimate

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"topic": self.topic, **{k: asdict(getattr(self, k)) for k in ("mine", "theirs", "gap")}}


def examine(version: ModelVersion, items: Sequence[Item], config: SamplingConfig) -> Examination:
    """Return what a policy answers to these items, asking it where nobody has yet.

    Every policy gets the same questions in the same order with the same seeds. Raises BackendError or
    ModelError where it can't answer.
    """
    suite = digest(list(items))
    found = Examination.objects.filter(version=version, suite=suite, sampling=config).first()
    if found is not None:
        return found
    draws = max(FEWEST_DRAWS, ceil(ANSWERS / max(1, len(items))))
    texts = [""] * (len(items) * draws)
    asked = [item.messages for item in items for _draw in range(draws)]
    for index, text in sampling.draw(version, asked, config, offset=OFFSET):
        texts[index] = text
    answers = [_judged(item, texts[at * draws : (at + 1) * draws]) for at, item in enumerate(items)]
    values = {"draws": draws, "answers": answers}
    found, _new = Examination.objects.get_or_create(
        version=version, suite=suite, sampling=config, defaults=values
    )
    return found


def _judged(item: Item, texts: list[str]) -> dict[str, Any]:
    verdicts = [judge(item.expect, item.topic, item.question, text) for text in texts]
    passed = {topic: [verdict[topic] for verdict in verdicts] for topic in verdicts[0]}
    return {"key": item.key, "topic": item.topic, "texts": texts, "passed": passed}


def share(of: Examination, topics: Sequence[str]) -> Estimate:
    """Estimate the share of answers that are as they should be, clustered by item."""
    passed, clusters = _passed(of, topics)
    return clustered_bootstrap(passed, clusters)


def compare(mine: Examination, theirs: Examination, topics: Sequence[str], name: str = "") -> Comparison:
    """Hold two policies' answers to the same suite against each other, paired and clustered by item."""
    first, clusters = _passed(mine, topics)
    second, _same = _passed(theirs, topics)
    return Comparison(
        name or topics[0],
        clustered_bootstrap(first, clusters),
        clustered_bootstrap(second, clusters),
        paired_difference(first, second, clusters),
    )


def by_topic(mine: Examination, theirs: Examination, topics: Sequence[str]) -> Iterator[Comparison]:
    """Yield a comparison for each of the topics that the suite asks about."""
    asked = {topic for answer in mine.answers for topic in answer["passed"]}
    for topic in topics:
        if topic in asked:
            yield compare(mine, theirs, [topic])


def _passed(of: Examination, topics: Sequence[str]) -> tuple[Floats, list[str]]:
    """Return 1 or 0 for each item, topic and draw, and the items."""
    rows = [
        (float(right), answer["key"])
        for answer in of.answers
        for topic in topics
        for right in answer["passed"].get(topic, ())
    ]
    return np.array([right for right, _key in rows]), [key for _right, key in rows]
