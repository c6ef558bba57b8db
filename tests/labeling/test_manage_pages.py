"""A manager makes a campaign, fills it, changes it, and sees how far it is."""

import gzip
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import AuditEvent, Pool
from labeling import campaigns, members
from labeling.models import Campaign, Prompt, Round
from models_app import registry
from models_app.demo import corpus
from tests.cast import make_campaign, make_open_round, make_prompt, make_user

pytestmark = pytest.mark.django_db
DEMO_POLICY = corpus.__file__.replace("corpus.py", "policy")

SETTINGS = {
    "name": "Kitchen talk", "scale": 4, "allow_ties": "on", "overlap": 2, "lease_minutes": 10,
    "certainty": 0.9, "tasks_per_round": 50, "edit_share": 0.1, "retrain_after": 40, "max_rounds": 3,
    "temperature": 0.9,
    "stages": ["sft", "best_of_n"], "top_p": 0.95, "max_new_tokens": 64,
    "rank_share": 0.2, "rank_size": 5, "chat_share": 0.1, "chat_turns": 3, "reasons": "Right\r\nKind",
    "display_rate": 20, "undo_minutes": 30, "skills": "french, medicine", "pass_mark": 0.8,
    "test_attempts": 3, "show_figures": "on",
}  # fmt: skip


def test_settings_are_saved(mara, manager):
    campaign = make_campaign(by=manager)
    done = mara.post(reverse("campaign_settings", args=[campaign.slug]), SETTINGS)
    assert done["Location"] == reverse("campaign_settings", args=[campaign.slug])
    campaign.refresh_from_db()
    assert (campaign.name, campaign.scale, campaign.overlap) == ("Kitchen talk", 4, 2)
    assert campaign.stages == ["sft", "best_of_n"]
    assert (campaign.edit_share, campaign.rank_share, campaign.rank_size) == (0.1, 0.2, 5)
    assert (campaign.chat_share, campaign.chat_turns, campaign.display_rate) == (0.1, 3, 20)
    assert (campaign.reasons, campaign.undo_minutes) == (["Right", "Kind"], 30)
    assert (campaign.pass_mark, campaign.test_attempts, campaign.show_figures) == (0.8, 3, True)
    assert campaigns.skills_of(campaign) == ["french", "medicine"]
    assert str(campaign.sampling) == "T=0.9 top-p=0.95 ≤64 tokens, seed 0"


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"overlap": 0}, "overlap", "greater than or equal to 1"),
        ({"scale": 5}, "scale", "Select a valid choice"),
        ({"edit_share": -1}, "edit_share", "greater than or equal to 0"),
        ({"edit_share": 2}, "edit_share", "must not add up to more than 1"),
        ({"rank_share": 0.9}, "edit_share", "must not add up to more than 1"),
        ({"rank_size": 2}, "rank_size", "greater than or equal to 3"),
        ({"pass_mark": 80}, "pass_mark", "less than or equal to 1"),
        ({"reasons": "x" * 41}, "reasons", "longer than 40 characters"),
        ({"skills": "plain french"}, "skills", "a skill"),
        ({"hyper": '{"polcy": {}}'}, "hyper", "object with “reward” and “policy”"),
    ],
)
def test_a_bad_setting_is_named_and_nothing_is_changed(mara, manager, change, field, says):
    campaign = make_campaign(by=manager)
    page = mara.post(reverse("campaign_settings", args=[campaign.slug]), {**SETTINGS, **change})
    assert page.status_code == 200
    assert says in str(page.context["form"].errors[field])
    assert Campaign.objects.get().name == campaign.name


def test_changed_settings_are_audited_with_what_they_were(mara, manager):
    campaign = make_campaign(by=manager)
    mara.post(reverse("campaign_settings", args=[campaign.slug]), {**SETTINGS, "overlap": 3})
    campaign.refresh_from_db()
    assert campaign.overlap == 3
    assert campaigns.skills_of(campaign) == ["french", "medicine"]
    event = AuditEvent.objects.get(action="change settings")
    assert (event.detail["before"]["overlap"], event.detail["after"]["overlap"]) == (1, 3)


