"""The ranking's page without a browser."""

import re

import pytest
from django.urls import reverse

from labeling.models import Criterion, Draft, Judgment
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rater():
    return make_user()


@pytest.fixture
def campaign(rater):
    return make_campaign(raters=(rater,))


@pytest.fixture
def signed_in(client, rater):
    client.force_login(rater)
    return client


def url(name, campaign):
    return reverse(name, args=[campaign.slug])


def opened(client, campaign):
    html = client.get(url("rate", campaign)).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', html))
    return html, {key: value for key, value in hidden.items() if key != "csrfmiddlewaretoken"}


def places(*given):
    return {f"rank-{side}": place for side, place in enumerate(given)}


def test_an_order_is_taken_with_what_goes_with_it_and_shown_again_when_undone(signed_in, campaign):
    Criterion.objects.create(campaign=campaign, key="kind", name="Kind", points=5)
    make_open_round(campaign, comparisons=0, rankings=1)
    html, form = opened(signed_in, campaign)
    assert form["sides"] == "4"
    assert "writer" not in html
    said = {**places(2, 1, 2, 4), "grade-kind-3": "5", "reason-1": ["Right"], "comment": "B."}
    assert signed_in.post(url("rate-rank", campaign), {**form, **said}).status_code == 302
    judgment = Judgment.objects.get()
    at = judgment.order_shown
    assert judgment.ranking == [[at[1]], sorted([at[0], at[2]]), [at[3]]]
    assert judgment.criteria["kind"][at[3]] == 5
    assert judgment.reasons[at[1]] == ["Right"]
    signed_in.post(url("rate-undo", campaign))
    html, form = opened(signed_in, campaign)
    chosen = re.findall(r'<select name="rank-(\d)".*?<option value="(\d)" selected>', html)
    assert chosen == [("0", "2"), ("1", "1"), ("2", "2"), ("3", "3")]
    assert re.search(r'name="grade-kind-3" value="5" form="answer-form" checked', html)
    assert re.search(r'name="reason-1" value="Right" form="answer-form" checked', html)


@pytest.mark.parametrize("given", [(), (1, 2, 3), ("", "", "", ""), (1, "x", 2, 3)])
def test_an_order_with_holes_is_refused_in_words_and_what_was_said_stays(signed_in, campaign, given):
    make_open_round(campaign, comparisons=0, rankings=1)
    _html, form = opened(signed_in, campaign)
    response = signed_in.post(url("rate-rank", campaign), {**form, **places(*given), "comment": "Half."})
    assert response.status_code == 400
    html = response.content.decode()
    assert "each needs a place" in html or "a whole number" in html
    assert "Half." in html
    assert not Judgment.objects.exists()


def test_a_form_that_names_other_sides_is_refused(signed_in, campaign):
    make_open_round(campaign, comparisons=0, rankings=1)
    _html, form = opened(signed_in, campaign)
    for sides, given in (("3", (1, 2, 3)), ("5", (1, 2, 3, 4, 5)), ("-1", ()), ("1000000", ())):
        response = signed_in.post(url("rate-rank", campaign), {**form, **places(*given), "sides": sides})
        assert response.status_code == 400
    assert not Judgment.objects.exists()


def test_a_draft_keeps_the_places(signed_in, campaign):
    make_open_round(campaign, comparisons=0, rankings=1)
    _html, form = opened(signed_in, campaign)
    assert signed_in.post(url("rate-draft", campaign), {**form, **places(4, 1, 1, 2)}).status_code == 200
    assert Draft.objects.get().data["rank-0"] == "4"
    html, _form = opened(signed_in, campaign)
    assert html.count(" selected>") == 4


def test_a_ranking_and_its_next_task_take_few_queries(signed_in, campaign, django_assert_max_num_queries):
    make_open_round(campaign, comparisons=0, rankings=3)
    html, form = opened(signed_in, campaign)
    held = re.findall(r'data-lease="([\w-]+)"', html)
    script = {"X-Fragment": "1", "X-Holding": ",".join(held)}
    with django_assert_max_num_queries(16):
        response = signed_in.post(url("rate-rank", campaign), {**form, **places(1, 2, 3, 4)}, headers=script)
    assert response.content.decode().count("data-lease=") == 1
