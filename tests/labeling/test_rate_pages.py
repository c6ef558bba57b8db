"""The rater's pages without a browser: who sees what, what a button does, how many queries it takes."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from labeling import assignment, campaigns, judgments, rounds, states
from labeling.models import (
    Campaign,
    Criterion,
    Draft,
    Edit,
    Example,
    GuidelineRead,
    Judgment,
    Response,
    Round,
    Skip,
    Slot,
    Task,
    TaskResponse,
)
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user

pytestmark = pytest.mark.django_db
FRAGMENT = {"X-Fragment": "1"}


@pytest.fixture
def rater():
    return make_user()


@pytest.fixture
def campaign(rater):
    return make_campaign(raters=(rater,), name="Kitchen talk")


@pytest.fixture
def signed_in(client, rater):
    client.force_login(rater)
    return client


def url(name, campaign):
    return reverse(name, args=[campaign.slug])


def form(html, **values):
    """Read the hidden values of the answer's form."""
    current = html.split('<template class="ahead">')[0]
    hidden = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', current))
    return {**{k: v for k, v in hidden.items() if k != "csrfmiddlewaretoken"}, **values}


def read(response):
    return response.content.decode()


def test_who_doesnt_rate_is_sent_to_the_campaigns(client):
    client.force_login(make_user(Role.RESEARCHER))
    assert client.get("/").headers["Location"] == reverse("campaigns")
    client.force_login(make_user(Role.MANAGER))
    assert client.get("/").headers["Location"] == reverse("campaigns")


def test_strangers_to_a_campaign_find_nothing(client, campaign):
    make_open_round(campaign)
    names = ("rate-judge", "rate-edit", "rate-skip", "rate-undo", "rate-draft", "rate-heartbeat")
    for user, status in ((make_user(), 404), (make_user(Role.RESEARCHER), 403)):
        client.force_login(user)
        for name in ("rate", "rate-guideline"):
            assert client.get(url(name, campaign)).status_code == status
        for name in names:
            assert client.post(url(name, campaign)).status_code == status
    client.logout()
    assert client.get(url("rate", campaign)).status_code == 302


def test_a_comparison_shows_both_answers_in_their_drawn_order_and_no_model(signed_in, rater, campaign):
    make_open_round(campaign)
    html = read(signed_in.get(url("rate", campaign)))
    slot = Slot.objects.get()
    texts = [t.response.text for t in TaskResponse.objects.select_related("response")]
    first, second = (texts[position] for position in slot.order_shown)
    assert html.index(first) < html.index(second)
    assert "writer" not in html
    assert "A is much better" in html


def test_empty_answers_are_shown_as_such(signed_in, campaign):
    round_ = make_round(campaign)
    add_task(round_, ("", "Something"))
    rounds.open_(round_)
    assert read(signed_in.get(url("rate", campaign))).count("(empty answer)") == 1


def test_hostile_texts_stay_texts(signed_in, campaign):
    round_ = make_round(campaign)
    add_task(round_, ("<script>alert(1)</script>", "</textarea><img src=x onerror=alert(2)>"))
    add_task(round_, ("</textarea><script>alert(3)</script>",))
    rounds.open_(round_)
    campaigns.add_guideline(campaign, "<script>alert(4)</script>", campaign.created_by)
    for _ in range(2):
        html = read(signed_in.get(url("rate", campaign)))
        assert "<script>alert" not in html
        assert "<img" not in html
        signed_in.post(url("rate-skip", campaign), form(html))
    assert "<script>alert" not in read(signed_in.get(url("rate-guideline", campaign)))


