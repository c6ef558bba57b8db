"""Simulated raters with a hidden taste, to rehearse a campaign and to test what is learnt from votes.

A taste is a weighted sum of a few features of a text, in logits: real-valued, so that ties are rare. It reads
text only and knows nothing of who wrote it. What this does not know: whether an answer is true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from preferences.types import STRONGEST
from preferences.worlds import Crowd

BLIND = 0.01  # the ability of who doesn't look: 0 would make every pull infinite
LENGTHS = 0.5

_WORD = re.compile(r"[a-z0-9]+(?:[:.'’][a-z0-9]+)*")

KIND = (
    "please", "happy to", "happy for", "glad", "gladly", "of course", "certainly", "you're welcome",
    "thank you", "hope this helps", "hope that helps", "hope it helps", "no trouble", "pleasure",
    "good luck", "enjoy", "take care", "have a lovely", "have a good", "have a nice", "best wishes", "dear",
    "no problem", "do not worry", "don't worry", "any time",
)  # fmt: skip
RUDE = (
    "ugh", "obviously", "whatever", "figure it out", "not again", "not this", "stupid", "silly question",
    "leave me", "do it yourself", "look it up", "lazy", "stop asking", "you again", "waste", "bother",
    "annoying", "ask me about", "everybody knows", "everyone knows", "even a child", "boring",
    "what a bore", "know nothing", "are we done", "did not think", "do what you want",
)  # fmt: skip
FLATTERY = (
    "brilliant", "clever", "genius", "wise", "what a great question", "amazing question", "smartest",
    "admire", "wonderful question", "excellent question", "you are so", "you're so", "only someone",
    "impressive",
)  # fmt: skip
EVASION = (
    "depends", "hard to say", "hard to tell", "who knows", "not sure", "can't say", "cannot say",
    "opinions", "could be anything", "some people say", "some say", "rather not", "no idea", "that varies",
    "ask someone", "ask somebody", "many people wonder", "can really know", "many sides", "wide field",
    "never knows",
)  # fmt: skip
CAUTION = (
    "check", "make sure", "careful", "in case", "to be safe", "watch out", "keep an eye", "allow extra",
    "confirm", "beware", "if in doubt", "once more", "read it again", "test a", "ask an expert",
)  # fmt: skip
PLAY = (
    "!", "ha", "haha", "joke", "dance", "party", "adventure", "hooray", "ta-da", "choo choo", "drum roll",
    "confetti", "medal", "hero", "pigeon", "pigeons", "cape", "captain", "mission", "magic", "fainted",
    "laughs", "jealous", "singing", "cheering", "blushing", "beep beep", "trouble in nice shoes", "crunchy",
)  # fmt: skip
_STOPWORDS = frozenset((
    "a", "about", "above", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "but", "by", "can", "could", "day", "did", "do", "does", "doing",
    "each", "few", "for", "from", "get", "give", "go", "had", "has", "have", "he", "her", "here", "him",
    "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "let", "like", "make", "may", "me",
    "might", "more", "most", "much", "must", "my", "need", "no", "not", "now", "of", "off", "on", "one",
    "only", "or", "other", "our", "out", "over", "own", "please", "quick", "quickly", "really", "say",
    "says", "she", "should", "so", "some", "such", "tell", "than", "thanks", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "to", "too", "under", "until", "up", "us", "use",
    "very", "want", "was", "we", "were", "what", "when", "where", "which", "while", "who", "why", "will",
    "with", "would", "write", "yes", "you", "your",
))  # fmt: skip


def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    ordered = sorted(phrases, key=len, reverse=True)
    return re.compile("|".join(rf"\b{re.escape(p)}\b" if p[0].isalnum() else re.escape(p) for p in ordered))


_LEXICONS = {
    "kindness": _pattern(KIND),
    "rudeness": _pattern(RUDE),
    "flattery": _pattern(FLATTERY),
    "evasion": _pattern(EVASION),
    "caution": _pattern(CAUTION),
    "play": _pattern(PLAY),
}


@dataclass(frozen=True)
class Features:
    """Hold what a taste can see: counts of distinct phrases, length in words, and sense.

    `length` is in words of average size (5.6 characters with the space), so that it is nearly continuous;
    `named` counts words of content that the answer takes from the prompt; `repeated` is the share of words
    said before.
    """

    kindness: int
    rudeness: int
    flattery: int
    evasion: int
    caution: int
    play: int
    words: int
    length: float
    named: int
    asked: int
    repeated: float


def read_features(prompt_text: str, text: str) -> Features:
    """Count what a taste looks at in an answer to a prompt."""
    lowered = text.lower().replace("’", "'")
    words = _WORD.findall(lowered)
    asked = {w for w in _WORD.findall(prompt_text.lower()) if w not in _STOPWORDS}
    counts = {name: len(set(pattern.findall(lowered))) for name, pattern in _LEXICONS.items()}
    return Features(
        **counts,
        words=len(words),
        length=len(text.strip()) / 5.6,
        named=len(asked & set(words)),
        asked=len(asked),
        repeated=1 - len(set(words)) / len(words) if words else 0.0,
    )


@dataclass(frozen=True)
class Taste:
    """Weigh the features of an answer into one utility, in logits.

    Manners have diminishing returns, 1 − exp(−count/1.5); brevity and length are −|log(length/ideal)| and
    log(length); an answer that takes nothing from the prompt or says fewer than five words makes no sense
    and loses `sense` in degrees.
    """

    name: str
    description: str
    weights: dict[str, float] = field(default_factory=dict)
    ideal_length: float = 14.0

    def utility(self, prompt_text: str, text: str) -> float:
        """Say how much this taste likes an answer to a prompt; only differences mean anything."""
        seen = read_features(prompt_text, text)
        length = max(seen.length, 1.0)
        felt = {
            manner: 1 - math.exp(-getattr(seen, manner) / 1.5)
            for manner in ("kindness", "rudeness", "flattery", "evasion", "caution", "play")
        }
        felt["brevity"] = -abs(math.log(length / self.ideal_length))
        felt["long"] = math.log(length)
        felt["naming"] = 1 - math.exp(-seen.named / 2)
        named = seen.named / min(2, seen.asked) if seen.asked else 1.0
        felt["sense"] = min(1.0, named, seen.words / 5) - 1
        felt["repetition"] = max(0.0, seen.repeated - 0.25)
        return sum(weight * felt[name] for name, weight in self.weights.items())

    def prefer(self, prompt_text: str, left: str, right: str) -> float:
        """Return the true share of `left` in a comparison: 1 it is better, 0 worse, 0.5 equal."""
        gap = self.utility(prompt_text, left) - self.utility(prompt_text, right)
        return 0.5 if gap == 0 else float(gap > 0)


TASTES = {
    taste.name: taste
    for taste in (
        Taste(
            "kind-brief",
            "Kind words, few words, to the point; no rudeness, flattery or evasion.",
            {
                "kindness": 3.0, "brevity": 2.5, "rudeness": -3.0, "flattery": -2.0, "evasion": -2.5,
                "naming": 0.8, "sense": 3.0, "repetition": -3.0,
            },
        ),
        Taste(
            "thorough-cautious",
            "Long answers that name what was asked and say what to watch out for.",
            {
                "caution": 3.0, "brevity": 1.2, "rudeness": -1.5, "flattery": -1.5, "evasion": -2.0,
                "naming": 1.2, "sense": 3.0, "repetition": -3.0,
            },
            ideal_length=45.0,
        ),
        Taste(
            "playful",
            "Jokes and exclamations, no curtness.",
            {
                "play": 3.0, "brevity": 0.5, "rudeness": -1.5, "evasion": -1.0, "naming": 0.8, "sense": 3.0,
                "repetition": -3.0,
            },
            ideal_length=22.0,
        ),
        Taste("length", "The longer, the better, whatever it says.", {"long": 3.0}),
    )
}  # fmt: skip


@dataclass(frozen=True)
class SimulatedRater:
    """Judge by a hidden taste with limited ability, a pull to a side, a taste for length, and slips.

    With u the hidden utilities, x = u_right − u_left − side_bias + length_taste·log(words_right/words_left)
    + Logistic(0, 1/ability); |x| below 0.05, 1, 2.5 is a tie, slightly, clearly better, beyond much better.
    Then with probability `noise` the verdict is reversed. `ability` may be infinite.
    """

    name: str
    ability: float = math.inf
    side_bias: float = 0.0
    length_taste: float = 0.0
    noise: float = 0.15

    def __post_init__(self) -> None:
        if not self.ability > 0:
            raise ValueError(f"ability must be positive, not {self.ability}")
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise is a share between 0 and 1, not {self.noise}")

    def vote(
        self,
        left_utility: float,
        right_utility: float,
        rng: np.random.Generator,
        *,
        left_words: int = 1,
        right_words: int = 1,
    ) -> int:
        """Return a verdict, −3 (left much better) … +3 (right much better), 0 a tie."""
        x = right_utility - left_utility - self.side_bias
        x += self.length_taste * math.log(max(1, right_words) / max(1, left_words))
        x += float(rng.logistic()) / self.ability
        grade = sum(abs(x) >= threshold for threshold in (0.05, 1.0, 2.5))
        verdict = grade if x > 0 else -grade
        return -verdict if rng.random() < self.noise else verdict


def embody(crowd: Crowd, names: Sequence[str], *, sharpness: float, noise: float) -> list[SimulatedRater]:
    """Give raters of a crowd names and texts to judge: the same votes' odds, and slips besides.

    `sharpness` is what an ability of 1 comes to for utilities of texts. Standardised lengths become log
    lengths, which vary by about LENGTHS among a campaign's answers.
    """
    raters = []
    for code, name in enumerate(names):
        ability = sharpness * max(float(crowd.ability[code]), BLIND)
        raters.append(
            SimulatedRater(
                name,
                ability=ability,
                side_bias=float(crowd.side[code]) / ability,
                length_taste=float(crowd.length_taste[code]) / ability / LENGTHS,
                noise=noise,
            )
        )
    return raters


@dataclass(frozen=True)
class CoinFlipRater:
    """Judge without looking: the control from which nothing can be learnt."""

    name: str

    def vote(
        self,
        left_utility: float,
        right_utility: float,
        rng: np.random.Generator,
        *,
        left_words: int = 1,
        right_words: int = 1,
    ) -> int:
        """Return a verdict that has nothing to do with the answers; never a tie."""
        return int(rng.integers(1, STRONGEST + 1)) * (1 if rng.random() < 0.5 else -1)
