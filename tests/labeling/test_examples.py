"""A manager's worked examples: added, changed, retired, imported all or none, and who qualified by them."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent
from labeling import examples, guidelines, onboarding
from labeling.campaigns import CampaignError
from labeling.models import Example
from tests.cast import make_campaign, make_example, make_user

pytestmark = pytest.mark.django_db

FORM = {
    "use": "practice", "messages": "Which is longer?", "answer_a": "Short.", "answer_b": "Long enough.",
    "verdict": 2, "explanation": "{B} says why, {A} does not.",
}  # fmt: skip
LINE = {
    "prompt": "How?", "answer_a": "So.", "answer_b": "Thus.", "verdict": -1, "explanation": "{A}, plainly.",
    "use": "test",
}  # fmt: skip


@pytest.fixture
def manager():
    return make_user("manager")


@pytest.fixture
def campaign(manager):
    return make_campaign(by=manager)


@pytest.fixture
def signed_in(client, manager):
    client.force_login(manager)
    return client


def address(name, campaign, *args):
    return reverse(name, args=[campaign.slug, *args])


def values(**changes):
    row = {**FORM, **changes}
    return {
        "use": row["use"],
        "messages": [{"role": "user", "content": row["messages"]}],
        "answers": [row["answer_a"], row["answer_b"]],
        "verdict": row["verdict"],
        "explanation": row["explanation"],
    }


def test_an_example_is_added_listed_changed_and_retired(signed_in, campaign):
    signed_in.post(address("examples", campaign), FORM)
    example = Example.objects.get()
    assert (example.answers, example.verdict) == (["Short.", "Long enough."], 2)
    page = signed_in.get(address("examples", campaign)).text
    assert "Which is longer?" in page
    assert "B is clearly better" in page
    assert "B says why, A does not." in page

    signed_in.post(address("example", campaign, example.pk), {**FORM, "verdict": -3})
    example.refresh_from_db()
    assert (example.verdict, Example.objects.count()) == (-3, 1)
    signed_in.post(address("retire_example", campaign, example.pk))
    assert not examples.active(campaign)
    assert signed_in.get(address("example", campaign, example.pk)).status_code == 404
    said = AuditEvent.objects.filter(action__endswith="example").order_by("pk")
    assert [event.action for event in said] == ["add example", "change example", "retire example"]


def test_an_answered_example_is_replaced_so_that_answers_keep_their_wording(signed_in, campaign, manager):
    example = make_example(campaign, "practice")
    rater = make_user()
    campaign.memberships.create(user=rater)
    guidelines.mark_read(rater, guidelines.newest(campaign))
    onboarding.answer(rater, campaign, example=example.pk, attempt=0, verdict=1)
    same = {name: getattr(example, name) for name in examples.FIELDS}
    assert examples.revise(example, manager, **same) == example
    page = signed_in.get(address("example", campaign, example.pk)).text
    assert "It was answered once" in page
    signed_in.post(address("example", campaign, example.pk), FORM)
    old, new = Example.objects.order_by("pk")
    assert (old.retired, old.verdict, new.retired, new.trials.count()) == (True, 2, False, 0)
    assert new.messages[0]["content"] == "Which is longer?"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"use": "gold"}, "use"),
        ({"messages": "  "}, "messages"),
        ({"messages": "a\x00b"}, "messages"),
        ({"answer_a": "\ud800"}, "answers"),
        ({"answer_a": "Long enough. "}, "answers"),
        ({"answer_a": "x" * 100_001}, "answers"),
        ({"verdict": 4}, "verdict"),
        ({"verdict": True}, "verdict"),
        ({"verdict": None}, "verdict"),
        ({"explanation": " "}, "explanation"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(campaign, manager, change, field):
    with pytest.raises(CampaignError) as refused:
        examples.create(campaign, manager, **values(**change))
    assert refused.value.field == field
    assert not Example.objects.exists()


def test_a_tie_is_right_only_where_ties_are_allowed(campaign, manager):
    examples.create(campaign, manager, **values(verdict=0))
    strict = make_campaign(by=manager, allow_ties=False)
    with pytest.raises(CampaignError, match="allows no ties"):
        examples.create(strict, manager, **values(verdict=0))


def test_a_bad_form_comes_back_as_it_was_with_words_at_the_field(signed_in, campaign):
    page = signed_in.post(address("examples", campaign), {**FORM, "answer_a": "Long enough."})
    assert page.status_code == 400
    assert "Give two answers that differ." in str(page.context["form"].errors["answer_b"])
    assert "Which is longer?" in page.text


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows)


def test_an_import_twice_adds_nothing(signed_in, campaign):
    conversation = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And?"},
    ]
    second = {key: LINE[key] for key in LINE if key != "prompt"} | {
        "messages": conversation,
        "verdict": "tie",
    }
    text = lines(LINE, second)
    page = signed_in.post(address("import_examples", campaign), {"text": text}, follow=True).text
    assert "2 examples added." in page
    upload = SimpleUploadedFile("more.jsonl", (text + "\n\n" + lines({**LINE, "verdict": "B"})).encode())
    page = signed_in.post(address("import_examples", campaign), {"file": upload}, follow=True).text
    assert "1 example added." in page
    assert [e.verdict for e in examples.active(campaign)] == [-1, 0, 2]
    assert examples.active(campaign)[1].messages == conversation


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ("{oops", "", "not JSON"),
        ('"a text"', "", "not JSON"),
        ({**LINE, "prompt": 3}, "prompt", "text"),
        ({**LINE, "messages": [{"role": "robot", "content": "?"}]}, "messages[0].role", "assistant"),
        ({**LINE, "messages": []}, "messages", "end with what the user asks"),
        ({key: LINE[key] for key in LINE if key != "answer_b"}, "answer_b", "missing"),
        ({**LINE, "verdict": 1.5}, "verdict", "whole number"),
        ({**LINE, "verdict": "C"}, "verdict", "whole number"),
        ({**LINE, "use": "gold"}, "use", "practice"),
        ({**LINE, "use": "practice", "explanation": ""}, "explanation", "Say why"),
        ({**LINE, "prompt": "half a \ud800"}, "messages", "can't be stored"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_added(signed_in, campaign, row, field, says):
    text = lines(LINE) + "\n" + (row if isinstance(row, str) else json.dumps(row))
    page = signed_in.post(address("import_examples", campaign), {"text": text})
    assert page.status_code == 400
    (error,) = page.context["report"].errors
    assert (error.line, error.field) == (2, field)
    assert says in error.message
    assert not Example.objects.exists()


def test_an_empty_import_or_none_is_said_so(signed_in, campaign):
    assert "one of the two" in signed_in.post(address("import_examples", campaign), {}).text
    upload = SimpleUploadedFile("p.jsonl", b"\n\n")
    page = signed_in.post(address("import_examples", campaign), {"file": upload})
    assert "There is no line in it." in page.text


def test_the_manager_sees_who_qualified_lets_in_and_gives_new_attempts(signed_in, campaign):
    rater, other = make_user(), make_user()
    for user in (rater, other):
        campaign.memberships.create(user=user)
        guidelines.mark_read(user, guidelines.newest(campaign))
    example = make_example(campaign, "test")
    signed_in.patch(
        reverse("api_campaign", args=[campaign.slug]), {"pass_mark": 1.0}, content_type="application/json"
    )
    campaign.refresh_from_db()
    question = onboarding.next_question(rater, campaign)
    wrong = -onboarding.as_shown(example, question.order)
    onboarding.answer(rater, campaign, example=example.pk, attempt=1, verdict=wrong)
    page = signed_in.get(address("campaign_raters", campaign)).text
    assert "0.0 %" in page
    assert "(1 of 2 attempts)" in page

    signed_in.post(address("qualify_rater", campaign, rater.pk), {"how": "reset"})
    assert onboarding.state(rater, campaign).attempt == 1
    signed_in.post(address("qualify_rater", campaign, other.pk), {"how": "waive"})
    assert onboarding.state(other, campaign).qualified
    assert signed_in.post(address("qualify_rater", campaign, make_user().pk)).status_code == 404


def test_the_page_takes_as_many_queries_for_many_examples_as_for_few(signed_in, campaign):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            signed_in.get(address("examples", campaign))
        return len(seen)

    make_example(campaign, "practice")
    few = queries()
    for use in ["practice", "test", "edge_case"] * 5:
        make_example(campaign, use)
    assert queries() == few


def test_a_program_gives_changes_retires_and_imports_examples(signed_in, campaign):
    body = {"use": "test", "messages": [{"role": "user", "content": "How?"}], "answers": ["So.", "Thus."]}
    address_ = reverse("api_examples", args=[campaign.slug])

    def send(method, url, said):
        return getattr(signed_in, method)(url, said, content_type="application/json")

    made = send("post", address_, {**body, "verdict": 1}).json()
    one = reverse("api_example", args=[campaign.slug, made["id"]])
    assert send("put", one, {**body, "verdict": -1}).json()["verdict"] == -1
    assert send("put", one, {**body, "verdict": 5}).json().keys() == {"verdict"}
    assert send("post", address_, {**body, "answers": ["So."], "verdict": 1}).json().keys() == {"answers"}
    wrong = [{"role": "robot", "content": "?"}]
    assert send("post", address_, {**body, "messages": wrong, "verdict": 1}).json().keys() == {"messages"}
    assert signed_in.delete(one).status_code == 204
    assert [e["retired"] for e in signed_in.get(address_).json()["results"]] == [True]

    many = reverse("api_import_examples", args=[campaign.slug])
    assert send("post", many, {"text": lines(LINE, LINE)}).json() == {"added": 1, "known": 1, "errors": []}
    refused = send("post", many, {"text": lines(LINE) + "\n{"})
    assert (refused.status_code, refused.json()["errors"][0]["line"]) == (400, 2)


def test_a_program_sets_skills_reasons_and_shares(signed_in, campaign):
    address_ = reverse("api_campaign", args=[campaign.slug])

    def patch(**said):
        return signed_in.patch(address_, said, content_type="application/json").json()

    assert patch(skills=["french", "Arabic"])["skills"] == ["arabic", "french"]
    assert patch(reasons=[" Right ", "Right"])["reasons"] == ["Right"]
    assert patch(edit_share=0.3, rank_share=0.3, chat_share=0.4)["chat_share"] == 0.4  # binary: above 1
    assert patch(rank_share=0.5).keys() == {"edit_share"}
    assert patch(skills=["plain french"]).keys() == {"skills"}
    campaign.refresh_from_db()
    assert campaign.rank_share == 0.3
