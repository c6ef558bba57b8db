"""What stands out comes strongest first, with its evidence and how often it is wrong; no more happens."""

import gzip
import json
import os
import random
from collections import Counter, defaultdict
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from labeling import assignment, edits, judgments, likeness, signals
from labeling.models import Edit, Feedback, Judgment, Likeness
from labeling.submissions import SubmissionError
from tests.cast import make_campaign, make_open_round, make_response, make_user

pytestmark = pytest.mark.django_db
LONG = "It names the pan, the heat and the time, which the other one leaves out."


@pytest.fixture
def raters():
    return make_user(username="rafi"), make_user(username="rosa")


@pytest.fixture
def campaign(raters):
    return make_campaign(raters=raters)


def say(rater, campaign, comment, active_ms=60_000):
    slot = assignment.claim(rater, campaign)
    how = {"verdict": -2, "comment": comment, "active_ms": active_ms}
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), **how)


def edit(
    rater,
    campaign,
    text="Take a fork and beat two eggs with some milk, then stir them in a hot pan.",
    **counts,
):
    slot = assignment.claim(rater, campaign)
    return edits.submit(rater, slot.lease, idempotency_key=uuid4(), text=text, signals=counts)


def kinds(found):
    return [(each.kind, [signal.kind for signal in each.signals]) for each in found]


def test_edits_that_were_pasted_come_first(campaign, raters):
    make_open_round(campaign, comparisons=0, edits=4, overlap=1)
    edit(raters[0], campaign, typed=74, typing_ms=30_000)
    edit(raters[0], campaign, typed=74, typing_ms=3_100)  # 1,432 a minute
    edit(raters[0], campaign, pasted=70, pastes=1, bursts=1, typed=4)
    edit(raters[0], campaign, typed=5)
    found = signals.strongest(campaign)
    assert kinds(found) == [("edit", ["paste"]), ("edit", ["keys"]), ("edit", ["speed"])]
    assert found[0].signals[0].evidence == "95 % of what was put in was pasted from elsewhere."
    assert "draft elsewhere" in found[0].signals[0].wrong
    assert found[0].strength == pytest.approx(70 / 74)
    assert Feedback.objects.count() == 0


def test_likeness_is_a_signal_with_its_measured_error(campaign, raters):
    make_open_round(campaign, comparisons=0, edits=1, overlap=1)
    done = edit(raters[0], campaign, typed=74, typing_ms=30_000)
    assert signals.strongest(campaign) == []
    answer = make_response(done.task.prompt, done.edited.text, policy="another")
    assert likeness.measure(done.pk).response == answer
    found = signals.strongest(campaign)[0].signals[0]
    assert (found.kind, found.strength) == ("like", 1.0)
    assert "0 of 3,600" in found.wrong
    assert Likeness.objects.count() == 1


def test_comments_that_are_fast_or_the_same(campaign, raters):
    rafi, rosa = raters
    make_open_round(campaign, comparisons=6, overlap=2)
    say(rafi, campaign, "Good.", active_ms=100)
    say(rafi, campaign, LONG, active_ms=3_000)
    say(rosa, campaign, LONG.upper() + "!")
    for _ in range(3):
        say(rafi, campaign, "the first is better because it is the first of both")
    found = {each.row.comment: [s.kind for s in each.signals] for each in signals.strongest(campaign)}
    assert found == {
        LONG: ["speed", "same"],
        LONG.upper() + "!": ["same"],
        "the first is better because it is the first of both": ["repeated"],
    }


def test_a_pasted_comment_is_a_signal_and_what_is_no_count_is_refused(campaign, raters):
    make_open_round(campaign, comparisons=2, overlap=1)
    slot = assignment.claim(raters[0], campaign)
    key = {"idempotency_key": uuid4(), "verdict": 1, "comment": LONG}
    with pytest.raises(SubmissionError) as refused:
        judgments.submit(raters[0], slot.lease, signals={"pasted": "all"}, **key)
    assert refused.value.field == "signals"
    done = judgments.submit(raters[0], slot.lease, signals={"pasted": 60, "typed": 12, "x": 1}, **key)
    assert done.meta == {"typing": {"pasted": 60, "typed": 12}}
    assert kinds(signals.strongest(campaign)) == [("judgment", ["paste"])]
    slot = assignment.claim(raters[0], campaign)
    silent = judgments.submit(raters[0], slot.lease, idempotency_key=uuid4(), verdict=1, signals={"typed": 3})
    assert silent.meta == {}  # nothing is kept of a comment that wasn't sent


