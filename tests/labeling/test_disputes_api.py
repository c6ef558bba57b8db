"""A program reviews as the pages do: blind first, then with what was said."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from labeling import adjudication, disputes
from labeling.models import Adjudication, GuidelineGap, Judgment
from tests.cast import make_campaign, make_user
from tests.labeling.test_adjudication import ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def raters():
    return tuple(make_user(username=name) for name in ("rafi", "rosa", "rita"))


@pytest.fixture
def campaign(raters):
    return make_campaign(raters=raters)


@pytest.fixture
def call(campaign):
    client = Client()
    client.force_login(make_user(Role.MANAGER, "mia"))

    def send(name, pk=None, method="post", **body):
        where = {"slug": campaign.slug, **({"pk": pk} if pk else {})}
        return getattr(client, method)(
            reverse(name, kwargs=where),
            body,
            **({"content_type": "application/json"} if method == "post" else {}),
        )

    return send


def test_a_dispute_from_blind_to_sorted(call, campaign, raters):
    task = ask(campaign, raters, 0, 0, 1)
    disputes.refresh(campaign)
    assert call("api_dispute", Adjudication.objects.get().pk, "get").status_code == 400  # nobody has it yet
    taken = call("api_disputes").json()
    assert set(taken) == {"id", "held_until", "messages", "answers", "verdicts"}
    order = adjudication.order_shown(Adjudication.objects.get())
    texts = [place.response.text for place in task.task_responses.all()]
    assert [answer["text"] for answer in taken["answers"]] == [texts[position] for position in order]
    assert call("api_dispute", taken["id"], "get").status_code == 400  # blind
    # the answer at the task's first position is the better one
    shown = call("api_decide", taken["id"], verdict=-2 if order[0] == 0 else 2).json()
    assert (shown["verdict"], shown["task"], shown["reviewer"]) == (-2, task.pk, "mia")
    assert sorted(vote["verdict"] for vote in shown["votes"]) == [-2, -2, 2]
    assert {vote["rater"] for vote in shown["votes"]} == {rater.pseudonym for rater in raters}
    assert call("api_decide", taken["id"], verdict=1).json() == {
        "id": ["You don't hold this one any more: somebody else has it, or decided it."]
    }
    assert call("api_sort_dispute", taken["id"], cause="guideline_gap").json().keys() == {"gap"}
    done = call("api_sort_dispute", taken["id"], cause="guideline_gap", gap="Say what counts.").json()
    gap = GuidelineGap.objects.get()
    assert (done["cause"], done["gap"]) == ("guideline_gap", gap.pk)
    assert call("api_disputes").status_code == 204
    assert len(call("api_disputes", method="get").json()["results"]) == 1
    assert call("api_disputes", method="get", unsorted=1).json()["results"] == []
    assert call("api_settle_gap", gap.pk).status_code == 400
    assert call("api_settle_gap", gap.pk, guideline=9).json() == {"guideline": ["There is no such version."]}
    assert call("api_settle_gap", gap.pk, guideline=1).json()["guideline"] == 1
    assert call("api_settle_gap", gap.pk, dismiss="No.").json().keys() == {"gap"}


def test_a_raters_work_is_taken_out(call, campaign, raters):
    ask(campaign, raters, 0, 1)
    client = Client()
    client.force_login(make_user(Role.MANAGER))
    address = reverse("api_reopen", kwargs={"slug": campaign.slug, "username": "rafi"})
    counts = {"judgments": 1, "edits": 0, "asked_again": 1, "closed": 0}
    assert client.get(address).json() == counts
    assert client.post(address, {}, content_type="application/json").status_code == 400
    assert client.post(address, {"reason": "Why."}, content_type="application/json").json() == counts
    assert client.get(address).json()["judgments"] == 0
    assert Judgment.objects.filter(withdrawn=True).count() == 1