def test_a_verdict_goes_in_and_the_next_task_comes_back(signed_in, rater, campaign):
    make_open_round(campaign, comparisons=2)
    html = read(signed_in.get(url("rate", campaign)))
    values = form(html, verdict="-2", comment="shorter", active_ms="1234")
    response = signed_in.post(url("rate-judge", campaign), values, headers=FRAGMENT)
    assert response.status_code == 200
    assert "<html" not in read(response)
    assert form(read(response))["lease"] != values["lease"]
    judgment = Judgment.objects.get()
    assert (judgment.verdict, judgment.comment, judgment.active_ms) == (-2, "shorter", 1234)
    plain = signed_in.post(url("rate-judge", campaign), form(read(response), verdict="both_bad"))
    assert plain.headers["Location"] == url("rate", campaign)
    assert Judgment.objects.filter(both_bad=True, verdict=0).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_submit_with_the_task_after_the_next_takes_at_most_eight_queries(client):
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign, comparisons=3)
    client.force_login(rater)
    with CaptureQueriesContext(connection) as queries:
        html = read(client.get(url("rate", campaign)))
    assert len(asked(queries)) <= 9, "\n".join(asked(queries))
    ahead = html.split('<template class="ahead">')[1]
    holding = {**FRAGMENT, "X-Holding": form(ahead)["lease"]}
    with CaptureQueriesContext(connection) as queries:
        response = client.post(url("rate-judge", campaign), form(html, verdict="1"), headers=holding)
    assert form(read(response))["lease"] not in {form(html)["lease"], form(ahead)["lease"]}
    assert len(asked(queries)) <= 8, "\n".join(asked(queries))


def asked(queries):
    return [q["sql"] for q in queries if q["sql"] not in ("BEGIN", "COMMIT")]


def test_a_page_claims_one_task_ahead_and_keeps_both_alive(signed_in, rater, campaign):
    make_open_round(campaign, comparisons=3)
    html = read(signed_in.get(url("rate", campaign)))
    current, ahead = form(html)["lease"], form(html.split('<template class="ahead">')[1])["lease"]
    assert current != ahead
    assert Slot.objects.filter(status="claimed").count() == 2
    again = signed_in.get(url("rate", campaign), headers={**FRAGMENT, "X-Holding": f"{current},{ahead}"})
    assert form(read(again))["lease"] not in {current, ahead}
    assert "template" not in read(again)
    Slot.objects.update(lease_until=timezone.now())
    signed_in.post(url("rate-heartbeat", campaign), {"lease": current})
    assert all(slot.lease_until > timezone.now() for slot in Slot.objects.filter(status="claimed"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Choose which answer is better first"),
        ({"verdict": "4"}, "The verdict must be one of"),
        ({"verdict": "best"}, "whole number"),
        ({"verdict": "1", "comment": "a\x00"}, "can&#x27;t be stored"),
        ({"verdict": "1", "guideline": "99"}, "no guideline 99"),
        ({"verdict": "1", "guideline": "3000000000"}, "a whole number from 0"),
    ],
)
def test_a_bad_verdict_is_named_beside_the_task_as_it_was(signed_in, campaign, values, message):
    make_open_round(campaign)
    given = form(read(signed_in.get(url("rate", campaign))), **{"comment": "so far", **values})
    # the script still has the task as it was: it needs the words alone
    response = signed_in.post(url("rate-judge", campaign), given, headers=FRAGMENT)
    assert response.status_code == 400
    assert message in read(response)
    assert "answer-form" not in read(response)
    # without scripts the task comes back as it was filled in
    response = signed_in.post(url("rate-judge", campaign), given)
    assert response.status_code == 400
    assert message in read(response)
    assert form(read(response))["lease"] == given["lease"]
    if "\x00" not in given["comment"]:
        assert "so far" in read(response)
    assert not Judgment.objects.exists()


@pytest.mark.parametrize("headers", [{}, FRAGMENT])
@pytest.mark.parametrize("lease", ["theirs", "none", "nonsense"])
def test_a_foreign_lease_gets_a_page_that_says_so(signed_in, campaign, headers, lease):
    other = make_user()
    campaigns.add_rater(campaign, other, campaign.created_by)
    make_open_round(campaign, comparisons=2)
    held = assignment.claim(other, campaign)
    given = form(read(signed_in.get(url("rate", campaign))), verdict="1")
    given["lease"] = {"theirs": str(held.lease), "none": str(uuid4()), "nonsense": "x"}[lease]
    response = signed_in.post(url("rate-judge", campaign), given, headers=headers)
    assert response.status_code == 409
    assert ("Reload the page" if lease == "nonsense" else "isn&#x27;t yours") in read(response)
    assert ("<html" in read(response)) == (not headers)
    assert not Judgment.objects.exists()


