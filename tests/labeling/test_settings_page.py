"""The page of a campaign's settings: groups, errors at their fields, and taking the last change back."""

import re

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from labeling import campaigns
from labeling.settings_forms import GROUPS, SettingsForm
from tests.cast import make_campaign

pytestmark = pytest.mark.django_db


def saved(campaign):
    """Return what the page posts where nothing is changed."""
    form = SettingsForm(instance=campaign)
    values = {name: form[name].value() for name in form.fields}
    return {
        **{name: "" if value is None else value for name, value in values.items() if value is not False},
        "temperatures": ", ".join(map(str, campaign.temperatures)),
        "hyper": "{}",
    }


def test_each_setting_is_in_one_group_and_says_what_it_does():
    names = [name for group in GROUPS for name in group.names]
    assert sorted(names) == sorted(SettingsForm.base_fields)
    assert [name for name in names if not SettingsForm.base_fields[name].help_text] == []
    assert len({group.key for group in GROUPS}) == len(GROUPS)


def test_a_page_saved_as_it_is_changes_nothing_and_leaves_no_trace(mara, manager):
    campaign = make_campaign(by=manager)
    url = reverse("campaign_settings", args=[campaign.slug])
    assert mara.post(url, saved(campaign)).status_code == 302
    assert campaigns.last_change(campaign) is None
    assert "Undo this change" not in mara.get(url).text


def test_the_last_change_is_told_and_undone(mara, manager):
    campaign = make_campaign(by=manager)
    url = reverse("campaign_settings", args=[campaign.slug])
    changes = {
        "overlap": 3,
        "skills": "medicine, french",
        "temperature": 0.5,
        "max_rounds": 4,
        "stages": ["dpo"],
    }
    before = saved(campaign)
    mara.post(url, {**before, **changes})
    campaign.refresh_from_db()
    assert (campaign.overlap, campaign.max_rounds, campaign.stages) == (3, 4, ["dpo"])
    page = mara.get(url).text
    assert "Last changed by mara" in page
    assert re.search(r"Judgments per task</th>\s*<td[^>]*><bdi>1</bdi></td>\s*<td[^>]*><bdi>3</bdi>", page)
    number = re.search(r'name="undo" value="(\d+)"', page)[1]
    mara.post(url, {"undo": number})
    campaign.refresh_from_db()
    assert saved(campaign) == before
    # once more, and the page that still shows the first change is told so
    newest = campaigns.last_change(campaign)
    assert "changed again meanwhile" in mara.post(url, {"undo": number}, follow=True).text
    assert campaigns.last_change(campaign) == newest
    mara.post(url, {"undo": str(newest.pk)})
    campaign.refresh_from_db()
    assert (campaign.overlap, campaigns.skills_of(campaign)) == (3, ["french", "medicine"])
    assert campaign.sampling.temperature == 0.5


def test_the_change_of_another_campaign_is_not_undone_here(mara, manager):
    here, there = make_campaign(by=manager), make_campaign(by=manager)
    campaigns.update(there, manager, overlap=4)
    event = AuditEvent.objects.get(action=campaigns.CHANGED)
    mara.post(reverse("campaign_settings", args=[here.slug]), {"undo": event.pk})
    there.refresh_from_db()
    assert there.overlap == 4


def test_what_is_wrong_is_listed_on_top_in_the_contents_and_at_the_field(mara, manager):
    campaign = make_campaign(by=manager)
    url = reverse("campaign_settings", args=[campaign.slug])
    page = mara.post(url, {**saved(campaign), "pass_mark": 80}).text
    assert "Nothing is saved yet" in page
    assert '<a href="#id_pass_mark">Pass mark of the test</a>' in page
    assert re.search(r'href="#who">[^<]+</a> <span class="bad">1 to mend', page)
    assert re.search(r'<input[^>]*name="pass_mark"[^>]*aria-invalid="true"', page)


def test_over_the_api_what_was_before_is_sent_back(mara, manager):
    campaign = make_campaign(by=manager)
    api = reverse("api_campaign", args=[campaign.slug])
    before = saved(campaign)
    changes = {"overlap": 3, "skills": ["french"], "sampling": {"temperature": 0.5}, "stages": ["dpo"]}
    assert mara.patch(api, changes, content_type="application/json").status_code == 200
    event = mara.get(reverse("api_audit"), {"what": campaigns.CHANGED}).json()["results"][0]
    assert event["detail"]["before"].keys() == changes.keys()
    assert mara.patch(api, event["detail"]["before"], content_type="application/json").status_code == 200
    campaign.refresh_from_db()
    assert saved(campaign) == before


def test_what_a_change_notes_is_what_was_saved_before_it(manager):
    seen_early = make_campaign(by=manager, overlap=2)
    campaigns.update(type(seen_early).objects.get(), manager, overlap=3)
    campaigns.update(seen_early, manager, overlap=4)
    event = campaigns.last_change(seen_early)
    assert (event.detail["before"], event.detail["after"]) == ({"overlap": 3}, {"overlap": 4})


def test_a_refused_page_leads_back_to_what_is_saved(mara, manager):
    url = reverse("campaign_settings", args=[make_campaign(by=manager).slug])
    page = mara.post(url, {"overlap": "many"}).text
    assert f'href="{url}">Back to what is saved' in page
    assert 'type="reset"' not in page
