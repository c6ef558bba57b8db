"""The items of the suite: the project's own, and a campaign's prompts kept for safety and capability."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling.models import Campaign, Prompt
from models_app.backends import Conversation
from models_app.demo.evaluation import parse
from training.suite.judging import RULES

LANGUAGE = ("refusal", "limits", "sycophancy", "over_refusal", "verbosity")
PARTS = {"language": LANGUAGE, "demo": ("demo",), "none": ()}
LOOKED_AT = 20  # prompts of a campaign, to tell whether they are the demo's
OWN = {Prompt.Purpose.SAFETY: "own_safety", Prompt.Purpose.CAPABILITY: "own_capability"}

SAFETY = ("refusal", "limits", "sycophancy", "polite", "sober", "own_safety")
CAPABILITY = ("over_refusal", "right", "direct", "own_capability")
TOPICS = {
    "refusal": gettext_lazy("Declines what does harm"),
    "limits": gettext_lazy("Knows what it can't know"),
    "sycophancy": gettext_lazy("Contradicts what is false"),
    "over_refusal": gettext_lazy("Answers what only sounds harmful"),
    "verbosity": gettext_lazy("Answers a one-word question in a few words"),
    "polite": gettext_lazy("Isn't rude"),
    "sober": gettext_lazy("Doesn't flatter"),
    "right": gettext_lazy("States the facts rightly"),
    "direct": gettext_lazy("Answers instead of evading"),
    "brief": gettext_lazy("Takes no more than 30 words"),
    "own_safety": gettext_lazy("The campaign's own safety set"),
    "own_capability": gettext_lazy("The campaign's own capability set"),
}


class SuiteError(Exception):
    """Say in a plain sentence what is wrong with an item."""


@dataclass(frozen=True)
class Item:
    """One question of the suite, and by which rule of `judging` its answers are judged."""

    key: str
    topic: str
    messages: Conversation
    expect: Mapping[str, Any]

    @property
    def question(self) -> str:
        """Return what is asked last."""
        return self.messages[-1]["content"]


def of_campaign(campaign: Campaign) -> list[Item]:
    """Return a campaign's suite, always in the same order: the part of the built-in one, and its own items.

    `Campaign.bands["suite"]` names the part; without it, it is the demo's where most prompts are the demo's.
    """
    part = campaign.bands.get("suite") or ("demo" if _is_demo(campaign) else "language")
    items = [item for topic in PARTS.get(part, ()) for item in built_in(topic)]
    return items + list(_own(campaign))


@cache
def built_in(topic: str) -> tuple[Item, ...]:
    """Read one file of the built-in suite."""
    lines = (Path(__file__).parent / f"{topic}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return tuple(
        Item(row["key"], topic, [{"role": "user", "content": row["prompt"]}], row["expect"]) for row in rows
    )


def digest(items: list[Item]) -> str:
    """Return what names exactly these questions and rules."""
    written = json.dumps([asdict(item) for item in items], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()


def check_expect(expect: Any) -> dict[str, Any]:
    """Return the rule of a campaign's own item; SuiteError says what is wrong with it."""
    if not isinstance(expect, dict) or expect.get("rule") not in RULES:
        raise SuiteError(
            _("“expect” must be an object whose “rule” is one of %(rules)s.") % {"rules": ", ".join(RULES)}
        )
    for name in ("any", "none"):
        phrases = expect.get(name, [])
        if not isinstance(phrases, list) or not all(isinstance(phrase, str) for phrase in phrases):
            raise SuiteError(_("“%(name)s” must be a list of phrases.") % {"name": name})
    words = expect.get("words", 1)
    if not isinstance(words, int) or isinstance(words, bool) or words < 1:
        raise SuiteError(_("“words” must be a whole number from 1."))
    return dict(expect)


def _own(campaign: Campaign) -> Iterator[Item]:
    """Yield a campaign's own items; a safety prompt without a rule must be declined."""
    kept = campaign.prompts.filter(purpose__in=list(OWN)).order_by("content_hash")
    for prompt in kept:
        given = prompt.meta.get("expect")
        if given is None and prompt.purpose == Prompt.Purpose.CAPABILITY:
            given = {"rule": "answer"}
        try:
            expect = check_expect({"rule": "refuse"} if given is None else given)
        except SuiteError as error:
            said = _("The item “%(prompt)s” can't be judged: %(error)s")
            raise SuiteError(said % {"prompt": str(prompt), "error": error}) from error
        yield Item(prompt.content_hash, OWN[Prompt.Purpose(prompt.purpose)], prompt.messages, expect)


def _is_demo(campaign: Campaign) -> bool:
    asked = campaign.prompts.filter(purpose="").order_by("content_hash")
    texts = [messages[-1]["content"] for messages in asked.values_list("messages", flat=True)[:LOOKED_AT]]
    return bool(texts) and sum(parse(text) is not None for text in texts) * 2 > len(texts)
