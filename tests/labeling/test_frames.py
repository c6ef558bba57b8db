"""The frame that a task is filled into depends on everything that it shows."""

import re

import pytest
from django.test import RequestFactory

from labeling import assignment, rounds
from labeling.models import Campaign, Slot
from labeling.views import frames
from labeling.views.showing import shown
from labeling.views.working import member_campaign
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user


@pytest.mark.django_db
def test_a_task_filled_into_a_frame_is_the_task_rendered_by_itself(monkeypatch):
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    round_ = make_round(campaign)
    for answers in (("**bold** & <b>", ""), ("\ue0000\ue001 `x`", "two"), ("\ue0003\ue001", "a\n\n- b")):
        add_task(round_, answers)
    rounds.open_(round_)
    frames._frames.clear()
    request = RequestFactory().get("/")
    request.user = rater
    for _ in range(Slot.objects.count()):
        seen = member_campaign(rater, campaign.slug)
        slot = assignment.claim(rater, campaign)
        context = {"campaign": seen, "fragment": True, **shown(slot, seen, None)}
        framed = [frames.render_task(request, context) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(frames, "_frame_key", lambda *_: None)
            assert framed == [frames.render_task(request, context)] * 2
        Slot.objects.filter(pk=slot.pk).update(status="cancelled")
    assert len(frames._frames) == 2, "an empty answer looks different"


@pytest.mark.django_db
def test_a_page_follows_what_changes_of_its_campaign_and_its_rater(client):
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign, comparisons=2)
    client.force_login(rater)

    def look(**headers):
        page = client.get(f"/rate/{campaign.slug}/", headers={"X-Fragment": "1", **headers}).content.decode()
        lease = Slot.objects.filter(status="claimed").earliest("claimed_at").lease
        task = page.partition("<template")[0]
        assert task.count(f'name="lease" value="{lease}"') == 2
        assert f"?lease={lease}" in task
        return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|data-lease-until=\"[^\"]*\"", "", page)

    before = look()
    assert look() == before
    for change in (
        {"scale": Campaign.Scale.TWO},
        {"allow_ties": False},
        {"reasons": ["Polite"]},
        {"lease_minutes": 7},
    ):
        Campaign.objects.filter(pk=campaign.pk).update(**change)
        after = look()
        assert after != before, change
        before = after
    campaign.criteria.create(key="tone", name="Tone & voice", points=3, required=True)
    assert "Tone &amp; voice" in look()
    rater.keys = {"verdict_1": "q"}
    rater.save()
    assert '<kbd aria-hidden="true">q</kbd>' in look()
    rater.shortcuts = False
    rater.save()
    assert '<kbd aria-hidden="true">q</kbd>' not in look()
    assert "أ" in look(accept_language="ar")
