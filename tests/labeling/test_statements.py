"""A judgment and the next task take few statements, however much there is."""

import re
from collections import Counter
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from psycopg import _queries

from labeling import assignment, campaigns, judgments
from labeling.models import Campaign, Judgment, Membership, Round, Slot, Task
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = re.compile(r'data-kind="(\w+)".*?data-lease="([0-9a-f-]+)"', re.DOTALL)


@pytest.fixture
def desk():
    """Sign a rater in, with CSRF really checked, and let them hold two tasks as their page does."""
    rater = make_user()
    campaign = make_campaign(raters=(rater,), overlap=2)
    campaigns.set_criterion(campaign, "kind", campaign.created_by, name="Kindness")
    make_open_round(campaign, comparisons=8, edits=0, rankings=4, overlap=2)
    client = Client(enforce_csrf_checks=True)
    client.force_login(rater)
    return client, f"/rate/{campaign.slug}/"


def test_a_judgment_and_the_next_task_take_eight_statements_at_most(desk):
    client, url = desk
    page = client.get(url).content.decode()
    held = TASKS.findall(page)
    token = client.cookies["csrftoken"].value
    taken: Counter[str] = Counter()
    for _ in range(9):
        (kind, lease), (_, ahead) = held
        order = {"sides": 4, "rank-0": 1, "rank-1": 2, "rank-2": 3, "rank-3": 4}
        said = {"verdict": 2, "grade-kind-0": 3} if kind == "compare" else order
        body = {"lease": lease, "idempotency_key": uuid4(), "guideline": 1, "comment": "Clear.", **said}
        address = url + {"compare": "judge/", "rank": "rank/"}[kind]
        headers = {"X-Fragment": "1", "X-Holding": ahead, "X-CSRFToken": token}
        with CaptureQueriesContext(connection) as seen:
            answer = client.post(address, body, headers=headers)
        assert answer.status_code == 200
        # the session with its person, the slot with its campaign, what is stored with the claim
        assert len(seen) == 3, [query["sql"][:200] for query in seen]
        taken[kind] += 1
        text = answer.content.decode()
        held = [held[1], *TASKS.findall(text)]
    assert Judgment.objects.count() == 9
    assert set(taken) == {"compare", "rank"}
    without = {name: value for name, value in headers.items() if name != "X-CSRFToken"}
    assert client.post(address, body, headers=without).status_code == 403


def test_a_claim_keeps_its_plan_for_itself(desk):
    with connection.cursor() as cursor:
        cursor.execute("SELECT proconfig FROM pg_proc WHERE proname = 'labeling_claim'")
        assert cursor.fetchall() == [(["plan_cache_mode=force_generic_plan"],)]
    client, url = desk
    client.get(url)
    assert shown("plan_cache_mode") == "auto"


def test_the_page_without_work_takes_no_statement_for_what_it_has_read(desk):
    client, url = desk
    Slot.objects.update(status="done")
    Campaign.objects.update(max_rounds=3)
    Round.objects.update(origin=Round.Origin.LOOP)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(url).status_code == 200
    asked = [query["sql"] for query in seen]
    assert any("\"origin\" = 'loop'" in sql for sql in asked)
    assert not any('"labeling_campaign"."loop_paused"' in sql for sql in asked)
    assert len(asked) <= 16, [sql[:200] for sql in asked]


def shown(setting):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {setting}")
        return cursor.fetchone()[0]


def test_nobody_hoards_tasks_by_naming_ever_more_of_them(desk):
    client, url = desk
    held = [lease for _kind, lease in TASKS.findall(client.get(url).content.decode())]
    for _ in range(12):
        answer = client.get(url, headers={"X-Fragment": "1", "X-Holding": ",".join(held)})
        held += [lease for _kind, lease in TASKS.findall(answer.content.decode())]
    assert len(set(held)) == 11, "one beside the ten that count"


