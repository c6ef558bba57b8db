"""The API keeps to its OpenAPI document: some generated requests; bench.api sends thousands."""

import pytest
from hypothesis.internal.conjecture import providers

from tests.api_cases import operations, try_out
from tests.api_world import make_api_world

pytestmark = pytest.mark.django_db
EVERY = 10  # of the operations one is tried here; bench.api tries all


@pytest.fixture
def drawn_alike(monkeypatch):
    """Draw no constants of the program's modules: what a seed gives would hang on what is imported."""
    monkeypatch.setattr(providers, "_get_local_constants", providers.Constants)
    monkeypatch.setattr(providers, "CONSTANTS_CACHE", providers.LRUCache(1024))


@pytest.mark.usefixtures("drawn_alike")
def test_answers_are_those_that_the_document_describes():
    tried = try_out(make_api_world(), 2, number=8, some=operations()[::EVERY])
    assert tried.cases >= len(tried.statuses) >= 15
    assert list(tried.findings.values()) == []
