"""What a manager does about a rater's work in one campaign: pause, release, message, skills."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Skill
from labeling import assignment, messages, pausing, progress
from labeling.models import Feedback, Slot
from labeling.reviews import ReviewError
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rafi():
    return make_user(username="rafi")


@pytest.fixture
def campaign(manager, rafi):
    campaign = make_campaign(by=manager, raters=(rafi, make_user(username="rosa")))
    make_open_round(campaign, comparisons=3, overlap=1)
    return campaign


def sign_in(user):
    client = Client()
    client.force_login(user)
    return client


def test_a_paused_rater_gets_nothing_new_here_and_is_told(manager, rafi, campaign):
    office = sign_in(manager)
    office.post(reverse("pause_rater", args=[campaign.slug, rafi.pk]), {"paused": "yes"})
    assert assignment.claim(rafi, campaign) is None
    assert progress.waiting(rafi, campaign).reason == "held_back"
    assert "You are paused here" in sign_in(rafi).get(reverse("rate", args=[campaign.slug])).text
    assert "no new tasks for now" in sign_in(rafi).get(reverse("home")).text
    assert "paused" in office.get(reverse("campaign_raters", args=[campaign.slug])).text
    elsewhere = make_campaign(by=manager, raters=(rafi,))
    make_open_round(elsewhere)
    assert assignment.claim(rafi, elsewhere) is not None
    office.post(reverse("pause_rater", args=[campaign.slug, rafi.pk]), {"paused": "no"})
    assert assignment.claim(rafi, campaign) is not None
    actions = AuditEvent.objects.filter(action__endswith="e rater").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["pause rater", "resume rater"]


def test_what_a_rater_holds_is_given_to_others(manager, rafi, campaign):
    slot = assignment.claim(rafi, campaign)
    office = sign_in(manager)
    page = office.post(reverse("release_rater", args=[campaign.slug, rafi.pk]), follow=True)
    assert "1 task is free for others." in page.text
    assert not Slot.objects.filter(rater=rafi, status=Slot.Status.CLAIMED).exists()
    assert Slot.objects.filter(task=slot.task_id, status=Slot.Status.OPEN).count() == 1
    assert pausing.release(campaign, rafi, manager) == 0


def test_a_message_is_seen_at_home_and_above_the_work_until_it_is_read(manager, rafi, campaign):
    office = sign_in(manager)
    office.post(reverse("message_raters", args=[campaign.slug]), {"text": "Look at the <b>units</b>."})
    assert Feedback.objects.count() == 2
    client, work = sign_in(rafi), reverse("rate", args=[campaign.slug])
    for address in (reverse("home"), work):
        assert "Look at the &lt;b&gt;units" in client.get(address).text
    assert 'template class="word"' in client.get(work, headers={"X-Fragment": "1"}).text
    word = Feedback.objects.get(rater=rafi)
    rosas = Feedback.objects.exclude(rater=rafi).get()
    client.post(reverse("read_word", args=[rosas.pk]))
    done = client.post(reverse("read_word", args=[word.pk]), {"next": work})
    assert done["Location"] == work
    assert (
        client.post(reverse("read_word", args=[word.pk]), {"next": "//evil.example"})["Location"]
        == "/feedback/"
    )
    assert "units" not in client.get(work).text
    assert Feedback.objects.filter(read_at=None).get() == rosas


def test_a_message_to_one_is_for_one_and_an_empty_one_for_nobody(manager, rafi, campaign):
    office = sign_in(manager)
    office.post(reverse("message_rater", args=[campaign.slug, rafi.pk]), {"text": "Thank you."})
    page = office.post(reverse("message_rater", args=[campaign.slug, rafi.pk]), {"text": " "}, follow=True)
    assert "Write what the rater should know." in page.text
    assert Feedback.objects.get().rater == rafi
    assert "Thank you." in sign_in(rafi).get(reverse("feedback")).text
    with pytest.raises(ReviewError):
        messages.send(manager, make_campaign(by=manager), "Hello?")


def test_only_the_skills_that_the_campaign_asks_for_change(manager, rafi, campaign):
    arabic, english, law = (Skill.objects.create(name=name) for name in ("arabic", "english", "law"))
    campaign.skills.set([arabic, english])
    rafi.skills.set([english, law])
    address = reverse("rater_skills", args=[campaign.slug, rafi.pk])
    sign_in(manager).post(address, {"skill": ["arabic", "medicine"]})
    assert sorted(rafi.skills.values_list("name", flat=True)) == ["arabic", "law"]
    assert "Their work here" in sign_in(manager).get(reverse("rater", args=[campaign.slug, rafi.pk])).text


def test_others_are_not_theirs_to_look_after(manager, campaign):
    stranger = make_user()
    for name in ("pause_rater", "release_rater", "message_rater", "rater_skills"):
        assert sign_in(manager).post(reverse(name, args=[campaign.slug, stranger.pk])).status_code == 404
