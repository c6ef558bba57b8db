from collections import Counter

import pytest
from django.core.management import call_command

from accounts.models import Role, User
from labeling import demo, demo_tour, members
from labeling.models import Campaign, Slot
from models_app import registry
from models_app.models import ModelVersion

pytestmark = pytest.mark.django_db


def test_the_demo_is_loaded_once_and_follows_the_checkout(capsys):
    call_command("load_demo")
    assert "2400 prompts" in capsys.readouterr().out
    ModelVersion.objects.update(location="/where/it/was")
    call_command("load_demo")
    said = capsys.readouterr().out
    assert demo.PASSWORD in said
    assert "Loaded" not in said
    base = registry.champion(demo.SLUG, "policy")
    assert base is not None
    assert base.location == str(demo.POLICY)
    rater = User.objects.get(username="rater")
    assert rater.check_password(demo.PASSWORD)
    assert {c.slug for c in members.rated_by(rater)} == {demo_tour.SLUG, demo.SLUG}
    assert User.objects.filter(role=Role.RATER).count() == 2


def test_the_demo_prompts_are_split_as_every_prompt():
    campaign, created = demo.load()
    assert created
    shares = [campaign.prompts.filter(split=split).count() / demo.PROMPTS for split in ("train", "test")]
    assert shares == pytest.approx([0.75, 0.20], abs=0.03)


def test_the_tour_has_every_kind_of_task_and_a_way_in():
    demo.load()
    tour = Campaign.objects.get(slug=demo_tour.SLUG)
    kinds = Counter(tour.tasks.values_list("kind", flat=True))
    assert kinds["compare"] >= 22
    assert (kinds["rank"], kinds["edit"], kinds["chat"]) == (2, 4, 2)
    assert Slot.objects.filter(campaign=tour).count() == tour.overlap * tour.tasks.count()
    assert Counter(tour.examples.values_list("use", flat=True)) == {"edge_case": 2, "practice": 2, "test": 3}
    assert tour.guidelines.count() == 2
