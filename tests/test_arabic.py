"""In Arabic no page falls back to English, and what programs read has no decimal comma."""

import re
from html import unescape

import pytest
from django.test import Client

from accounts.models import Role
from tests.cast import make_campaign, make_open_round, make_policy, make_user

pytestmark = pytest.mark.django_db

OWN = ["/settings/", "/account/", "/account/password/", "/history/", "/feedback/", "/nowhere/"]
RATE = ["/", "/rate/k/", "/rate/k/guideline/", "/rate/k/why/"]
MANAGE = [
    *("/people/", "/campaigns/", "/campaigns/new/", "/models/", "/models/register/", "/snapshots/"),
    *(
        f"/campaigns/k/{page}"
        for page in [
            *("", "settings/", "criteria/", "raters/", "figures/", "import/", "guideline/"),
            *("disputes/", "gaps/", "review/"),
        ]
    ),
]
# names of products, formats, methods, fields and keys
SAME_EVERYWHERE = {
    *(
        "Touchstone",
        "English",
        "API",
        "KEY",  # of _API_KEY
        "https",
        "Ctrl",
        "Enter",
        "Esc",
        "Markdown",
        "JSON",
        "JSONL",
        "CSV",
        "TRL",
        "Arena",
    ),
    *(
        "Transformers",
        "transformers",
        "chat",
        "completions",
        "openai",
        "compatible",
        "gzip",
        "DPO",
        "SFT",
        "Top",
    ),
    *("Argilla", "Elo", "Face", "Hugging", "KTO", "Label", "Parquet", "Studio", "UTC", "UltraFeedback"),
    *("owner", "name", "split", "train"),  # of the hub
    *(
        "policy",
        "reward",
        "tokens",
        "prompt",
        "chosen",
        "rejected",
        "response",
        "header",
        "conversation",
        "winner",
    ),
    *("rlhf", "helpful", "french", "medicine", "http", "localhost", "llama", "org", "model", "models"),
    *("mara", "rafi", "writer"),
}
# what the people and policies of the campaign wrote
WRITTEN = {"Answer", "answer", "The", "number", "one", "other", "Question", "mended"}


@pytest.fixture
def people():
    manager = make_user(Role.MANAGER, "mara", language="ar")
    rater = make_user(Role.RATER, "rafi", language="ar")
    campaign = make_campaign(by=manager, raters=(rater, manager), name="مطبخ", guideline="", slug="k")
    make_policy(campaign.model_family)
    make_open_round(campaign, comparisons=2, edits=1)
    return {"rater": rater, "manager": manager}


def english(page: str) -> set[str]:
    """Return the words in Latin letters that a page shows or tells screen readers and scripts."""
    page = re.sub(r"<(script|style|code|textarea|bdi)\b.*?</\1>", " ", page, flags=re.DOTALL)
    page = re.sub(r'data-keys="[^"]*"|rater-[0-9a-f]+', "", page)
    told = re.findall(r'\b(?:title|aria-label|placeholder|data-[a-z-]+)="([^"]* [^"]*)"', page)
    words = unescape(" ".join([re.sub(r"<[^>]*>", " ", page), *told]))
    return set(re.findall(r"[A-Za-z]{3,}", words)) - SAME_EVERYWHERE - WRITTEN


@pytest.mark.parametrize(
    ("who", "path"),
    [*(("rater", path) for path in [*RATE, *OWN]), *(("manager", path) for path in MANAGE)],
)
def test_a_page_is_arabic_throughout(people, who, path):
    client = Client()
    client.force_login(people[who])
    page = client.get(path).text
    assert '<html lang="ar" dir="rtl"' in page
    assert english(page) == set()
    assert re.findall(r'(?:value|min|max|step|data-[a-z-]+)="-?\d+,\d+"', page) == []


def test_the_sign_in_page_follows_the_browser():
    assert (
        english(Client(headers={"accept-language": "ar-EG,ar;q=0.9,en;q=0.8"}).get("/login/").text) == set()
    )
