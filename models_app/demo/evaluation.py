"""Judge by code whether an answer to a demo question is right."""

import re
from collections.abc import Sequence
from functools import cache

from models_app.demo.corpus import ALL_TOPICS
from models_app.demo.topics import Slots, Topic
from models_app.demo.vocabulary import NAMES

_AN = re.compile(r"\b([Aa])n ")
_TOKEN = re.compile(r"\[([^\[\]]*)\]|\{(\w+)\}")


def _one_of(values: tuple[str, ...]) -> str:
    return "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))


def _question_pattern(ask: str, topic: Topic) -> str:
    pattern, position, seen = "", 0, set[str]()
    for match in _TOKEN.finditer(ask):
        pattern += re.escape(ask[position : match.start()])
        position = match.end()
        if match[1] is not None:
            pattern += f"(?:{_one_of(tuple(match[1].split('|')))})"
        elif match[2] in seen:
            pattern += f"(?P={match[2]})"
        else:
            seen.add(match[2])
            pattern += f"(?P<{match[2]}>{_one_of(topic.slots[match[2]])})"
    pattern += re.escape(ask[position:])
    return pattern


@cache
def _patterns() -> tuple[tuple[Topic, re.Pattern[str]], ...]:
    return tuple(
        (topic, re.compile(_question_pattern(_AN.sub(r"\1 ", ask), topic), re.IGNORECASE))
        for topic in ALL_TOPICS
        for ask in topic.asks
    )


@cache
def _value_pattern(values: tuple[str, ...]) -> re.Pattern[str]:
    """Match any value of a fact; numbers match whatever their digits, so that invented ones are seen."""
    shapes = {re.sub(r"\d+", r"\\d+", re.escape(re.sub(r"^an ", "a ", value.lower()))) for value in values}
    return re.compile(rf"\b(?:{'|'.join(sorted(shapes, key=len, reverse=True))})\b")


def parse(prompt_text: str) -> tuple[Topic, Slots] | None:
    """Recognise a demo question anywhere in a text; None when it holds none."""
    text = _AN.sub(r"\1 ", prompt_text)
    for topic, pattern in _patterns():
        if match := pattern.search(text):
            slots = {key: _as_listed(value, topic.slots[key]) for key, value in match.groupdict().items()}
            slots = {key: slots.get(key, "") for key in topic.slots}
            if (solved := topic.solve(slots)) is not None:
                return topic, solved
    return None


def _as_listed(value: str, values: tuple[str, ...]) -> str:
    return next(listed for listed in values if listed.lower() == value.lower())


def check(prompt_text: str, answer: str) -> bool | None:
    """Say whether the answer states every fact rightly; None for an unknown question or an evasive answer."""
    parsed = parse(prompt_text)
    if parsed is None:
        return None
    topic, slots = parsed
    text = re.sub(r"\ban ", "a ", answer.lower())
    rights = {re.sub(r"^an ", "a ", slots[fact].lower()) for fact in topic.facts}
    found: set[str] = set()
    for fact, values in topic.facts.items():
        if values is NAMES:
            found |= {slots[fact].lower()} & set(re.findall(r"\w+", text))
        else:
            found |= set(_value_pattern(values).findall(text))
    if not found:
        return None
    return found == rights


def summarise(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Give shares over (question, answer) pairs: right, wrong, evasive, distinct, on topic; and mean words.

    An answer is on topic when it repeats at least one thing that the question names.
    """
    verdicts = [check(question, answer) for question, answer in pairs]
    n = len(pairs)
    return {
        "right": verdicts.count(True) / n,
        "wrong": verdicts.count(False) / n,
        "evasive": verdicts.count(None) / n,
        "distinct": len({answer for _, answer in pairs}) / n,
        "on_topic": sum(_names_a_thing(question, answer) for question, answer in pairs) / n,
        "mean_words": sum(len(answer.split()) for _, answer in pairs) / n,
    }


def _names_a_thing(question: str, answer: str) -> bool:
    parsed = parse(question)
    if parsed is None:
        return False
    topic, slots = parsed
    return any(slots[key].lower() in answer.lower() for key in topic.slots if not slots[key].isdigit())