def test_a_guideline_is_versioned_rendered_and_cannot_run_script(mara, manager):
    campaign = make_campaign(by=manager, guideline="")
    address = reverse("guideline", args=[campaign.slug])
    mara.post(address, {"text": "# First"})
    page = mara.post(address, {"text": "**Second** <script>alert(1)</script>"}, follow=True)
    assert list(campaign.guidelines.values_list("number", flat=True)) == [1, 2]
    assert "<strong>Second</strong>" in page.text
    mara.post(address, {"text": "**Second** <script>alert(1)</script>\r\n"})
    assert campaign.guidelines.count() == 2
    assert "<script>alert" not in page.text


def test_raters_are_added_counted_and_removed(mara, manager):
    campaign = make_campaign(by=manager)
    rafi = make_user(username="rafi")
    address = reverse("campaign_raters", args=[campaign.slug])
    assert "rafi" in mara.post(address, {"users": [rafi.pk]}, follow=True).text
    assert members.rated_by(rafi).get() == campaign
    mara.post(reverse("remove_rater", args=[campaign.slug, rafi.pk]))
    assert not members.rated_by(rafi).exists()


def test_whom_to_add_is_found_by_name_and_pool_page_by_page(mara, manager, django_assert_max_num_queries):
    campaign = make_campaign(by=manager)
    crowd = [make_user(username=f"crowd-{n:02}") for n in range(60)]
    night = Pool.objects.create(name="Night shift")
    night.members.add(*crowd[:3])
    address = reverse("campaign_raters", args=[campaign.slug])

    def shown(**query):
        return [person.username for person in mara.get(address, query).context["could"]]

    assert len(shown()) == 50
    assert shown(more=2)[-2:] == ["crowd-59", "mara"]
    assert shown(find="D-2") == [f"crowd-2{n}" for n in range(10)]
    assert shown(pool=night.pk, find="02") == ["crowd-02"]
    assert "Nobody like that" in mara.get(address, {"find": "nobody"}).text
    refused = mara.post(address, {"csrfmiddlewaretoken": "as a browser sends"})
    assert (refused.status_code, "Tick at least one person." in refused.text) == (400, True)
    mara.post(address, {"users": [crowd[3].pk, crowd[59].pk]})
    assert campaign.memberships.count() == 2
    with django_assert_max_num_queries(30):
        assert "crowd-03" not in shown(find="crowd-0")


def upload_and(how, mara, campaign, name, content):
    """Upload a file, see its first rows, and check or import it as it was guessed."""
    address = reverse("import", args=[campaign.slug])
    page = mara.post(address, {"file": SimpleUploadedFile(name, content)}, follow=True)
    assert "not imported yet" in page.text
    start = reverse("start_import", args=[campaign.slug, page.context["import"].pk])
    return mara.post(start, {"how": how}, follow=True)


def test_an_import_is_checked_then_kept(mara, manager):
    campaign = make_campaign(by=manager)
    rows = [{"prompt": f"Question {n}?", "chosen": "Yes.", "rejected": "No."} for n in range(3)]
    upload = gzip.compress("\n".join(map(json.dumps, rows)).encode())

    checked = upload_and("check", mara, campaign, "p.jsonl.gz", upload)
    assert "This would be imported" in checked.text
    assert not Prompt.objects.exists()
    keep = reverse("keep_import", args=[campaign.slug, checked.context["import"].pk])
    assert "Imported" in mara.post(keep, follow=True).text
    assert Prompt.objects.count() == 3
    again = upload_and("import", mara, campaign, "p.jsonl.gz", upload)
    assert "0 new, 3 known already" in again.text


