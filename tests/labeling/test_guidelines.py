"""What has changed between two versions of a guideline, and what managers do with them."""

import pytest
from django.urls import reverse

from accounts.models import AuditEvent, Role
from labeling import campaigns, guidelines
from labeling.guidelines import beside, changes_since
from labeling.models import Example, Feedback
from tests.cast import make_campaign, make_example, make_user


def say(changes):
    marks = {"same": "{}", "added": "+{}+", "removed": "-{}-", "gap": "⋯"}
    return "".join(marks[change.kind].format(change.text) for change in changes)


def test_words_that_changed_are_marked_in_their_lines():
    old = "Be kind.\nPrefer the better answer.\n"
    new = "Be kind.\nPrefer the plainer answer.\n"
    assert say(changes_since(old, new)) == "Be kind.\nPrefer the -better-+plainer+ answer.\n"


def test_what_stayed_the_same_for_long_is_left_out():
    lines = [f"{number}.\n" for number in range(20)]
    new = [*lines[:10], "New.\n", *lines[10:]]
    assert say(changes_since("".join(lines), "".join(new))) == "⋯8.\n9.\n+New.\n+10.\n11.\n⋯"


def test_first_words_and_last_words_count_too():
    assert say(changes_since("", "All new.")) == "+All new.+"
    assert say(changes_since("All old.", "")) == "-All old.-"
    assert say(changes_since("Same.", "Same.")) == "Same."


def test_texts_of_many_equal_words_count_as_rewritten_at_once():
    old, new = "- a\n" * 5000, "a line\n" * 5000
    assert say(changes_since(old, new)) == f"-{old}-+{new}+"


def test_two_versions_stand_side_by_side():
    old = "Be kind.\nPrefer the better answer.\n"
    new = "Be kind.\nPrefer the plainer answer.\nAdded.\n"
    first, second = beside(old, new)
    assert (say(first.old), say(first.new)) == ("Be kind.\n", "Be kind.\n")
    assert say(second.old) == "Prefer the -better- answer.\n"
    assert say(second.new) == "Prefer the +plainer+ answer.\n+Added.\n+"
    long = [f"{number}.\n" for number in range(20)]
    rows = beside("".join(long), "".join([*long[:10], "New.\n", *long[10:]]))
    assert ["".join(change.text for change in row.new) for row in rows] == [
        "",
        "8.\n9.\n",
        "New.\n",
        "10.\n11.\n",
        "",
    ]


@pytest.fixture
def mara(client):
    manager = make_user(Role.MANAGER, username="mara")
    client.force_login(manager)
    return manager


@pytest.mark.django_db
def test_a_preview_is_sanitised_and_comes_also_without_scripts(client, mara):
    campaign = make_campaign(by=mara)
    hostile = {"text": "**Right** first.<script>alert(1)</script>"}
    html = client.post(reverse("preview_guideline", args=[campaign.slug]), hostile).text
    assert "<strong>Right</strong>" in html
    assert "<script" not in html
    page = client.post(reverse("guideline", args=[campaign.slug]), {**hostile, "preview": "1"})
    assert "<strong>Right</strong>" in page.text
    assert campaign.guidelines.count() == 1  # with which it was made
    answer = client.post(
        reverse("api_preview_guideline", args=[campaign.slug]), hostile, content_type="application/json"
    )
    assert answer.json()["html"] == html


@pytest.mark.django_db
def test_an_old_version_is_restored_as_the_next(client, mara):
    campaign = make_campaign(by=mara)
    old, new = (campaigns.add_guideline(campaign, text, mara).number for text in ("One.", "Two."))
    told = AuditEvent.objects.filter(action="publish guideline")
    before = told.count()
    client.post(reverse("restore_guideline", args=[campaign.slug, old]))
    last = guidelines.newest(campaign)
    assert last is not None
    assert (last.number, last.text, told.count()) == (new + 1, "One.", before + 1)
    assert (
        client.post(reverse("api_restore_guideline", args=[campaign.slug, new])).json()["number"] == new + 2
    )
    assert client.post(reverse("api_restore_guideline", args=[campaign.slug, 9])).status_code == 404
    page = client.get(reverse("guideline_diff", args=[campaign.slug]), {"old": old, "new": new})
    assert "<del>One.</del>" in page.text
    assert "<ins>Two.</ins>" in page.text
    rows = client.get(reverse("api_guideline_diff", args=[campaign.slug, old, new])).json()
    assert rows == [
        {"old": [{"kind": "removed", "text": "One."}], "new": [{"kind": "added", "text": "Two."}]}
    ]


@pytest.mark.django_db
def test_who_has_read_which_version_and_who_is_asked_to(client, mara, django_assert_max_num_queries):
    campaign = make_campaign(by=mara)
    raters = [make_user() for _ in range(4)]
    for rater in raters:
        campaign.memberships.create(user=rater)
    first = campaigns.add_guideline(campaign, "One.", mara)
    second = campaigns.add_guideline(campaign, "Two.", mara)
    for rater, version in ((raters[0], first), (raters[1], first), (raters[1], second)):
        guidelines.mark_read(rater, version)
    with django_assert_max_num_queries(1):
        numbers = {row.user.username: row.number for row in guidelines.readers(campaign)}
    assert [numbers[rater.username] for rater in raters] == [first.number, second.number, None, None]
    at = [campaign.slug]
    assert (
        f"3 raters haven't opened version {second.number}"
        in client.get(reverse("guideline_readers", args=at)).text
    )
    listed = client.get(reverse("api_guideline_readers", args=at)).json()["results"]
    assert [row["number"] for row in listed] == [first.number, second.number, None, None]
    client.post(reverse("remind_readers", args=at))
    asked = Feedback.objects.filter(campaign=campaign)
    assert {word.rater for word in asked} == {raters[0], raters[2], raters[3]}
    assert f"version {second.number}" in asked[0].text
    for rater in raters:
        guidelines.mark_read(rater, second)
    assert client.post(reverse("api_remind_readers", args=at)).status_code == 400


@pytest.mark.django_db
def test_an_edge_case_is_used_for_practice_too_once(client, mara):
    campaign = make_campaign(by=mara)
    case = make_example(campaign, "edge_case")
    for _ in range(2):
        client.post(reverse("use_example", args=[campaign.slug, case.pk]), {"use": "practice"})
    answer = client.post(
        reverse("api_use_example", args=[campaign.slug, case.pk]),
        {"use": "test"},
        content_type="application/json",
    )
    assert (answer.status_code, answer.json()["use"]) == (201, "test")
    assert sorted(Example.objects.values_list("use", flat=True)) == ["edge_case", "practice", "test"]
    assert len({tuple(example.answers) for example in Example.objects.all()}) == 1
    assert "Is a practice task too" in client.get(reverse("guideline", args=[campaign.slug])).text
    assert (
        client.post(
            reverse("api_use_example", args=[campaign.slug, case.pk]),
            {"use": "x"},
            content_type="application/json",
        ).status_code
        == 400
    )
