"""What the pages do, programs do too: they manage campaigns, import, and rate as their user."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts import tokens
from labeling import campaigns, quality
from labeling.models import Campaign, Judgment, Prompt, Task
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


class Program:
    """A program that acts as a user through the API."""

    def __init__(self, user: Any) -> None:
        self.client = Client(headers={"Authorization": f"Token {tokens.issue(user, 'program')}"})

    def __call__(self, method: str, view: str, /, *args: Any, query: str = "", **body: Any) -> Any:
        send = getattr(self.client, method.lower())
        address = reverse(view, args=args) + query
        return send(address) if method == "GET" else send(address, body, content_type="application/json")


@pytest.fixture
def managing(manager):
    return Program(manager)


@pytest.fixture
def rater():
    return make_user(username="rafi")


def test_a_campaign_from_creation_to_its_first_rater(managing, rater):
    made = managing(
        "POST", "api_campaigns", name="Kitchen talk", overlap=2, guideline="Be kind.",
        sampling={"temperature": 0.7, "max_new_tokens": 32},
        base_policy={"name": "base", "backend": "imported"},
    )  # fmt: skip
    assert made.status_code == 201, made.content
    assert made.json()["slug"] == "kitchen-talk"
    assert made.json()["sampling"] == {"temperature": 0.7, "top_p": 1.0, "max_new_tokens": 32, "seed": 0}
    changed = managing("PATCH", "api_campaign", "kitchen-talk", overlap=3, sampling={"top_p": 0.5})
    assert (changed.json()["overlap"], changed.json()["sampling"]["temperature"]) == (3, 0.7)
    assert managing("POST", "api_guidelines", "kitchen-talk", text="Be brief.").json()["number"] == 2
    assert managing("POST", "api_raters", "kitchen-talk", username="rafi").status_code == 201
    assert [r["username"] for r in managing("GET", "api_raters", "kitchen-talk").json()["results"]] == [
        "rafi"
    ]
    paused = managing("POST", "api_loop", "kitchen-talk", paused=True, reason="Sunday")
    assert paused.json()["loop_paused"] == "Sunday"
    assert managing("DELETE", "api_rater", "kitchen-talk", "rafi").status_code == 204
    assert not campaigns.visible_to(rater).exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "…"}, "name"),
        ({"name": "A", "overlap": 0}, "overlap"),
        ({"name": "A", "scale": 5}, "scale"),
        ({"name": "A", "sampling": {"temperature": 0}}, "sampling"),
        ({"name": "A", "base_policy": {"name": "b", "backend": "transformers", "location": "/no"}}, "detail"),
        ({"name": "A", "base_policy": {"name": "b", "backend": "magic"}}, "base_policy"),
    ],
)
def test_a_bad_campaign_is_refused_by_field_and_not_made(managing, body, field):
    answer = managing("POST", "api_campaigns", **body)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert not Campaign.objects.exists()


def test_rating_as_a_program_never_shows_a_model_and_counts_once(manager, rater):
    campaign = make_campaign(by=manager, raters=(rater,))
    make_open_round(campaign, comparisons=1, edits=0)
    rating = Program(rater)
    assert [c["slug"] for c in rating("GET", "api_rate").json()["results"]] == [campaign.slug]
    work = rating("POST", "api_next", campaign.slug).json()
    assert set(work) == {
        "task", "kind", "lease", "lease_until", "messages", "answers", "verdicts", "criteria", "guideline",
    }  # fmt: skip
    assert "writer" not in str(work)
    assert work["verdicts"] == [-3, -2, -1, 0, 1, 2, 3]
    slot = campaign.slots.get()
    texts = list(Task.objects.get().task_responses.values_list("response__text", flat=True))
    assert work["answers"] == [texts[position] for position in slot.order_shown]
    assert rating("POST", "api_heartbeat", campaign.slug, lease=work["lease"]).status_code == 204

    verdict = {"lease": work["lease"], "idempotency_key": str(uuid4()), "verdict": 2}
    wrong = rating("POST", "api_judge", campaign.slug, **{**verdict, "verdict": 9})
    assert (wrong.status_code, list(wrong.json())) == (400, ["verdict"])
    first = rating("POST", "api_judge", campaign.slug, **verdict)
    assert (first.status_code, first.json()["extra"]) == (201, False)
    assert rating("POST", "api_judge", campaign.slug, **verdict).json() == first.json()
    assert Judgment.objects.count() == 1
    assert rating("POST", "api_next", campaign.slug).status_code == 204

    back = rating("POST", "api_undo", campaign.slug)
    assert (back.status_code, back.json()["task"]) == (200, work["task"])
    assert rating("POST", "api_undo", campaign.slug).status_code == 409


def test_an_edit_by_program(manager, rater):
    campaign = make_campaign(by=manager, raters=(rater,))
    make_open_round(campaign, comparisons=0, edits=1)
    rating = Program(rater)
    work = rating("POST", "api_next", campaign.slug).json()
    assert (work["kind"], len(work["answers"]), work["verdicts"]) == ("edit", 1, [])
    submit = {"lease": work["lease"], "idempotency_key": str(uuid4())}
    unchanged = rating("POST", "api_edit", campaign.slug, **submit, text=work["answers"][0])
    assert (unchanged.status_code, list(unchanged.json())) == (400, ["text"])
    assert rating("POST", "api_edit", campaign.slug, **submit, text="Much better.").status_code == 201
    edits = Program(manager)("GET", "api_edits", campaign.slug).json()["results"]
    assert (edits[0]["edited"], edits[0]["rater"]) == ("Much better.", rater.pseudonym)


def test_a_foreign_lease_is_a_conflict_and_changes_nothing(manager, rater):
    rosa = make_user(username="rosa")
    campaign = make_campaign(by=manager, raters=(rater, rosa))
    make_open_round(campaign, comparisons=1)
    work = Program(rater)("POST", "api_next", campaign.slug).json()
    submit = {"lease": work["lease"], "idempotency_key": str(uuid4()), "verdict": 1}
    answer = Program(rosa)("POST", "api_judge", campaign.slug, **submit)
    assert answer.status_code == 409
    assert "isn't yours" in answer.json()["detail"]
    assert not Judgment.objects.exists()
    assert Program(rosa)("POST", "api_skip", campaign.slug, lease=str(uuid4())).status_code == 409


def test_an_import_by_text_and_its_errors_by_line(managing, manager):
    campaign = make_campaign(by=manager)
    text = '{"prompt": "How?", "chosen": "So.", "rejected": "Not."}\n'
    dry = managing("POST", "api_imports", campaign.slug, text=text, dry_run=True)
    assert (dry.status_code, dry.json()["prompts_added"], Prompt.objects.count()) == (200, 1, 0)
    assert managing("POST", "api_imports", campaign.slug, text=text).status_code == 201
    again = managing("POST", "api_imports", campaign.slug, text=text).json()
    assert (again["prompts_added"], again["prompts_known"]) == (0, 1)
    bad = managing("POST", "api_imports", campaign.slug, text=text + '{"prompt": 7}')
    assert bad.status_code == 400
    assert bad.json()["errors"][0]["line"] == 2
    assert managing("POST", "api_imports", campaign.slug).json() == {
        "file": ["Send either a file or a text, or name a dataset."]
    }


def test_rounds_end_once(managing, manager):
    campaign = make_campaign(by=manager)
    make_open_round(campaign, comparisons=2)
    assert managing("GET", "api_rounds", campaign.slug).json()["results"][0]["tasks"] == 2
    assert managing("POST", "api_close_round", campaign.slug, 1).json()["status"] == "closed"
    assert managing("POST", "api_cancel_round", campaign.slug, 1).status_code == 409


def test_records_are_filtered_named_by_pseudonym_and_cost_few_queries(
    managing, manager, rater, django_assert_max_num_queries
):
    campaign = make_campaign(by=manager, raters=(rater,))
    make_open_round(campaign, comparisons=6, edits=1)
    rating = Program(rater)
    for _ in range(4):
        work = rating("POST", "api_next", campaign.slug).json()
        submit = {"lease": work["lease"], "idempotency_key": str(uuid4())}
        if work["kind"] == "compare":
            rating("POST", "api_judge", campaign.slug, **submit, verdict=1)
        else:
            rating("POST", "api_edit", campaign.slug, **submit, text="Better.")
    for name in ["api_tasks", "api_judgments", "api_edits", "api_prompts", "api_rounds"]:
        with django_assert_max_num_queries(9):
            rows = managing("GET", name, campaign.slug).json()["results"]
        assert "rafi" not in str(rows)
    done = managing("GET", "api_tasks", campaign.slug, query="?status=done").json()
    assert len(done["results"]) == 4
    assert managing("GET", "api_tasks", campaign.slug, query="?round=one").status_code == 400
    for why in ("it is computed within a minute of the first judgments", "no item has two ratings yet"):
        figures = managing("GET", "api_figures", campaign.slug).json()
        assert figures["agreement"] == {"value": None, "interval": None, "n": 0, "why": why}
        quality.refresh(campaign)


def test_a_program_ranks_what_it_is_shown(rater):
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign, comparisons=0, rankings=1)
    program = Program(rater)
    work = program("POST", "api_next", campaign.slug).json()
    assert (work["kind"], len(work["answers"]), work["verdicts"]) == ("rank", 4, [])
    said = {"lease": work["lease"], "idempotency_key": str(uuid4())}
    refused = program("POST", "api_rank", campaign.slug, **said, ranking=[[0], [1]])
    assert refused.status_code == 400
    assert "ranking" in refused.json()
    best_first = sorted(range(4), key=lambda side: work["answers"][side])
    kept = program("POST", "api_rank", campaign.slug, **said, ranking=[best_first[:2], best_first[2:]])
    assert kept.status_code == 201, kept.content
    judgment = Judgment.objects.get()
    places = judgment.task.task_responses.order_by("position").values_list("response__text", flat=True)
    names = [sorted(places[position] for position in equals) for equals in judgment.ranking]
    assert names == [sorted(work["answers"][s] for s in group) for group in (best_first[:2], best_first[2:])]