def test_the_page_lists_them_and_leads_to_each(campaign, raters):
    make_open_round(campaign, comparisons=2, edits=1, overlap=1)
    for _ in range(2):
        slot = assignment.claim(raters[0], campaign)
        if slot.task.kind == "edit":
            break
        assignment.release(raters[0], slot.lease)
    while not Edit.objects.exists():
        slot = assignment.claim(raters[0], campaign)
        if slot.task.kind == "edit":
            text = {"text": "A text that somebody has pasted here, all of it."}
            edits.submit(raters[0], slot.lease, idempotency_key=uuid4(), signals={"pasted": 60}, **text)
        else:
            judgments.submit(raters[0], slot.lease, idempotency_key=uuid4(), verdict=1)
    client = Client()
    client.force_login(make_user(Role.MANAGER))
    address = reverse("review", args=[campaign.slug])
    page = client.get(address).text
    done = Edit.objects.get()
    link = f"?before=0-{done.pk + 1}#edit-{done.pk}"
    assert link in page
    assert f'id="edit-{done.pk}"' in client.get(f"{address}?before=0-{done.pk + 1}").text
    assert "What stands out" not in client.get(f"{address}?rater=rafi").text
    api = client.get(reverse("api_signals", args=[campaign.slug])).json()
    assert [(found["kind"], found["id"], found["rater"]) for found in api] == [
        ("edit", done.pk, raters[0].pseudonym)
    ]


def test_as_many_queries_for_many_as_for_few(campaign, raters):
    make_open_round(campaign, comparisons=12, edits=6, overlap=1)
    counts = []
    for times in (3, 15):
        for _ in range(times):
            slot = assignment.claim(raters[0], campaign)
            key = {"idempotency_key": uuid4()}
            if slot.task.kind == "edit":
                text = {"text": "A text that somebody has pasted here, all of it."}
                edits.submit(raters[0], slot.lease, signals={"pasted": 60}, **text, **key)
            else:
                judgments.submit(raters[0], slot.lease, verdict=1, comment=LONG, active_ms=900, **key)
        with CaptureQueriesContext(connection) as captured:
            signals.strongest(campaign)
        counts.append(len(captured))
    assert max(counts) <= 6


def test_the_errors_that_pages_name_are_those_of_real_texts():
    folder = os.environ.get("TOUCHSTONE_REAL_DATA")
    if not folder:
        pytest.skip("TOUCHSTONE_REAL_DATA is not set")
    texts, reasons = defaultdict(set), []
    with gzip.open(Path(folder) / "ukp_convarg1_train.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            texts[json.dumps(row["prompt"])] |= {answer["text"] for answer in row["responses"]}
            reasons += [
                (a["annotator"], signals.plain(a["meta"]["reason"] or "")) for a in row["annotations"]
            ]
    rng = random.Random(1)
    alike = 0
    for answers in texts.values():
        pool = sorted(text for text in answers if len(signals.plain(text).split()) >= likeness.FEWEST)
        alike += sum(likeness.share_of("", *rng.sample(pool, 2)) >= likeness.SHARE for _ in range(15))
    assert alike == 0
    counts = Counter(reason for reason in reasons if len(reason[1].split()) >= signals.FEWEST_WORDS)
    writers = Counter(words for _who, words in counts)
    n = sum(counts.values())
    assert n == 55_193
    assert round(sum(c for (_, words), c in counts.items() if writers[words] > 1) / n, 4) == 0.0028
    assert round(sum(c for c in counts.values() if c >= signals.OFTEN) / n, 3) == 0.036
    assert Judgment.objects.count() == 0
