"""The design tokens keep WCAG's contrasts by day and by night."""

import re
from itertools import product
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "static/css/tokens.css").read_text()
TOKENS = {
    name: pair
    for name, *pair in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS)
}
TEXT = ["ink", "ink-soft", "accent", "good", "bad", "calm"]
GROUND = ["paper", "surface", "sunken", "accent-soft", "good-soft", "bad-soft", "calm-soft"]
PAIRS = [
    *((text, ground, 4.5) for text, ground in product(TEXT, GROUND)),
    ("on-stone", "stone", 4.5),
    ("on-stone", "stone-hover", 4.5),
    ("on-accent", "accent", 4.5),
    *(
        (line, ground, 3.0)
        for line, ground in product(["line-strong", "accent"], ["paper", "surface", "sunken"])
    ),
    ("accent", "line", 3.0),  # a progress bar on its ground
]


def luminance(colour: str) -> float:
    """Return WCAG's relative luminance of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_pair_of_tokens_has_the_contrast_it_needs(scheme):
    found = {(a, b): contrast(TOKENS[a][scheme], TOKENS[b][scheme]) for a, b, _ in PAIRS}
    assert {pair: round(found[pair[:2]], 2) for pair in PAIRS if found[pair[:2]] < pair[2]} == {}
