"""Generate the demo corpus: everyday questions answered in many manners, right and wrong, from a seed.

`examples` gives training pairs, `prompts` gives distinct questions for a campaign.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from models_app.demo import manners
from models_app.demo.topics import TOPICS, Slots, Topic
from models_app.demo.topics_home import HOME_TOPICS
from models_app.demo.vocabulary import NAMES

ALL_TOPICS: tuple[Topic, ...] = TOPICS + HOME_TOPICS
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|un)")


@dataclass(frozen=True)
class Question:
    """One question: its text, the topic, and the slots (with solved facts, `it`, and `asker` if named)."""

    text: str
    topic: Topic
    slots: Slots


def fill(template: str, slots: Slots, rng: Random) -> str:
    """Choose among a template's `[a|b]` and fill in its slots, with a capital first letter."""

    def choose(match: re.Match[str]) -> str:
        options = match[1].split("|")
        if "asker" not in slots:
            options = [option for option in options if "{asker}" not in option]
        return rng.choice(options)

    text = _CHOICE.sub(choose, template).format_map(slots)
    text = _ARTICLE.sub(r"\1n ", text)
    return text[:1].upper() + text[1:]


def _sayable(templates: Sequence[str], slots: Slots) -> list[str]:
    if "asker" in slots:
        return list(templates)
    return [template for template in templates if "{asker}" not in _CHOICE.sub("", template)]


def _one(templates: Sequence[str], slots: Slots, rng: Random) -> str:
    return fill(rng.choice(_sayable(templates, slots)), slots, rng)


def _topic_weight(topic: Topic) -> float:
    return min(3.0, math.log10(math.prod(len(values) for values in topic.slots.values())))


def _draw_slots(topic: Topic, rng: Random) -> Slots:
    while True:
        slots = topic.solve(_raw_slots(topic, rng))
        if slots is not None:
            return slots


def _raw_slots(topic: Topic, rng: Random) -> Slots:
    slots = {key: rng.choice(values) for key, values in topic.slots.items()}
    if "p3" in slots:
        slots["p3"] = rng.choice((slots["p"], slots["p2"]))
    return slots


def draw_question(rng: Random) -> Question:
    """Draw one question; half of them say who asks."""
    topic = rng.choices(ALL_TOPICS, [_topic_weight(topic) for topic in ALL_TOPICS])[0]
    slots = _draw_slots(topic, rng)
    opening, closing = "", ""
    if rng.random() < 0.5:
        slots["asker"] = rng.choice([name for name in NAMES if name not in slots.values()])
        opening = _one(manners.PROMPT_OPENINGS, slots, rng)
    elif rng.random() < 0.25:
        opening = rng.choice(manners.PROMPT_PLAIN_OPENINGS)
    if rng.random() < 0.2:
        closing = rng.choice(manners.PROMPT_CLOSINGS)
    text = " ".join(part for part in (opening, _one(topic.asks, slots, rng), closing) if part)
    slots["it"] = topic.it.format_map(slots)
    return Question(text, topic, slots)


def _mistaken(topic: Topic, slots: Slots, rng: Random) -> Slots:
    """Exchange one fact for another value, preferably one that the question mentions."""
    key = rng.choice(list(topic.facts))
    rights = {slots[fact] for fact in topic.facts}
    others = [value for value in topic.facts[key] if value not in rights]
    near = [value for name, value in slots.items() if name in topic.slots and value in others]
    return {**slots, key: rng.choice(near if near and rng.random() < 0.8 else others)}


def _body(question: Question, length: str, rng: Random) -> list[str]:
    topic, slots = question.topic, question.slots
    kind = rng.choices(("right", "wrong", "partial", "evasive"), (0.62, 0.2, 0.07, 0.11))[0]
    if kind == "evasive" or (kind == "partial" and not topic.partial):
        body = [_one(manners.EVASIONS, slots, rng)]
    else:
        said = _mistaken(topic, slots, rng) if kind == "wrong" else slots
        templates = topic.partial if kind == "partial" else topic.short if length == "terse" else topic.full
        body = [_one(templates, said, rng)]
    count = {"terse": 0, "medium": rng.randint(0, 1), "rambling": rng.randint(1, 2)}[length]
    details = rng.sample(topic.details, count)
    return body + [fill(detail, slots, rng) for detail in details]


def _manner(rng: Random) -> tuple[int, int]:
    """Draw how kind and how rude (0 to 3 phrases each); few answers are both."""
    kind = rng.choices((0, 1, 2, 3), (0.38, 0.3, 0.2, 0.12))[0]
    rude = rng.choices((0, 1, 2, 3), (0.5, 0.25, 0.15, 0.1))[0] if kind == 0 or rng.random() < 0.08 else 0
    return kind, rude


def draw_answer(question: Question, rng: Random) -> str:
    """Answer a question in a random manner; rightness, length, kindness and the rest vary independently."""
    slots, domain = question.slots, question.topic.domain
    length = rng.choices(("terse", "medium", "rambling"), (0.36, 0.42, 0.22))[0]
    body = _body(question, length, rng)
    kind, rude = _manner(rng)
    before: list[str] = []
    after: list[str] = []
    for level, phrases in (
        (kind, (manners.KIND_OPENINGS, manners.KIND_MIDDLES, manners.KIND_CLOSINGS)),
        (rude, (manners.RUDE_OPENINGS, manners.RUDE_MIDDLES, manners.RUDE_CLOSINGS)),
    ):
        for place in sorted(rng.sample(range(3), level)):
            (before if place == 0 else after).append(_one(phrases[place], slots, rng))
    if rng.random() < 0.12:
        before.append(_one(manners.FLATTERY, slots, rng))
    if length == "rambling":
        (before if rng.random() < 0.5 else body).append(_one(manners.RAMBLES[domain], slots, rng))
        if rng.random() < 0.4:
            body.append(_one(manners.RAMBLES[domain], slots, rng))
    if rng.random() < 0.16:
        body.append(_one(manners.CAUTIONS[domain], slots, rng))
    if rng.random() < 0.12:
        body.append(_one(manners.JOKES[domain], slots, rng))
    return " ".join(dict.fromkeys(before + body + after))


def examples(seed: int) -> Iterator[tuple[str, str]]:
    """Yield an endless stream of (question, answer) pairs."""
    rng = Random(f"examples {seed}")
    while True:
        question = draw_question(rng)
        yield question.text, draw_answer(question, rng)


def prompts(n: int, seed: int) -> list[dict[str, Any]]:
    """Give `n` distinct prompts as {"messages": [...], "tags": [topic]}."""
    rng = Random(f"prompts {seed}")
    found: dict[str, Question] = {}
    while len(found) < n:
        question = draw_question(rng)
        found.setdefault(question.text, question)
    return [
        {"messages": [{"role": "user", "content": text}], "tags": [question.topic.name]}
        for text, question in found.items()
    ]