def test_a_late_verdict_is_kept_and_the_rater_told_kindly(signed_in, campaign):
    round_ = make_open_round(campaign)
    given = form(read(signed_in.get(url("rate", campaign))), verdict="1")
    Slot.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    rounds.close(round_)
    response = signed_in.post(url("rate-judge", campaign), given, headers=FRAGMENT)
    assert response.status_code == 200
    assert "it is kept, uncounted" in read(response)
    assert Judgment.objects.get().extra


def test_a_draft_survives_a_reload_and_an_undo_brings_everything_back(signed_in, campaign):
    Criterion.objects.create(campaign=campaign, key="kind", name="Kind", points=3)
    make_open_round(campaign)
    given = form(read(signed_in.get(url("rate", campaign))), verdict="-1", comment="half a thou")
    given["grade-kind-1"] = "3"
    given |= {"reason-0": ["Right", "Clear"], "flag": ["unsafe"], "display_rate": "0"}
    saved = signed_in.post(url("rate-draft", campaign), given).json()
    assert saved["saved"]
    assert saved["at"]
    kept = {"verdict", "comment", "display_rate", "signals", "grade-kind-1", "reason-0", "flag"}
    assert set(Draft.objects.get().data) == kept

    def check(html):
        assert "half a thou" in html
        assert re.search(r'value="-1"[^>]*checked', html)
        assert re.search(r'name="grade-kind-1" value="3" checked', html)
        assert re.search(r'name="flag" value="unsafe"[^>]*checked', html)
        ticked = re.findall(r'name="reason-0" value="(\w+)"[^>]*checked', html)
        assert ticked == ["Right", "Clear"]
        assert "reason-1" not in re.findall(r'name="(reason-\d)" value="\w+"[^>]*checked', html)

    check(read(signed_in.get(url("rate", campaign))))
    signed_in.post(url("rate-judge", campaign), {**given, "grade-kind-0": "1"})
    assert not Draft.objects.exists()
    response = signed_in.post(url("rate-undo", campaign), headers=FRAGMENT)
    assert "Taken back" in read(response)
    check(read(response))
    assert Judgment.objects.count() == 2
    assert "nothing to take back" in read(signed_in.post(url("rate-undo", campaign), headers=FRAGMENT))


def test_drafts_and_heartbeats_of_lost_leases_are_refused(signed_in, campaign):
    make_open_round(campaign)
    given = form(read(signed_in.get(url("rate", campaign))))
    assert signed_in.post(url("rate-heartbeat", campaign), given).status_code == 200
    lost = {**given, "lease": str(uuid4())}
    assert signed_in.post(url("rate-heartbeat", campaign), lost).status_code == 409
    assert signed_in.post(url("rate-draft", campaign), lost).status_code == 409
    assert signed_in.post(url("rate-draft", campaign), {**given, "comment": "x" * 400_000}).status_code == 400


def test_a_skip_needs_a_reason_only_when_it_cant_be_judged(signed_in, campaign):
    make_open_round(campaign)
    given = form(read(signed_in.get(url("rate", campaign))), kind="cannot_judge")
    assert "Say why" in read(signed_in.post(url("rate-skip", campaign), given, headers=FRAGMENT))
    response = signed_in.post(url("rate-skip", campaign), {**given, "reason": "in Welsh"}, headers=FRAGMENT)
    assert "come back to you" in read(response)
    assert Skip.objects.get().reason == "in Welsh"


def test_an_edit_goes_in_and_bad_ones_come_back_as_typed(signed_in, campaign):
    make_open_round(campaign, comparisons=0, edits=2)
    html = read(signed_in.get(url("rate", campaign)))
    original = Slot.objects.get(lease=form(html)["lease"]).task.responses.get().text
    same = form(html, text=original + "\r\n", instruction="dull")
    response = signed_in.post(url("rate-edit", campaign), same, headers=FRAGMENT)
    assert response.status_code == 400
    assert "Nothing but white space has changed" in read(response)
    assert "dull" in read(signed_in.post(url("rate-edit", campaign), same))
    response = signed_in.post(url("rate-edit", campaign), {**same, "text": "Mended."}, headers=FRAGMENT)
    assert response.status_code == 200
    assert Response.objects.get(origin="edited").text == "Mended."
    undone = read(signed_in.post(url("rate-undo", campaign), headers=FRAGMENT))
    assert "Mended." in undone
    signed_in.post(url("rate-edit", campaign), form(undone, already_good="on"))
    assert Edit.objects.get(supersedes__withdrawn=True).edited is None
    assert 'name="already_good"' in read(signed_in.post(url("rate-undo", campaign), headers=FRAGMENT))
    lost = signed_in.post(url("rate-edit", campaign), {**same, "lease": str(uuid4())})
    assert lost.status_code == 409