@pytest.mark.parametrize(("gold_share", "cap"), [(0, None), (1, None), (0, 5), (1, 5)])
def test_the_next_task_comes_with_the_answer_whatever_is_asked(desk, gold_share, cap):
    client, url = desk
    Campaign.objects.update(gold_share=gold_share, overlap_cap=cap)
    gold = Task.objects.filter(kind="compare").order_by("-pk")[:4]
    for task in gold:
        Task.objects.filter(pk=task.pk).update(gold=True)
        Slot.objects.filter(task=task).update(gold=True)
    client.get(url)
    with CaptureQueriesContext(connection) as seen:
        answer, (done, ahead) = judge(client, url)
    # beside the one of `judge` itself
    assert len(seen) - 1 == 3, [query["sql"][:200] for query in seen]
    [(_kind, lease)] = TASKS.findall(answer)
    slots = {str(slot.lease): slot for slot in Slot.objects.filter(rater__isnull=False)}
    assert set(slots) == {done, ahead, lease}
    assert [slots[key].status for key in (done, ahead, lease)] == ["done", "claimed", "claimed"]
    assert {slot.gold for slot in slots.values()} == {bool(gold_share)}
    assert len({slot.task_id for slot in slots.values()}) == 3


@pytest.mark.parametrize("cap", [None, 5])
def test_a_judgments_statements_are_parsed_once(desk, monkeypatch, cap):
    client, url = desk
    Campaign.objects.update(overlap_cap=cap)
    Task.objects.exclude(kind="compare").delete()
    client.get(url)
    judge(client, url)
    parsed, split = [], _queries._split_query
    monkeypatch.setattr(
        _queries, "_split_query", lambda text, *rest: (parsed.append(text), split(text, *rest))[1]
    )
    judge(client, url)
    assert not parsed


def judge(client, url):
    """Answer the first of the two tasks that are held; return what comes back, and their leases."""
    first, ahead = Slot.objects.filter(status="claimed").order_by("claimed_at").select_related("task")
    said = {"lease": first.lease, "idempotency_key": uuid4(), "verdict": 2, "grade-kind-0": 3}
    if first.task.kind == "rank":
        said |= {"sides": 4, "rank-0": 1, "rank-1": 2, "rank-2": 3, "rank-3": 4}
    token = client.cookies["csrftoken"].value
    headers = {"X-Fragment": "1", "X-Holding": str(ahead.lease), "X-CSRFToken": token}
    answer = client.post(f"{url}{'rank' if 'sides' in said else 'judge'}/", said, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode(), (str(first.lease), str(ahead.lease))


def meanwhile(happens):
    """Send a judgment while something else `happens`, after its slot was read and before it is filled."""
    member = Membership.objects.get(role="rater")
    slot = assignment.claim(member.user, member.campaign)
    first = [partial(happens, slot)]

    def said(_slot):
        if first:
            first.pop()()
        return {"verdict": 2, "both_bad": False}

    remarks = judgments.Remarks(criteria={"kind": [3, 3]})
    return slot, judgments.store(member.user, slot.lease, Task.Kind.COMPARE, uuid4(), said, remarks)


@pytest.fixture
def comparisons(desk):
    """Leave comparisons alone open."""
    Slot.objects.exclude(task__kind="compare").update(status="cancelled")


def test_a_slot_that_is_given_back_while_its_answer_is_stored_is_filled_anew(comparisons):
    with CaptureQueriesContext(connection) as seen:
        slot, judgment = meanwhile(lambda slot: assignment.release(slot.rater, slot.lease))
    locking = [query["sql"] for query in seen if "AS had_before" in query["sql"]]
    assert ["FOR UPDATE OF slot" in sql for sql in locking] == [False, True], "what was read had changed"
    slot.refresh_from_db()
    assert slot.status == Slot.Status.CANCELLED
    assert not judgment.extra
    assert judgment.slot_id != slot.pk
    task = Task.objects.get(pk=slot.task_id)
    assert task.counted == task.slots.filter(status="done").count() == 1


def test_an_answer_that_another_window_sends_meanwhile_is_stored_once(comparisons):
    def twin(slot):
        grades = {"kind": [3, 3]}
        judgments.submit(slot.rater, slot.lease, idempotency_key=uuid4(), verdict=-2, criteria=grades)

    with pytest.raises(judgments.JudgmentError, match="already answered"):
        meanwhile(twin)
    assert Judgment.objects.get().verdict == -2
    assert Slot.objects.filter(status="done").count() == 1
    assert Task.objects.filter(counted=1).count() == 1