@pytest.mark.parametrize(
    ("upload", "says"),
    [
        (gzip.compress(b'{"prompt": "How?"}\n' * 50, mtime=0)[:-20], "truncated|ends|cut|incomplete|damaged"),
        (b'{"prompt": "How?"}\n' * 699 + b"{oops", "700"),
        (b"\xff\xfe\x00", "UTF-8|text"),
    ],
)
def test_a_bad_upload_is_refused_by_line_and_changes_nothing(mara, manager, upload, says):
    campaign = make_campaign(by=manager)
    page = upload_and("import", mara, campaign, "p.jsonl", upload)
    assert "Nothing was imported" in page.text
    shown = page.text[page.text.index("<main") :]
    assert any(word in shown for word in says.split("|"))
    assert not Prompt.objects.exists()


def test_neither_or_both_of_file_and_text_is_said_so(mara, manager):
    campaign = make_campaign(by=manager)
    page = mara.post(reverse("import", args=[campaign.slug]), {"text": ""})
    assert "one of the two" in page.text


def test_a_round_is_started_closed_and_refused_in_words(mara, manager):
    campaign = make_campaign(by=manager)
    start = reverse("start_round", args=[campaign.slug])
    page = mara.post(start, follow=True)
    assert "no champion policy" in page.text
    policy = registry.register(campaign.model_family, "policy", "base", "imported")
    registry.promote(policy, by=manager, reason="to begin")
    assert "no prompts yet" in mara.post(start, follow=True).text
    assert not Round.objects.exists()
    make_prompt(campaign)
    mara.post(start)
    round_ = Round.objects.get()
    assert round_.status == Round.Status.GENERATING
    assert "already has a round under way" in mara.post(start, follow=True).text
    end = reverse("end_round", args=[campaign.slug, round_.number])
    assert "can&#x27;t become closed" in mara.post(end, {"how": "close"}, follow=True).text
    mara.post(end, {"how": "cancel", "reason": "wrong prompts"})
    assert round_.events.get(after="cancelled").reason == "wrong prompts"


def test_pausing_stops_assignment_and_the_loop_and_says_why(mara, manager):
    campaign = make_campaign(by=manager)
    mara.post(reverse("set_status", args=[campaign.slug]), {"status": "paused"})
    page = mara.post(
        reverse("set_loop", args=[campaign.slug]), {"paused": "yes", "reason": "Sunday"}, follow=True
    )
    campaign.refresh_from_db()
    assert (campaign.status, campaign.loop_paused) == ("paused", "Sunday")
    mara.post(reverse("set_loop", args=[campaign.slug]), {"paused": "no"})
    campaign.refresh_from_db()
    assert campaign.loop_paused == ""
    page = mara.post(reverse("set_status", args=[campaign.slug]), {"status": "asleep"}, follow=True)
    assert "can&#x27;t be “asleep”" in page.text


def test_the_list_asks_as_many_queries_for_many_campaigns_as_for_one(
    mara, manager, django_assert_max_num_queries
):
    make_open_round(make_campaign(by=manager), comparisons=2)
    address = reverse("campaigns")
    mara.get(address)
    with django_assert_max_num_queries(8) as one:
        mara.get(address)
    cost = len(one)
    for _ in range(5):
        make_open_round(make_campaign(by=manager, raters=(make_user(),)))
    with django_assert_max_num_queries(cost):
        page = mara.get(address)
    assert page.text.count("/campaigns/campaign-") == 6


def test_criteria_are_added_changed_and_removed(mara, manager):
    campaign = make_campaign(by=manager)
    address = reverse("criteria", args=[campaign.slug])
    mara.post(address, {"key": "kind", "name": "Kindness", "points": 5})
    mara.post(address, {"key": "kind", "name": "How kind?", "points": 3, "required": "on"})
    criterion = campaign.criteria.get()
    assert (criterion.name, criterion.points, criterion.required) == ("How kind?", 3, True)
    assert "How kind?" in mara.get(reverse("campaign_settings", args=[campaign.slug])).text
    page = mara.post(address, {"key": "no key", "name": "", "points": 99})
    assert set(page.context["form"].errors) == {"key", "name", "points"}
    mara.post(reverse("remove_criterion", args=[campaign.slug, "kind"]))
    assert not campaign.criteria.exists()