def test_an_undo_after_the_round_is_refused_in_words(signed_in, campaign):
    round_ = make_open_round(campaign)
    signed_in.post(url("rate-judge", campaign), form(read(signed_in.get(url("rate", campaign))), verdict="1"))
    rounds.close(round_)
    response = signed_in.post(url("rate-undo", campaign), headers=FRAGMENT)
    assert response.status_code == 400
    assert "The round is over" in read(response)


def test_the_guideline_opens_alone_or_beside_the_work(signed_in, campaign):
    whole = read(signed_in.get(url("rate-guideline", campaign)))
    part = read(signed_in.get(url("rate-guideline", campaign), headers=FRAGMENT))
    assert "Prefer the better answer." in whole
    assert "Prefer the better answer." in part
    assert "<html" in whole
    assert "<html" not in part
    campaign.guidelines.all().delete()
    assert "no guideline yet" in read(signed_in.get(url("rate-guideline", campaign)))


def test_a_guideline_says_what_changed_since_it_was_read_and_shows_its_edge_cases(signed_in, rater, campaign):
    make_open_round(campaign)
    assert "badge new" in read(signed_in.get(url("rate", campaign)))
    assert "Changed since" not in read(signed_in.get(url("rate-guideline", campaign)))
    assert "badge new" not in read(signed_in.get(url("rate", campaign)))
    campaigns.add_guideline(campaign, "Prefer the <b>plainer</b> answer.", campaign.created_by)
    Example.objects.create(
        campaign=campaign,
        use=Example.Use.EDGE_CASE,
        messages=[{"role": "user", "content": "How long for rice?"}],
        answers=["18 minutes.", "Ah, rice!"],
        verdict=-2,
        explanation="The first *answers*.",
    )
    assert "badge new" in read(signed_in.get(url("rate", campaign)))
    html = read(signed_in.get(url("rate-guideline", campaign), headers=FRAGMENT))
    assert "Changed since you read version 1" in html
    assert "<del>better</del><ins>&lt;b&gt;plainer&lt;/b&gt;</ins>" in html
    assert "How long for rice?" in html
    assert "A is clearly better" in html
    assert "<em>answers</em>" in html
    assert "Changed since" not in read(signed_in.get(url("rate-guideline", campaign)))
    assert GuidelineRead.objects.filter(user=rater).count() == 2


def test_why_this_task_says_how_it_was_chosen_and_nothing_of_what_others_said(signed_in, rater, campaign):
    other = make_user()
    campaigns.add_rater(campaign, other, campaign.created_by)
    make_open_round(campaign, overlap=3)
    theirs = assignment.claim(other, campaign)
    judgments.submit(other, theirs.lease, idempotency_key=uuid4(), verdict=-3, comment="Rosa's secret")
    Task.objects.update(probability=0.25, selection=Task.Selection.ACTIVE)
    lease = form(read(signed_in.get(url("rate", campaign))))["lease"]
    html = read(signed_in.get(url("rate-why", campaign), {"lease": lease}, headers=FRAGMENT))
    assert "for round 1 to teach more than most; its chance was 25 %" in html
    assert "3 raters are asked" in html
    assert "1 has answered so far" in html
    assert "secret" not in html
    Task.objects.update(probability=0.0021, selection=Task.Selection.RANDOM, overlap=1)
    html = read(signed_in.get(url("rate-why", campaign), {"lease": lease}))
    assert "drawn at random for round 1; its chance was 0.21 %" in html
    assert "You alone are asked" in html
    for wrong in (str(theirs.lease), str(uuid4()), "x", ""):
        assert signed_in.get(url("rate-why", campaign), {"lease": wrong}).status_code == 404


