"""From nothing to a campaign that runs: the pages of the setup, copies, the archive, and their API."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts import tokens
from labeling import campaigns, cloning, golds, rounds, setup
from labeling.models import Campaign, Gold
from models_app import registry
from tests.cast import (
    add_task,
    make_campaign,
    make_example,
    make_open_round,
    make_prompt,
    make_round,
    make_user,
)

pytestmark = pytest.mark.django_db


def imported(campaign: Campaign, tasks: int = 1) -> None:
    round_ = make_round(campaign)
    for _ in range(tasks):
        add_task(round_)
    rounds.open_(round_)


def at(name: str, campaign: Campaign) -> str:
    return reverse(name, args=[campaign.slug])


def test_step_by_step_with_nothing_but_next(mara):
    done = mara.post(reverse("new_campaign"), {"name": "Kitchen talk", "kind": "compare"})
    campaign = Campaign.objects.get()
    assert (campaign.status, done["Location"]) == ("draft", at("setup_question", campaign))
    again = mara.post(reverse("new_campaign"), {"name": "Kitchen talk", "kind": "compare"})
    assert "There is already a campaign at “kitchen-talk”." in again.text
    done = mara.post(
        done["Location"], {"scale": 7, "allow_ties": "on", "common": ["helpful"], "own": "Well sourced"}
    )
    assert done["Location"] == at("guideline", campaign)
    assert dict(campaign.criteria.values_list("key", "name")) == {
        "helpful": "Helpful",
        "well-sourced": "Well sourced",
    }
    page = mara.get(done["Location"])
    assert "Which of them is better?" in page.text
    assert "Publish and go on: Prompts" in page.text
    done = mara.post(at("guideline", campaign), {"text": page.context["form"]["text"].value()})
    assert done["Location"] == at("import", campaign)
    assert "Next:" not in mara.get(done["Location"]).text  # nothing is imported yet
    make_prompt(campaign)
    assert f'href="{at("setup_answers", campaign)}">Next: Answers' in mara.get(done["Location"]).text
    done = mara.post(at("setup_answers", campaign), {"base": "demo"})
    assert done["Location"] == at("campaign_invitations", campaign)
    assert registry.champion("kitchen-talk", "policy").name == "demo"
    form = {"overlap": 2, "gold_share": 0.1, "repeat_share": 0, "test_attempts": 2}
    done = mara.post(at("setup_checks", campaign), form)
    assert done["Location"] == at("setup_training", campaign)
    form = {"tasks_per_round": 50, "retrain_after": 40, "stages": ["sft"]}
    done = mara.post(done["Location"], form)
    page = mara.get(done["Location"])
    assert "Nobody could rate: add or invite at least one person." in page.text
    assert "Start the campaign" not in page.text
    assert mara.get(at("setup", campaign))["Location"] == at("campaign_invitations", campaign)
    campaigns.add_rater(campaign, make_user(), campaign.created_by)
    assert "Start the campaign" in mara.get(done["Location"]).text
    mara.post(at("set_status", campaign), {"status": "active"})
    campaign.refresh_from_db()
    assert (campaign.status, campaign.overlap, campaign.retrain_after) == ("active", 2, 40)
    assert mara.get(at("setup_checks", campaign))["Location"] == at("campaign_settings", campaign)


@pytest.mark.parametrize("kind", ["edit", "rank", "chat", "mixed"])
def test_the_kind_sets_the_shares_and_the_guideline_to_begin_with(mara, kind):
    mara.post(reverse("new_campaign"), {"name": "Talk", "kind": kind})
    campaign = Campaign.objects.get()
    assert setup.kind_of(campaign) == kind
    campaigns.update(campaign, campaign.created_by, edit_share=0.3, rank_share=0, chat_share=0)
    assert setup.kind_of(campaign) == "mixed"
    form = {"name": "Talks", "kind": "mixed", "description": ""}
    mara.post(at("setup_basics", campaign), form)
    campaign.refresh_from_db()
    assert (campaign.name, campaign.edit_share) == ("Talks", 0.3)  # a mixture of one's own stays
    assert setup.first_guideline(campaign).startswith("## What we ask")


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"base": "existing"}, "existing", "Choose one of the registered models"),
        ({"base": "transformers"}, "location", "Say where the model is"),
        (
            {"base": "transformers", "location": "/no/such/model"},
            "location",
            "There is no folder /no/such/model",
        ),
        ({"base": "openai_compatible", "location": "http://x"}, "server_model", "Name the model"),
    ],
)
def test_a_policy_that_cannot_be_is_named_and_nothing_is_registered(mara, change, field, says):
    campaign = make_campaign(status="draft")
    page = mara.post(at("setup_answers", campaign), change)
    assert page.status_code == 400
    assert says in str(page.context["form"].errors[field])
    assert not registry.ModelVersion.objects.exists()


def test_known_verdicts_become_gold_tasks_with_the_step(mara):
    campaign = make_campaign(status="draft", allow_ties=False)
    imported(campaign, 2)
    first, second = campaign.tasks.order_by("pk")
    form = {"overlap": 1, "gold_share": 0.2, "repeat_share": 0, "test_attempts": 2, "pass_mark": ""}
    page = mara.get(at("setup_checks", campaign))
    assert page.text.count("Not known") == 2
    refused = mara.post(at("setup_checks", campaign), form | {f"known-{first.pk}": 2, "gold_share": 7})
    assert refused.status_code == 400
    assert not Gold.objects.exists()
    mara.post(at("setup_checks", campaign), form | {f"known-{first.pk}": 2})
    assert golds.in_use(campaign).get().verdict == 2
    assert f"known-{second.pk}" in mara.get(at("setup_checks", campaign)).text


def test_the_preview_shows_the_raters_page_and_cannot_send(mara, manager):
    campaign = make_campaign(by=manager, status="draft", rank_size=4)
    campaigns.set_criteria(campaign, manager, {"helpful": "Helpful"})
    page = mara.get(at("preview_page", campaign))
    assert "fresh basil" in page.text
    assert "Helpful" in page.text
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    assert "form-action 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'none'" in mara.get(at("preview", campaign)).headers["Content-Security-Policy"]
    make_open_round(campaign, comparisons=1, edits=1, rankings=1)
    for kind, says in [
        ("compare", "Answer one, 0."),
        ("edit", "to be mended, 0"),
        ("rank", "The third of four"),
    ]:
        assert says in mara.get(at("preview_page", campaign), {"kind": kind}).text
    assert "A conversation" in mara.get(at("preview_page", campaign), {"kind": "chat"}).text
    assert mara.get(at("preview", campaign), {"kind": "chat", "size": "phone"}).status_code == 200
    assert not campaign.tasks.exclude(counted=0).exists()


def test_a_copy_has_everything_but_what_people_said(mara, manager):
    rafi = make_user()
    campaign = make_campaign(
        by=manager, raters=(rafi,), scale=4, overlap=2, skills=["french"], bands={"x": 1}
    )
    campaigns.set_criterion(campaign, "kind", manager, name="Kind", points=3, required=True)
    make_example(campaign, "practice")
    imported(campaign, 2)
    golds.make(campaign.tasks.order_by("pk")[0], manager, 2, explanation="It says why.")
    page = mara.post(at("clone_campaign", campaign), {"name": campaign.name, "prompts": "on"})
    assert "There is already a campaign" in page.text
    form = {"name": "The copy", "prompts": "on", "raters": "on", "policy": "on"}
    done = mara.post(at("clone_campaign", campaign), form)
    copy = Campaign.objects.get(slug="the-copy")
    assert done["Location"] == at("setup", copy)
    assert (copy.status, copy.model_family, copy.setup_seen) == ("draft", "the-copy", [])
    same = set(cloning.setting_names()) - {"sampling"}
    assert {name: getattr(copy, name) for name in same} == {name: getattr(campaign, name) for name in same}
    assert campaigns.skills_of(copy) == ["french"]
    assert list(copy.criteria.values_list("key", "points", "required")) == [("kind", 3, True)]
    assert copy.guidelines.get().text == "Prefer the better answer."
    assert copy.examples.get().explanation == campaign.examples.get().explanation
    hashes = campaign.prompts.order_by("content_hash").values_list("content_hash", "split")
    assert list(copy.prompts.order_by("content_hash").values_list("content_hash", "split")) == list(hashes)
    gold = golds.in_use(copy).get()
    assert (gold.verdict, gold.explanation, gold.task.task_responses.count()) == (2, "It says why.", 2)
    assert copy.memberships.get().user == rafi
    imported(copy)
    campaigns.update(copy, manager, gold_share=1.0)
    Campaign.objects.filter(pk=copy.pk).update(status="active")
    copy.refresh_from_db()
    golds.tend(copy)
    assert copy.tasks.get(gold=True).round.status == "open"
    cloning.clone(campaign, "Bare", manager, prompts=False, raters=False)
    bare = Campaign.objects.get(slug="bare")
    assert [rows.count() for rows in (bare.prompts, bare.memberships, bare.tasks)] == [0, 0, 0]


def test_an_archived_campaign_leaves_the_lists_and_takes_no_change(mara, manager):
    campaign = make_campaign(by=manager, status="closed", name="Old talk")
    mara.post(at("archive", campaign), {"archived": "yes"})
    assert "Old talk" not in mara.get(reverse("campaigns")).text
    assert "Old talk" in mara.get(reverse("campaigns"), {"archived": "yes"}).text
    assert "Archived since" in mara.get(at("guideline", campaign)).text
    assert mara.post(at("guideline", campaign), {"text": "New."}).status_code == 403
    mara.post(at("archive", campaign), {"archived": "no"})
    assert mara.post(at("guideline", campaign), {"text": "New."}).status_code == 302


def test_the_api_does_what_the_pages_do(manager):
    api = Client(headers={"authorization": f"Bearer {tokens.issue(manager, 'nightly')}"})

    def send(name: str, campaign: Campaign, body: dict[str, object], method: str = "post") -> object:
        return getattr(api, method)(at(name, campaign), body, content_type="application/json")

    made = api.post(
        reverse("api_campaigns"), {"name": "Talk", "status": "draft"}, content_type="application/json"
    )
    assert made.status_code == 201
    campaign = Campaign.objects.get()
    found = api.get(at("api_setup", campaign)).json()
    assert [lack["step"] for lack in found["lacks"]] == ["prompts", "raters"]
    refused = send("api_campaign", campaign, {"status": "active"}, "patch")
    assert (refused.status_code, Campaign.objects.get().status) == (409, "draft")
    assert "nothing to ask about yet" in refused.json()["detail"]
    policy = {"name": "base", "backend": "imported"}
    assert send("api_base_policy", campaign, policy).status_code == 201
    make_prompt(campaign)
    campaigns.add_rater(campaign, make_user(), manager)
    assert send("api_campaign", campaign, {"status": "active"}, "patch").status_code == 200
    assert send("api_archive", campaign, {}).status_code == 409
    assert send("api_campaign", campaign, {"status": "closed"}, "patch").status_code == 200
    assert send("api_archive", campaign, {}).json()["archived_at"]
    assert send("api_campaign", campaign, {"overlap": 2}, "patch").status_code == 403
    copy = send("api_clone", campaign, {"name": "Talk again", "raters": False})
    assert (copy.status_code, copy.json()["status"]) == (201, "draft")
    listed = [row["slug"] for row in api.get(reverse("api_campaigns")).json()["results"]]
    assert listed == ["talk-again"]
    listed = [
        row["slug"] for row in api.get(reverse("api_campaigns"), {"archived": "true"}).json()["results"]
    ]
    assert listed == ["talk"]
    assert send("api_archive", campaign, {"archived": False}).json()["archived_at"] is None
