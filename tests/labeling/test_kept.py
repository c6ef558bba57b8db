"""What is kept of a page depends on everything that it shows."""

import re

import pytest
from django.template import Context, Template
from django.utils import translation

from labeling.models import Campaign, Slot
from labeling.templatetags import kept
from tests.cast import make_campaign, make_open_round, make_user


def test_the_inside_is_rendered_once_for_each_look_and_language():
    asked = []
    template = Template("{% load kept i18n %}{% kept look %}{{ ask }} {% translate 'Close' %}{% endkept %}")

    def render(look, language="en"):
        with translation.override(language):
            return template.render(Context({"look": look, "ask": lambda: asked.append(look) or len(asked)}))

    assert [render("a"), render("b"), render("a")] == ["1 Close", "2 Close", "1 Close"]
    assert render("a", "ar") != "1 Close"
    assert [render(None), render("")] == ["4 Close", "5 Close"]
    for number in range(kept.LOOKS + 2):
        render(number)
    assert len(template.nodelist[1].kept) <= kept.LOOKS


def test_what_is_named_as_different_each_time_is_never_kept():
    template = Template(
        "{% load kept %}{% kept 'a' except one two %}{{ n }}<{{ two }},{{ one }},{{ two }}>{% endkept %}"
    )

    def render(n, one, two):
        return template.render(Context({"n": n, "one": one, "two": two}))

    assert render(1, "x-1", "y&1") == "1<y&amp;1,x-1,y&amp;1>"
    assert render(2, "x-2", "<i>") == "1<&lt;i&gt;,x-2,&lt;i&gt;>"
    assert render(3, None, "y-3") == "3<y-3,None,y-3>"
    assert render(4, "x-4", "y-4") == "1<y-4,x-4,y-4>"


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
