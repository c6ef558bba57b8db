import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import AuditEvent, Role
from labeling import campaigns, members
from labeling.models import Campaign, Guideline
from models_app import registry
from tests.cast import make_campaign, make_user

pytestmark = pytest.mark.django_db


def test_create_makes_family_guideline_and_audit_row():
    mara = make_user(Role.MANAGER)
    base = {"name": "base", "backend": "imported"}
    campaign = campaigns.create(
        name="Kind answers", by=mara, guideline="Be kind.", base_policy=base, overlap=3
    )
    assert (campaign.slug, campaign.model_family, campaign.overlap) == ("kind-answers", "kind-answers", 3)
    assert campaign.guidelines.get().number == 1
    champion = registry.champion("kind-answers", "policy")
    assert champion is not None
    assert champion.name == "base"
    assert champion.promotions.get().by == mara
    assert AuditEvent.objects.filter(action="create campaign", actor=mara).exists()


def test_create_refuses_a_taken_name():
    mara = make_user(Role.MANAGER)
    campaigns.create(name="Kind answers", by=mara)
    with pytest.raises(campaigns.CampaignError, match="already a campaign") as error:
        campaigns.create(name="Kind answers", by=mara)
    assert error.value.field == "slug"
    assert Campaign.objects.count() == 1


def test_a_campaign_cannot_take_the_address_of_the_page_that_makes_them():
    with pytest.raises(campaigns.CampaignError, match="choose another"):
        campaigns.create(name="New", by=make_user(Role.MANAGER))


def test_guidelines_are_numbered_and_an_unchanged_text_adds_none():
    campaign = make_campaign(guideline="One.")
    mara = make_user(Role.MANAGER)
    assert campaigns.add_guideline(campaign, "Two.", mara).number == 2
    assert campaigns.add_guideline(campaign, "Two.", mara).number == 2
    assert campaign.guidelines.count() == 2


def test_the_database_refuses_to_change_a_guideline():
    guideline = make_campaign().guidelines.get()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Guideline.objects.filter(pk=guideline.pk).update(text="Other rules.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM labeling_guideline WHERE id = %s", [guideline.pk])
        assert cursor.fetchone() == ("Prefer the better answer.",)


def test_raters_see_their_own_campaigns_and_managers_all():
    rafi, rosa = make_user(), make_user()
    mine = make_campaign(raters=(rafi,))
    other = make_campaign(raters=(rosa,))
    assert list(members.rated_by(rafi)) == [mine]
    assert set(campaigns.visible_to(make_user(Role.RESEARCHER))) == {mine, other}
    draft = make_campaign(raters=(rafi,), status=Campaign.Status.DRAFT)
    assert draft not in members.rated_by(rafi)


def test_loop_pauses_with_a_reason_and_resumes():
    campaign, mara = make_campaign(), make_user(Role.MANAGER)
    campaigns.pause_loop(campaign, "Answers got too long.", mara)
    assert campaign.loop_paused == "Answers got too long."
    campaigns.resume_loop(campaign, mara)
    assert campaign.loop_paused == ""


def test_removed_rater_no_longer_sees_the_campaign():
    rafi, mara = make_user(), make_user(Role.MANAGER)
    campaign = make_campaign(raters=(rafi,))
    campaigns.remove_rater(campaign, rafi, mara)
    assert list(members.rated_by(rafi)) == []