def test_the_key_sheet_lists_the_persons_keys_that_the_campaign_has_any_use_for(signed_in, rater):
    rater.keys = {"both_bad": "b"}
    rater.save()
    campaign = make_campaign(raters=(rater,), scale=2, allow_ties=False)
    make_open_round(campaign)
    html = read(signed_in.get(url("rate", campaign)))
    rows = dict(re.findall(r'data-row="(\w+)" (hidden)?', html))
    assert {name for name, hidden in rows.items() if not hidden} >= {"verdict_1", "verdict_2", "send", "why"}
    for unused in ("verdict_3", "both_bad", "write", "rank_up", "show_all"):
        assert rows[unused] == "hidden", unused
    Campaign.objects.update(scale=7, allow_ties=True, edit_share=0.1, display_rate=5)
    html = read(signed_in.get(url("rate", campaign)))
    rows = dict(re.findall(r'data-row="(\w+)" (hidden)?', html))
    for used in ("verdict_7", "both_bad", "write", "show_all"):
        assert rows[used] == "", used
    assert '<kbd aria-hidden="true">b</kbd>' in html


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("none", "Nothing to rate just now"),
        ("preparing", "120 of 800 answers"),
        ("about to", "about to write"),
        ("taken", "1 task is left for others"),
        ("learning", "models are learning"),
        ("last", "Nothing to rate just now"),
        ("loop paused", "Nothing to rate just now"),
        ("paused", "This campaign is paused"),
        ("closed", "This campaign is finished"),
    ],
)
def test_when_there_is_nothing_to_do_the_page_says_why(signed_in, rater, campaign, reason, text):
    manager = campaign.created_by
    if reason in ("preparing", "about to"):
        round_ = make_round(campaign)
        done = {"responses_done": 120, "responses_total": 800} if reason == "preparing" else {}
        Round.objects.filter(pk=round_.pk).update(**done)
    if reason == "taken":
        other = make_user()
        campaigns.add_rater(campaign, other, manager)
        make_open_round(campaign)
        assignment.claim(other, campaign)
    if reason in ("learning", "last", "loop paused"):
        round_ = make_open_round(campaign)
        rounds.close(round_)
        Round.objects.filter(pk=round_.pk).update(origin=Round.Origin.LOOP)
        if reason == "last":
            Campaign.objects.update(max_rounds=round_.number)
        if reason == "loop paused":
            campaigns.pause_loop(campaign, "by hand", manager)
    if reason in ("paused", "closed"):
        states.change(campaign, reason, manager)
    html = read(signed_in.get(url("rate", campaign)))
    assert text in html
    assert "data-refresh" in html


def test_a_page_older_than_the_removal_of_a_criterion_is_taken_without_its_grades(signed_in, campaign):
    campaigns.set_criterion(campaign, "kind", campaign.created_by, name="Kindness")
    campaigns.set_criterion(campaign, "clear", campaign.created_by, name="Clarity")
    make_open_round(campaign, comparisons=2, edits=0)
    page = signed_in.get(url("rate", campaign)).content.decode()
    campaigns.remove_criterion(campaign, "kind", campaign.created_by)
    said = form(
        page, verdict=2, **{"grade-kind-0": 3, "grade-kind-1": 4, "grade-clear-0": 5, "grade-clear-1": 1}
    )
    assert signed_in.post(url("rate-judge", campaign), said, headers=FRAGMENT).status_code == 200
    assert set(Judgment.objects.get().criteria) == {"clear"}


def test_a_task_of_another_campaign_is_not_taken_under_this_ones_address(signed_in, campaign, rater):
    other = make_campaign(raters=(rater,), name="Elsewhere")
    make_open_round(campaign, comparisons=1, edits=0)
    page = signed_in.get(url("rate", campaign)).content.decode()
    answer = signed_in.post(url("rate-judge", other), form(page, verdict=2), headers=FRAGMENT)
    assert answer.status_code == 409
    assert not Judgment.objects.exists()


def test_who_rates_there_no_more_sends_nothing(signed_in, campaign, rater):
    make_open_round(campaign, comparisons=1, edits=0)
    said = form(signed_in.get(url("rate", campaign)).content.decode(), verdict=2)
    campaign.memberships.filter(user=rater).update(role=Role.RESEARCHER)
    assert signed_in.post(url("rate-judge", campaign), said, headers=FRAGMENT).status_code == 404
    campaign.memberships.filter(user=rater).update(role=Role.RATER)
    Campaign.objects.update(archived_at=timezone.now())
    assert signed_in.post(url("rate-judge", campaign), said, headers=FRAGMENT).status_code == 404
    assert not Judgment.objects.exists()
